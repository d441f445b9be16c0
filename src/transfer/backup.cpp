#include "transfer/backup.hpp"

#include <chrono>
#include <filesystem>

#include <fcntl.h>
#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.hpp"
#include "base/json.hpp"
#include "store/blobs.hpp"
#include "store/database_file.hpp"
#include "store/file_lock.hpp"
#include "transfer/tar_writer.hpp"

namespace confab::transfer {

namespace {

namespace fs = std::filesystem;
using base::Result;
using base::Status;
using net::Task;

constexpr std::size_t kBackupPieceBytes = 256 * 1024;
constexpr std::chrono::milliseconds kCopyTime{200};  // of copying between two pieces, so that progress is seen

struct Worker {};

std::vector<Worker> one_worker() {
    return std::vector<Worker>(1);
}

// A file being read from its beginning on.
class Source {
public:
    explicit Source(const std::string& path) : descriptor_(::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {}

    Source(const Source&) = delete;
    Source& operator=(const Source&) = delete;

    ~Source() {
        if (descriptor_ >= 0) {
            ::close(descriptor_);
        }
    }

    std::int64_t size() const {
        struct stat facts {};
        return descriptor_ >= 0 && ::fstat(descriptor_, &facts) == 0 ? facts.st_size : -1;
    }

    Result<std::string> read() {
        std::string piece(kBackupPieceBytes, '\0');
        const ssize_t got = ::read(descriptor_, piece.data(), piece.size());
        if (got < 0) {
            return std::unexpected(store::disk_error("read"));
        }
        piece.resize(static_cast<std::size_t>(got));
        return piece;
    }

private:
    const int descriptor_;
};

// The folder of the copy of the database; goes away with this object.
class Workshop {
public:
    Workshop(store::FileLock lock, std::string dir) : lock_(std::move(lock)), dir_(std::move(dir)) {}

    Workshop(const Workshop&) = delete;
    Workshop& operator=(const Workshop&) = delete;

    ~Workshop() { clear(); }

    Status open() {
        clear();  // what a crash left
        if (::mkdir(dir_.c_str(), 0700) != 0) {
            return std::unexpected(store::disk_error("mkdir"));
        }
        return {};
    }

    std::string database() const { return dir_ + "/confab.db"; }

private:
    void clear() {
        std::error_code ec;
        fs::remove_all(dir_, ec);
    }

    const store::FileLock lock_;
    const std::string dir_;
};

class Backup final : public Producer {
public:
    Backup(BackupSources sources, std::unique_ptr<Workshop> workshop)
        : sources_(std::move(sources)),
          workshop_(std::move(workshop)),
          blobs_held_(sources_.store.hold_blobs()),
          copy_(sources_.store.copy_database(workshop_->database())),
          disk_(one_worker(), 1) {}

    Task<Result<bool>> next(std::string& out) override;

    std::string progress() const override {
        if (copy_) {
            return fmt::format(
                "copying the database: {} of {} pages", copy_->pages_done(), std::max<std::int64_t>(copy_->pages(), 1)
            );
        }
        return fmt::format("database and {} of {} images", blobs_done_, facts_.blobs);
    }

private:
    Task<Result<bool>> copy_some();
    Task<Status> begin_archive();
    Status add_manifest();
    Task<Result<bool>> next_file();
    Task<void> note_end();
    Task<Status> open_file(std::string path, std::string name, std::int64_t bytes);
    Task<Status> add_piece();

