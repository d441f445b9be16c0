// Folders, tags, the trash, filtered lists, changes to many conversations, and letting go of old ones. The meaning of
// each call is that of OrganiseStore.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "store/sqlite/connection.hpp"
#include "store/store.hpp"

namespace confab::store::sqlite {

enum class FolderNo : std::int64_t {};
inline constexpr FolderNo kNoFolder{0};

Result<Page<Conversation>> list_filtered(
    Connection& db,
    UserNo user,
    const ConversationFilter& filter,
    const PageRequest<ConversationId>& request
);

// The numbers of up to `limit` conversations that the filter finds, beyond `from`.
struct ListEntry {
    ListPlace place;
    ConversationNo conversation{};
};
Result<std::vector<ListEntry>> find_entries(
    Connection& db,
    UserNo user,
    const ConversationFilter& filter,
    Order order,
    const ListPlace& from,
    std::size_t limit
);
inline constexpr ListPlace kListStart{INT64_MIN, INT64_MIN};
inline constexpr ListPlace kListEnd{INT64_MAX, INT64_MAX};

Result<std::vector<Folder>> list_folders(Connection& db, UserNo user);
Result<Folder> create_folder(Connection& db, UserNo user, const std::string& name);
Result<Folder> rename_folder(Connection& db, UserNo user, FolderId id, const std::string& name);
Status delete_folder(Connection& db, UserNo user, FolderId id);
Result<FolderNo> find_folder(Connection& db, UserNo user, FolderId id);  // `not_found` (param folder_id)
// Takes some conversations out of folders that were deleted; true: there may be more. The writer's housekeeping.
Result<bool> empty_folders_step(Connection& db);

Result<std::vector<TagCount>> list_tags(Connection& db, UserNo user);
Result<std::vector<std::string>> load_tags(Connection& db, ConversationNo conversation);  // by name
Result<std::optional<std::int64_t>> find_tag(Connection& db, UserNo user, const std::string& name);

// The folder of an import: the user's own with this id, or else with this name, or a new one.
Result<FolderId> take_over_folder(Connection& db, UserNo user, const ImportFolder& folder);

// `folder` absent: out of any folder.
Status move_to_folder(Connection& db, UserNo user, ConversationNo conversation, const std::optional<FolderId>& folder);
Status replace_tags(Connection& db, UserNo user, ConversationNo conversation, const std::vector<std::string>& names);
// `invalid_request` (too_many_tags) beyond kConversationTagsMax or kTagsMax.
Status add_tag(Connection& db, UserNo user, ConversationNo conversation, const std::string& name);
Status remove_tag(Connection& db, UserNo user, ConversationNo conversation, const std::string& name);
Status clear_tags(Connection& db, ConversationNo conversation);

Result<Conversation> set_trashed(Connection& db, UserNo user, ConversationId id, bool trashed);
Result<BulkStep> change_some(
    Connection& db,
    UserNo user,
    const std::vector<ConversationId>& ids,
    const BulkChange& change
);
Result<BulkStep> change_next(
    Connection& db,
    UserNo user,
    const ConversationFilter& filter,
    const std::optional<ListPlace>& from,
    const BulkChange& change
);

Result<UserSettings> get_user_settings(Connection& db, UserNo user);
Status put_user_settings(Connection& db, UserNo user, const UserSettings& settings);

// One step of delete_expired. `user` is where it goes on; nothing: all is done.
Result<std::optional<UserNo>> delete_expired_step(Connection& db, UnixSeconds now, UserNo user);

Result<std::optional<std::vector<Item>>> begin_title(Connection& db, UserNo user, ConversationId id);
Result<bool> put_model_title(Connection& db, UserNo user, ConversationId id, const std::string& title);

}  // namespace confab::store::sqlite
