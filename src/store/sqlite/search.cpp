#include "store/sqlite/search.hpp"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <set>

#include "base/text.hpp"
#include "store/search_query.hpp"
#include "store/search_text.hpp"
#include "store/snippet.hpp"
#include "store/sqlite/search_words.hpp"
#include "store/sqlite/user_rows.hpp"
#include "store/sqlite/word_cutter.hpp"

namespace confab::store::sqlite {

namespace {

constexpr std::size_t kScannedMax = 5'000;  // rows that one call looks at, when filters leave few of them
constexpr std::size_t kRankedMax = 500;     // of the newest hits the best are shown first
constexpr std::size_t kTitlesFirst = 5;     // titles above the messages, on the first page
constexpr std::size_t kIndexStepRows = 200;      // of the queue, in one step
constexpr std::size_t kIndexStepBytes = 512 * 1024;
constexpr std::chrono::milliseconds kIndexStepTime{15};
constexpr std::int64_t kLevelsMax = 1'000;  // of an index's structure
constexpr int kPurgePages = 64;  // written in one step of a purge

std::unexpected<base::Error> bad_cursor() {
    return base::invalid("after", "after is not a cursor of this search.");
}

// A cursor is the order's letter and a number.
Result<std::int64_t> parse_cursor(std::string_view cursor, char order) {
    std::int64_t number = 0;
    if (cursor.size() < 2 || cursor.front() != order) {
        return bad_cursor();
    }
    const auto [end, ec] = std::from_chars(cursor.data() + 1, cursor.data() + cursor.size(), number);
    if (ec != std::errc{} || end != cursor.data() + cursor.size() || number < 0) {
        return bad_cursor();
    }
    return number;
}

Result<std::int64_t> count_pending(Connection& db, UserNo user) {
    const RowRange range = rows_of(user);
    auto found = db.use(
        "SELECT count(*) FROM (SELECT 1 FROM search_queue WHERE mid BETWEEN ?1 AND ?2 LIMIT ?3)",
        range.first,
        range.last,
        kPendingShownMax
    );
    TRY(const bool row, found.step());
    CONFAB_ASSERT(row);
    return found.integer(0);
}

bool passes(const SearchQuery& query, const SearchHit& hit) {
    return (!query.role || hit.role == *query.role) &&
           (query.model.empty() || base::ascii_lower(hit.model).find(query.model) != std::string::npos) &&
           (!query.from || hit.created_at >= *query.from) && (!query.until || hit.created_at < *query.until);
}

// Hits among the messages, newest first. Conversations that are not shown (hidden, deleted, in the trash) are left out here and in
// kTitles, and nowhere else.
constexpr Sql kMessages{
    "SELECT b.mid, b.item_id, c.id, c.title, i.role, coalesce(r.model, ''), i.created_at, i.format "
    "FROM search_index s CROSS JOIN bodies b ON b.mid = s.rowid "
    "CROSS JOIN items i ON i.conv = b.conv AND i.br = b.br AND i.pos = b.pos "
    "CROSS JOIN conversations c ON c.conv = b.conv LEFT JOIN runs r ON r.run = i.run "
    "WHERE s.search_index MATCH ?1 AND s.rowid BETWEEN ?2 AND ?3 "
    "AND c.hidden = 0 AND c.deleted_at IS NULL AND c.trashed_at IS NULL AND i.deleted_at IS NULL ORDER BY s.rowid DESC"};
constexpr Sql kTitles{
    "SELECT s.rowid, c.id, c.title, c.updated_at FROM search_titles s "
    "CROSS JOIN conversations c ON c.conv = s.rowid & ((1 << 40) - 1) "
    "WHERE s.search_titles MATCH ?1 AND s.rowid BETWEEN ?2 AND ?3 AND c.hidden = 0 AND c.deleted_at IS NULL "
    "AND c.trashed_at IS NULL "
    "ORDER BY s.rowid DESC"};

// A hit with the row that the next page goes on below.
struct FoundMessage {
    std::int64_t mid = 0;
    SearchHit hit;
    std::string text;
};

// What is read of a message to show it, and to rank it.
Result<std::string> read_text(Connection& db, std::int64_t mid, BodyFormat format) {
    TRY(const std::string body, db.read_body_head(mid, kIndexedBytesMax));
    return searchable_text(format, std::string_view(body).substr(0, body.size() - base::utf8_incomplete_tail(body)));
}

// What is searched for, and how FTS5 is asked.
struct Wanted {
    const SearchQuery& query;
    std::string expression;
};

struct Found {
    std::vector<FoundMessage> messages;
    std::int64_t below = 0;  // go on below this row
    bool more = false;
};

Result<Found> find_messages(
    Connection& db,
    UserNo user,
    const Wanted& wanted,
    std::int64_t below,
    std::size_t limit,
    std::size_t& scanned
) {
    Found found;
    const RowRange range = rows_of(user);
    auto rows = db.use(kMessages, wanted.expression, range.first, below - 1);
    for (;; ++scanned) {
        TRY(const bool row, rows.step());
        if (!row) {
            return found;
        }
        if (found.messages.size() == limit || scanned >= kScannedMax) {
            found.more = true;
            return found;
        }
        FoundMessage message;
        message.mid = rows.integer(0);
        found.below = message.mid;
        message.hit.item = rows.get<ItemId>(1);
        message.hit.conversation = rows.get<ConversationId>(2);
        message.hit.title = rows.get<std::string>(3);
        message.hit.role = rows.get<ItemRole>(4);
        message.hit.model = rows.get<std::string>(5);
        message.hit.created_at = rows.integer(6);
        if (!passes(wanted.query, message.hit)) {
            continue;
        }
        TRY(message.text, read_text(db, message.mid, rows.get<BodyFormat>(7)));
        found.messages.push_back(std::move(message));
    }
}

Status add_newest(Connection& db, UserNo user, const SearchRequest& request, SearchPage& page) {
    std::int64_t below = rows_of(user).last + 1;
    if (!request.cursor.empty()) {
        TRY(const std::int64_t number, parse_cursor(request.cursor, 'n'));
        below = rows_of(user).first | std::min(number, kUserRowsMask);
    }
    TRY(auto expression, match_expression(db, request.query));
    const Wanted wanted{request.query, std::move(expression)};
    std::size_t scanned = 0;
    TRY(auto found, find_messages(db, user, wanted, below, request.limit, scanned));
    for (FoundMessage& message : found.messages) {
        message.hit.snippet = make_snippet(message.text, request.query);
        page.hits.push_back(std::move(message.hit));
    }
    if (found.more) {
        page.next = "n" + std::to_string(found.below & kUserRowsMask);
    }
    return {};
}

// The best of the newest kRankedMax.
Status add_best(Connection& db, UserNo user, const SearchRequest& request, SearchPage& page) {
    std::size_t offset = 0;
    if (!request.cursor.empty()) {
        TRY(const std::int64_t number, parse_cursor(request.cursor, 'r'));
        offset = static_cast<std::size_t>(number);
    }
    TRY(auto expression, match_expression(db, request.query));
    const Wanted wanted{request.query, std::move(expression)};
    std::vector<FoundMessage> ranked;
    std::size_t scanned = 0;
    for (std::int64_t below = rows_of(user).last + 1; ranked.size() < kRankedMax && scanned < kScannedMax;) {
        // In portions, so that texts are let go of as soon as they are ranked.
        const std::size_t portion = std::min<std::size_t>(50, kRankedMax - ranked.size());
        TRY(auto found, find_messages(db, user, wanted, below, portion, scanned));
        for (FoundMessage& message : found.messages) {
            message.hit.score = relevance(message.text, request.query);
            message.hit.snippet = make_snippet(message.text, request.query);
            message.text = std::string();
            ranked.push_back(std::move(message));
        }
        if (!found.more) {
            break;
        }
        below = found.below;
    }
    std::ranges::stable_sort(ranked, std::greater<>(), [](const FoundMessage& one) { return one.hit.score; });
    for (std::size_t i = offset; i < ranked.size() && page.hits.size() < request.limit; ++i) {
        page.hits.push_back(std::move(ranked[i].hit));
        ++offset;
    }
    if (offset < ranked.size()) {
        page.next = "r" + std::to_string(offset);
    }
    return {};
}

// Titles, newest conversations first.
Status add_titles(Connection& db, UserNo user, const SearchRequest& request, std::size_t limit, SearchPage& page) {
    const RowRange range = rows_of(user);
    std::int64_t last = range.last;
    if (!request.cursor.empty()) {
        TRY(const std::int64_t number, parse_cursor(request.cursor, 't'));
        last = (range.first | std::min(number, kUserRowsMask)) - 1;
    }
    TRY(const auto expression, match_expression(db, request.query));
    auto rows = db.use(kTitles, expression, range.first, last);
    std::int64_t below = 0;
    for (std::size_t taken = 0, scanned = 0;; ++scanned) {
        TRY(const bool row, rows.step());
        if (!row) {
            return {};
        }
        if (taken == limit || scanned == kScannedMax) {
            page.next = request.query.titles_only ? "t" + std::to_string(below & kUserRowsMask)
                                                  : std::string();
            return {};
        }
        below = rows.integer(0);
        SearchHit hit;
        hit.conversation = rows.get<ConversationId>(1);
        hit.title = rows.get<std::string>(2);
        hit.created_at = rows.integer(3);
        if (!passes(request.query, hit)) {
            continue;
        }
        hit.score = relevance(hit.title, request.query);
        hit.snippet = make_snippet(hit.title, request.query);
        page.hits.push_back(std::move(hit));
        ++taken;
    }
}

Status purge_is_due(Connection& db);

// ---- keeping up ----

struct QueuedBody {
    std::int64_t mid = 0;
    bool searched = false;  // a message that is still there
    BodyFormat format = BodyFormat::text;
};

// The different words of what is indexed in one step, in the order in which the vocabulary takes them cheaply.
class StepWords {
public:
    explicit StepWords(WordCutter cutter) : cutter_(std::move(cutter)) {}

