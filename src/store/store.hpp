// Store: the durable memory of Confab, behind one interface with two engines (SQLite now, PostgreSQL later).
//
// Every call is a coroutine that may be awaited from any shard and resumes there; no call blocks a shard. A write is
// acknowledged only after its commit is on disk (fsync). Every read is bounded: pages, single rows, or a stated cap.
// Access is by the owner: an id of somebody else's is `not_found`, never `forbidden`.
//
// Errors of every call, besides those named: `unavailable` (queue full, busy beyond 2 s), `storage_full`, `internal`.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.hpp"
#include "net/task.hpp"
#include "store/backup_store.hpp"
#include "store/branch_store.hpp"
#include "store/call_store.hpp"
#include "store/context_store.hpp"
#include "store/export_store.hpp"
#include "store/file_rows.hpp"
#include "store/identity_store.hpp"
#include "store/import_store.hpp"
#include "store/model_access_store.hpp"
#include "store/organise_store.hpp"
#include "store/people_store.hpp"
#include "store/rows.hpp"
#include "store/search_store.hpp"
#include "store/share_store.hpp"
#include "store/usage_store.hpp"

namespace confab::store {

using base::Result;
using base::Status;
using net::Task;

enum class IfFirst : bool { no, yes };

// People, sessions, keys. Who was deleted is `not_found`.
class AccountStore {
public:
    virtual ~AccountStore() = default;

    // `conflict` (code email_taken) when the address exists; with IfFirst::yes `conflict` (code setup_already_done)
    // when any user exists: the check and the insert are one transaction.
    virtual Task<Result<User>> create_user(User user, IfFirst if_first) = 0;
    virtual Task<Result<User>> find_user_by_email(std::string email) = 0;
    virtual Task<Result<User>> find_user(UserNo no) = 0;
    virtual Task<Result<std::vector<User>>> list_users() = 0;  // at most 10,000, oldest first
    virtual Task<Result<std::int64_t>> count_users() = 0;
    // Also ends the user's sessions, except `keep`.
    virtual Task<Status> set_password(UserNo user, std::string password_hash, std::optional<SessionId> keep) = 0;

    // `forbidden` (account_suspended, account_pending), like create_key.
    // unauthenticated (invalid_credentials): the password that it began with has been replaced meanwhile.
    virtual Task<Status> create_session(Session session) = 0;
    // Of people who may enter.
    virtual Task<Result<std::pair<Session, User>>> find_session(Sha256 token_hash) = 0;
    virtual Task<Status> touch_session(SessionId id, UnixSeconds seen_at) = 0;
    virtual Task<Result<std::vector<Session>>> list_sessions(UserNo user) = 0;  // newest first, at most 200
    virtual Task<Status> delete_session(UserNo user, SessionId id) = 0;
    virtual Task<Status> delete_sessions_before(UnixSeconds last_seen) = 0;

    virtual Task<Status> create_key(ApiKey key) = 0;
    // Of people who may enter; not one that has expired.
    virtual Task<Result<std::pair<ApiKey, User>>> find_key(Sha256 key_hash) = 0;
    virtual Task<Status> touch_key(KeyId id, UnixSeconds used_at) = 0;
    virtual Task<Result<std::vector<ApiKey>>> list_keys(UserNo user) = 0;  // newest first, at most 200
    virtual Task<Status> delete_key(UserNo user, KeyId id) = 0;
};

// Conversations and their items.
class ConversationStore {
public:
    virtual ~ConversationStore() = default;

    virtual Task<Result<Conversation>> create_conversation(NewConversation conversation) = 0;
    virtual Task<Result<Conversation>> find_conversation(UserNo user, ConversationId id) = 0;
    virtual Task<Result<Conversation>> update_conversation(UserNo user, ConversationId id, ConversationPatch patch) = 0;
    // Wipes the texts too. Returns the run that was in progress, if any: the caller cancels it.
    virtual Task<Result<std::optional<ResponseId>>> delete_conversation(UserNo user, ConversationId id) = 0;
    // By (updated_at, number). `invalid_request` (param after) when the cursor names no conversation of the user's.
    virtual Task<Result<Page<Conversation>>> list_conversations(UserNo user, PageRequest<ConversationId> request) = 0;

