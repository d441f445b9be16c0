// Finishing a run, and forgetting one.
#include <algorithm>

#include "base/clock.hpp"
#include "store/sqlite/items.hpp"
#include "store/sqlite/run_chunks.hpp"
#include "store/sqlite/runs.hpp"
#include "store/sqlite/usage.hpp"
#include "store/sqlite/wipe.hpp"

namespace confab::store::sqlite {

namespace {

// The row of a run in progress, with what matters of its conversation.
struct OpenRun {
    RunNo no{};
    UserNo user{};
    ConversationNo conversation{};
    BranchNo branch{};
    RunStatus status = RunStatus::queued;
    bool stored = true;
    Position input_first = 0;
    Position input_last = 0;
    Position continues = 0;  // of the answer that this one replaces; 0: none
    std::string model;
    std::optional<KeyId> key;  // that it was asked for with
    std::optional<SessionId> session;
    bool conversation_hidden = false;
    bool conversation_deleted = false;

    // Asked for without storing and without a conversation of the user's: nothing of it may stay.
    bool is_passing() const { return conversation_hidden && !stored; }
};

Result<OpenRun> load_open_run(Connection& db, RunNo run) {
    auto found = db.use(
        "SELECT r.run, r.user_no, r.conv, r.br, r.status, r.stored, r.input_first, r.input_last, r.model, c.hidden, "
        "c.deleted_at IS NOT NULL, r.continues, r.key_id, r.session_id FROM runs r JOIN conversations c ON c.conv = r.conv WHERE r.run = ?1",
        run
    );
    TRY(const bool row, found.step());
    if (!row) {
        return base::not_found("There is no such response.");
    }
    OpenRun open;
    open.no = found.get<RunNo>(0);
    open.user = found.get<UserNo>(1);
    open.conversation = found.get<ConversationNo>(2);
    open.branch = found.get<BranchNo>(3);
    open.status = found.get<RunStatus>(4);
    open.stored = found.get<bool>(5);
    open.input_first = found.integer(6);
    open.input_last = found.integer(7);
    open.model = found.get<std::string>(8);
    open.conversation_hidden = found.get<bool>(9);
    open.conversation_deleted = found.get<bool>(10);
    open.continues = found.integer(11);
    open.key = found.get<std::optional<KeyId>>(12);
    open.session = found.get<std::optional<SessionId>>(13);
    return open;
}

struct OutputPlace {
    Position first = 1;
    Position last = 0;
};

Result<OutputPlace> append_output(
    Connection& db,
    const OpenRun& run,
    const std::vector<NewItem>& output,
    UnixSeconds now
) {
    TRY(Branch branch, load_branch(db, run.conversation, run.branch));
    const Position first = branch.head + 1;
    TRY_VOID(append_to_branch(db, {run.user, run.conversation, run.no, now}, branch, output));
    TRY_VOID(save_branch(db, run.conversation, branch));
    return OutputPlace{first, branch.head};
}

// The answer that was continued gives way to the one that begins with its text. It may have been deleted meanwhile. An
// answer that only thought, or called a tool, has no text to take its place.
Status remove_continued(Connection& db, const OpenRun& run, const std::vector<NewItem>& output, UnixSeconds now) {
    const bool answered =
        std::ranges::any_of(output, [](const NewItem& item) { return item.id.type() == base::ItemType::message; });
    if (run.continues == 0 || !answered) {
        return {};
    }
    const Status removed = delete_item_at(db, {run.conversation, run.branch, run.continues}, now);
    return !removed && removed.error().errc != base::Errc::not_found ? removed : Status();
}

Status close_run(Connection& db, const FinishRun& finish, const OutputPlace& output, UnixSeconds completed_at) {
    const std::optional<RunTiming>& timing = finish.timing;
    return db.run(
        "UPDATE runs SET status = ?2, error_code = ?3, error_message = ?4, incomplete_reason = ?5, usage = ?6, "
        "output_first = ?7, output_last = ?8, completed_at = ?9, first_token_ms = ?10, duration_ms = ?11, "
        "output_tokens = ?12, "
        "last_chunk = CASE WHEN first_chunk IS NOT NULL THEN (SELECT max(id) FROM run_chunks) END WHERE run = ?1",
        finish.run,
        finish.status,
        finish.error_code,
        finish.error_message,
        finish.incomplete_reason,
        finish.usage,
        output.first,
        output.last,
        completed_at,
        timing ? std::optional(timing->first_token_ms) : std::nullopt,
        timing ? std::optional(timing->duration_ms) : std::nullopt,
        timing ? timing->output_tokens : std::nullopt
    );
}

Status add_to_ledger(Connection& db, const OpenRun& run, const FinishRun& finish, UnixSeconds now) {
    UsageEntry entry;
    entry.at = now;
    entry.payer = {run.user, run.key, run.session};
    entry.run = run.no;
    entry.model = run.model;
    entry.upstream = finish.upstream;
    entry.count = finish.taken;
    return record_usage(db, entry);
}

// A hidden conversation is only reachable through its stored runs.
Status wipe_if_unreachable(Connection& db, ConversationNo conversation) {
    bool unreachable = false;
    {
        auto found = db.use(
            "SELECT 1 FROM conversations WHERE conv = ?1 AND hidden = 1 AND live_runs = 0 AND deleted_at IS NULL",
            conversation
        );
        TRY(unreachable, found.step());
    }
    return unreachable ? wipe_conversation(db, conversation) : Status();
}

Status wipe_passing_run(Connection& db, const OpenRun& run, UnixSeconds now) {
    for (Position position = run.input_first; position <= run.input_last; ++position) {
        TRY_VOID(delete_item_at(db, {run.conversation, run.branch, position}, now));
    }
    return db.run("UPDATE runs SET request = '', usage = '', error_message = '' WHERE run = ?1", run.no);
}

}  // namespace

Status finish_run(Connection& db, const FinishRun& finish) {
    TRY(const OpenRun run, load_open_run(db, finish.run));
    if (is_final(run.status)) {
        return {};
    }
    const UnixSeconds now = base::unix_now();
    const bool keeps_text = !run.conversation_deleted && !run.is_passing();
    OutputPlace output;
    if (keeps_text) {
        TRY_VOID(append_run_chunks(db, finish.chunks));
        TRY_VOID(remove_continued(db, run, finish.output, now));
        TRY(output, append_output(db, run, finish.output, now));
    }
    TRY_VOID(close_run(db, finish, output, finish.completed_at == 0 ? now : finish.completed_at));
    TRY_VOID(add_to_ledger(db, run, finish, now));
    if (run.conversation_deleted) {
        return wipe_again(db, run.conversation);
    }
    if (run.is_passing()) {
        TRY_VOID(wipe_passing_run(db, run, now));
    }
    TRY_VOID(db.run("UPDATE conversations SET updated_at = ?2 WHERE conv = ?1", run.conversation, now));
    return wipe_if_unreachable(db, run.conversation);
}

Status delete_run(Connection& db, UserNo user, ResponseId id) {
    ConversationNo conversation{};
    RunStatus status{};
    {
        auto found = db.use(
            "SELECT r.conv, r.status FROM runs r JOIN conversations c ON c.conv = r.conv "
            "WHERE r.id = ?1 AND r.user_no = ?2 AND r.stored = 1 AND r.deleted_at IS NULL AND c.deleted_at IS NULL",
            id,
            user
        );
        TRY(const bool row, found.step());
        if (!row) {
            return base::not_found("There is no such response.");
        }
        conversation = found.get<ConversationNo>(0);
        status = found.get<RunStatus>(1);
    }
    TRY_VOID(db.run(
        "UPDATE runs SET deleted_at = ?2, request = '', usage = '', first_token_ms = NULL WHERE id = ?1",
        id,
        base::unix_now()
    ));
    TRY_VOID(db.run("UPDATE conversations SET live_runs = live_runs - 1 WHERE conv = ?1", conversation));
    // While it is being made the run needs its prompt; finishing it wipes then.
    return is_final(status) ? wipe_if_unreachable(db, conversation) : Status();
}

}  // namespace confab::store::sqlite
