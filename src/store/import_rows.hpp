// What the store keeps of imports, and what it takes from them, as plain values.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "store/organise_rows.hpp"
#include "store/rows.hpp"

namespace confab::store {

struct ImportKind {
    static constexpr std::string_view kPrefix = "imp_";
};

using ImportId = base::Id<ImportKind>;

// Those before `completed` are unfinished. `receiving`: the upload is under way.
enum class ImportStatus : std::uint8_t { receiving, queued, running, completed, failed, cancelled };

inline bool is_final(ImportStatus status) {
    return status >= ImportStatus::completed;
}

inline constexpr std::size_t kImportsKeptMax = 100;  // finished ones of one user that are remembered

// How far an import has come.
struct ImportProgress {
    std::string format;  // "confab", "chatgpt", "claude", "openwebui"; empty: not known yet
    std::int64_t bytes_read = 0;
    std::int64_t conversations = 0;  // that got something new
    std::int64_t messages = 0;       // added
    std::int64_t skipped = 0;        // messages that were there already, or that could not be taken
    std::string problems = "[]";     // a JSON array
    std::int64_t problems_total = 0;
};

struct ImportJob {
    ImportId id;
    UserNo user{};
    ImportStatus status = ImportStatus::receiving;
    std::string filename;
    std::string path;  // of a file that stays where it is; empty: an upload
    std::int64_t bytes = 0;
    ImportProgress progress;
    UnixSeconds created_at = 0;
    std::optional<UnixSeconds> finished_at;
};

// ---- what is imported ----

// The run that made an answer, as far as it is known.
struct ImportedRun {
    ResponseId id;
    std::string model;
    std::string usage;  // a JSON object, empty when unknown
    std::optional<RunTiming> timing;
};

struct ImportPlace {
    BranchNo branch{};
    Position position = 0;  // 0: before the first item
};

// An item, and after which other one it goes: one before it in the same piece, or one at a known place.
struct ImportItem {
    NewItem item;
    UnixSeconds created_at = 0;
    std::optional<std::size_t> parent;  // index in ImportPiece::items
    ImportPlace after;                  // when `parent` is nothing
    std::optional<ImportedRun> run;
};

// A stretch of one conversation. The first one of a conversation has no number: it is found by its id, or made.
// The folder that an exported conversation was in. Found again by its id, or else by its name; made when there is none.
struct ImportFolder {
    FolderId id;
    std::string name;
    UnixSeconds created_at = 0;
};

struct ImportPiece {
    std::optional<ConversationNo> conversation;
    ConversationId id;
    std::string title;
    std::string model;
    std::string instructions;
    std::string metadata = "{}";
    bool pinned = false;
    bool archived = false;
    std::optional<ImportFolder> folder;
    std::vector<std::string> tags;
    Compaction compaction = Compaction::inherit;
    UnixSeconds created_at = 0;
    UnixSeconds updated_at = 0;
    std::vector<ImportItem> items;
    bool last = false;                // with it the conversation is whole, and becomes visible
    std::optional<ImportPlace> head;  // with the last piece: the newest visible item; or its index in this piece
    std::optional<std::size_t> head_index;
};

struct ImportedPiece {
    std::optional<ConversationNo> conversation;
    std::vector<ImportPlace> places;     // of the items, in their order
    std::int64_t added = 0;              // items; the others were there already
    std::optional<base::Error> refused;  // nothing was written then
};

// Bounds of one operation of the writer, to be kept by the caller; one item may exceed the bytes.
inline constexpr std::size_t kImportItemsMax = 256;
inline constexpr std::size_t kImportBytesMax = 1024 * 1024;

}  // namespace confab::store
