// The jobs of a server: what becomes of an upload that nobody works on any more.
#include "transfer/import_service.hpp"

#include <filesystem>
#include <thread>

#include "base/ids.hpp"
#include "import_fixture.hpp"

namespace confab::transfer {
namespace {

class ImportServiceTest : public ImportTest {
protected:
    ImportServiceTest() : dir_(directory_.file("imports")) { std::filesystem::create_directory(dir_); }

    // As if it had been received, with nobody to take it up.
    store::ImportJob queued() {
        store::ImportJob job;
        job.id = store::ImportId::make();
        job.user = ada_.no;
        job.status = store::ImportStatus::queued;
        job.filename = "x.json";
        good(run_task(store_->begin_import(job)));
        std::ofstream(upload(job), std::ios::binary) << "[]";
        return job;
    }

    std::string upload(const store::ImportJob& job) const { return dir_ + "/" + base::to_hex(job.id.bytes) + ".upload"; }

    const std::string dir_;
};

TEST_F(ImportServiceTest, CancellingAQueuedJobRemovesItsUpload) {
    ImportService service(*store_, blobs_, dir_);
    const store::ImportJob job = queued();
    const store::User eve = make("eve@example.org");
    EXPECT_EQ(store::errc_of(run_task(service.cancel(eve.no, job.id))), base::Errc::not_found);
    EXPECT_TRUE(std::filesystem::exists(upload(job)));
    EXPECT_EQ(good(run_task(service.cancel(ada_.no, job.id))).status, store::ImportStatus::cancelled);
    EXPECT_FALSE(std::filesystem::exists(upload(job)));
}

TEST_F(ImportServiceTest, AQueuedJobIsRunAndItsUploadRemoved) {
    const store::ImportJob job = queued();
    ImportService service(*store_, blobs_, dir_);
    good(run_task(service.start()));
    for (int i = 0; i < 500 && std::filesystem::exists(upload(job)); ++i) {
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    EXPECT_FALSE(std::filesystem::exists(upload(job)));
    EXPECT_TRUE(is_final(good(run_task(store_->find_import(ada_.no, job.id))).status));
}

}  // namespace
}  // namespace confab::transfer
