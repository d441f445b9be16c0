// Reading runs back, and the items they are about.
#include "store/sqlite/items.hpp"
#include "store/sqlite/run_chunks.hpp"
#include "store/sqlite/runs.hpp"
#include "store/sqlite/siblings.hpp"

namespace confab::store::sqlite {

namespace {

// Rows of one batch of prompt items: short messages reach this before the bytes of a page.
constexpr std::size_t kPromptRowsMax = 1'000;

#define RUN_COLUMNS                                                                                                    \
    "SELECT r.run, r.id, r.user_no, r.conv, CASE WHEN c.hidden = 0 THEN c.id END, r.br, r.input_first, r.input_last, " \
    "r.status, "                                                                                                       \
    "r.background, r.stored, r.model, r.request, r.error_code, r.error_message, r.incomplete_reason, r.usage, "        \
    "r.created_at, "                                                                                                   \
    "r.completed_at, r.previous, r.first_token_ms, r.duration_ms, r.output_tokens, r.output_first, r.output_last "     \
    "FROM runs r CROSS JOIN conversations c ON c.conv = r.conv "

constexpr Sql kFindRun{RUN_COLUMNS
                       "WHERE r.id = ?1 AND r.user_no = ?2 AND r.stored = 1 AND r.deleted_at IS NULL "
                       "AND c.deleted_at IS NULL"};
constexpr Sql kUnfinishedRuns{RUN_COLUMNS "WHERE r.status < 2 AND r.run <= ?1 LIMIT ?2"};
#undef RUN_COLUMNS

Run read_run(const Statement& row) {
    Run run;
    run.no = row.get<RunNo>(0);
    run.id = row.get<ResponseId>(1);
    run.user = row.get<UserNo>(2);
    run.conversation_no = row.get<ConversationNo>(3);
    run.conversation = row.get<std::optional<ConversationId>>(4);
    run.branch = row.get<BranchNo>(5);
    run.input_first = row.integer(6);
    run.input_last = row.integer(7);
    run.status = row.get<RunStatus>(8);
    run.background = row.get<bool>(9);
    run.stored = row.get<bool>(10);
    run.model = row.get<std::string>(11);
    run.request = row.get<std::string>(12);
    run.error_code = row.get<std::string>(13);
    run.error_message = row.get<std::string>(14);
    run.incomplete_reason = row.get<std::string>(15);
    run.usage = row.get<std::string>(16);
    run.created_at = row.integer(17);
    run.completed_at = row.get<std::optional<UnixSeconds>>(18);
    run.previous_response = row.get<std::optional<ResponseId>>(19);
    run.timing = read_timing(row, 20);
    return run;
}

}  // namespace

Result<Run> find_run(Connection& db, UserNo user, ResponseId id) {
    auto found = db.use(kFindRun, id, user);
    TRY(const bool row, found.step());
    if (!row) {
        return base::not_found("There is no such response.");
    }
    Run run = read_run(found);
    const Segment output{run.branch, found.integer(23), found.integer(24)};
    const PageCaps whole{SIZE_MAX, SIZE_MAX, SIZE_MAX};
    TRY(auto page, load_items_ascending(db, run.conversation_no, std::span(&output, 1), whole));
    run.output = std::move(page.rows);
    run.output_deleted = static_cast<Position>(run.output.size()) < output.last - output.first + 1;
    return run;
}

Result<std::vector<Item>> list_prompt_items(
    Connection& db,
    ConversationNo conversation,
    BranchNo branch,
    Position position,
    Position head
) {
    {
        auto open = db.use("SELECT 1 FROM conversations WHERE conv = ?1 AND deleted_at IS NULL", conversation);
        TRY(const bool row, open.step());
        if (!row) {
            return base::not_found("There is no such conversation.");
        }
    }
    TRY(const auto path, load_path(db, conversation, branch, std::max<Position>(position, 1), head));
    const PageCaps caps{kPromptRowsMax, kPageBytesMax, SIZE_MAX};
    TRY(auto page, load_items_ascending(db, conversation, path, caps, Which::said));
    return std::move(page.rows);
}

Result<Page<Item>> list_input_items(Connection& db, UserNo user, ResponseId id, const PageRequest<ItemId>& request) {
    ConversationNo conversation{};
    Segment input;
    {
        auto found = db.use(
            "SELECT r.conv, r.br, r.input_first, r.input_last FROM runs r JOIN conversations c ON c.conv = r.conv "
            "WHERE r.id = ?1 AND r.user_no = ?2 AND r.stored = 1 AND r.deleted_at IS NULL AND c.deleted_at IS NULL",
            id,
            user
        );
        TRY(const bool row, found.step());
        if (!row) {
            return base::not_found("There is no such response.");
        }
        conversation = found.get<ConversationNo>(0);
        input = {found.get<BranchNo>(1), found.integer(2), found.integer(3)};
    }
    if (request.after) {
        TRY(const auto place, find_item_place(db, *request.after));
        if (!place || place->conversation != conversation || place->branch != input.branch ||
            place->position < input.first || place->position > input.last) {
            return base::invalid("after", "There is no such item in this response's input.");
        }
        if (request.order == Order::ascending) {
            input.first = place->position + 1;
        } else {
            input.last = place->position - 1;
        }
    }
    const PageCaps caps{request.limit};
    const ItemPlace last{conversation, input.branch, input.last};
    TRY(auto page,
        request.order == Order::ascending ? load_items_ascending(db, conversation, std::span(&input, 1), caps)
                                          : load_items_descending(db, last, input.first, caps));
    TRY_VOID(add_relations(db, conversation, page.rows));
    return page;
}

Result<RunNo> find_newest_run(Connection& db) {
    auto newest = db.use("SELECT coalesce(max(run), 0) FROM runs");
    TRY(const bool row, newest.step());
    CONFAB_ASSERT(row);
    return newest.get<RunNo>(0);
}

Result<std::vector<std::pair<Run, std::vector<RunChunk>>>> list_unfinished_runs(
    Connection& db,
    RunNo newest,
    std::size_t limit
) {
    std::vector<std::pair<Run, std::vector<RunChunk>>> unfinished;
    auto runs = db.use(kUnfinishedRuns, newest, limit);
    for (;;) {
        TRY(const bool row, runs.step());
        if (!row) {
            return unfinished;
        }
        Run run = read_run(runs);
        TRY(auto chunks, list_all_chunks(db, run.no));
        unfinished.emplace_back(std::move(run), std::move(chunks));
    }
}

}  // namespace confab::store::sqlite
