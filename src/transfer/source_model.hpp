// What the readers of all formats make of their input: conversations as trees of messages.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "store/import_rows.hpp"

namespace confab::transfer {

inline constexpr std::size_t kTitleBytesMax = 500;  // as the API has it; the same for the next ones
inline constexpr std::size_t kModelBytesMax = 300;
inline constexpr std::size_t kInstructionsBytesMax = 60 * 1024;
inline constexpr std::size_t kBodyBytesMax = 10ULL * 1024 * 1024;   // of one item
inline constexpr std::size_t kValueBytesMax = 16ULL * 1024 * 1024;  // of one message as it stands in the file
inline constexpr std::size_t kSourceIdBytesMax = 1024;

// An item of a message. `item.id` is set by what writes it, unless the format gives one.
struct SourceItem {
    base::ItemType type = base::ItemType::message;
    store::NewItem item;
};

// A node of the tree. One without items only joins others.
struct SourceMessage {
    std::string id;      // as the source has it
    std::string parent;  // empty: none
    store::UnixSeconds created_at = 0;
    std::vector<SourceItem> items;
    std::string model;  // of an answer; empty: unknown
    std::string usage;
    std::optional<store::RunTiming> timing;
    std::optional<store::ItemId> given_id;        // Confab's own format: of the one item
    std::optional<store::ResponseId> given_run;  // Confab's own format
};

struct SourceConversation {
    std::string id;  // as the source has it; empty: none
    std::optional<store::ConversationId> given_id;
    std::string title;
    std::string model;
    std::string instructions;
    std::string metadata = "{}";
    bool pinned = false;
    bool archived = false;
    std::optional<store::ImportFolder> folder;
    std::vector<std::string> tags;
    store::Compaction compaction = store::Compaction::inherit;
    store::UnixSeconds created_at = 0;
    store::UnixSeconds updated_at = 0;
    std::string head;  // id of the newest visible message; empty: the newest of all
};

}  // namespace confab::transfer
