// The audit log as plain values: what was done that matters for security. Never what was said, and no secret.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "store/rows.hpp"

namespace confab::store {

inline constexpr UnixSeconds kAuditKept = 365LL * 24 * 3'600;  // seconds; triggers in the database enforce both
inline constexpr std::int64_t kAuditRowsMax = 1'000'000;
inline constexpr std::string_view kAuditCommandLine = "command line";
inline constexpr std::string_view kAuditOk = "ok";

// What can have been done.
inline constexpr std::array<std::string_view, 26> kAuditKinds{
    "setup",
    "sign_in",
    "sign_out",
    "sign_up",
    "password_changed",
    "session_ended",
    "key_made",
    "key_revoked",
    "person_made",
    "person_changed",
    "person_suspended",
    "person_restored",
    "person_deleted",
    "password_reset",
    "access_ended",
    "invitation_made",
    "invitation_withdrawn",
    "upstream_added",
    "upstream_changed",
    "upstream_removed",
    "settings_changed",
    "prices_changed",
    "limits_changed",
    "model_access_changed",
    "share_made",
    "share_revoked",
};

struct AuditEntry {
    std::int64_t entry = 0;  // given by the store
    UnixSeconds at = 0;
    std::string kind;
    std::string outcome{kAuditOk};  // or the code of the error
    UserNo actor_no{};              // 0: nobody who is known, or the command line
    std::string actor;              // id of the person; like the next filled by the store, when there is an actor_no
    std::string email;              // as it was then
    std::string address;
    std::string object;
    std::string detail;
};

struct AuditFilter {
    std::optional<std::string> actor;  // id of a person
    std::optional<std::string> kind;
    std::optional<std::int64_t> before;  // entries before this one
};

struct AuditPage {
    std::vector<AuditEntry> rows;  // newest first
    bool has_more = false;
};

}  // namespace confab::store
