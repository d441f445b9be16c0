#include "store/blobs.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <optional>
#include <system_error>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.hpp"

namespace confab::store {

namespace {

namespace fs = std::filesystem;
using base::Errc;
using base::Status;

constexpr std::size_t kHexChars = 64;

std::string hex_of(const Sha256& hash) {
    return base::to_hex(hash);
}

std::string folder_of(const std::string& dir, const std::string& hex) {
    return dir + "/" + hex.substr(0, 2);
}

std::optional<Sha256> parse_hash(std::string_view hex) {
    if (hex.size() != kHexChars) {
        return std::nullopt;
    }
    Sha256 hash{};
    for (std::size_t half = 0; half < 2; ++half) {
        const auto bytes = base::id_from_hex(hex.substr(half * kHexChars / 2, kHexChars / 2));
        if (!bytes) {
            return std::nullopt;
        }
        std::ranges::copy(*bytes, hash.begin() + static_cast<std::ptrdiff_t>(half * bytes->size()));
    }
    return hash;
}

// Makes what was renamed into `path` durable.
Status sync_directory(const std::string& path) {
    const int descriptor = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor < 0) {
        return std::unexpected(disk_error("open"));
    }
    const bool synced = ::fsync(descriptor) == 0;
    Status done = synced ? Status() : std::unexpected(disk_error("fsync"));
    ::close(descriptor);
    return done;
}

}  // namespace

base::Error disk_error(const char* what) {
    const int code = errno;
    spdlog::error("file_failed call={} error=\"{}\"", what, std::strerror(code));
    if (code == ENOSPC || code == EDQUOT) {
        return base::fail(Errc::storage_full, "The server's disk is full.", "storage_full").error();
    }
    return base::fail(Errc::internal, "A file could not be read or written.", "file_failed").error();
}

std::string_view image_media_type(std::string_view head) noexcept {
    using namespace std::string_view_literals;
    if (head.starts_with("\x89PNG\r\n\x1a\n"sv)) {
        return "image/png";
    }
    if (head.starts_with("\xff\xd8\xff"sv)) {
        return "image/jpeg";
    }
    if (head.starts_with("GIF87a"sv) || head.starts_with("GIF89a"sv)) {
        return "image/gif";
    }
    if (head.size() >= kMediaTypeHeadBytes && head.starts_with("RIFF"sv) && head.substr(8, 4) == "WEBP"sv) {
        return "image/webp";
    }
    return {};
}

std::string blob_dir_beside(const std::string& database_path) {
    return (fs::path(database_path).parent_path() / "files").string();
}

Status prepare_blob_dir(const std::string& dir) {
    const fs::path temporary = fs::path(dir) / "tmp";
    std::error_code ec;
    fs::create_directories(temporary, ec);
    if (ec) {
        return base::fail(
            Errc::internal, "Cannot make the directory " + temporary.string() + ": " + ec.message() + "."
        );
    }
    ::chmod(dir.c_str(), 0700);  // pictures are private
    std::size_t removed = 0;
    for (const auto& entry : fs::directory_iterator(temporary, ec)) {
        std::error_code failed;
        removed += fs::remove(entry.path(), failed) ? 1 : 0;
    }
    if (removed > 0) {
        spdlog::info("temporary_files_removed count={}", removed);
    }
    return {};
}

std::string blob_path(const std::string& dir, const Sha256& hash) {
    const std::string hex = hex_of(hash);
    return folder_of(dir, hex) + "/" + hex;
}

std::string make_temporary_path(const std::string& dir) {
    return dir + "/tmp/" + base::to_hex(base::make_uuid_v7()) + ".part";
}

Status adopt_blob(const std::string& dir, const std::string& temporary, const Sha256& hash) {
    const std::string path = blob_path(dir, hash);
    const std::string folder = folder_of(dir, hex_of(hash));
    if (::mkdir(folder.c_str(), 0700) == 0) {
        TRY_VOID(sync_directory(dir));
    } else if (errno != EEXIST) {
        return std::unexpected(disk_error("mkdir"));
    }
    if (::rename(temporary.c_str(), path.c_str()) != 0) {
        const bool repeated = errno == ENOENT && ::access(path.c_str(), F_OK) == 0;
        return repeated ? Status() : std::unexpected(disk_error("rename"));
    }
    return sync_directory(folder);
}

Status remove_blob(const std::string& dir, const Sha256& hash) {
    if (::unlink(blob_path(dir, hash).c_str()) != 0 && errno != ENOENT) {
        return std::unexpected(disk_error("unlink"));
    }
    return {};
}

Status each_blob(const std::string& dir, int folder, const std::function<Status(const Sha256&)>& visit) {
    const auto number = static_cast<std::uint8_t>(folder);
    const std::string path = dir + "/" + base::to_hex({&number, 1});
    std::error_code ec;
    int seen = 0;
    for (fs::directory_iterator entry(path, ec), end; !ec && entry != end; entry.increment(ec)) {
        if (++seen > kFolderEntriesMax) {
            break;
        }
        if (const auto hash = parse_hash(entry->path().filename().string())) {
            TRY_VOID(visit(*hash));
        }
    }
    return {};  // a folder that is not there holds nothing
}

}  // namespace confab::store
