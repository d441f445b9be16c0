// Filtered lists of conversations. Every filter is a merge of at most four shelves (migration 0007), each read from an
// index in the list's order: a page costs the same however many conversations do not match.
#include <algorithm>

#include "store/sqlite/conversations.hpp"
#include "store/sqlite/organise.hpp"

namespace confab::store::sqlite {

namespace {

constexpr std::int64_t kTrashShelf = 4;

// The rest of the place's own second, and what is beyond it: as two seeks, since SQLite walks through all of that second
// for a row value whose last member is the rowid. find_entries merges the halves like the shelves.
#define HALVES(from, beyond, order)                                                                      \
    "SELECT * FROM (SELECT updated_at, conv FROM " from                                                  \
    " AND shelf = ?2 AND updated_at = ?3 AND conv " beyond " ?4 ORDER BY conv" order " LIMIT ?5) "       \
    "UNION ALL SELECT * FROM (SELECT updated_at, conv FROM " from                                        \
    " AND shelf = ?2 AND updated_at " beyond " ?3 ORDER BY updated_at" order ", conv" order " LIMIT ?5)"
#define DESCENDING(from) HALVES(from, "<", " DESC")
#define ASCENDING(from) HALVES(from, ">", "")
#define OF_USER "conversations INDEXED BY conversations_listed WHERE user_no = ?1"
#define IN_FOLDER "conversations INDEXED BY conversations_in_folder WHERE user_no = ?1 AND folder = ?6"
#define WITH_TAG "conversation_tags INDEXED BY conversation_tags_listed WHERE tag = ?1"
#define TAG_IN_FOLDER "conversation_tags INDEXED BY conversation_tags_in_folder WHERE tag = ?1 AND folder = ?6"

// Each in both orders: descending, ascending.
struct Pair {
    Sql descending;
    Sql ascending;
};

constexpr Pair kOfUser{DESCENDING(OF_USER), ASCENDING(OF_USER)};
constexpr Pair kInFolder{DESCENDING(IN_FOLDER), ASCENDING(IN_FOLDER)};
constexpr Pair kWithTag{DESCENDING(WITH_TAG), ASCENDING(WITH_TAG)};
constexpr Pair kTagInFolder{DESCENDING(TAG_IN_FOLDER), ASCENDING(TAG_IN_FOLDER)};
#undef TAG_IN_FOLDER
#undef WITH_TAG
#undef IN_FOLDER
#undef OF_USER
#undef ASCENDING
#undef DESCENDING
#undef HALVES

std::vector<std::int64_t> shelves_of(const ConversationFilter& filter) {
    if (filter.trash) {
        return {kTrashShelf};
    }
    std::vector<std::int64_t> shelves;
    for (const bool pinned : {false, true}) {
        for (const bool archived : {false, true}) {
            if (filter.pinned.value_or(pinned) == pinned && filter.archived.value_or(archived) == archived) {
                shelves.push_back((pinned ? 2 : 0) + (archived ? 1 : 0));
            }
        }
    }
    return shelves;
}

// What the shelves are read by: a user's or a tag's, perhaps in one folder.
struct Source {
    std::int64_t owner = 0;
    bool is_tag = false;
    std::optional<FolderNo> folder;

    Sql sql(Order order) const {
        const Pair& pair = is_tag ? (folder ? kTagInFolder : kWithTag) : (folder ? kInFolder : kOfUser);
        return order == Order::descending ? pair.descending : pair.ascending;
    }
};

// Nothing when the tag does not exist.
Result<std::optional<Source>> find_source(Connection& db, UserNo user, const ConversationFilter& filter) {
    Source source{static_cast<std::int64_t>(user), false, std::nullopt};
    if (filter.folder) {
        TRY(source.folder, find_folder(db, user, *filter.folder));
    } else if (filter.without_folder) {
        source.folder = kNoFolder;
    }
    if (!filter.tag.empty()) {
        TRY(const auto tag, find_tag(db, user, filter.tag));
        if (!tag) {
            return std::nullopt;
        }
        source.owner = *tag;
        source.is_tag = true;
    }
    return source;
}

Status read_shelf(Statement rows, std::vector<ListEntry>& entries) {
    for (;;) {
        TRY(const bool row, rows.step());
        if (!row) {
            return {};
        }
        entries.push_back({{rows.integer(0), rows.integer(1)}, rows.get<ConversationNo>(1)});
    }
}

// A deleted conversation is still a good cursor: its row remains.
Result<ListPlace> find_list_place(Connection& db, UserNo user, const PageRequest<ConversationId>& request) {
    if (!request.after) {
        return request.order == Order::descending ? kListEnd : kListStart;
    }
    auto found = db.use(
        "SELECT updated_at, conv FROM conversations WHERE id = ?1 AND user_no = ?2 AND hidden = 0", *request.after, user
    );
    TRY(const bool row, found.step());
    if (!row) {
        return base::invalid("after", "There is no such conversation.");
    }
    return ListPlace{found.integer(0), found.integer(1)};
}

}  // namespace

Result<std::vector<ListEntry>> find_entries(
    Connection& db,
    UserNo user,
    const ConversationFilter& filter,
    Order order,
    const ListPlace& from,
    std::size_t limit
) {
    std::vector<ListEntry> entries;
    TRY(const auto source, find_source(db, user, filter));
    if (!source) {
        return entries;
    }
    const Sql sql = source->sql(order);
    for (const std::int64_t shelf : shelves_of(filter)) {
        TRY_VOID(
            source->folder ? read_shelf(
                                 db.use(
                                     sql, source->owner, shelf, from.updated_at, from.conversation, limit, *source->folder
                                 ),
                                 entries
                             )
                           : read_shelf(
                                 db.use(sql, source->owner, shelf, from.updated_at, from.conversation, limit), entries
                             )
        );
    }
    std::ranges::sort(entries, [order](const ListEntry& a, const ListEntry& b) {
        const auto key = [](const ListEntry& e) { return std::pair(e.place.updated_at, e.place.conversation); };
        return order == Order::descending ? key(a) > key(b) : key(a) < key(b);
    });
    entries.resize(std::min(entries.size(), limit));
    return entries;
}

Result<Page<Conversation>> list_filtered(
    Connection& db,
    UserNo user,
    const ConversationFilter& filter,
    const PageRequest<ConversationId>& request
) {
    TRY(const ListPlace place, find_list_place(db, user, request));
    TRY(auto entries, find_entries(db, user, filter, request.order, place, request.limit + 1));
    Page<Conversation> page;
    page.has_more = entries.size() > request.limit;
    entries.resize(std::min(entries.size(), request.limit));
    for (const ListEntry& entry : entries) {
        TRY(Conversation conversation, load_conversation(db, entry.conversation));
        page.rows.push_back(std::move(conversation));
    }
    return page;
}

}  // namespace confab::store::sqlite