    // Appends to the active branch. `invalid_request` (conversation_locked) while an answer is being made there.
    // Retrying with the same item ids adds nothing and answers as the first time.
    virtual Task<Result<std::vector<Item>>> append_items(
        UserNo user,
        ConversationId id,
        std::vector<NewItem> items
    ) = 0;
    virtual Task<Result<Item>> find_item(UserNo user, ConversationId conversation, ItemId item) = 0;  // whole
    // The user's items with these ids, whole and in this order, in whatever conversations they stand. `not_found` names
    // the first that is missing as its index in `param`; `too_large` when their bodies exceed `bytes_max`.
    virtual Task<Result<std::vector<Item>>> find_items(UserNo user, std::vector<ItemId> ids, std::size_t bytes_max) = 0;
    virtual Task<Result<Conversation>> delete_item(UserNo user, ConversationId conversation, ItemId item) = 0;
};

// Runs: answers being made, and made.
class RunStore {
public:
    virtual ~RunStore() = default;

    // One transaction: the input items, the run row, the conversation's title (from the first user text, when it has
    // none) and the prompt's anchor. Errors: `not_found` (conversation), `invalid_request` with code
    // previous_response_not_found, item_not_found (param after), conversation_locked (param conversation), nothing_to_answer (param input), or
    // nothing_to_continue (param continue).
    virtual Task<Result<BegunRun>> begin_run(NewRun run) = 0;
    virtual Task<Status> append_run_chunks(std::vector<RunChunk> chunks) = 0;
    // Output items, final status, last chunks and the usage ledger in one transaction. With an answer among the output
    // of a run that continues another one, that one is deleted in the same transaction. A run whose conversation was
    // deleted meanwhile is closed without items. A run that is final already stays as it is.
    virtual Task<Status> finish_run(FinishRun finish) = 0;
    virtual Task<Result<Run>> find_run(UserNo user, ResponseId id) = 0;  // with its output items, whole
    virtual Task<Status> delete_run(UserNo user, ResponseId id) = 0;     // the items stay in their conversation
    // The items of the prompt, oldest first, from `position` on; at most kPageBytesMax of bodies but at least one item,
    // bodies whole. Without those that no model is sent: reasoning and others.
    virtual Task<Result<std::vector<Item>>> list_prompt_items(
        ConversationNo conversation,
        BranchNo branch,
        Position position,
        Position head
    ) = 0;
    virtual Task<Result<Page<Item>>> list_input_items(UserNo user, ResponseId id, PageRequest<ItemId> request) = 0;
    // Chunks from the last one that begins at or before `seq` on, in order, at most 256 KiB but at least two (the first
    // may end before `seq`, where numbers have a gap). Empty: none, or expired.
    virtual Task<Result<std::vector<RunChunk>>> list_run_chunks(RunNo run, std::int64_t seq) = 0;
    // All runs found in progress at start, each with all of its chunks joined, in pages of `limit`.
    virtual Task<Result<std::vector<std::pair<Run, std::vector<RunChunk>>>>> list_unfinished_runs(std::size_t limit
    ) = 0;
    virtual Task<Status> delete_chunks_of_runs_finished_before(UnixSeconds time) = 0;
};

// Files: who has which, under which name. Their bytes are on the disk (store/blobs.hpp).
class FileStore {
public:
    virtual ~FileStore() = default;

    // Takes the temporary file over and notes it. `rate_limited` (file_quota_exceeded) when the user would have more
    // than kUserFileBytesMax or kUserFilesMax.
    virtual Task<Result<StoredFile>> create_file(NewFile file) = 0;
    virtual Task<Result<StoredFile>> find_file(UserNo user, FileId id) = 0;
    // By id, that is by time of making. An unknown cursor is a place like any other.
    virtual Task<Result<Page<StoredFile>>> list_files(UserNo user, PageRequest<FileId> request) = 0;
    // The bytes go from the disk soon after, unless another file has the same.
    virtual Task<Status> delete_file(UserNo user, FileId id) = 0;
};

// Small values that the administrator sets in the page, by name.
class SettingStore {
public:
    virtual ~SettingStore() = default;
    virtual Task<Result<std::optional<std::string>>> get_setting(std::string name) = 0;
    virtual Task<Status> put_setting(std::string name, std::string value) = 0;
};

class Store : public AccountStore,
              public PeopleStore,
              public ConversationStore,
              public OrganiseStore,
              public BranchStore,
              public RunStore,
              public SearchStore,
              public FileStore,
              public SettingStore,
              public ExportStore,
              public BackupStore,
              public ImportStore,
              public ContextStore,
              public UsageStore,
              public CallStore,
              public IdentityStore,
              public ModelAccessStore,
              public ShareStore {
public:
    // Answers when the engine can read and write: with the bytes of the database, without its blobs.
    virtual Task<Result<std::uint64_t>> ping() = 0;
};

}  // namespace confab::store
