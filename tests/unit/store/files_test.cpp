// Files and blobs: the rows, what is on the disk beside them, and that the two stay in step.
#include "store/sqlite/files.hpp"

#include <fstream>
#include <thread>

#include <sodium.h>

#include "store/blob_disk.hpp"
#include "store/blobs.hpp"
#include "store_fixture.hpp"

namespace confab::store {
namespace {

namespace fs = std::filesystem;

const std::string kPngHead("\x89PNG\r\n\x1a\n", 8);

std::string png(const std::string& rest = "some pixels") {
    return kPngHead + rest;
}

Sha256 sha256(const std::string& bytes) {
    Sha256 hash{};
    crypto_hash_sha256(hash.data(), reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
    return hash;
}

class FilesTest : public StoreTest {
protected:
    std::string dir() const { return blob_dir_beside(path()); }

    // Regular files below the blob directory, temporary ones included.
    std::vector<std::string> on_disk() const {
        std::vector<std::string> names;
        for (const auto& entry : fs::recursive_directory_iterator(dir())) {
            if (entry.is_regular_file()) {
                names.push_back(entry.path().filename().string());
            }
        }
        std::ranges::sort(names);
        return names;
    }

    // Housekeeping comes after the commit, on the writer's thread.
    void expect_on_disk_soon(const std::vector<std::string>& expected) {
        for (int i = 0; i < 2'000 && on_disk() != expected; ++i) {
            std::this_thread::sleep_for(std::chrono::milliseconds(5));
        }
        EXPECT_EQ(on_disk(), expected);
    }

    Result<NewFile> write(const std::string& bytes, std::size_t step = SIZE_MAX) {
        return run_task(write_task(bytes, std::min(step, bytes.size())));
    }

    Task<Result<NewFile>> write_task(std::string bytes, std::size_t step) {
        auto& writer = writers_.emplace_back(disk_);
        for (std::size_t at = 0; at < bytes.size(); at += step) {
            CO_TRY_VOID(co_await writer.append(std::string_view(bytes).substr(at, step)));
        }
        co_return co_await writer.finish();
    }

    NewFile named(NewFile file, UserNo user, const std::string& name = "cat.png") {
        file.file.id = FileId::make();
        file.file.user = user;
        file.file.filename = name;
        file.file.purpose = "vision";
        file.file.created_at = 1'700'000'000;
        return file;
    }

    StoredFile create(UserNo user, const std::string& bytes) {
        return good(run_task(store_->create_file(named(good(write(bytes)), user))));
    }

    Page<StoredFile> list(UserNo user, Order order, std::size_t limit, std::optional<FileId> after = std::nullopt) {
        return good(run_task(store_->list_files(user, {after, order, limit})));
    }

    BlobDisk disk_{dir()};
    std::vector<BlobWriter> writers_;
    UserNo ada_ = make_user("ada@example.org");
    UserNo bob_ = make_user("bob@example.org");
};

TEST_F(FilesTest, AreKeptUnderTheirHash) {
    const std::string bytes = png(std::string(200'000, 'x'));
    for (const std::size_t step : {std::size_t{1'000}, bytes.size()}) {
        const NewFile written = good(write(bytes, step));
        EXPECT_EQ(written.file.hash, sha256(bytes));
        EXPECT_EQ(written.file.bytes, static_cast<std::int64_t>(bytes.size()));
        EXPECT_EQ(written.file.media_type, "image/png");
    }
    const StoredFile file = create(ada_, bytes);
    const StoredFile found = good(run_task(store_->find_file(ada_, file.id)));
    EXPECT_EQ(found.hash, sha256(bytes));
    EXPECT_EQ(found.bytes, static_cast<std::int64_t>(bytes.size()));
    EXPECT_EQ(found.media_type, "image/png");
    EXPECT_EQ(found.filename, "cat.png");
    EXPECT_EQ(found.purpose, "vision");
    EXPECT_EQ(good(run_task(disk_.read(file.hash, 0, 500'000))), bytes);
    EXPECT_EQ(good(run_task(disk_.read(file.hash, 5, 7))), bytes.substr(5, 7));
    EXPECT_EQ(good(run_task(disk_.read(file.hash, bytes.size(), 7))), "");
    EXPECT_EQ(errc_of(run_task(disk_.read(Sha256{}, 0, 7))), base::Errc::not_found);
}

TEST_F(FilesTest, TheSameBytesAreStoredOnceAndGoWithTheLastFile) {
    const StoredFile first = create(ada_, png());
    const StoredFile second = create(bob_, png());
    writers_.clear();
    EXPECT_NE(first.id, second.id);
    const std::string name = base::to_hex(sha256(png()));
    expect_on_disk_soon({name});
    good(run_task(store_->delete_file(ada_, first.id)));
    EXPECT_EQ(errc_of(run_task(store_->find_file(ada_, first.id))), base::Errc::not_found);
    EXPECT_EQ(good(run_task(disk_.read(second.hash, 0, 100))), png());
    good(run_task(store_->delete_file(bob_, second.id)));
    expect_on_disk_soon({});
    create(ada_, png());  // comes back
    writers_.clear();
    expect_on_disk_soon({name});
}

TEST_F(FilesTest, BelongToTheirOwner) {
    const StoredFile file = create(ada_, png());
    EXPECT_EQ(errc_of(run_task(store_->find_file(bob_, file.id))), base::Errc::not_found);
    EXPECT_EQ(errc_of(run_task(store_->delete_file(bob_, file.id))), base::Errc::not_found);
    EXPECT_TRUE(list(bob_, Order::descending, 10).rows.empty());
    EXPECT_EQ(code_of(run_task(store_->delete_file(ada_, FileId::make()))), "file_not_found");
    EXPECT_EQ(list(ada_, Order::descending, 10).rows.size(), 1U);
}

TEST_F(FilesTest, AreListedInPages) {
    std::vector<FileId> ids;
    for (int i = 0; i < 5; ++i) {
        ids.push_back(create(ada_, png(std::to_string(i))).id);
    }
    auto page = list(ada_, Order::descending, 2);
    EXPECT_TRUE(page.has_more);
    EXPECT_EQ(page.rows[0].id, ids[4]);
    EXPECT_EQ(page.rows[1].id, ids[3]);
    good(run_task(store_->delete_file(ada_, ids[3])));  // a cursor stays good
    page = list(ada_, Order::descending, 3, ids[3]);
    EXPECT_FALSE(page.has_more);
    ASSERT_EQ(page.rows.size(), 3U);
    EXPECT_EQ(page.rows[2].id, ids[0]);
    page = list(ada_, Order::ascending, 2, ids[0]);
    EXPECT_TRUE(page.has_more);
    EXPECT_EQ(page.rows[0].id, ids[1]);
}

TEST_F(FilesTest, AnImageThatTheUserHasIsUsedAgainWhenAskedTo) {
    const StoredFile first = create(ada_, png());
    NewFile again = named(good(write(png())), ada_);
    again.reuse = true;
    EXPECT_EQ(good(run_task(store_->create_file(again))).id, first.id);
    again = named(good(write(png())), bob_);
    again.reuse = true;
    EXPECT_NE(good(run_task(store_->create_file(again))).id, first.id) << "not somebody else's";
    again = named(good(write(png())), ada_);
    again.reuse = true;
    again.file.purpose = "user_data";
    EXPECT_NE(good(run_task(store_->create_file(again))).id, first.id) << "not one for another purpose";
}

TEST_F(FilesTest, EachUserHasRoomForSoMuch) {
    NewFile large = named(good(write(png())), ada_);
    large.file.bytes = kUserFileBytesMax - 100;  // as if
    good(run_task(store_->create_file(large)));
    NewFile over = named(good(write(png(std::string(200, 'x')))), ada_);
    EXPECT_EQ(code_of(run_task(store_->create_file(over))), "file_quota_exceeded");
    over.file.user = bob_;
    good(run_task(store_->create_file(over)));
    EXPECT_EQ(list(ada_, Order::descending, 10).rows.size(), 1U);
    good(run_task(store_->delete_file(ada_, large.file.id)));
    create(ada_, png(std::string(200, 'x')));  // there is room again
}

TEST_F(FilesTest, OnlyImagesAreTaken) {
    using namespace std::string_literals;
    const std::pair<std::string, std::string> known[] = {
        {png(), "image/png"},
        {"\xff\xd8\xff\xe0 and so on"s, "image/jpeg"},
        {"GIF87a and so on"s, "image/gif"},
        {"GIF89a and so on"s, "image/gif"},
        {"RIFF\1\2\3\4WEBPVP8 "s, "image/webp"},
    };
    for (const auto& [bytes, type] : known) {
        EXPECT_EQ(good(write(bytes, 5)).file.media_type, type);
    }
    for (const std::string& bytes :
         {"<svg xmlns=\"http://www.w3.org/2000/svg\"/>"s,
          "<!DOCTYPE html><script>"s,
          "GIF88a and so on"s,
          "RIFF\1\2\3\4WAVEfmt "s,
          "%PDF-1.7 and so on"s,
          "RIFF"s,
          "x"s,
          ""s,
          "\x89PN"s}) {
        for (const std::size_t step : {std::size_t{1}, std::size_t{100}}) {
            EXPECT_EQ(code_of(write(bytes, step)), "unsupported_file_type") << bytes;
        }
    }
}

TEST_F(FilesTest, ATooLargeOneIsRefusedAndLeavesNothing) {
    const std::string most(static_cast<std::size_t>(kFileBytesMax) - kPngHead.size(), 'x');
    EXPECT_EQ(good(write(png(most), 1'000'000)).file.bytes, kFileBytesMax);
    const auto refused = write(png(most + "x"), 1'000'000);
    EXPECT_EQ(code_of(refused), "file_too_large");
    EXPECT_EQ(errc_of(refused), base::Errc::too_large);
    EXPECT_FALSE(on_disk().empty());
    writers_.clear();
    expect_on_disk_soon({});
}

TEST_F(FilesTest, WhatACrashLeftIsSweptAtTheStart) {
    const StoredFile kept = create(ada_, png());
    const StoredFile gone = create(ada_, png("2"));
    writers_.clear();
    const std::string kept_name = base::to_hex(kept.hash);
    const std::string gone_name = base::to_hex(gone.hash);
    const std::string unknown_name = base::to_hex(sha256("nobody knows"));
    store_.reset();
    fs::create_directories(dir() + "/" + unknown_name.substr(0, 2));
    std::ofstream(dir() + "/" + unknown_name.substr(0, 2) + "/" + unknown_name) << "a blob without a row";
    std::ofstream(make_temporary_path(dir())) << "half an upload";
    std::ofstream(dir() + "/not ours") << "somebody's note";
    fs::remove(blob_path(dir(), gone.hash));  // a row without a blob is no reason not to start
    open_store();
    std::vector<std::string> expected{kept_name, "not ours"};
    std::ranges::sort(expected);
    expect_on_disk_soon(expected);
    EXPECT_EQ(good(run_task(disk_.read(kept.hash, 0, 100))), png());
    EXPECT_EQ(errc_of(run_task(disk_.read(gone.hash, 0, 100))), base::Errc::not_found);
    create(ada_, png("2"));  // and the bytes come back with the next upload
    EXPECT_EQ(good(run_task(disk_.read(gone.hash, 0, 100))), png("2"));
}

TEST_F(FilesTest, RemovingAndAddingTheSameAtOnceNeverLosesBytes) {
    StoredFile file = create(ada_, png());
    for (int i = 0; i < 50; ++i) {
        NewFile again = named(good(write(png())), bob_);
        std::vector<Task<Status>> tasks;
        std::optional<StoredFile> made;
        const auto add = [&]() -> Task<Status> {
            CO_TRY(made, co_await store_->create_file(again));
            co_return Status{};
        };
        tasks.push_back(store_->delete_file(file.user, file.id));
        tasks.push_back(add());
        for (const Status& status : support::run_tasks(std::move(tasks))) {
            EXPECT_TRUE(status);
        }
        file = made.value();
        EXPECT_EQ(good(run_task(disk_.read(file.hash, 0, 100))), png()) << i;
        writers_.clear();
    }
}

}  // namespace
}  // namespace confab::store
