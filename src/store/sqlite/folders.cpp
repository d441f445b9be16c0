// Folders.
#include "base/text.hpp"
#include "store/sqlite/conversations.hpp"
#include "store/sqlite/organise.hpp"

namespace confab::store::sqlite {

namespace {

constexpr std::size_t kEmptyStepRows = 500;  // conversations taken out of a deleted folder in one step

Folder read_folder(const Statement& row) {
    Folder folder;
    folder.id = row.get<FolderId>(0);
    folder.name = row.get<std::string>(1);
    folder.created_at = row.integer(2);
    folder.conversations = row.integer(3);
    return folder;
}

Result<Folder> load_folder(Connection& db, FolderNo folder) {
    auto found = db.use("SELECT id, name, created_at, conversations FROM folders WHERE folder = ?1", folder);
    TRY(const bool row, found.step());
    if (!row) {
        return base::not_found("There is no such folder.");
    }
    return read_folder(found);
}

Result<Folder> insert_folder(Connection& db, UserNo user, const ImportFolder& folder) {
    {
        auto counted = db.use("SELECT count(*) FROM folders WHERE user_no = ?1 AND deleting = 0", user);
        TRY_VOID(counted.step());
        if (counted.integer(0) >= static_cast<std::int64_t>(kFoldersMax)) {
            return base::invalid(
                "name", "There are " + std::to_string(kFoldersMax) + " folders already.", "too_many_folders"
            );
        }
    }
    TRY_VOID(db.run(
        "INSERT INTO folders (id, user_no, name, created_at) VALUES (?1, ?2, ?3, ?4)",
        folder.id,
        user,
        folder.name,
        folder.created_at
    ));
    return load_folder(db, static_cast<FolderNo>(db.inserted_key()));
}

}  // namespace

Result<FolderNo> find_folder(Connection& db, UserNo user, FolderId id) {
    auto found = db.use("SELECT folder FROM folders WHERE id = ?1 AND user_no = ?2 AND deleting = 0", id, user);
    TRY(const bool row, found.step());
    if (!row) {
        return base::not_found("Folder with id '" + id.str() + "' not found.", "not_found", "folder_id");
    }
    return found.get<FolderNo>(0);
}

Result<std::vector<Folder>> list_folders(Connection& db, UserNo user) {
    auto rows = db.use(
        "SELECT id, name, created_at, conversations FROM folders WHERE user_no = ?1 AND deleting = 0 ORDER BY folder",
        user
    );
    std::vector<Folder> folders;
    for (;;) {
        TRY(const bool row, rows.step());
        if (!row) {
            return folders;
        }
        folders.push_back(read_folder(rows));
    }
}

Result<Folder> create_folder(Connection& db, UserNo user, const std::string& name) {
    return insert_folder(db, user, {FolderId::make(), name, base::unix_now()});
}

Result<FolderId> take_over_folder(Connection& db, UserNo user, const ImportFolder& folder) {
    if (const auto own = find_folder(db, user, folder.id); own || own.error().errc != base::Errc::not_found) {
        return own ? Result<FolderId>(folder.id) : std::unexpected(own.error());
    }
    const std::string name(base::utf8_prefix(base::trim(folder.name), kFolderNameBytesMax));
    if (name.empty()) {
        return base::invalid("name", "A folder has a name.");
    }
    {
        auto named = db.use(
            "SELECT id FROM folders WHERE user_no = ?1 AND deleting = 0 AND name = ?2 ORDER BY folder LIMIT 1", user, name
        );
        TRY(const bool row, named.step());
        if (row) {
            return named.get<FolderId>(0);
        }
    }
    bool taken = false;  // by somebody else, or by one that was deleted
    {
        auto found = db.use("SELECT 1 FROM folders WHERE id = ?1", folder.id);
        TRY(taken, found.step());
    }
    TRY(const Folder made, insert_folder(db, user, {taken ? FolderId::make() : folder.id, name, folder.created_at}));
    return made.id;
}

Result<Folder> rename_folder(Connection& db, UserNo user, FolderId id, const std::string& name) {
    TRY(const FolderNo folder, find_folder(db, user, id));
    TRY_VOID(db.run("UPDATE folders SET name = ?2 WHERE folder = ?1", folder, name));
    return load_folder(db, folder);
}

Status delete_folder(Connection& db, UserNo user, FolderId id) {
    TRY(const FolderNo folder, find_folder(db, user, id));
    TRY_VOID(db.run("UPDATE folders SET deleting = 1, name = '' WHERE folder = ?1", folder));
    TRY_VOID(empty_folders_step(db));
    return {};
}

Result<bool> empty_folders_step(Connection& db) {
    FolderNo folder{};
    UserNo user{};
    {
        auto next = db.use("SELECT folder, user_no FROM folders WHERE deleting = 1 ORDER BY folder LIMIT 1");
        TRY(const bool row, next.step());
        if (!row) {
            return false;
        }
        folder = next.get<FolderNo>(0);
        user = next.get<UserNo>(1);
    }
    TRY_VOID(db.run(
        "UPDATE conversations SET folder = 0 WHERE conv IN (SELECT conv FROM conversations INDEXED BY "
        "conversations_in_folder WHERE user_no = ?1 AND folder = ?2 AND shelf IS NOT NULL LIMIT ?3)",
        user,
        folder,
        kEmptyStepRows
    ));
    if (db.changed_rows() < static_cast<std::int64_t>(kEmptyStepRows)) {
        TRY_VOID(db.run("DELETE FROM folders WHERE folder = ?1", folder));
    }
    return true;
}

Status move_to_folder(Connection& db, UserNo user, ConversationNo conversation, const std::optional<FolderId>& folder) {
    FolderNo target = kNoFolder;
    if (folder) {
        TRY(target, find_folder(db, user, *folder));
    }
    return db.run("UPDATE conversations SET folder = ?2 WHERE conv = ?1", conversation, target);
}

}  // namespace confab::store::sqlite