    BackupSources sources_;
    std::unique_ptr<Workshop> workshop_;
    store::BlobHold blobs_held_;
    std::unique_ptr<store::StoreCopy> copy_;  // until it is whole
    net::BlockingPool<Worker> disk_;          // blocking calls, one at a time
    TarWriter tar_;
    store::DatabaseFacts facts_;
    std::shared_ptr<Source> source_;  // the file under way
    std::int64_t left_ = 0;           // bytes of it
    std::vector<store::BlobEntry> blobs_;
    std::size_t blob_ = 0;
    std::optional<store::Sha256> last_blob_;
    std::int64_t blobs_done_ = 0;
};

Task<Result<bool>> Backup::next(std::string& out) {
    if (copy_) {
        CO_TRY(const bool more, co_await copy_some());
        if (!more) {
            copy_.reset();
            CO_TRY_VOID(co_await begin_archive());
        }
        co_return true;
    }
    bool more = true;
    if (source_) {
        CO_TRY_VOID(co_await add_piece());
    } else {
        CO_TRY(more, co_await next_file());
    }
    tar_.take(out);
    co_return more;
}

Task<Result<bool>> Backup::copy_some() {
    const auto end = std::chrono::steady_clock::now() + kCopyTime;
    bool more = true;
    while (more && std::chrono::steady_clock::now() < end) {
        CO_TRY(more, co_await copy_->step());
    }
    co_return more;
}

// Checks the copy, and begins with what is small.
Task<Status> Backup::begin_archive() {
    auto settle = [path = workshop_->database()](Worker&) { return store::settle_database(path); };
    CO_TRY(facts_, co_await disk_.run(std::move(settle)));
    CO_TRY_VOID(add_manifest());
    const std::string key = sources_.data_dir + "/secret.key";
    Source source(key);
    if (source.size() >= 0) {
        CO_TRY(const std::string bytes, source.read());
        CO_TRY_VOID(tar_.begin_file("secret.key", static_cast<std::int64_t>(bytes.size())));
        CO_TRY_VOID(tar_.data(bytes));
    }
    const std::int64_t size = Source(workshop_->database()).size();
    co_return co_await open_file(workshop_->database(), "confab.db", size);
}

Status Backup::add_manifest() {
    std::string text;
    base::JsonWriter out(text);
    out.begin_object();
    out.member("format", "confab-backup");
    out.member("version", 1);
    out.member("product", "confab " + sources_.version);
    out.member("created_at", base::unix_now());
    out.member("schema", facts_.schema);
    out.member("blobs", facts_.blobs);
    out.member("blob_bytes", facts_.blob_bytes);
    out.end_object();
    text += '\n';
    TRY_VOID(tar_.begin_file("manifest.json", static_cast<std::int64_t>(text.size())));
    return tar_.data(text);
}

Task<Status> Backup::open_file(std::string path, std::string name, std::int64_t bytes) {
    source_ = std::make_shared<Source>(path);
    if (source_->size() != bytes) {
        co_return base::fail(
            base::Errc::internal,
            "The file " + path + " is missing or has another size than it should; 'confab doctor' tells more.",
            "blob_damaged"
        );
    }
    left_ = bytes;
    co_return tar_.begin_file(name, bytes);
}

Task<Status> Backup::add_piece() {
    auto read = [source = source_](Worker&) { return source->read(); };
    CO_TRY(const std::string piece, co_await disk_.run(std::move(read)));
    left_ -= static_cast<std::int64_t>(piece.size());
    if (left_ < 0 || (piece.empty() && left_ > 0)) {
        co_return base::fail(base::Errc::internal, "A file changed while it was read.", "file_failed");
    }
    if (left_ == 0) {
        source_.reset();
    }
    co_return tar_.data(piece);
}

// The next image; false after the last, with the archive's end.
Task<Result<bool>> Backup::next_file() {
    if (blob_ == blobs_.size()) {
        auto list = [path = workshop_->database(), after = last_blob_](Worker&) {
            return store::list_blobs(path, after);
        };
        CO_TRY(blobs_, co_await disk_.run(std::move(list)));
        blob_ = 0;
    }
    if (blobs_.empty()) {
        CO_TRY_VOID(tar_.finish());
        co_await note_end();
        co_return false;
    }
    const store::BlobEntry& blob = blobs_[blob_++];
    last_blob_ = blob.hash;
    ++blobs_done_;
    const std::string dir = sources_.data_dir + "/files";
    const std::string hex = base::to_hex(blob.hash);
    CO_TRY_VOID(co_await open_file(store::blob_path(dir, blob.hash), "files/" + hex.substr(0, 2) + "/" + hex, blob.bytes)
    );
    co_return true;
}

// For whoever wonders when the last one was made. A backup is not worse for its not being noted.
Task<void> Backup::note_end() {
    std::string name(store::kSettingLastBackup);
    std::string now = std::to_string(base::unix_now());
    const auto noted = co_await sources_.store.put_setting(std::move(name), std::move(now));
    if (!noted) {
        spdlog::warn("backup_not_noted error=\"{}\"", noted.error().message);
    }
}

}  // namespace

Result<std::unique_ptr<Producer>> make_backup(BackupSources sources) {
    auto lock = store::FileLock::take(sources.data_dir + "/backup.lock");
    if (!lock) {
        return base::fail(base::Errc::conflict, "Another backup is under way.", "backup_running");
    }
    auto workshop = std::make_unique<Workshop>(std::move(*lock), sources.data_dir + "/backup.tmp");
    TRY_VOID(workshop->open());
    return std::make_unique<Backup>(std::move(sources), std::move(workshop));
}

}  // namespace confab::transfer
