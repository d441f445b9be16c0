// SqliteStore: the embedded engine, one file on this machine.
//
// One writer thread, a few reader threads, each with its own connection for the life of the store (design.md,
// "Threads"). This class only sends calls to the right thread; what they do is in the free functions beside it, by
// subject.
//
// Made by open() and owned by the App. stop() is to be called after the last shard has ended its work; calls after it
// answer `unavailable`. A lock file beside the database keeps a second process out.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <type_traits>
#include <vector>

#include "meter/counters.hpp"
#include "meter/pressure.hpp"
#include "net/blocking_pool.hpp"
#include "store/audit_store.hpp"
#include "store/file_lock.hpp"
#include "store/sqlite/connection.hpp"
#include "store/sqlite/writer.hpp"
#include "store/store.hpp"

namespace confab::store {

struct SqliteOptions {
    std::string path;      // of the database file; "-wal", "-shm" and ".lock" come beside it, and the folder "files"
    unsigned readers = 2;  // threads, 1..4
    meter::StoreCounters& counters;
    // Upkeep of the search index waits while background work is to be put off. None: never.
    const meter::Pressure* pressure = nullptr;
};

// What the page caches of a store with so many readers hold at most, bytes: PRAGMA cache_size in connection.cpp.
constexpr std::uint64_t cache_bytes(unsigned readers) {
    return 1024ULL * (3'000 + 1'500ULL * readers);
}

class SqliteStore final : public Store, public AuditStore {
public:
    // Opens or makes the database and brings it to the newest schema. `unavailable` when another process has it open.
    static Result<std::unique_ptr<SqliteStore>> open(SqliteOptions options);

    ~SqliteStore() override { stop(); }

    // Finishes what is queued and closes every connection. Blocks; may be called again.
    void stop();

    Task<Result<User>> create_user(User user, IfFirst if_first) override;
    Task<Result<User>> find_user_by_email(std::string email) override;
    Task<Result<User>> find_user(UserNo no) override;
    Task<Result<std::vector<User>>> list_users() override;
    Task<Result<std::int64_t>> count_users() override;
    Task<Status> set_password(UserNo user, std::string password_hash, std::optional<SessionId> keep) override;
    Task<Status> create_session(Session session) override;
    Task<Result<std::pair<Session, User>>> find_session(Sha256 token_hash) override;
    Task<Status> touch_session(SessionId id, UnixSeconds seen_at) override;
    Task<Result<std::vector<Session>>> list_sessions(UserNo user) override;
    Task<Status> delete_session(UserNo user, SessionId id) override;
    Task<Status> delete_sessions_before(UnixSeconds last_seen) override;
    Task<Status> create_key(ApiKey key) override;
    Task<Result<std::pair<ApiKey, User>>> find_key(Sha256 key_hash) override;
    Task<Status> touch_key(KeyId id, UnixSeconds used_at) override;
    Task<Result<std::vector<ApiKey>>> list_keys(UserNo user) override;
    Task<Status> delete_key(UserNo user, KeyId id) override;

    Task<Result<User>> find_user_by_id(UserId id) override;
    Task<Result<Page<User>>> list_people(PageRequest<UserId> request) override;
    Task<Result<User>> change_user(UserId id, UserPatch patch) override;
    Task<Result<EndedAccess>> end_access(UserNo user, std::optional<SessionId> keep) override;
    Task<Result<UserNo>> delete_user(UserId id) override;
    Task<Result<User>> sign_up(User user, std::optional<Sha256> invitation) override;
    Task<Result<Invitation>> find_open_invitation(Sha256 token_hash) override;
    Task<Status> create_invitation(Invitation invitation) override;
    Task<Result<Page<Invitation>>> list_invitations(PageRequest<InvitationId> request) override;
    Task<Status> delete_invitation(InvitationId id) override;
    Task<Status> delete_invitations_expired_before(UnixSeconds time) override;

    Task<Result<Call>> begin_call(NewCall call) override;
    Task<Status> finish_call(FinishedCall finished) override;
    Task<Status> interrupt_call(CallNo no) override;
    Task<Status> forget_call(CallNo no) override;
    Task<Result<bool>> delete_calls_before(UnixSeconds time) override;

    Task<Result<User>> find_user_by_identity(Identity identity) override;
    Task<Status> link_identity(UserNo user, Identity identity) override;
    Task<Result<User>> create_user_with_identity(User user, Identity identity) override;

    Task<Result<ModelAccess>> get_model_access() override;
    Task<Result<ModelAccess>> change_model_rule(ModelRuleChange change) override;

