// Folders, tags, filters of the list, and what is done to many conversations at once, as plain values.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "base/ids.hpp"

namespace confab::store {

struct FolderKind {
    static constexpr std::string_view kPrefix = "fold_";
};

using FolderId = base::Id<FolderKind>;

inline constexpr std::size_t kFoldersMax = 1'000;  // of a user
inline constexpr std::size_t kFolderNameBytesMax = 200;
inline constexpr std::size_t kTagsMax = 5'000;              // of a user
inline constexpr std::size_t kConversationTagsMax = 20;     // of a conversation
inline constexpr std::size_t kTagBytesMax = 64;             // of a tag's name
inline constexpr std::size_t kBulkStepConversations = 50;   // changed in one write
inline constexpr std::size_t kBulkStepDeletes = 4;          // wiped in one write: each may take some 10 ms
inline constexpr std::int64_t kTrashDaysDefault = 30;       // until the trash is emptied
inline constexpr std::int64_t kRetentionDaysMax = 36'500;   // a century

// Names in the table of settings.
inline constexpr std::string_view kSettingDefaultModel = "default_model";  // empty: the first one listed
inline constexpr std::string_view kSettingTitleModel = "title_model";  // empty: off; "same": the conversation's model
inline constexpr std::string_view kSettingRetentionDays = "retention_days";  // empty: keep
inline constexpr std::string_view kSettingTrashDays = "trash_days";
inline constexpr std::string_view kSettingCompaction = "compaction";  // "auto", "off"
inline constexpr std::string_view kSettingLastBackup = "last_backup_at";  // Unix seconds; not set by people

struct Folder {
    FolderId id;
    std::string name;
    base::UnixSeconds created_at = 0;
    std::int64_t conversations = 0;  // without those in the trash
};

struct TagCount {
    std::string name;
    std::int64_t conversations = 0;  // without those in the trash
};

// What a list is to hold. Absent members do not matter; what is in the trash is only found with `trash`.
struct ConversationFilter {
    std::optional<bool> archived;
    std::optional<bool> pinned;
    bool without_folder = false;
    std::optional<FolderId> folder;
    std::string tag;  // empty: any
    bool trash = false;
};

// A place in the list, exclusive.
struct ListPlace {
    base::UnixSeconds updated_at = 0;
    std::int64_t conversation = 0;
};

enum class BulkAction : std::uint8_t { trash, restore, remove, archive, unarchive, move, tag, untag };

struct BulkChange {
    BulkAction action = BulkAction::trash;
    std::optional<FolderId> folder;  // of move; absent: out of any folder
    std::string tag;                 // of tag and untag
};

struct BulkFailure {
    base::ConversationId id;
    std::string code;
    std::string message;
};

// What one write of many did.
struct BulkStep {
    std::size_t done = 0;
    std::vector<BulkFailure> failed;
    std::vector<base::ResponseId> running;  // answers being made in what was deleted: to be cancelled
    std::optional<ListPlace> next;          // where the next step goes on; absent: that was all
};

struct UserSettings {
    std::optional<std::int64_t> retention_days;
};

}  // namespace confab::store
