// TarWriter: a POSIX (pax) archive written by libarchive into memory, to be taken piece by piece.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.hpp"

struct archive;

namespace confab::transfer {

class TarWriter {
public:
    TarWriter();
    TarWriter(const TarWriter&) = delete;
    TarWriter& operator=(const TarWriter&) = delete;
    ~TarWriter();

    // A regular file of mode 0600; exactly `bytes` of data() follow.
    base::Status begin_file(const std::string& name, std::int64_t bytes);
    base::Status data(std::string_view bytes);
    base::Status finish();

    // Appends what was written since the last call.
    void take(std::string& out);

private:
    base::Status failed() const;

    archive* archive_;
    std::string written_;
};

}  // namespace confab::transfer