    Task<Result<Conversation>> create_conversation(NewConversation conversation) override;
    Task<Result<Conversation>> find_conversation(UserNo user, ConversationId id) override;
    Task<Result<Conversation>> update_conversation(UserNo user, ConversationId id, ConversationPatch patch) override;
    Task<Result<std::optional<ResponseId>>> delete_conversation(UserNo user, ConversationId id) override;
    Task<Result<Page<Conversation>>> list_conversations(UserNo user, PageRequest<ConversationId> request) override;
    Task<Result<std::vector<Item>>> append_items(UserNo user, ConversationId id, std::vector<NewItem> items) override;
    Task<Result<Item>> find_item(UserNo user, ConversationId conversation, ItemId item) override;
    Task<Result<std::vector<Item>>> find_items(UserNo user, std::vector<ItemId> ids, std::size_t bytes_max) override;
    Task<Result<Conversation>> delete_item(UserNo user, ConversationId conversation, ItemId item) override;

    Task<Result<Page<Conversation>>> list_filtered(
        UserNo user,
        ConversationFilter filter,
        PageRequest<ConversationId> request
    ) override;
    Task<Result<std::vector<Folder>>> list_folders(UserNo user) override;
    Task<Result<Folder>> create_folder(UserNo user, std::string name) override;
    Task<Result<Folder>> rename_folder(UserNo user, FolderId id, std::string name) override;
    Task<Status> delete_folder(UserNo user, FolderId id) override;
    Task<Result<std::vector<TagCount>>> list_tags(UserNo user) override;
    Task<Result<Conversation>> set_trashed(UserNo user, ConversationId id, bool trashed) override;
    Task<Result<BulkStep>> change_some(UserNo user, std::vector<ConversationId> ids, BulkChange change) override;
    Task<Result<BulkStep>> change_next(
        UserNo user,
        ConversationFilter filter,
        std::optional<ListPlace> from,
        BulkChange change
    ) override;
    Task<Result<UserSettings>> get_user_settings(UserNo user) override;
    Task<Status> put_user_settings(UserNo user, UserSettings settings) override;
    Task<Status> delete_expired(UnixSeconds now) override;
    Task<Result<std::optional<std::vector<Item>>>> begin_title(UserNo user, ConversationId id) override;
    Task<Result<bool>> put_model_title(UserNo user, ConversationId id, std::string title) override;
    Task<Result<ItemPage>> list_items(UserNo user, ConversationId id, ItemPageRequest request) override;
    Task<Result<Conversation>> set_head(UserNo user, ConversationId id, std::optional<ItemId> item, Descend descend)
        override;
    Task<Result<Page<TreeItem>>> list_tree(UserNo user, ConversationId id, PageRequest<ItemId> request) override;
    Task<Result<Conversation>> fork_conversation(UserNo user, ConversationId id, ItemId item) override;

    Task<Result<BegunRun>> begin_run(NewRun run) override;
    Task<Status> append_run_chunks(std::vector<RunChunk> chunks) override;
    Task<Status> finish_run(FinishRun finish) override;
    Task<Result<Run>> find_run(UserNo user, ResponseId id) override;
    Task<Status> delete_run(UserNo user, ResponseId id) override;
    Task<Result<std::vector<Item>>> list_prompt_items(
        ConversationNo conversation,
        BranchNo branch,
        Position position,
        Position head
    ) override;
    Task<Result<Page<Item>>> list_input_items(UserNo user, ResponseId id, PageRequest<ItemId> request) override;
    Task<Result<std::vector<RunChunk>>> list_run_chunks(RunNo run, std::int64_t seq) override;
    Task<Result<std::vector<std::pair<Run, std::vector<RunChunk>>>>> list_unfinished_runs(std::size_t limit) override;
    Task<Status> delete_chunks_of_runs_finished_before(UnixSeconds time) override;

    Task<Result<SearchPage>> search(UserNo user, SearchRequest request) override;

    Task<Result<StoredFile>> create_file(NewFile file) override;
    Task<Result<StoredFile>> find_file(UserNo user, FileId id) override;
    Task<Result<Page<StoredFile>>> list_files(UserNo user, PageRequest<FileId> request) override;
    Task<Status> delete_file(UserNo user, FileId id) override;

    Task<Result<std::optional<std::string>>> get_setting(std::string name) override;
    Task<Status> put_setting(std::string name, std::string value) override;

    Task<Status> add_usage(std::vector<UsageEntry> entries) override;
    Task<Result<std::vector<UsageOfDay>>> list_usage_days(std::optional<UserNo> user, DayNo first, DayNo last)
        override;
    Task<Result<Page<UsageOfPerson>>> list_usage_people(
        MonthNo month,
        std::optional<UserNo> after,
        std::size_t limit
    ) override;
    Task<Result<std::vector<UsageOfKey>>> list_usage_keys(UserNo user, MonthNo month) override;
    Task<Result<std::vector<NamedUsageEntry>>> list_ledger(
        std::optional<UserNo> user,
        LedgerPlace place,
        UnixSeconds until,
        std::size_t limit
    ) override;
    Task<Result<Limits>> find_limits(LimitSubject subject) override;
    Task<Status> put_limits(LimitSubject subject, Limits limits) override;
    Task<Result<Entitlement>> find_entitlement(UserNo user, std::optional<KeyId> key, MonthNo month) override;

