// Beginning a run. From its commit on nothing of the turn is lost.
#include "base/clock.hpp"
#include "store/sqlite/conversations.hpp"
#include "store/sqlite/head.hpp"
#include "store/sqlite/items.hpp"
#include "store/sqlite/run_prompt.hpp"
#include "store/sqlite/runs.hpp"
#include "store/sqlite/summaries.hpp"
#include "store/sqlite/title.hpp"

namespace confab::store::sqlite {

namespace {

// Where the run goes: an open conversation and the branch it continues.
struct Place {
    ConversationNo conversation{};
    ConversationId id;
    bool hidden = false;
    std::string instructions;
    bool has_title = false;
    Branch branch;
};

// What the target's conversation row says.
Result<Place> load_place(Connection& db, ConversationNo conversation) {
    auto found = db.use(
        "SELECT conv, id, hidden, instructions, title <> '', trashed_at IS NOT NULL FROM conversations "
        "WHERE conv = ?1 AND deleted_at IS NULL",
        conversation
    );
    TRY(const bool row, found.step());
    if (!row) {
        return base::not_found("There is no such conversation.");
    }
    if (found.get<bool>(5)) {
        return conversation_in_trash();
    }
    Place place;
    place.conversation = found.get<ConversationNo>(0);
    place.id = found.get<ConversationId>(1);
    place.hidden = found.get<bool>(2);
    place.instructions = found.get<std::string>(3);
    place.has_title = found.get<bool>(4);
    return place;
}

Result<Place> open_hidden_conversation(Connection& db, UserNo user, UnixSeconds now) {
    TRY_VOID(db.run(
        "INSERT INTO conversations (id, user_no, hidden, active_br, title, model, instructions, metadata, created_at, "
        "updated_at) VALUES (?1, ?2, 1, ?3, '', '', '', '{}', ?4, ?4)",
        ConversationId::make(),
        user,
        kFirstBranch,
        now
    ));
    const auto number = static_cast<ConversationNo>(db.inserted_key());
    TRY_VOID(create_first_branch(db, number));
    TRY(Place place, load_place(db, number));
    TRY(place.branch, load_branch(db, number, kFirstBranch));
    return place;
}

// On the active branch, or right after an item: that place becomes the active one.
Result<Place> continue_conversation(Connection& db, UserNo user, const RunTarget& target) {
    TRY(const ConversationHandle handle, open_conversation(db, user, *target.conversation));
    TRY(const bool locked, is_locked(db, handle.no));
    if (locked) {
        return conversation_locked();
    }
    TRY(Place place, load_place(db, handle.no));
    if (target.after) {
        TRY(place.branch, branch_after(db, handle.no, target.after->item, "after"));
        TRY_VOID(activate_branch(db, handle.no, place.branch.no));
    } else {
        TRY(place.branch, load_branch(db, handle.no, handle.active_branch));
    }
    return place;
}

// The conversation, the branch and the last position of an earlier run.
struct PreviousRun {
    ConversationNo conversation{};
    BranchNo branch{};
    Position last = 0;
};

Result<PreviousRun> find_previous_run(Connection& db, UserNo user, ResponseId id) {
    auto found = db.use(
        "SELECT r.conv, r.br, CASE WHEN r.output_last >= r.output_first THEN r.output_last ELSE r.input_last END "
        "FROM runs r JOIN conversations c ON c.conv = r.conv "
        "WHERE r.id = ?1 AND r.user_no = ?2 AND r.stored = 1 AND r.deleted_at IS NULL AND c.deleted_at IS NULL "
        "AND c.hidden < 2 AND c.building = 0",
        id,
        user
    );
    TRY(const bool row, found.step());
    if (!row) {
        return base::invalid("previous_response_id", "There is no such response.", "previous_response_not_found");
    }
    return PreviousRun{found.get<ConversationNo>(0), found.get<BranchNo>(1), found.integer(2)};
}

// Right after the earlier run: on its branch when nothing follows it there, else on a new one. What will not be stored
// gets a branch of its own in a hidden conversation, so that it can be wiped without a trace. Only hidden conversations,
// which nobody sees or deletes as a whole, have several answers under way.
Result<Place> continue_run(Connection& db, const NewRun& run) {
    TRY(const PreviousRun previous, find_previous_run(db, run.user, *run.target.previous_response));
    TRY(Place place, load_place(db, previous.conversation));
    TRY(const bool answering, is_locked(db, previous.conversation));
    if (answering && !place.hidden) {
        return conversation_locked();
    }
    TRY(place.branch, load_branch(db, previous.conversation, previous.branch));
    TRY(const bool locked, is_locked(db, previous.conversation, previous.branch));
    const bool passing = place.hidden && !run.stored;
    if (locked || passing || place.branch.head != previous.last) {
        TRY(place.branch, fork_branch(db, previous.conversation, place.branch, previous.last));
    }
    return place;
}

Result<Place> find_place(Connection& db, const NewRun& run, UnixSeconds now) {
    const RunTarget& target = run.target;
    if (target.conversation && target.previous_response) {
        return base::invalid("previous_response_id", "Give either a conversation or a previous response.");
    }
    if (target.conversation) {
        return continue_conversation(db, run.user, target);
    }
    return target.previous_response ? continue_run(db, run) : open_hidden_conversation(db, run.user, now);
}

// Without input there must be a question to answer already.
Status check_question(Connection& db, const Place& place) {
    TRY(const auto newest, find_newest_item(db, place.conversation, place.branch, Which::said));
    if (!newest || (newest->role != ItemRole::user && newest->role != ItemRole::tool)) {
        return base::invalid(
            "input",
            "There is nothing to answer: the newest message is not a user's, nor a tool's.",
            "nothing_to_answer"
        );
    }
    return {};
}

std::unexpected<base::Error> nothing_to_continue() {
    return base::invalid(
        "continue",
        "There is nothing to continue: the newest message is not an answer that broke off.",
        "nothing_to_continue"
    );
}

// The answer to go on with: the newest item, on this very branch, so that no other path loses it.
Result<Item> find_continued(Connection& db, const Place& place) {
    TRY(const auto newest, find_newest_item(db, place.conversation, place.branch, Which::said));
    const bool is_answer =
        newest && newest->role == ItemRole::assistant && newest->id.type() == base::ItemType::message;
    if (!is_answer || newest->branch != place.branch.no) {
        return nothing_to_continue();
    }
    TRY(Item item, load_item(db, {place.conversation, newest->branch, newest->position}));
    const bool plain = item.format == BodyFormat::text && !item.body.empty();
    if (item.status != ItemStatus::incomplete || !plain || item.body.size() > kContinuedBytesMax) {
        return nothing_to_continue();
    }
    return item;
}

std::string title_of(const NewRun& run) {
    for (const NewItem& item : run.input) {
        if (item.role == ItemRole::user) {
            if (std::string title = title_from(item.format, item.body); !title.empty()) {
                return title;
            }
        }
    }
    return {};
}

Result<RunNo> insert_run(
    Connection& db,
    const NewRun& run,
    const Place& place,
    const BegunRun& begun,
    Position input_first,
    Position continues
) {
    TRY_VOID(db.run(
        "INSERT INTO runs (id, user_no, conv, br, status, background, stored, input_first, input_last, prompt_anchor, "
        "prompt_head, prompt_tok, created_at, previous, model, request, continues, key_id, session_id) "
        "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19)",
        run.id,
        run.user,
        place.conversation,
        place.branch.no,
        RunStatus::in_progress,
        run.background,
        run.stored,
        input_first,
        place.branch.head,
        begun.prompt.anchor,
        begun.prompt.head,
        begun.prompt.tokens,
        begun.created_at,
        run.target.previous_response,
        run.model,
        run.request,
        continues,
        run.key,
        run.session
    ));
    return static_cast<RunNo>(db.inserted_key());
}

Status plan_prompt_of(Connection& db, const NewRun& run, Place& place, BegunRun& begun) {
    PromptWanted wanted{place.conversation, run.prompt_tokens_max, run.truncation};
    if (run.count_tokens != nullptr) {
        wanted.tokens_max -= run.count_tokens(place.instructions);
    }
    TRY(auto planned, plan_run_prompt(db, wanted, place.branch));
    begun.prompt = planned.plan;
    begun.summary = std::move(planned.summary);
    return {};
}

// What the first call with the same id answered.
Result<std::optional<BegunRun>> find_repeated(Connection& db, const NewRun& run) {
    auto found = db.use(
        "SELECT r.run, r.conv, c.id, c.hidden, r.br, c.instructions, r.prompt_anchor, r.prompt_head, r.prompt_tok, "
        "r.created_at, r.user_no, r.continues FROM runs r JOIN conversations c ON c.conv = r.conv WHERE r.id = ?1",
        run.id
    );
    TRY(const bool row, found.step());
    if (!row) {
        return std::nullopt;
    }
    if (found.get<UserNo>(10) != run.user) {
        return base::fail(base::Errc::conflict, "A response with this id exists already.", "already_exists");
    }
    BegunRun begun;
    begun.no = found.get<RunNo>(0);
    begun.conversation_no = found.get<ConversationNo>(1);
    if (!found.get<bool>(3)) {
        begun.conversation = found.get<ConversationId>(2);
    }
    begun.branch = found.get<BranchNo>(4);
    begun.conversation_instructions = found.get<std::string>(5);
    begun.prompt = {found.integer(6), found.integer(7), found.integer(8)};
    begun.created_at = found.integer(9);
    if (begun.prompt.anchor > 1) {
        TRY(begun.prompt.question, find_question(db, begun.conversation_no, begun.branch, begun.prompt.anchor));
        TRY(begun.summary, find_summary(db, begun.conversation_no, begun.branch, begun.prompt.anchor - 1));
    }
    if (const Position continues = found.integer(11); continues > 0) {
        const auto item = load_item(db, {begun.conversation_no, begun.branch, continues});
        begun.continued = item ? item->body : std::string();  // it may have been replaced already
    }
    return begun;
}

}  // namespace

Result<BegunRun> begin_run(Connection& db, const NewRun& run) {
    TRY(auto repeated, find_repeated(db, run));
    if (repeated) {
        return *std::move(repeated);
    }
    const UnixSeconds now = base::unix_now();
    TRY(Place place, find_place(db, run, now));
    std::optional<Item> continued;
    if (run.continues) {
        if (!run.target.conversation || !run.input.empty()) {
            return nothing_to_continue();
        }
        TRY(continued, find_continued(db, place));
    } else if (run.input.empty()) {
        TRY_VOID(check_question(db, place));
    }
    const Position input_first = place.branch.head + 1;
    TRY_VOID(append_to_branch(db, {run.user, place.conversation, std::nullopt, now}, place.branch, run.input));

    BegunRun begun;
    begun.conversation_no = place.conversation;
    if (!place.hidden) {
        begun.conversation = place.id;
    }
    begun.branch = place.branch.no;
    begun.conversation_instructions = place.instructions;
    begun.created_at = now;
    TRY_VOID(plan_prompt_of(db, run, place, begun));
    TRY(begun.no, insert_run(db, run, place, begun, input_first, continued ? continued->position : 0));
    if (continued) {
        begun.continued = std::move(continued->body);
    }
    place.branch.last_run = begun.no;
    TRY_VOID(save_branch(db, place.conversation, place.branch));

    const std::string title = place.hidden || place.has_title ? std::string() : title_of(run);
    TRY_VOID(db.run(
        "UPDATE conversations SET updated_at = ?2, live_runs = live_runs + ?3, "
        "title = CASE WHEN title = '' THEN ?4 ELSE title END WHERE conv = ?1",
        place.conversation,
        now,
        run.stored,
        title
    ));
    return begun;
}

}  // namespace confab::store::sqlite
