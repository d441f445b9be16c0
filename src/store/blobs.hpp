// Blobs: the bytes of files, on disk, once for each content: DIR/ab/<SHA-256 in hex>, and DIR/tmp for what is being
// written. Blocking calls, for the writer's thread and the disk pool.
//
// Only the writer's thread makes and removes names of blobs, so that "nobody refers to it any more" cannot race with
// "somebody uploads the same again" (docs/adr/0012).
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "base/error.hpp"
#include "store/rows.hpp"

namespace confab::store {

inline constexpr std::size_t kMediaTypeHeadBytes = 12;  // what image_media_type wants to see

// The media type that the first bytes of a file show: PNG, JPEG, WebP or GIF; empty for anything else.
std::string_view image_media_type(std::string_view head) noexcept;

// The folder "files" beside the database file.
std::string blob_dir_beside(const std::string& database_path);

// Makes the directories (mode 0700) and removes temporary files that a crash left. Error: internal.
base::Status prepare_blob_dir(const std::string& dir);

std::string blob_path(const std::string& dir, const Sha256& hash);
std::string make_temporary_path(const std::string& dir);

// Gives the temporary file its name, durably. Fine when it has it already, also when the blob was there before.
// Errors: storage_full, internal.
base::Status adopt_blob(const std::string& dir, const std::string& temporary, const Sha256& hash);

// Fine when there is none.
base::Status remove_blob(const std::string& dir, const Sha256& hash);

inline constexpr int kBlobFolders = 256;
inline constexpr int kFolderEntriesMax = 10'000;  // looked at in one call of each_blob

// Calls `visit` for every blob in one of the 256 folders; other names are left alone.
base::Status each_blob(const std::string& dir, int folder, const std::function<base::Status(const Sha256&)>& visit);

// The error for the last failed system call on a file.
base::Error disk_error(const char* what);

}  // namespace confab::store