    Status add(std::string_view text) {
        return cutter_.cut(text, [&](std::string_view word, std::size_t) { words_.emplace(word); });
    }

    const std::set<std::string>& words() const { return words_; }

private:
    WordCutter cutter_;
    std::set<std::string> words_;
};

Status index_body(Connection& db, const QueuedBody& body, StepWords& words, std::size_t& bytes) {
    if (!body.searched) {
        return {};
    }
    TRY(std::string text, read_text(db, body.mid, body.format));
    bytes += text.size();
    if (text.empty()) {
        return {};
    }
    text = index_words(text);
    TRY_VOID(words.add(text));
    return db.run("INSERT INTO search_index (rowid, text) VALUES (?1, ?2)", body.mid, text);
}

// What has waited longest and what came last, so that a message that was just sent need not wait for an import. By row,
// because the index takes rising rows cheaply.
Result<std::vector<QueuedBody>> next_bodies(Connection& db) {
    std::vector<QueuedBody> bodies;
    auto rows = db.use(
        "SELECT q.mid, i.format, i.type = 0 AND i.deleted_at IS NULL FROM "
        "(SELECT mid FROM (SELECT mid FROM search_queue ORDER BY place DESC LIMIT ?1) "
        "UNION SELECT mid FROM (SELECT mid FROM search_queue ORDER BY place LIMIT ?1)) q "
        "LEFT JOIN bodies b ON b.mid = q.mid LEFT JOIN items i ON i.conv = b.conv AND i.br = b.br AND i.pos = b.pos",
        kIndexStepRows / 2
    );
    for (;;) {
        TRY(const bool row, rows.step());
        if (!row) {
            break;
        }
        bodies.push_back({rows.integer(0), rows.get<bool>(2), rows.get<BodyFormat>(1)});
    }
    std::ranges::sort(bodies, {}, &QueuedBody::mid);
    return bodies;
}

Result<bool> index_bodies(Connection& db) {
    TRY(const auto bodies, next_bodies(db));
    if (bodies.empty()) {
        return false;
    }
    const auto end = std::chrono::steady_clock::now() + kIndexStepTime;
    TRY(WordCutter cutter, WordCutter::open(db));
    StepWords words(std::move(cutter));
    std::size_t bytes = 0;
    std::size_t done = 0;
    for (; done < bodies.size() && bytes < kIndexStepBytes && (done == 0 || std::chrono::steady_clock::now() < end); ++done) {
        TRY_VOID(index_body(db, bodies[done], words, bytes));
        TRY_VOID(db.run("DELETE FROM search_queue WHERE mid = ?1", bodies[done].mid));
    }
    TRY_VOID(keep_words(db, words.words()));
    return done < bodies.size() || bodies.size() >= kIndexStepRows / 2;
}

Result<bool> index_titles(Connection& db) {
    std::vector<std::int64_t> conversations;
    {
        auto rows = db.use("SELECT conv FROM search_title_queue ORDER BY conv LIMIT ?1", kIndexStepRows);
        for (;;) {
            TRY(const bool row, rows.step());
            if (!row) {
                break;
            }
            conversations.push_back(rows.integer(0));
        }
    }
    if (conversations.empty()) {
        return false;
    }
    TRY(WordCutter cutter, WordCutter::open(db));
    StepWords words(std::move(cutter));
    for (const std::int64_t conversation : conversations) {
        std::int64_t rowid = 0;
        std::string title;
        {
            auto found = db.use(
                "SELECT user_no << 40 | conv, CASE WHEN deleted_at IS NULL THEN title ELSE '' END FROM conversations "
                "WHERE conv = ?1",
                conversation
            );
            TRY(const bool row, found.step());
            if (!row) {
                continue;
            }
            rowid = found.integer(0);
            title = found.get<std::string>(1);
        }
        TRY_VOID(db.run("DELETE FROM search_titles WHERE rowid = ?1", rowid));
        if (db.changed_rows() > 0) {
            TRY_VOID(purge_is_due(db));
        }
        if (!title.empty()) {
            title = index_words(title);
            TRY_VOID(words.add(title));
            TRY_VOID(db.run("INSERT INTO search_titles (rowid, title) VALUES (?1, ?2)", rowid, title));
        }
    }
    TRY_VOID(keep_words(db, words.words()));
    TRY_VOID(db.run("DELETE FROM search_title_queue WHERE conv <= ?1", conversations.back()));
    return conversations.size() == kIndexStepRows;
}

// ---- letting go ----

Status purge_is_due(Connection& db) {
    return db.run("UPDATE search_purge SET due = 1 WHERE due = 0");
}

// SQLite's documentation of FTS5, 6.6: a negative count begins a merge of all segments, and must be given only once, for each
// time it opens new levels; positive ones go on with it. Less than two changes say that nothing was left to merge. True: there
// may be more.
Result<bool> merge_some(Connection& db, int pages) {
    const std::int64_t before = sqlite3_total_changes64(db.handle());
    TRY_VOID(db.run("INSERT INTO search_index (search_index, rank) VALUES ('merge', ?1)", pages));
    const std::int64_t messages = sqlite3_total_changes64(db.handle()) - before;
    TRY_VOID(db.run("INSERT INTO search_titles (search_titles, rank) VALUES ('merge', ?1)", pages));
    const std::int64_t titles = sqlite3_total_changes64(db.handle()) - before - messages;
    return pages < 0 || messages >= 2 || titles >= 2;
}

// How many levels an index's structure has: a number of SQLite's varint form after four bytes (fts5_index.c, "Structure").
std::int64_t levels_of(std::string_view structure) {
    const auto byte = [&](std::size_t i) { return i < structure.size() ? static_cast<unsigned char>(structure[i]) : 0U; };
    return (byte(4) & 0x80U) == 0 ? byte(4) : ((byte(4) & 0x7FU) << 7U | (byte(5) & 0x7FU));
}

// Each purge leaves two levels behind, and an index with 2,000 of them cannot be read any more. Long before that the indexes
// are made anew, which drops all words of what was deleted too. True: it was done; everything is queued again.
Result<bool> rebuild_when_worn(Connection& db) {
    std::int64_t levels = 0;
    {
        auto messages = db.use("SELECT block FROM search_index_data WHERE id = 10");
        TRY(const bool row, messages.step());
        levels = row ? levels_of(messages.bytes(0)) : 0;
    }
    {
        auto titles = db.use("SELECT block FROM search_titles_data WHERE id = 10");
        TRY(const bool row, titles.step());
        levels = std::max(levels, row ? levels_of(titles.bytes(0)) : 0);
    }
    if (levels < kLevelsMax) {
        return false;
    }
    TRY_VOID(db.run("INSERT INTO search_index (search_index) VALUES ('delete-all')"));
    TRY_VOID(db.run("DELETE FROM search_titles"));
    TRY_VOID(db.run("DELETE FROM search_vocabulary"));
    TRY_VOID(db.run("INSERT OR IGNORE INTO search_queue (mid) SELECT mid FROM bodies WHERE length(body) > 0 ORDER BY mid"));
    TRY_VOID(db.run("INSERT OR IGNORE INTO search_title_queue (conv) SELECT conv FROM conversations WHERE title <> ''"));
    return true;
}

}  // namespace

Result<SearchPage> search(Connection& db, UserNo user, const SearchRequest& request) {
    SearchPage page;
    TRY(page.pending, count_pending(db, user));
    if (request.query.terms.empty()) {
        return page;
    }
    if (request.query.titles_only) {
        TRY_VOID(add_titles(db, user, request, request.limit, page));
        return page;
    }
    const bool plain = !request.query.role && request.query.model.empty();
    if (request.cursor.empty() && plain) {
        TRY_VOID(add_titles(db, user, request, std::min(kTitlesFirst, request.limit - 1), page));
    }
    const std::size_t titles = page.hits.size();
    SearchRequest rest = request;
    rest.limit = request.limit - titles;
    SearchPage messages;
    if (request.order == SearchOrder::newest) {
        TRY_VOID(add_newest(db, user, rest, messages));
    } else {
        TRY_VOID(add_best(db, user, rest, messages));
    }
    std::ranges::move(messages.hits, std::back_inserter(page.hits));
    page.next = std::move(messages.next);
    return page;
}

Result<bool> index_step(Connection& db) {
    TRY(const bool more_titles, index_titles(db));
    TRY(const bool more_bodies, index_bodies(db));
    return more_titles || more_bodies;
}

Status forget_in_search(Connection& db, std::int64_t mid) {
    bool queued = false;
    {
        auto found = db.use("SELECT 1 FROM search_queue WHERE mid = ?1", mid);
        TRY(queued, found.step());
    }
    if (queued) {
        return db.run("DELETE FROM search_queue WHERE mid = ?1", mid);
    }
    QueuedBody body{.mid = mid};
    {
        auto found = db.use(
            "SELECT i.format FROM bodies b CROSS JOIN items i ON i.conv = b.conv AND i.br = b.br AND i.pos = b.pos "
            "WHERE b.mid = ?1 AND i.type = 0 AND length(b.body) > 0",
            mid
        );
        TRY(body.searched, found.step());
        if (body.searched) {
            body.format = found.get<BodyFormat>(0);
        }
    }
    if (!body.searched) {
        return {};  // never indexed, or taken out already
    }
    TRY(const std::string text, read_text(db, mid, body.format));
    if (text.empty()) {
        return {};
    }
    TRY_VOID(db.run(
        "INSERT INTO search_index (search_index, rowid, text) VALUES ('delete', ?1, ?2)", mid, index_words(text)
    ));
    return purge_is_due(db);
}

Status forget_title_in_search(Connection& db, ConversationNo conversation) {
    TRY_VOID(db.run("DELETE FROM search_title_queue WHERE conv = ?1", conversation));
    TRY_VOID(db.run(
        "DELETE FROM search_titles WHERE rowid = (SELECT user_no << 40 | conv FROM conversations WHERE conv = ?1)",
        conversation
    ));
    return purge_is_due(db);
}

Result<bool> purge_step(Connection& db) {
    bool due = false;
    int begun = 0;
    {
        auto found = db.use("SELECT due, begun FROM search_purge");
        TRY(const bool row, found.step());
        CONFAB_ASSERT(row);
        due = found.get<bool>(0);
        begun = static_cast<int>(found.integer(1));
    }
    if (!due && begun == 0) {
        return false;
    }
    if (begun == 0) {
        TRY(const bool rebuilt, rebuild_when_worn(db));
        TRY_VOID(db.run("UPDATE search_purge SET due = 0, begun = ?1", !rebuilt));
        return rebuilt ? Result<bool>(false) : merge_some(db, -kPurgePages);
    }
    if (begun == 1) {
        TRY(const bool more, merge_some(db, kPurgePages));
        if (!more) {
            TRY_VOID(db.run("UPDATE search_purge SET begun = 2, swept = ''"));
        }
        return true;
    }
    TRY(const bool more, sweep_words(db));
    if (!more) {
        TRY_VOID(db.run("UPDATE search_purge SET begun = 0"));
    }
    return more;
}

}  // namespace confab::store::sqlite
