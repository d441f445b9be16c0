// OrganiseStore: finding one's way in many conversations: filters, folders, tags, the trash, and letting go of old ones.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "net/task.hpp"
#include "store/organise_rows.hpp"
#include "store/rows.hpp"

namespace confab::store {

class OrganiseStore {
public:
    virtual ~OrganiseStore() = default;

    // As ConversationStore::list_conversations. `not_found` (param folder) when there is no such folder.
    virtual net::Task<base::Result<Page<Conversation>>> list_filtered(
        UserNo user,
        ConversationFilter filter,
        PageRequest<ConversationId> request
    ) = 0;

    virtual net::Task<base::Result<std::vector<Folder>>> list_folders(UserNo user) = 0;  // oldest first
    // `invalid_request` (too_many_folders) beyond kFoldersMax.
    virtual net::Task<base::Result<Folder>> create_folder(UserNo user, std::string name) = 0;
    virtual net::Task<base::Result<Folder>> rename_folder(UserNo user, FolderId id, std::string name) = 0;
    // Its conversations stay.
    virtual net::Task<base::Status> delete_folder(UserNo user, FolderId id) = 0;
    virtual net::Task<base::Result<std::vector<TagCount>>> list_tags(UserNo user) = 0;  // by name

    // Into the trash, or out of it. Doing so twice changes nothing.
    virtual net::Task<base::Result<Conversation>> set_trashed(UserNo user, ConversationId id, bool trashed) = 0;
    // At most kBulkStepConversations ids; of deletes, kBulkStepDeletes.
    virtual net::Task<base::Result<BulkStep>> change_some(
        UserNo user,
        std::vector<ConversationId> ids,
        BulkChange change
    ) = 0;
    // The next of all that the filter finds, newest first, from `from` on; absent: from the start.
    virtual net::Task<base::Result<BulkStep>> change_next(
        UserNo user,
        ConversationFilter filter,
        std::optional<ListPlace> from,
        BulkChange change
    ) = 0;

    virtual net::Task<base::Result<UserSettings>> get_user_settings(UserNo user) = 0;
    virtual net::Task<base::Status> put_user_settings(UserNo user, UserSettings settings) = 0;

    // Wipes what is longer in the trash, or untouched, than the settings trash_days and retention_days and the person's
    // own allow: the shorter wins, pinned ones stay. In bounded steps between other writes.
    virtual net::Task<base::Status> delete_expired(UnixSeconds now) = 0;

    // Claims the one try to have a model find the title: the conversation's first items, or nothing when a person gave
    // it a title, or it was tried before.
    virtual net::Task<base::Result<std::optional<std::vector<Item>>>> begin_title(UserNo user, ConversationId id) = 0;
    // True: it is the title now. False: a person gave one meanwhile, or the conversation is gone.
    virtual net::Task<base::Result<bool>> put_model_title(UserNo user, ConversationId id, std::string title) = 0;
};

}  // namespace confab::store
