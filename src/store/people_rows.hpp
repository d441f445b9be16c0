// What administrators do with people, as plain values.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.hpp"
#include "base/ids.hpp"
#include "store/rows.hpp"

namespace confab::store {

struct InvitationKind {
    static constexpr std::string_view kPrefix = "inv_";
};

using InvitationId = base::Id<InvitationKind>;

inline constexpr std::int64_t kPendingUsersMax = 1'000;      // people who wait to be let in
inline constexpr std::int64_t kInvitationsMax = 1'000;       // of all administrators, also used and expired ones
inline constexpr std::int64_t kInvitationUsesMax = 100;      // of one invitation
inline constexpr std::int64_t kInvitationHoursDefault = 72;  // until it expires
inline constexpr std::int64_t kInvitationHoursMax = 30 * 24;
inline constexpr UnixSeconds kInvitationKept = 30 * 24 * 3'600;  // seconds after it has expired, in the list
inline constexpr UnixSeconds kDeletedUserKept = 24 * 3'600;  // seconds; what was still under way is found and wiped too

// Names in the table of settings.
inline constexpr std::string_view kSettingSignUp = "signup";  // "off", "invitation", "open"
inline constexpr std::string_view kSettingSignUpRole =
    "signup_role";  // of those who come without one: "pending", "member"

// A link by which somebody may make an account.
struct Invitation {
    InvitationId id;
    Sha256 token_hash{};
    UserNo created_by{};
    std::string note;  // for whom it is, in the administrator's words
    Role role = Role::member;
    std::int64_t uses_max = 1;
    std::int64_t uses = 0;
    UnixSeconds created_at = 0;
    UnixSeconds expires_at = 0;
};

// Absent members stay as they are.
struct UserPatch {
    std::optional<std::string> name;
    std::optional<Role> role;
    std::optional<bool> suspended;
};

// What ended with a person's access.
struct EndedAccess {
    std::int64_t sessions = 0;
    std::int64_t keys = 0;
};

}  // namespace confab::store
