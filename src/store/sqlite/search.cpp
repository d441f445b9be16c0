#include "store/sqlite/search.hpp"

#include <algorithm>
#include <charconv>

#include "base/text.hpp"
#include "store/search_query.hpp"
#include "store/snippet.hpp"
#include "store/sqlite/search_upkeep.hpp"
#include "store/sqlite/search_words.hpp"
#include "store/sqlite/user_rows.hpp"

namespace confab::store::sqlite {

namespace {

constexpr std::size_t kScannedMax = 5'000;  // rows that one call looks at, when filters leave few of them
constexpr std::size_t kRankedMax = 500;     // of the newest hits the best are shown first
constexpr std::size_t kTitlesFirst = 5;     // titles above the messages, on the first page

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
        TRY(message.text, read_searched_text(db, message.mid, rows.get<BodyFormat>(7)));
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

}  // namespace confab::store::sqlite
