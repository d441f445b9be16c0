// Pages of a path: one way from a cursor, or around a place; and of the whole tree.
#include <algorithm>
#include <cmath>

#include "store/sqlite/conversations.hpp"
#include "store/sqlite/head.hpp"
#include "store/sqlite/siblings.hpp"

namespace confab::store::sqlite {

namespace {

// The path that is paged: it ends at this place.
struct PagedPath {
    ItemPlace end;
};

std::unexpected<base::Error> no_such_item(std::string_view param) {
    if (param == "after") {
        return base::invalid("after", "There is no such item in this conversation.");
    }
    return base::not_found("There is no such item in this conversation.", "item_not_found", std::string(param));
}

// Deleted items are good as cursors, and as ends.
Result<ItemPlace> find_place(Connection& db, ConversationNo conversation, const ItemId& item, std::string_view param) {
    TRY(const auto place, find_item_place(db, item));
    if (!place || place->conversation != conversation) {
        return no_such_item(param);
    }
    return *place;
}

// Which branch owns a position of the path; none beyond its end.
Result<BranchNo> owner_of(Connection& db, const PagedPath& path, Position position) {
    if (position < 1 || position > path.end.position) {
        return kNoBranch;
    }
    TRY(const auto segments, load_path(db, path.end.conversation, path.end.branch, position, path.end.position));
    return segments.front().branch;
}

Result<Position> find_on_path(Connection& db, const PagedPath& path, const ItemId& item, std::string_view param) {
    TRY(const ItemPlace place, find_place(db, path.end.conversation, item, param));
    TRY(const BranchNo owner, owner_of(db, path, place.position));
    if (owner != place.branch) {
        return base::invalid(std::string(param), "This item is not on the path that is paged.", "item_not_on_path");
    }
    return place.position;
}

// The first position whose item was made at `date` or later, by halving; where times go back (after an import) one of
// the places where they pass it.
Result<Position> find_date(Connection& db, const PagedPath& path, UnixSeconds date) {
    TRY(const auto segments, load_path(db, path.end.conversation, path.end.branch, 1, path.end.position));
    Position first = 1;
    Position last = path.end.position;
    while (first < last) {
        const Position middle = first + (last - first) / 2;
        const auto segment = std::ranges::lower_bound(segments, middle, {}, &Segment::last);
        auto found = db.use(
            "SELECT created_at FROM items WHERE conv = ?1 AND br = ?2 AND pos = ?3",
            path.end.conversation,
            segment->branch,
            middle
        );
        TRY(const bool row, found.step());
        CONFAB_ASSERT(row);
        if (found.integer(0) < date) {
            first = middle + 1;
        } else {
            last = middle;
        }
    }
    return first;
}

Result<Position> find_centre(
    Connection& db,
    const PagedPath& path,
    const std::variant<AtItem, AtShare, AtDate>& around
) {
    if (const auto* item = std::get_if<AtItem>(&around)) {
        return find_on_path(db, path, item->item, "around");
    }
    if (const auto* date = std::get_if<AtDate>(&around)) {
        return find_date(db, path, date->date);
    }
    const double share = std::clamp(std::get<AtShare>(around).share, 0.0, 1.0);
    return 1 + std::llround(share * static_cast<double>(std::max<Position>(path.end.position, 1) - 1));
}

Result<Page<Item>> older(Connection& db, const PagedPath& path, Position before, const PageCaps& caps) {
    const Position last = std::min(before - 1, path.end.position);
    if (last < 1) {
        return Page<Item>{};
    }
    TRY(const BranchNo owner, owner_of(db, path, last));
    return load_items_descending(db, {path.end.conversation, owner, last}, 1, caps);
}

Result<Page<Item>> newer(Connection& db, const PagedPath& path, Position from, const PageCaps& caps) {
    TRY(const auto segments, load_path(db, path.end.conversation, path.end.branch, from, path.end.position));
    return load_items_ascending(db, path.end.conversation, segments, caps);
}

constexpr PageCaps kAnyAtAll{1, 1, 1};  // whether there is something; not its text

// Adds the path's end and the relations of its items.
Status complete(Connection& db, const PagedPath& path, ItemPage& page) {
    Branch whole;
    whole.no = path.end.branch;
    whole.head = path.end.position;
    TRY(const auto leaf, find_newest_item(db, path.end.conversation, whole, Which::any));
    if (leaf) {
        page.leaf = leaf->id;
        page.head = leaf->position;
    }
    return add_relations(db, path.end.conversation, page.rows);
}

std::size_t bytes_of(const Page<Item>& page) {
    std::size_t bytes = 0;
    for (const Item& item : page.rows) {
        bytes += item.body.size();
    }
    return bytes;
}

// Half of the page lies before the place; what one side does not fill the other may.
Result<ItemPage> page_around(Connection& db, const PagedPath& path, Position centre, std::size_t limit) {
    TRY(auto before, older(db, path, centre, {limit / 2, kPageBytesMax / 2}));
    PageCaps rest{limit - before.rows.size(), kPageBytesMax - std::min(bytes_of(before), kPageBytesMax / 2)};
    TRY(auto from, newer(db, path, centre, rest));
    if (before.has_more && !from.has_more) {
        rest = {limit - from.rows.size(), kPageBytesMax - std::min(bytes_of(from), kPageBytesMax / 2)};
        TRY(before, older(db, path, centre, rest));
    }
    ItemPage page;
    page.rows = std::move(before.rows);
    std::ranges::reverse(page.rows);
    std::ranges::move(from.rows, std::back_inserter(page.rows));
    page.has_older = before.has_more;
    page.has_newer = from.has_more;
    page.has_more = page.has_newer;
    return page;
}

Result<ItemPage> page_from(Connection& db, const PagedPath& path, const ItemPageRequest& request) {
    ItemPage page;
    const bool descending = request.order == Order::descending;
    Position after = descending ? path.end.position + 1 : 0;
    if (request.after) {
        TRY(after, find_on_path(db, path, *request.after, "after"));
    }
    const PageCaps caps{request.limit};
    if (descending) {
        TRY(static_cast<Page<Item>&>(page), older(db, path, after, caps));
        TRY(const auto rest, newer(db, path, page.rows.empty() ? after : page.rows.front().position + 1, kAnyAtAll));
        page.has_older = page.has_more;
        page.has_newer = !rest.rows.empty();
    } else {
        TRY(static_cast<Page<Item>&>(page), newer(db, path, after + 1, caps));
        TRY(const auto rest, older(db, path, page.rows.empty() ? after + 1 : page.rows.front().position, kAnyAtAll));
        page.has_older = !rest.rows.empty();
        page.has_newer = page.has_more;
    }
    return page;
}

// The path asked for. Without a leaf it is the active one; but an older page, and one around an item, stay with their
// item when it is elsewhere, on the path looked at last beneath it.
Result<PagedPath> find_path(Connection& db, const ConversationHandle& handle, const ItemPageRequest& request) {
    if (request.leaf) {
        TRY(const ItemPlace end, find_place(db, handle.no, *request.leaf, "leaf"));
        return PagedPath{end};
    }
    TRY(const Branch active, load_branch(db, handle.no, handle.active_branch));
    const PagedPath shown{{handle.no, active.no, active.head}};
    std::optional<ItemPlace> item;
    if (request.around) {
        if (const auto* at = std::get_if<AtItem>(&*request.around)) {
            TRY(item, find_place(db, handle.no, at->item, "around"));
        }
    } else if (request.after && request.order == Order::descending) {
        TRY(item, find_place(db, handle.no, *request.after, "after"));
    }
    if (!item) {
        return shown;
    }
    TRY(const BranchNo owner, owner_of(db, shown, item->position));
    if (owner == item->branch) {
        return shown;
    }
    TRY(const BranchNo leaf, find_leaf_beneath(db, *item));
    TRY(const Branch branch, load_branch(db, handle.no, leaf));
    return PagedPath{{handle.no, leaf, branch.head}};
}

}  // namespace

Result<ItemPage> list_items(Connection& db, UserNo user, ConversationId id, const ItemPageRequest& request) {
    TRY(const ConversationHandle handle, open_conversation(db, user, id));
    TRY(const PagedPath path, find_path(db, handle, request));
    ItemPage page;
    if (request.around) {
        TRY(const Position centre, find_centre(db, path, *request.around));
        TRY(page, page_around(db, path, centre, request.limit));
    } else {
        TRY(page, page_from(db, path, request));
    }
    TRY_VOID(complete(db, path, page));
    return page;
}

Result<Page<TreeItem>> list_tree(Connection& db, UserNo user, ConversationId id, const PageRequest<ItemId>& request) {
    TRY(const ConversationHandle handle, open_conversation(db, user, id));
    ItemPlace after{handle.no, kNoBranch, 0};
    if (request.after) {
        TRY(after, find_place(db, handle.no, *request.after, "after"));
    }
    auto rows = db.use(
        "SELECT b.item_id, i.br, i.pos, i.role, i.created_at, r.id FROM items i CROSS JOIN bodies b ON b.mid = i.mid "
        "LEFT JOIN runs r ON r.run = i.run WHERE i.conv = ?1 AND (i.br, i.pos) > (?2, ?3) AND i.deleted_at IS NULL "
        "ORDER BY i.br, i.pos LIMIT ?4",
        handle.no,
        after.branch,
        after.position,
        request.limit + 1
    );
    Page<TreeItem> page;
    std::optional<ItemPlace> previous;
    for (;;) {
        TRY(const bool row, rows.step());
        if (!row) {
            return page;
        }
        if (page.rows.size() == request.limit) {
            page.has_more = true;
            return page;
        }
        TreeItem item;
        item.id = rows.get<ItemId>(0);
        const ItemPlace place{handle.no, rows.get<BranchNo>(1), rows.integer(2)};
        item.role = rows.get<ItemRole>(3);
        item.created_at = rows.integer(4);
        item.response = rows.get<std::optional<ResponseId>>(5);
        if (previous && previous->branch == place.branch) {
            item.parent = page.rows.back().id;
        } else {
            Branch path;
            path.no = place.branch;
            path.head = place.position - 1;
            TRY(const auto before, find_newest_item(db, handle.no, path, Which::any));
            if (before) {
                item.parent = before->id;
            }
        }
        page.rows.push_back(std::move(item));
        previous = place;
    }
}

}  // namespace confab::store::sqlite
