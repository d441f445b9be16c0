// Shares as plain values: links by which whoever has one reads a conversation as it was.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.hpp"
#include "base/ids.hpp"
#include "store/rows.hpp"

namespace confab::store {

struct ShareKind {
    static constexpr std::string_view kPrefix = "share_";
};

using ShareId = base::Id<ShareKind>;

inline constexpr std::int64_t kSharesPerUserMax = 1'000;  // also expired ones
inline constexpr UnixSeconds kShareKept = 30 * 24 * 3'600;  // seconds after it has expired, in the list

// Names in the table of settings.
inline constexpr std::string_view kSettingSharing = "sharing";  // "on", "off"

struct NewShare {
    ShareId id;
    Sha256 token_hash{};
    UnixSeconds created_at = 0;
    std::optional<UnixSeconds> expires_at;  // nothing: never
};

// As its owner sees it.
struct Share {
    ShareId id;
    ConversationId conversation;
    std::string title;  // of the conversation, as it is called now
    UnixSeconds created_at = 0;
    std::optional<UnixSeconds> expires_at;
};

// As whoever has the link sees it.
struct SharedPage : Page<Item> {
    std::string title;  // as it was
    UnixSeconds created_at = 0;
    std::optional<UnixSeconds> expires_at;
};

struct SharedItem {
    UserNo owner{};  // whose files its images are
    Item item;
};

}  // namespace confab::store
