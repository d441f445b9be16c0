#include "transfer/restore.hpp"

#include <ctime>
#include <filesystem>
#include <memory>
#include <optional>

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sodium.h>
#include <unistd.h>

#include "base/json.hpp"
#include "store/blobs.hpp"
#include "store/database_file.hpp"
#include "store/file_lock.hpp"

namespace confab::transfer {

namespace {

namespace fs = std::filesystem;
using base::Errc;
using base::Result;
using base::Status;

constexpr std::size_t kArchivePieceBytes = 256 * 1024;
constexpr std::size_t kManifestBytesMax = 64 * 1024;
constexpr std::string_view kFolder = "restore.part";  // in the data directory, until everything is checked

std::unexpected<base::Error> damaged(const std::string& what) {
    return base::fail(
        Errc::invalid_request, "The backup is damaged: " + what + ". Nothing was changed.", "backup_damaged"
    );
}

bool is_hex(std::string_view text) {
    return text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

// "files/ab/ab...": the only names besides three fixed ones that a backup holds.
bool is_blob_name(std::string_view name) {
    return name.size() == 6 + 3 + 64 && name.starts_with("files/") && name[8] == '/' && is_hex(name.substr(9)) &&
           name.substr(6, 2) == name.substr(9, 2);
}

bool is_known_name(std::string_view name) {
    return name == "manifest.json" || name == "secret.key" || name == "confab.db" || is_blob_name(name);
}

// A file being unpacked: written, hashed and synced.
class Target {
public:
    explicit Target(const std::string& path)
        : descriptor_(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600)) {
        crypto_hash_sha256_init(&hash_);
    }

    Target(const Target&) = delete;
    Target& operator=(const Target&) = delete;

    ~Target() {
        if (descriptor_ >= 0) {
            ::close(descriptor_);
        }
    }

    Status write(std::string_view bytes) {
        crypto_hash_sha256_update(&hash_, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
        while (!bytes.empty()) {
            const ssize_t written = ::write(descriptor_, bytes.data(), bytes.size());
            if (written < 0) {
                return std::unexpected(store::disk_error("write"));
            }
            bytes.remove_prefix(static_cast<std::size_t>(written));
        }
        return {};
    }

    Result<std::string> finish() {
        if (descriptor_ < 0 || ::fsync(descriptor_) != 0) {
            return std::unexpected(store::disk_error("fsync"));
        }
        store::Sha256 digest{};
        crypto_hash_sha256_final(&hash_, digest.data());
        return base::to_hex(digest);
    }

private:
    const int descriptor_;
    crypto_hash_sha256_state hash_{};
};

struct CloseArchive {
    void operator()(archive* opened) const { archive_read_free(opened); }
};

class Restore {
public:
    Restore(std::string data_dir, const std::function<void(const std::string&)>& progress)
        : data_dir_(std::move(data_dir)), part_(data_dir_ + "/" + std::string(kFolder)), progress_(progress) {}

    Status unpack(const std::string& file);
    Status check();
    Status switch_over(bool force);

    void discard() {
        std::error_code ec;
        fs::remove_all(part_, ec);
    }

    const RestoreResult& result() const { return result_; }

private:
    Status unpack_entry(archive* opened, const std::string& name);
    Status check_manifest();
    Status move_aside();

    const std::string data_dir_;
    const std::string part_;
    const std::function<void(const std::string&)>& progress_;
    RestoreResult result_;
};

Status Restore::unpack(const std::string& file) {
    discard();  // of a restore that broke off
    std::error_code ec;
    fs::create_directories(part_, ec);
    if (ec) {
        return base::fail(Errc::internal, "Cannot make " + part_ + ": " + ec.message() + ".");
    }
    fs::permissions(data_dir_, fs::perms::owner_all, ec);
    const std::unique_ptr<archive, CloseArchive> opened(archive_read_new());
    archive_read_support_format_tar(opened.get());
    if (archive_read_open_filename(opened.get(), file.c_str(), kArchivePieceBytes) != ARCHIVE_OK) {
        return base::invalid("file", "Cannot read " + file + ": " + archive_error_string(opened.get()) + ".");
    }
    while (true) {
        archive_entry* entry = nullptr;
        const int code = archive_read_next_header(opened.get(), &entry);
        if (code == ARCHIVE_EOF) {
            return {};
        }
        if (code != ARCHIVE_OK) {
            return damaged(archive_error_string(opened.get()));
        }
        const char* name = archive_entry_pathname(entry);
        if (name == nullptr || archive_entry_filetype(entry) != AE_IFREG || archive_entry_hardlink(entry) != nullptr ||
            !is_known_name(name)) {
            return base::fail(Errc::invalid_request, file + " is not a backup of Confab.", "not_a_backup");
        }
        TRY_VOID(unpack_entry(opened.get(), name));
    }
}

Status Restore::unpack_entry(archive* opened, const std::string& name) {
    const std::string path = part_ + "/" + name;
    std::error_code ec;
    fs::create_directories(fs::path(path).parent_path(), ec);
    Target target(path);
    std::string piece(kArchivePieceBytes, '\0');
    while (true) {
        const la_ssize_t got = archive_read_data(opened, piece.data(), piece.size());
        if (got < 0) {
            return damaged(archive_error_string(opened));
        }
        if (got == 0) {
            break;
        }
        TRY_VOID(target.write(std::string_view(piece).substr(0, static_cast<std::size_t>(got))));
    }
    TRY(const std::string hash, target.finish());
    if (is_blob_name(name)) {
        if (hash != name.substr(9)) {
            return damaged("an image's bytes are not those it was stored with");
        }
        ++result_.images;
        progress_(fmt::format("{} images", result_.images));
    } else {
        progress_(name);
    }
    return {};
}

Status Restore::check() {
    TRY_VOID(check_manifest());
    progress_("checking the database");
    TRY_VOID(store::settle_database(part_ + "/confab.db"));
    std::optional<store::Sha256> after;
    while (true) {
        TRY(const auto blobs, store::list_blobs(part_ + "/confab.db", after));
        if (blobs.empty()) {
            return {};
        }
        for (const store::BlobEntry& blob : blobs) {
            std::error_code ec;
            const auto size = fs::file_size(store::blob_path(part_ + "/files", blob.hash), ec);
            if (ec || size != static_cast<std::uintmax_t>(blob.bytes)) {
                return damaged("an image is missing");
            }
            after = blob.hash;
        }
    }
}

Status Restore::check_manifest() {
    std::string text(kManifestBytesMax, '\0');
    const int descriptor = ::open((part_ + "/manifest.json").c_str(), O_RDONLY | O_CLOEXEC);
    const ssize_t got = descriptor < 0 ? -1 : ::read(descriptor, text.data(), text.size());
    if (descriptor >= 0) {
        ::close(descriptor);
    }
    text.resize(got < 0 ? 0 : static_cast<std::size_t>(got));
    const auto manifest = base::parse_json(text);
    const auto* members = manifest ? manifest->if_object() : nullptr;
    if (members == nullptr || base::find_string(*members, "format") != "confab-backup") {
        return base::fail(Errc::invalid_request, "This is not a backup of Confab.", "not_a_backup");
    }
    const auto* version = base::find(*members, "version");
    if (version == nullptr || !version->is_int64() || version->get_int64() != 1) {
        return base::fail(
            Errc::invalid_request, "The backup was made by a newer version of Confab.", "backup_too_new"
        );
    }
    if (!fs::exists(part_ + "/confab.db")) {
        return damaged("it holds no database");
    }
    const auto* blobs = base::find(*members, "blobs");
    if (blobs == nullptr || !blobs->is_int64() || blobs->get_int64() != result_.images) {
        return damaged("images are missing");
    }
    return {};
}

// The database comes last: until then the directory holds none.
Status Restore::switch_over(bool force) {
    if (force) {
        TRY_VOID(move_aside());
    }
    std::error_code ec;
    fs::remove(part_ + "/manifest.json", ec);
    for (const char* name : {"files", "secret.key", "confab.db"}) {
        const std::string from = part_ + "/" + name;
        if (fs::exists(from, ec)) {
            fs::rename(from, data_dir_ + "/" + name, ec);
            if (ec) {
                return base::fail(
                    Errc::internal, "Cannot move " + from + " to its place: " + ec.message() + ".", "restore_failed"
                );
            }
        }
    }
    const int directory = ::open(data_dir_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory >= 0) {
        ::fsync(directory);
        ::close(directory);
    }
    discard();
    return {};
}

Status Restore::move_aside() {
    const std::string place = data_dir_ + "/before-restore-" + std::to_string(std::time(nullptr));
    for (const char* name : {"confab.db", "confab.db-wal", "confab.db-shm", "secret.key", "files"}) {
        std::error_code ec;
        const std::string from = data_dir_ + "/" + name;
        if (!fs::exists(from, ec)) {
            continue;
        }
        fs::create_directories(place, ec);
        fs::permissions(place, fs::perms::owner_all, ec);
        fs::rename(from, place + "/" + name, ec);
        if (ec) {
            return base::fail(Errc::internal, "Cannot move " + from + " aside: " + ec.message() + ".");
        }
        result_.moved_to = place;
    }
    return {};
}

}  // namespace

Result<RestoreResult> restore_backup(
    const std::string& file,
    const std::string& data_dir,
    bool force,
    const std::function<void(const std::string& what)>& progress
) {
    std::error_code ec;
    const std::string database = data_dir + "/confab.db";
    fs::create_directories(data_dir, ec);
    TRY(const auto lock, store::FileLock::take(store::lock_path(database)));  // before anything is touched
    fs::remove(data_dir + "/files/tmp", ec);  // empty folders are nothing
    fs::remove(data_dir + "/files", ec);
    // A log that an earlier database left would be played into the restored one.
    bool used = false;
    for (const char* name : {"confab.db", "confab.db-wal", "confab.db-shm", "secret.key", "files"}) {
        used = used || fs::exists(data_dir + "/" + name, ec);
    }
    if (used && !force) {
        return base::fail(
            Errc::conflict,
            "There is something in " + data_dir + " already. --force moves it aside and restores the backup.",
            "not_empty"
        );
    }
    Restore restore(data_dir, progress);
    Status done = restore.unpack(file);
    if (done) {
        done = restore.check();
    }
    if (!done) {
        restore.discard();
        return std::unexpected(done.error());
    }
    TRY_VOID(restore.switch_over(force));
    return restore.result();
}

}  // namespace confab::transfer
