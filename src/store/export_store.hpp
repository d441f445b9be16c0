// ExportStore: a conversation read from its beginning to its end, page by page, as it was at one moment. Errors of every
// call, besides those named, as of Store.
#pragma once

#include <optional>
#include <vector>

#include "net/task.hpp"
#include "store/rows.hpp"

namespace confab::store {

// What an export of one conversation begins with. Everything in it was true at the same moment.
struct ExportStart {
    Conversation conversation;
    std::int64_t newest = 0;  // items that came later are left out
    Position head = 0;        // of the active branch
};

// Where an export has come to, over all branches: branch by branch, the oldest first.
struct ExportCursor {
    BranchNo branch{};
    Position position = 0;         // of the last item taken
    Position last = 0;             // the last position of this branch that belongs to the export
    std::optional<ItemId> parent;  // of the item that comes next on this branch
};

struct ExportedItem {
    Item item;
    std::optional<ItemId> parent;  // the nearest item before it that is not deleted
};

struct ExportPage {
    std::vector<ExportedItem> items;
    ExportCursor next;
    bool done = false;
};

class ExportStore {
public:
    virtual ~ExportStore() = default;

    // The user's conversations in the order of their making, one by one; nothing after the last. Without those in the
    // trash.
    virtual net::Task<base::Result<std::optional<ExportStart>>> next_export(
        UserNo user,
        std::optional<ConversationNo> after
    ) = 0;
    virtual net::Task<base::Result<ExportStart>> begin_export(UserNo user, ConversationId id) = 0;
    // The next items of all branches, whole: at most kPageBytesMax of bodies but at least one item, if there is one.
    // Parents come before their children, siblings oldest first. `not_found` when the conversation was deleted.
    virtual net::Task<base::Result<ExportPage>> export_items(UserNo user, ExportStart start, ExportCursor cursor) = 0;
    // The same of the path that was active at the start, after `position`.
    virtual net::Task<base::Result<Page<Item>>> export_path(UserNo user, ExportStart start, Position position) = 0;
};

}  // namespace confab::store
