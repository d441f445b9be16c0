#include "transfer/import_service.hpp"

#include <algorithm>
#include <filesystem>

#include <boost/asio/co_spawn.hpp>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.hpp"
#include "base/json.hpp"
#include "base/log.hpp"
#include "store/blobs.hpp"

namespace confab::transfer {

namespace {

using base::Errc;
using base::Result;
using base::Status;
using net::Task;
using store::ImportJob;
using store::ImportStatus;

constexpr std::size_t kJobsAtOnce = 2;
constexpr std::size_t kWakesMax = 256;          // a thread that wakes does all that waits
constexpr std::size_t kDiskJobsMax = 1'024;
constexpr int kEndAttemptsMax = 1'800;          // a full disk may become free again
constexpr std::chrono::milliseconds kEndPause{1'000};
constexpr std::chrono::milliseconds kClaimPause{1'000};
constexpr std::chrono::milliseconds kRoomLookEvery{500};
constexpr std::string_view kUploadSuffix = ".upload";

ImportJob new_job(store::UserNo user, ImportStatus status, std::string filename, std::string path) {
    ImportJob job;
    job.id = store::ImportId::make();
    job.user = user;
    job.status = status;
    job.filename = std::move(filename);
    job.path = std::move(path);
    job.created_at = base::unix_now();
    return job;
}

std::int64_t file_bytes(const std::string& path) {
    std::error_code ec;
    const auto bytes = std::filesystem::file_size(path, ec);
    return ec ? 0 : static_cast<std::int64_t>(bytes);
}

std::string_view status_name(ImportStatus status) {
    switch (status) {
        case ImportStatus::receiving:
        case ImportStatus::queued: return "queued";
        case ImportStatus::running: return "running";
        case ImportStatus::completed: return "completed";
        case ImportStatus::failed: return "failed";
        case ImportStatus::cancelled: return "cancelled";
    }
    return "failed";
}

}  // namespace

// ---- uploads ----

struct ImportService::Upload::File {
    explicit File(std::string its_path) : path(std::move(its_path)) {}

    File(const File&) = delete;
    File& operator=(const File&) = delete;

    ~File() {
        if (descriptor >= 0) {
            ::close(descriptor);
        }
        if (!keep) {
            ::unlink(path.c_str());
        }
    }

    Status append(std::string_view piece) {
        if (descriptor < 0) {
            descriptor = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        }
        while (descriptor >= 0 && !piece.empty()) {
            const ssize_t written = ::write(descriptor, piece.data(), piece.size());
            if (written < 0 && errno != EINTR) {
                return std::unexpected(store::disk_error("write"));
            }
            piece.remove_prefix(written < 0 ? 0 : static_cast<std::size_t>(written));
        }
        return descriptor < 0 ? std::unexpected(store::disk_error("open")) : Status();
    }

    Status finish() {
        return ::fsync(descriptor) == 0 ? Status() : std::unexpected(store::disk_error("fsync"));
    }

    const std::string path;
    int descriptor = -1;
    bool keep = false;
};

ImportService::Upload::Upload(ImportService& service, ImportJob job)
    : service_(service), job_(std::move(job)), file_(std::make_shared<File>(service.upload_path(job_.id))) {}

// Closing and removing may block as well.
ImportService::Upload::~Upload() {
    service_.disk_.post([file = std::move(file_)](Worker*) mutable { file.reset(); });
}

Task<Status> ImportService::Upload::append(std::string_view bytes) {
    job_.bytes += static_cast<std::int64_t>(bytes.size());
    auto work = [file = file_, bytes](Worker&) { return file->append(bytes); };
    co_return co_await service_.disk_.run(std::move(work));
}

Task<Result<ImportJob>> ImportService::Upload::finish() {
    auto work = [file = file_](Worker&) { return file->finish(); };
    CO_TRY_VOID(co_await service_.disk_.run(std::move(work)));
    file_->keep = true;
    const Status queued = co_await service_.store_.queue_import(job_.id, job_.bytes);
    if (!queued) {
        file_->keep = false;
        co_return std::unexpected(queued.error());
    }
    service_.wake();
    job_.status = ImportStatus::queued;
    co_return job_;
}

// ---- the service ----

ImportService::ImportService(store::Store& store, store::BlobDisk& blobs, std::string dir, ImportRoom room)
    : store_(store),
      blobs_(blobs),
      dir_(std::move(dir)),
      room_(room),
      disk_(std::vector<Worker>(1), kDiskJobsMax),
      jobs_(std::vector<Worker>(kJobsAtOnce), kWakesMax) {}

std::string ImportService::upload_path(store::ImportId id) const {
    return dir_ + "/" + base::to_hex(id.bytes) + std::string(kUploadSuffix);
}

Task<Status> ImportService::start() {
    if (::mkdir(dir_.c_str(), 0700) != 0 && errno != EEXIST) {
        co_return std::unexpected(store::disk_error("mkdir"));
    }
    CO_TRY(const auto queued, co_await store_.recover_imports());
    CO_TRY_VOID(remove_strays(queued));
    for (std::size_t i = 0; i < std::min(queued.size(), kJobsAtOnce); ++i) {
        wake();
    }
    co_return Status{};
}

Status ImportService::remove_strays(const std::vector<ImportJob>& queued) const {
    std::error_code ec;
    for (const auto& entry : std::filesystem::directory_iterator(dir_, ec)) {
        const std::string path = entry.path().string();
        const bool waited_for =
            std::ranges::any_of(queued, [&](const ImportJob& job) { return upload_path(job.id) == path; });
        if (!waited_for && path.ends_with(kUploadSuffix)) {
            std::error_code failed;
            std::filesystem::remove(path, failed);
        }
    }
    return {};
}

void ImportService::stop() {
    stopping_ = true;
    disk_.stop();
    jobs_.stop();
}

Task<Result<std::unique_ptr<ImportService::Upload>>> ImportService::begin_upload(
    store::UserNo user,
    std::string filename
) {
    ImportJob job = new_job(user, ImportStatus::receiving, std::move(filename), {});
    CO_TRY_VOID(co_await store_.begin_import(job));
    co_return std::make_unique<Upload>(*this, std::move(job));
}

Task<Result<ImportJob>> ImportService::import_path(store::UserNo user, std::string path) {
    std::string filename = std::filesystem::path(path).filename().string();
    ImportJob job = new_job(user, ImportStatus::queued, std::move(filename), path);
    job.bytes = file_bytes(path);
    CO_TRY_VOID(co_await store_.begin_import(job));
    wake();
    co_return job;
}

// A running one is removed here as well: its thread has the file open, or finds that the job was cancelled.
Task<Result<ImportJob>> ImportService::cancel(store::UserNo user, store::ImportId id) {
    CO_TRY(auto job, co_await store_.cancel_import(user, id));
    if (job.status == ImportStatus::cancelled && job.path.empty()) {
        auto work = [path = upload_path(id)](Worker&) -> Status {
            ::unlink(path.c_str());
            return {};
        };
        (void)co_await disk_.run(std::move(work));  // else it goes with the next start
    }
    co_return job;
}

void ImportService::wake() {
    jobs_.post([this](Worker* worker) {
        if (worker != nullptr && !stopping_) {
            run_all();
        }
    });
}

void ImportService::run_all() {
    net::asio::io_context loop{1};
    net::asio::co_spawn(loop, run_queued(), [](std::exception_ptr failure) {
        if (failure) {
            try {
                std::rethrow_exception(failure);
            } catch (const std::exception& e) {
                spdlog::error("import_failed error=\"{}\"", e.what());
            }
        }
    });
    loop.run();
}

bool ImportService::is_deferred() const {
    return room_.pressure != nullptr && room_.pressure->active(meter::Action::defer_background);
}

Task<void> ImportService::wait_for_room() {
    if (is_deferred()) {
        room_.pressure->count(meter::Shed::background_deferred);
    }
    while (is_deferred() && !stopping_) {
        co_await net::sleep_for(kRoomLookEvery);
    }
}

// Nothing when the server stops.
Task<std::optional<meter::Lease>> ImportService::lease_room() {
    while (!stopping_) {
        co_await wait_for_room();
        if (room_.budget == nullptr) {
            co_return meter::Lease();
        }
        if (auto lease = room_.budget->try_lease(kImportLeaseBytes, meter::Purpose::background)) {
            co_return *std::move(lease);
        }
        co_await net::sleep_for(kRoomLookEvery);
    }
    co_return std::nullopt;
}

// Asked by an import between two pieces: notes how far it is, waits while memory is short. False: it is to end.
Task<Result<bool>> ImportService::keep_going(store::ImportId id, store::ImportProgress so_far) {
    co_await wait_for_room();
    if (stopping_) {
        co_return false;
    }
    co_return co_await store_.save_import(id, std::move(so_far));
}

Task<void> ImportService::run_queued() {
    while (!stopping_) {
        const auto room = co_await lease_room();
        if (!room) {
            co_return;
        }
        auto job = co_await store_.claim_import();
        if (!job) {  // busy, or a full disk: the job would wait for somebody else's
            co_await net::sleep_for(kClaimPause);
            continue;
        }
        if (!*job) {
            co_return;
        }
        ImportJob claimed = **std::move(job);
        co_await run_job(std::move(claimed));
    }
}

Task<void> ImportService::run_job(ImportJob job) {
    const std::string path = job.path.empty() ? upload_path(job.id) : job.path;
    ImportReport report;
    KeepGoing go_on = [this, id = job.id](const ImportReport& so_far) -> Task<Result<bool>> {
        return keep_going(id, so_far.progress());
    };
    Status done;
    const auto user = co_await store_.find_user(job.user);
    if (user) {
        ImportEnvironment environment{store_, store_, blobs_, dir_};
        const Importing importing{user->no, user->id};
        try {
            done = co_await import_file(std::move(environment), importing, path, report, std::move(go_on));
        } catch (const std::exception& e) {
            spdlog::error("import_failed import={} error=\"{}\"", job.id.str(), e.what());
            done = base::fail(Errc::internal, "The import failed. The server's log says why.", "internal_error");
        }
    } else {
        done = std::unexpected(user.error());
    }
    if (stopping_ && !done && done.error().errc == Errc::cancelled) {
        co_return;  // it stays a running one, and is begun again at the next start
    }
    if (!done && done.error().errc != Errc::cancelled) {
        report.add_problem(job.filename, done.error());
    }
    const ImportStatus status = done                                       ? ImportStatus::completed
                                : done.error().errc == Errc::cancelled ? ImportStatus::cancelled
                                                                           : ImportStatus::failed;
    const bool ended = co_await end_job(job, status, report);
    if (ended && job.path.empty()) {  // else it is begun again at the next start
        ::unlink(path.c_str());
    }
}

// Cannot be noted on a full disk: the job is shown as running until it can, and other imports of the user wait. Also
// while the server stops it is tried once. False: it could not be noted.
Task<bool> ImportService::end_job(const ImportJob& job, ImportStatus status, const ImportReport& report) {
    for (int attempt = 1;; ++attempt) {
        const Status noted = co_await store_.finish_import(job.id, status, report.progress());
        if (noted) {
            const store::ImportProgress progress = report.progress();
            spdlog::info(
                "import_ended import={} status={} format={} conversations={} messages={} skipped={} problems={}",
                job.id.str(),
                status_name(status),
                progress.format,
                progress.conversations,
                progress.messages,
                progress.skipped,
                progress.problems_total
            );
            co_return true;
        }
        if (stopping_ || attempt == kEndAttemptsMax) {
            co_return false;
        }
        co_await net::sleep_for(kEndPause);
    }
}

// ---- without a server ----

namespace {

// What an earlier process left of the same import when it was ended: this one begins again.
Task<Status> end_left_over(store::ImportStore& store, store::UserNo user, std::string path) {
    const store::PageRequest<store::ImportId> newest{std::nullopt, store::Order::descending, 1};
    CO_TRY(const auto page, co_await store.list_imports(user, newest));
    if (!page.rows.empty() && !is_final(page.rows[0].status) && page.rows[0].path == path) {
        CO_TRY_VOID(co_await store.cancel_import(user, page.rows[0].id));
    }
    co_return Status{};
}

Task<Result<store::ImportProgress>> run_now(
    ImportEnvironment environment,
    store::User user,
    std::string path,
    std::function<void(const store::ImportProgress&)> watch
) {
    store::ImportStore& store = environment.store;
    ImportJob job = new_job(user.no, ImportStatus::running, std::filesystem::path(path).filename().string(), path);
    job.bytes = file_bytes(path);
    CO_TRY_VOID(co_await end_left_over(store, user.no, path));
    CO_TRY_VOID(co_await store.begin_import(job));
    ImportReport report;
    KeepGoing keep_going = [&store, &watch, id = job.id](const ImportReport& so_far) -> Task<Result<bool>> {
        watch(so_far.progress());
        return store.save_import(id, so_far.progress());
    };
    const Importing importing{user.no, user.id};
    const Status done = co_await import_file(std::move(environment), importing, path, report, std::move(keep_going));
    if (!done) {
        report.add_problem(job.filename, done.error());
    }
    const ImportStatus status = done ? ImportStatus::completed : ImportStatus::failed;
    CO_TRY_VOID(co_await store.finish_import(job.id, status, report.progress()));
    if (!done) {
        watch(report.progress());
        co_return std::unexpected(done.error());
    }
    co_return report.progress();
}

}  // namespace

Result<store::ImportProgress> import_now(
    ImportEnvironment environment,
    store::User user,
    std::string path,
    std::function<void(const store::ImportProgress&)> watch
) {
    if (::mkdir(environment.spool_dir.c_str(), 0700) != 0 && errno != EEXIST) {
        return std::unexpected(store::disk_error("mkdir"));
    }
    net::asio::io_context loop{1};
    std::optional<Result<store::ImportProgress>> outcome;
    net::asio::co_spawn(
        loop,
        run_now(std::move(environment), std::move(user), std::move(path), std::move(watch)),
        [&outcome](std::exception_ptr failure, Result<store::ImportProgress> result) {
            if (failure) {
                std::rethrow_exception(failure);
            }
            outcome = std::move(result);
        }
    );
    loop.run();
    return *std::move(outcome);
}

std::string render_import(const ImportJob& job) {
    std::string body;
    base::JsonWriter out(body);
    out.begin_object();
    out.member("id", job.id.str());
    out.member("object", "import");
    out.member("filename", job.filename);
    out.member_or_null("format", job.progress.format);
    out.member("status", status_name(job.status));
    out.member("bytes", job.bytes);
    out.member("bytes_read", job.progress.bytes_read);
    out.member("conversations", job.progress.conversations);
    out.member("messages", job.progress.messages);
    out.member("skipped", job.progress.skipped);
    out.raw_member("problems", job.progress.problems);
    out.member("problems_total", job.progress.problems_total);
    out.member("created_at", job.created_at);
    out.key("finished_at");
    if (job.finished_at) {
        out.value(*job.finished_at);
    } else {
        out.value(nullptr);
    }
    out.end_object();
    return body;
}

}  // namespace confab::transfer
