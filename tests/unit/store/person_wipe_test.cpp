// After a person was deleted, nothing of theirs is left, and everything of everybody else's.
#include <fstream>
#include <thread>

#include "store/blobs.hpp"
#include "store/sqlite/organise.hpp"
#include "store/sqlite/people.hpp"
#include "store_fixture.hpp"

namespace confab::store {
namespace {

constexpr const char* kPrivate = "plugh-private-word";

class PersonWipeTest : public StoreTest {
protected:
    std::int64_t count(const std::string& what) {
        meter::StoreCounters counters;
        auto db = good(sqlite::Connection::open(path(), sqlite::Access::read_only, counters));
        sqlite3_stmt* counted = nullptr;
        EXPECT_EQ(
            sqlite3_prepare_v2(db->handle(), ("SELECT count(*) FROM " + what).c_str(), -1, &counted, nullptr), SQLITE_OK
        ) << what;
        EXPECT_EQ(sqlite3_step(counted), SQLITE_ROW);
        const std::int64_t rows = sqlite3_column_int64(counted, 0);
        sqlite3_finalize(counted);
        return rows;
    }

    std::int64_t count_of(const std::string& table, UserNo user) {
        return count(table + " WHERE user_no = " + std::to_string(static_cast<std::int64_t>(user)));
    }

    // Something of every kind.
    void fill(UserNo user, int conversations) {
        const FolderId folder = good(run_task(store_->create_folder(user, kPrivate))).id;
        for (int i = 0; i < conversations; ++i) {
            NewConversation wanted = new_conversation(user, {user_item(kPrivate)});
            wanted.title = kPrivate;
            good(run_task(store_->create_conversation(wanted)));
            ConversationPatch patch;
            patch.folder = std::optional(folder);
            patch.tags = std::vector<std::string>{"tag " + std::to_string(i)};
            good(run_task(store_->update_conversation(user, wanted.id, patch)));
        }
        RunTarget hidden;
        answer(user, hidden, kPrivate, kPrivate);
        good(run_task(store_->put_user_settings(user, UserSettings{7})));
        const auto trashed = make_conversation(user, {user_item(kPrivate)}).id;
        good(run_task(store_->set_trashed(user, trashed, true)));
        ImportJob job;
        job.id = ImportId::make();
        job.user = user;
        job.status = ImportStatus::running;
        job.filename = kPrivate;
        good(run_task(store_->begin_import(job)));
        NewFile file;
        file.file.id = FileId::make();
        file.file.user = user;
        file.file.hash.fill(static_cast<std::uint8_t>(static_cast<std::int64_t>(user)));
        file.file.bytes = 3;
        file.file.media_type = "image/png";
        file.file.filename = kPrivate;
        file.temporary = directory_.file("upload-" + file.file.id.str());
        std::ofstream(file.temporary) << "abc";
        good(run_task(store_->create_file(file)));
    }

    void wait_until_wiped() {
        for (int i = 0; i < 800 && count("users WHERE wiping = 1") > 0; ++i) {
            std::this_thread::sleep_for(std::chrono::milliseconds(10));
        }
        EXPECT_EQ(count("users WHERE wiping = 1"), 0);
    }

    void expect_nothing_of(UserNo user) {
        for (const char* table :
             {"conversations",
              "runs",
              "files",
              "file_usage",
              "folders",
              "tags",
              "imports",
              "user_settings",
              "sessions",
              "api_keys"}) {
            EXPECT_EQ(count_of(table, user), 0) << table;
        }
        const auto first = std::to_string(static_cast<std::int64_t>(user) << 40);
        const auto next = std::to_string((static_cast<std::int64_t>(user) + 1) << 40);
        EXPECT_EQ(count("bodies WHERE mid >= " + first + " AND mid < " + next), 0);
    }

    std::int64_t row_of(UserNo user) { return count_of("users", user); }

