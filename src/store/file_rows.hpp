// What the store keeps of files, as plain values.
#pragma once

#include <string>

#include "store/rows.hpp"

namespace confab::store {

using base::FileId;

inline constexpr std::int64_t kFileBytesMax = 20LL * 1024 * 1024;        // of one file
inline constexpr std::int64_t kUserFileBytesMax = 1024LL * 1024 * 1024;  // of one user, unless limits say otherwise
inline constexpr std::int64_t kUserFilesMax = 10'000;                    // files of one user

// The file of a user. Its bytes are a blob, which several files may share.
struct StoredFile {
    FileId id;
    UserNo user{};
    Sha256 hash{};
    std::int64_t bytes = 0;
    std::string media_type;  // by content
    std::string filename;
    std::string purpose;
    UnixSeconds created_at = 0;
};

struct NewFile {
    StoredFile file;
    std::string temporary;  // path of the finished temporary file, in the blob directory
    bool reuse = false;     // a file of the same user with the same bytes and purpose is as good: no second one is made
};

}  // namespace confab::store
