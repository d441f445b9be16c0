// ImportService: the imports of a server. Takes uploads to the disk, runs the jobs, and takes up after a restart what
// was not done: every id follows from what is imported, so that beginning again adds nothing twice.
//
// Jobs are rows of the store (store/import_store.hpp); that is also how they are watched and cancelled. A job runs on
// one of two threads, with a loop of its own: reading and parsing block nobody. Made by the server; start() after the
// store is open, stop() before it is closed.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <string_view>

#include "meter/byte_budget.hpp"
#include "net/blocking_pool.hpp"
#include "transfer/import_file.hpp"

namespace confab::transfer {

inline constexpr std::uint64_t kImportLeaseBytes = 4ULL * 1024 * 1024;  // what a running import holds
inline constexpr std::uint64_t kUploadBytesMax = 8ULL * 1024 * 1024 * 1024;

// What a server's imports may use: they wait while memory is short. Both null: there is enough, always.
struct ImportRoom {
    meter::Pressure* pressure = nullptr;
    meter::ByteBudget* budget = nullptr;
};

class ImportService {
    struct Worker {};

    using Pool = net::BlockingPool<Worker>;

public:
    // An upload under way. What is not finished vanishes with it.
    class Upload {
    public:
        Upload(ImportService& service, store::ImportJob job);
        Upload(const Upload&) = delete;
        Upload& operator=(const Upload&) = delete;
        ~Upload();

        // `bytes` must stay until the call returns. Errors: storage_full, unavailable, internal.
        net::Task<base::Status> append(std::string_view bytes);
        store::ImportId id() const { return job_.id; }

        // Queues the job. Errors: conflict (import_cancelled).
        net::Task<base::Result<store::ImportJob>> finish();

    private:
        struct File;

        ImportService& service_;
        store::ImportJob job_;
        std::shared_ptr<File> file_;  // shared with the write under way
    };

    // `dir` holds uploads and what waits on its way into the store.
    ImportService(store::Store& store, store::BlobDisk& blobs, std::string dir, ImportRoom room = {});

    ~ImportService() { stop(); }

    // Queues what was not done, and removes what nobody waits for. Errors: those of the store, internal.
    net::Task<base::Status> start();

    // Imports that wait for a thread.
    std::size_t queued() const { return jobs_.queued(); }

    // Lets running imports stop soon; they go on after the next start. Joins the threads.
    void stop();

    // Errors: conflict (import_running) while the user has another one.
    net::Task<base::Result<std::unique_ptr<Upload>>> begin_upload(store::UserNo user, std::string filename);

    // Ends it; an ended one stays as it is. Returns it as it is then. An upload that no thread works on is removed.
    net::Task<base::Result<store::ImportJob>> cancel(store::UserNo user, store::ImportId id);

    // Where the jobs are noted.
    store::ImportStore& jobs() { return store_; }

    // Of a file on this machine, which stays where it is.
    net::Task<base::Result<store::ImportJob>> import_path(store::UserNo user, std::string path);

private:
    std::string upload_path(store::ImportId id) const;
    void wake();
    void run_all();
    net::Task<void> run_queued();
    net::Task<void> run_job(store::ImportJob job);
    bool is_deferred() const;
    net::Task<void> wait_for_room();
    net::Task<base::Result<bool>> keep_going(store::ImportId id, store::ImportProgress so_far);
    net::Task<std::optional<meter::Lease>> lease_room();
    net::Task<bool> end_job(const store::ImportJob& job, store::ImportStatus status, const ImportReport& report);
    base::Status remove_strays(const std::vector<store::ImportJob>& queued) const;

    store::Store& store_;
    store::BlobDisk& blobs_;
    const std::string dir_;
    const ImportRoom room_;
    std::atomic<bool> stopping_{false};
    Pool disk_;
    Pool jobs_;
};

// Runs one job here and now, as the command line does without a server. Blocks. `watch` is called now and then.
base::Result<store::ImportProgress> import_now(
    ImportEnvironment environment,
    store::User user,
    std::string path,
    std::function<void(const store::ImportProgress&)> watch
);

// {"id":"imp_...","object":"import",...}
std::string render_import(const store::ImportJob& job);

}  // namespace confab::transfer