    User root_ = [this] {
        User root = new_user("root@example.org");
        root.role = Role::admin;
        return good(run_task(store_->create_user(root, IfFirst::yes)));
    }();
    User ada_ = good(run_task(store_->create_user(new_user("ada@example.org"), IfFirst::no)));
};

TEST_F(PersonWipeTest, NothingOfThePersonIsLeftAndEverythingOfOthers) {
    fill(ada_.no, 12);
    fill(root_.no, 3);
    const std::int64_t entries = count_of("usage_ledger", ada_.no);
    good(run_task(store_->delete_user(ada_.id)));
    wait_until_wiped();
    expect_nothing_of(ada_.no);
    EXPECT_EQ(count("conversation_tags"), 3);
    EXPECT_EQ(count_of("tags", root_.no), 3);
    EXPECT_EQ(count_of("folders", root_.no), 1);
    EXPECT_EQ(count_of("files", root_.no), 1);
    EXPECT_EQ(count_of("imports", root_.no), 1);
    EXPECT_EQ(count_of("conversations", root_.no), 5);
    EXPECT_EQ(count_of("usage_ledger", ada_.no), entries) << "what was used stays counted";
    EXPECT_EQ(count("users WHERE email LIKE '%ada@%' OR name LIKE '%ada@%'"), 0);
    EXPECT_EQ(row_of(ada_.no), 1) << "what is still under way must be found";
}

TEST_F(PersonWipeTest, WhatARestartInterruptedIsFinishedLater) {
    fill(ada_.no, 60);
    good(run_task(store_->delete_user(ada_.id)));
    store_.reset();
    EXPECT_EQ(count("users WHERE deleted_at IS NOT NULL"), 1);
    open_store();
    wait_until_wiped();
    expect_nothing_of(ada_.no);
}

TEST_F(PersonWipeTest, WhatCameLateIsWipedTooAndTheRowGoesADayLater) {
    good(run_task(store_->delete_user(ada_.id)));
    wait_until_wiped();
    make_conversation(ada_.no, {user_item(kPrivate)});  // of a request that was under way
    const UnixSeconds now = base::unix_now();
    good(run_task(store_->delete_expired(now)));
    wait_until_wiped();
    expect_nothing_of(ada_.no);
    good(run_task(store_->delete_expired(now + kDeletedUserKept / 2)));
    EXPECT_EQ(row_of(ada_.no), 1);
    good(run_task(store_->delete_expired(now + kDeletedUserKept + 10)));
    EXPECT_EQ(row_of(ada_.no), 0);
    EXPECT_EQ(row_of(root_.no), 1);
}

TEST_F(PersonWipeTest, AnAnswerUnderWayIsClosedFirst) {
    const auto id = make_conversation(ada_.no).id;
    const BegunRun begun = begin_in(ada_.no, id, {user_item(kPrivate)});
    good(run_task(store_->delete_user(ada_.id)));
    wait_until_wiped();
    EXPECT_EQ(count_of("runs", ada_.no), 1);
    EXPECT_EQ(count_of("conversations", ada_.no), 1);
    finish(begun.no, {answer_item(kPrivate)}, RunStatus::cancelled);
    good(run_task(store_->delete_expired(base::unix_now())));
    wait_until_wiped();
    expect_nothing_of(ada_.no);
}

TEST_F(PersonWipeTest, AnUnfinishedImportKeepsThePersonsRowUntilItHasEnded) {
    ImportJob job;
    job.id = ImportId::make();
    job.user = ada_.no;
    job.status = ImportStatus::queued;
    good(run_task(store_->begin_import(job)));
    good(run_task(store_->delete_user(ada_.id)));
    wait_until_wiped();
    const UnixSeconds later = base::unix_now() + kDeletedUserKept + 10;
    good(run_task(store_->delete_expired(later)));
    EXPECT_EQ(row_of(ada_.no), 1);
    EXPECT_TRUE(good(run_task(store_->claim_import())));
    good(run_task(store_->finish_import(job.id, ImportStatus::failed, {})));
    good(run_task(store_->delete_expired(later)));
    wait_until_wiped();
    good(run_task(store_->delete_expired(later)));
    EXPECT_EQ(row_of(ada_.no), 0);
}

}  // namespace
}  // namespace confab::store
