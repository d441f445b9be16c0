#include "transfer/source_file.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.hpp"

namespace confab::transfer {

namespace {

using base::Errc;
using base::Result;
using base::Status;

constexpr std::size_t kSourcePieceBytes = 256 * 1024;  // read at a time

std::unexpected<base::Error> read_failed(const char* call) {
    spdlog::error("import_file_failed call={} error=\"{}\"", call, std::strerror(errno));
    return base::fail(Errc::internal, "The file could not be read.", "file_failed");
}

// conversations.json, conversations-000.json, at the top of the archive or in a folder of it.
bool holds_conversations(std::string_view path) {
    if (path.empty() || path.front() == '/' || path.find("..") != std::string_view::npos ||
        path.find('\\') != std::string_view::npos) {
        return false;
    }
    if (path.starts_with("__MACOSX/")) {
        return false;
    }
    std::string_view name = path.substr(path.find_last_of('/') + 1);
    constexpr std::string_view kBegin = "conversations";
    constexpr std::string_view kEnd = ".json";
    if (!name.starts_with(kBegin) || !name.ends_with(kEnd) || name.size() < kBegin.size() + kEnd.size()) {
        return false;
    }
    name.remove_prefix(kBegin.size());
    name.remove_suffix(kEnd.size());
    return name.find_first_not_of("-_0123456789") == std::string_view::npos;
}

}  // namespace

Result<std::unique_ptr<SourceFile>> SourceFile::open(const std::string& path) {
    const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);  // a pipe would wait for its writer
    if (descriptor < 0) {
        return base::not_found("Cannot open the file: " + std::string(std::strerror(errno)) + ".", "file_not_found");
    }
    std::unique_ptr<SourceFile> file(new SourceFile(descriptor));
    struct stat facts {};
    if (::fstat(descriptor, &facts) != 0 || !S_ISREG(facts.st_mode)) {
        return base::invalid("file", "This is no file that can be read.", "not_a_file");
    }
    file->bytes_ = static_cast<std::uint64_t>(facts.st_size);
    char head[4] = {};
    if (::pread(descriptor, head, sizeof head, 0) < 0) {
        return read_failed("pread");
    }
    if (std::string_view(head, sizeof head) == std::string_view("PK\x03\x04", 4)) {
        TRY_VOID(file->open_archive());
    }
    return file;
}

SourceFile::~SourceFile() {
    if (archive_ != nullptr) {
        archive_read_free(archive_);
    }
    ::close(descriptor_);
}

// The streaming reader: the other one would hold the archive's directory, of any length, in memory.
Status SourceFile::open_archive() {
    archive_ = archive_read_new();
    CONFAB_ASSERT(archive_ != nullptr);
    archive_read_support_format_zip_streamable(archive_);
    if (archive_read_open_fd(archive_, descriptor_, kSourcePieceBytes) != ARCHIVE_OK) {
        return archive_error();
    }
    return {};
}

std::unexpected<base::Error> SourceFile::archive_error() {
    const char* reason = archive_error_string(archive_);
    return base::invalid(
        "file",
        "The zip archive cannot be read" + (reason != nullptr ? ": " + std::string(reason) : std::string()) + ".",
        "malformed_zip"
    );
}

std::uint64_t SourceFile::bytes_read() const {
    if (archive_ == nullptr) {
        return plain_read_;
    }
    return static_cast<std::uint64_t>(std::max<std::int64_t>(0, archive_filter_bytes(archive_, -1)));
}

Result<SourceFile::Step> SourceFile::next_stream() {
    if (archive_ == nullptr) {
        return std::exchange(plain_done_, true) ? Step::end : Step::stream;
    }
    // What was not read of the entry before is read here rather than passed over: it counts.
    if (entries_ > 0) {
        TRY(const std::string_view rest, read_entry());
        if (!rest.empty()) {
            return Step::skipped;
        }
    }
    archive_entry* entry = nullptr;
    const int code = archive_read_next_header(archive_, &entry);
    if (code == ARCHIVE_EOF) {
        return Step::end;
    }
    if (code != ARCHIVE_OK && code != ARCHIVE_WARN) {
        return archive_error();
    }
    if (++entries_ > kEntriesMax) {
        return base::invalid("file", "The zip archive has more than a million entries.", "zip_bomb");
    }
    TRY_VOID(check_entry(entry));
    const char* path = archive_entry_pathname(entry);
    if (path == nullptr || !holds_conversations(path)) {
        return Step::skipped;
    }
    name_ = path;
    return Step::stream;
}

// Entries that are passed over are unpacked as well, so this concerns all of them. The other methods take as much
// memory as an archive demands.
Status SourceFile::check_entry(archive_entry* entry) const {
    if (archive_entry_is_encrypted(entry) != 0) {
        return base::invalid("file", "The zip archive is encrypted. Unpack it first.", "zip_encrypted");
    }
    const char* name = archive_format_name(archive_);
    const std::string_view format = name != nullptr ? name : "";
    if (!format.ends_with("(uncompressed)") && !format.ends_with("(deflation)")) {
        return base::invalid(
            "file",
            "The zip archive is packed in an unusual way. Unpack it, and import the conversations.json in it.",
            "malformed_zip"
        );
    }
    return {};
}

Result<std::string_view> SourceFile::read() {
    return archive_ == nullptr ? read_plain() : read_entry();
}

Result<std::string_view> SourceFile::read_plain() {
    buffer_.resize(kSourcePieceBytes);
    for (;;) {
        const ssize_t got = ::read(descriptor_, buffer_.data(), buffer_.size());
        if (got >= 0) {
            plain_read_ += static_cast<std::uint64_t>(got);
            return std::string_view(buffer_.data(), static_cast<std::size_t>(got));
        }
        if (errno != EINTR) {
            return read_failed("read");
        }
    }
}

Result<std::string_view> SourceFile::read_entry() {
    for (;;) {
        const void* data = nullptr;
        std::size_t size = 0;
        std::int64_t offset = 0;
        const int code = archive_read_data_block(archive_, &data, &size, &offset);
        if (code == ARCHIVE_EOF) {
            return std::string_view();
        }
        if (code != ARCHIVE_OK && code != ARCHIVE_WARN) {
            return archive_error();
        }
        if (size > 0) {
            TRY_VOID(check_bomb(size));
            return std::string_view(static_cast<const char*>(data), size);
        }
    }
}

Status SourceFile::check_bomb(std::size_t more) {
    unpacked_ += more;
    const bool too_much = unpacked_ > kUnpackedBytesMax;
    const bool too_dense =
        unpacked_ > kRatioFreeBytes && unpacked_ / kUnpackedRatioMax > std::max<std::uint64_t>(bytes_read(), 1);
    if (too_much || too_dense) {
        return base::invalid(
            "file", "The zip archive unpacks to far more than it should. It was not read any further.", "zip_bomb"
        );
    }
    return {};
}

}  // namespace confab::transfer
