// SourceFile: the file to import, or the conversations within a zip archive, as one stream of bytes at a time.
//
// Blocking; for the thread of an import. Nothing is ever written to a path that an archive names, and only entries
// called conversations.json (or conversations-000.json and so on) are looked at. An archive is read from its beginning
// to its end, without its directory: what it holds of memory does not depend on what it says. The bytes that come out
// of it are capped, all of them and as a multiple of those that went in.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/error.hpp"

struct archive;
struct archive_entry;

namespace confab::transfer {

inline constexpr std::uint64_t kUnpackedBytesMax = 32ULL * 1024 * 1024 * 1024;  // out of one archive
inline constexpr std::uint64_t kUnpackedRatioMax = 200;  // text packs 3 to 20 times; zeros a thousand times
inline constexpr std::uint64_t kRatioFreeBytes = 16ULL * 1024 * 1024;  // so much may come out in any case
inline constexpr std::size_t kEntriesMax = 1'000'000;

class SourceFile {
public:
    // Errors: `not_found` (file_not_found), `internal`.
    static base::Result<std::unique_ptr<SourceFile>> open(const std::string& path);
    ~SourceFile();
    SourceFile(const SourceFile&) = delete;
    SourceFile& operator=(const SourceFile&) = delete;

    enum class Step : std::uint8_t {
        stream,   // there is one to be read
        skipped,  // a piece of what is not looked at was passed over: call again
        end,      // there are no more
    };

    // Goes on towards the next stream, a piece at a time, so that its caller can stop. A plain file has one. Errors as
    // of read().
    base::Result<Step> next_stream();

    // The next bytes, valid until the next call; empty at the stream's end. Errors: `invalid_request` with code
    // malformed_zip, zip_encrypted or zip_bomb; `internal`.
    base::Result<std::string_view> read();

    const std::string& name() const { return name_; }  // of the entry; empty for a plain file

    std::uint64_t bytes_read() const;  // of the file

    std::uint64_t bytes() const { return bytes_; }

    bool is_zip() const { return archive_ != nullptr; }

private:
    explicit SourceFile(int descriptor) : descriptor_(descriptor) {}

    base::Status open_archive();
    base::Result<std::string_view> read_plain();
    base::Result<std::string_view> read_entry();
    base::Status check_entry(archive_entry* entry) const;
    base::Status check_bomb(std::size_t more);
    std::unexpected<base::Error> archive_error();

    int descriptor_;
    std::uint64_t bytes_ = 0;
    std::uint64_t plain_read_ = 0;
    std::uint64_t unpacked_ = 0;
    std::size_t entries_ = 0;
    bool plain_done_ = false;
    ::archive* archive_ = nullptr;
    std::string name_;
    std::string buffer_;
};

}  // namespace confab::transfer