    Task<Result<Share>> create_share(UserNo user, ConversationId conversation, NewShare share) override;
    Task<Result<Page<Share>>> list_shares(
        UserNo user,
        std::optional<ConversationId> conversation,
        PageRequest<ShareId> request
    ) override;
    Task<Status> delete_share(UserNo user, ShareId id) override;
    Task<Status> delete_shares_expired_before(UnixSeconds time) override;
    Task<Result<SharedPage>> read_share(Sha256 token_hash, Position after, std::size_t limit) override;
    Task<Result<SharedItem>> read_shared_item(Sha256 token_hash, Position position) override;

    Task<Status> add_audit(AuditEntry entry) override;
    Task<Result<AuditPage>> list_audit(AuditFilter filter, std::size_t limit) override;
    Task<Status> sweep_audit(UnixSeconds now) override;

    Task<Result<std::optional<ExportStart>>> next_export(UserNo user, std::optional<ConversationNo> after) override;
    Task<Result<ExportStart>> begin_export(UserNo user, ConversationId id) override;
    Task<Result<ExportPage>> export_items(UserNo user, ExportStart start, ExportCursor cursor) override;
    Task<Result<Page<Item>>> export_path(UserNo user, ExportStart start, Position position) override;

    BlobHold hold_blobs() override;
    std::unique_ptr<StoreCopy> copy_database(std::string path) override;
    Task<Status> begin_import(ImportJob job) override;
    Task<Status> queue_import(ImportId id, std::int64_t bytes) override;
    Task<Status> delete_import(ImportId id) override;
    Task<Result<std::optional<ImportJob>>> claim_import() override;
    Task<Result<bool>> save_import(ImportId id, ImportProgress progress) override;
    Task<Status> finish_import(ImportId id, ImportStatus status, ImportProgress progress) override;
    Task<Result<ImportJob>> cancel_import(UserNo user, ImportId id) override;
    Task<Result<ImportJob>> find_import(UserNo user, ImportId id) override;
    Task<Result<Page<ImportJob>>> list_imports(UserNo user, PageRequest<ImportId> request) override;
    Task<Result<std::vector<ImportJob>>> recover_imports() override;
    Task<Result<std::vector<ImportedPiece>>> import_pieces(
        UserNo user,
        UserId user_id,
        std::vector<ImportPiece> pieces
    ) override;
    Task<Result<FileId>> importable_file_id(UserNo user, UserId user_id, FileId id) override;
    Task<Result<PlannedPrompt>> replan_run(RunNo run, std::int64_t tokens_max) override;
    Task<Result<ContextView>> view_context(UserNo user, ConversationId id, std::int64_t tokens_max) override;
    Task<Result<std::optional<SummaryPlan>>> plan_summary(
        ConversationNo conversation,
        BranchNo branch,
        std::int64_t tokens_max,
        std::int64_t step_tokens_max
    ) override;
    Task<Result<bool>> save_summary(SummaryPlan plan, Summary summary) override;
    Task<Result<std::vector<TokenFactor>>> list_token_factors() override;
    Task<Status> save_token_factor(TokenFactor factor) override;

    Task<Result<std::uint64_t>> ping() override;

private:
    using Reader = std::unique_ptr<sqlite::Connection>;

    SqliteStore(
        FileLock lock,
        std::unique_ptr<sqlite::Connection> writer,
        std::vector<Reader> readers,
        const SqliteOptions& options,
        RunNo newest_run_at_open
    );

    // `work(sqlite::Connection&)` returns a Result. Not coroutines themselves: they pass on the pool's.
    template <class Work>
    auto write(Work work, sqlite::Rush rush = sqlite::Rush::now) {
        return writer_.run(std::move(work), rush);
    }

    template <class Work>
    auto read(Work work) {
        auto job = [this, queued = meter::LiveHandle(counters_.reader_queue_depth), work = std::move(work)](
                       Reader& reader
                   ) mutable {
            queued.release();
            counters_.reads.add();
            return read_in_snapshot(*reader, work);
        };
        return readers_.run(std::move(job));
    }
    // All statements of one call see the database at one moment, and end within the limit for reads.
    template <class Work>
    static std::invoke_result_t<Work&, sqlite::Connection&> read_in_snapshot(sqlite::Connection& db, Work& work);
    static void begin_snapshot(sqlite::Connection& db);
    static void end_snapshot(sqlite::Connection& db);

    FileLock lock_;
    const std::string blob_dir_;
    const std::shared_ptr<std::atomic<int>> blob_holds_;
    meter::StoreCounters& counters_;
    sqlite::Writer writer_;
    net::BlockingPool<Reader> readers_;
    const RunNo newest_run_at_open_;
};

template <class Work>
std::invoke_result_t<Work&, sqlite::Connection&> SqliteStore::read_in_snapshot(sqlite::Connection& db, Work& work) {
    begin_snapshot(db);
    auto result = work(db);
    end_snapshot(db);
    return result;
}

}  // namespace confab::store
