// SqliteStore's calls about exports and backups: each goes to the thread it belongs to.
#include "store/sqlite/database_copy.hpp"
#include "store/sqlite/exports.hpp"
#include "store/sqlite/sqlite_store.hpp"

namespace confab::store {

using sqlite::Connection;

Task<Result<std::optional<ExportStart>>> SqliteStore::next_export(UserNo user, std::optional<ConversationNo> after) {
    auto work = [user, after](Connection& db) { return sqlite::next_export(db, user, after); };
    return read(std::move(work));
}

Task<Result<ExportStart>> SqliteStore::begin_export(UserNo user, ConversationId id) {
    auto work = [user, id](Connection& db) { return sqlite::begin_export(db, user, id); };
    return read(std::move(work));
}

Task<Result<ExportPage>> SqliteStore::export_items(UserNo user, ExportStart start, ExportCursor cursor) {
    auto work = [user, start = std::move(start), cursor](Connection& db) {
        return sqlite::export_items(db, user, start, cursor);
    };
    return read(std::move(work));
}

Task<Result<Page<Item>>> SqliteStore::export_path(UserNo user, ExportStart start, Position position) {
    auto work = [user, start = std::move(start), position](Connection& db) {
        return sqlite::export_path(db, user, start, position);
    };
    return read(std::move(work));
}

BlobHold SqliteStore::hold_blobs() {
    blob_holds_->fetch_add(1);
    return BlobHold(nullptr, [holds = blob_holds_](void*) { holds->fetch_sub(1); });
}

namespace {

class CopyByWriter final : public StoreCopy {
public:
    CopyByWriter(sqlite::Writer& writer, std::string path)
        : writer_(writer), copy_(std::make_shared<sqlite::DatabaseCopy>(std::move(path))) {}

    // SQLite ends a copy on the thread of its source, also when nobody waits any more.
    ~CopyByWriter() override {
        auto end = [copy = copy_](Connection&) -> Status {
            copy->end();
            return {};
        };
        writer_.post_between(std::move(end));
    }

    Task<Result<bool>> step() override {
        auto work = [copy = copy_](Connection& db) { return copy->step(db); };
        return writer_.run_between(std::move(work));
    }

    std::int64_t pages() const override { return copy_->pages(); }

    std::int64_t pages_done() const override { return copy_->pages_done(); }

private:
    sqlite::Writer& writer_;
    std::shared_ptr<sqlite::DatabaseCopy> copy_;
};

}  // namespace

std::unique_ptr<StoreCopy> SqliteStore::copy_database(std::string path) {
    return std::make_unique<CopyByWriter>(writer_, std::move(path));
}

}  // namespace confab::store
