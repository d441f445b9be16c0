// Pages of items along a path.
#include <algorithm>

#include "base/text.hpp"
#include "store/sqlite/items.hpp"

namespace confab::store::sqlite {

namespace {

// Columns of both statements below. The body itself is read only when it is small enough to be given whole.
#define ITEM_COLUMNS                                                                                                  \
    "SELECT b.item_id, i.role, i.status, i.format, i.bytes, i.tok, i.br, i.pos, i.created_at, r.id, r.model, i.mid, " \
    "r.usage, r.first_token_ms, r.duration_ms, r.output_tokens, CASE WHEN i.bytes <= ?5 THEN b.body END "             \
    "FROM items i CROSS JOIN bodies b ON b.mid = i.mid LEFT JOIN runs r ON r.run = i.run "                            \
    "WHERE i.conv = ?1 AND i.br = ?2 AND i.pos BETWEEN ?3 AND ?4 AND i.deleted_at IS NULL "

constexpr Sql kAscending{ITEM_COLUMNS "ORDER BY i.pos"};
constexpr Sql kDescending{ITEM_COLUMNS "ORDER BY i.pos DESC"};
constexpr Sql kAscendingSaid{ITEM_COLUMNS "AND i.type IN (0, 2, 3) ORDER BY i.pos"};
#undef ITEM_COLUMNS

constexpr int kBodyColumn = 16;

// A page being filled.
class PageFiller {
public:
    PageFiller(Connection& db, const PageCaps& caps) : db_(db), caps_(caps) {}

    bool full() const { return page_.has_more; }

    // Takes rows of one segment until it is read or the page is full.
    Status take(Sql order, ConversationNo conversation, const Segment& segment) {
        const std::int64_t whole_max = std::min<std::size_t>(caps_.item_bytes_max, INT64_MAX);
        auto rows = db_.use(order, conversation, segment.branch, segment.first, segment.last, whole_max);
        for (;;) {
            TRY(const bool row, rows.step());
            if (!row) {
                return {};
            }
            if (!has_room_for(rows.integer(4))) {
                page_.has_more = true;
                return {};
            }
            TRY_VOID(add(rows));
        }
    }

    Page<Item> finish() {
        db_.counters().page_rows.observe(page_.rows.size());
        db_.counters().page_bytes.observe(bytes_);
        return std::move(page_);
    }

private:
    // The first row always fits, so that paging goes on.
    bool has_room_for(std::int64_t bytes) const {
        const std::size_t shown = std::min(static_cast<std::size_t>(bytes), caps_.item_bytes_max);
        return page_.rows.size() < caps_.rows_max && (page_.rows.empty() || shown <= caps_.bytes_max - bytes_);
    }

    Status add(const Statement& row) {
        Item item;
        item.id = row.get<ItemId>(0);
        item.role = row.get<ItemRole>(1);
        item.status = row.get<ItemStatus>(2);
        item.format = row.get<BodyFormat>(3);
        item.bytes = row.integer(4);
        item.tokens = row.integer(5);
        item.branch = row.get<BranchNo>(6);
        item.position = row.integer(7);
        item.created_at = row.integer(8);
        item.response = row.get<std::optional<ResponseId>>(9);
        item.model = row.get<std::string>(10);
        item.usage = row.get<std::string>(12);
        item.timing = read_timing(row, 13);
        item.truncated = row.is_null(kBodyColumn);
        if (item.truncated) {
            TRY(const std::string head, db_.read_body_head(row.integer(11), caps_.item_bytes_max));
            item.body = head.substr(0, head.size() - base::utf8_incomplete_tail(head));
        } else {
            item.body = row.get<std::string>(kBodyColumn);
        }
        bytes_ = std::min(caps_.bytes_max, bytes_ + item.body.size());
        page_.rows.push_back(std::move(item));
        return {};
    }

    Connection& db_;
    const PageCaps caps_;
    Page<Item> page_;
    std::size_t bytes_ = 0;
};

}  // namespace

std::optional<RunTiming> read_timing(const Statement& row, int column) {
    if (row.is_null(column)) {
        return std::nullopt;
    }
    RunTiming timing;
    timing.first_token_ms = row.integer(column);
    timing.duration_ms = row.integer(column + 1);
    timing.output_tokens = row.get<std::optional<std::int64_t>>(column + 2);
    return timing;
}

Result<Page<Item>> load_items_descending(Connection& db, const ItemPlace& last, Position first, const PageCaps& caps) {
    PageFiller page(db, caps);
    BranchNo branch = last.branch;
    for (Position position = last.position; position >= first && !page.full();) {
        TRY(const Branch owner, load_branch(db, last.conversation, branch));
        TRY_VOID(page.take(kDescending, last.conversation, {branch, std::max(first, owner.fork + 1), position}));
        position = std::min(position, owner.fork);
        branch = owner.parent;
    }
    return page.finish();
}

Result<Page<Item>> load_items_ascending(
    Connection& db,
    ConversationNo conversation,
    std::span<const Segment> path,
    const PageCaps& caps,
    Which which
) {
    PageFiller page(db, caps);
    for (const Segment& segment : path) {
        TRY_VOID(page.take(which == Which::any ? kAscending : kAscendingSaid, conversation, segment));
        if (page.full()) {
            break;
        }
    }
    return page.finish();
}

}  // namespace confab::store::sqlite
