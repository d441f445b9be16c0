#include "app/admin_commands.hpp"

#include <ctime>

#include "base/clock.hpp"
#include "base/json.hpp"
#include "base/text.hpp"

namespace confab::app {

namespace {

using auth::Accounts;
using base::Errc;
using base::Result;
using net::Task;

std::string date(store::UnixSeconds time) {
    const std::time_t value = time;
    std::tm parts{};
    gmtime_r(&value, &parts);
    char text[32];
    return std::string(text, std::strftime(text, sizeof text, "%Y-%m-%d %H:%M", &parts));
}

std::string padded(std::string text, std::size_t width) {
    text.resize(std::max(width, text.size()), ' ');
    return text + "  ";
}

Task<Result<store::User>> find_user(Accounts& accounts, std::string email) {
    auto user = co_await accounts.store().find_user_by_email(base::ascii_lower(base::trim(email)));
    if (!user && user.error().errc == Errc::not_found) {
        co_return base::not_found(
            "There is no user with the address " + email + ". 'confab user list' shows all.", "user_not_found"
        );
    }
    co_return user;
}

// What is done to a person, for the audit log.
void note(store::AuditEntry& entry, std::string_view kind, std::string object, std::string detail) {
    entry.kind = kind;
    entry.object = std::move(object);
    entry.detail = std::move(detail);
}

Task<Result<std::string>> add_user(Accounts& accounts, store::AuditEntry& entry, AdminCommand command) {
    const auto role = auth::parse_role(command.role);
    if (!role) {
        co_return base::invalid("role", "A role is 'admin', 'member' or 'pending'.");
    }
    auth::NewUser user;
    user.email = std::move(command.email);
    user.password = std::move(command.password);
    user.role = *role;
    CO_TRY(const auto added, co_await accounts.add_user(std::move(user), store::IfFirst::no));
    note(entry, "person_made", added.id.str(), added.email + " role=" + command.role);
    co_return added.email + " was added as " + command.role + ".\n";
}

Task<Result<std::string>> list_users(Accounts& accounts) {
    CO_TRY(const auto users, co_await accounts.store().list_users());
    if (users.empty()) {
        co_return "There are no users yet. 'confab serve' prints an address to set Confab up.\n";
    }
    std::string text = padded("EMAIL", 32) + padded("ROLE", 18) + padded("SINCE (UTC)", 16) + "NAME\n";
    for (const store::User& user : users) {
        const std::string role = std::string(auth::role_name(user.role)) + (user.suspended_at ? " (suspended)" : "");
        text += padded(user.email, 32) + padded(role, 18) + padded(date(user.created_at), 16) + user.name + "\n";
    }
    co_return text;
}

Task<Result<std::string>> add_key(Accounts& accounts, store::AuditEntry& entry, AdminCommand command) {
    CO_TRY(const auto user, co_await find_user(accounts, command.email));
    auth::NewKey wanted;
    wanted.name = std::move(command.label);
    CO_TRY(const auto made, co_await accounts.add_key(user.no, std::move(wanted)));
    note(entry, "key_made", made.first.id.str(), user.email);
    co_return made.second + "\n";
}

Task<Result<std::string>> list_keys(Accounts& accounts, AdminCommand command) {
    CO_TRY(const auto users, co_await accounts.store().list_users());
    std::string text =
        padded("ID", 36) + padded("KEY", 12) + padded("USER", 28) + padded("LAST USED (UTC)", 16) + "NAME\n";
    for (const store::User& user : users) {
        if (!command.email.empty() && user.email != base::ascii_lower(base::trim(command.email))) {
            continue;
        }
        CO_TRY(const auto keys, co_await accounts.store().list_keys(user.no));
        for (const store::ApiKey& key : keys) {
            text += padded(key.id.str(), 36) + padded(key.prefix + "...", 12) + padded(user.email, 28);
            text += padded(key.last_used_at ? date(*key.last_used_at) : "never", 16) + key.name + "\n";
        }
    }
    co_return text;
}

Task<Result<std::string>> revoke_key(Accounts& accounts, store::AuditEntry& entry, AdminCommand command) {
    CO_TRY(const auto users, co_await accounts.store().list_users());
    std::vector<std::pair<store::UserNo, store::KeyId>> found;
    for (const store::User& user : users) {
        CO_TRY(const auto keys, co_await accounts.store().list_keys(user.no));
        for (const store::ApiKey& key : keys) {
            const bool by_secret = command.key.starts_with("sk-") && command.key.size() >= key.prefix.size() &&
                                   command.key.starts_with(key.prefix);
            if (key.id.str() == command.key || by_secret) {
                found.emplace_back(user.no, key.id);
            }
        }
    }
    if (found.empty()) {
        co_return base::not_found("There is no such key. 'confab key list' shows all.", "key_not_found");
    }
    if (found.size() > 1) {
        co_return base::invalid("key", "Several keys begin like this. Use the id that 'confab key list' shows.");
    }
    CO_TRY_VOID(co_await accounts.revoke_key(found.front().first, found.front().second));
    note(entry, "key_revoked", found.front().second.str(), {});
    co_return "The key was revoked.\n";
}

// Fills `entry` when something was changed.
Task<Result<std::string>> run_command(Accounts& accounts, store::AuditEntry& entry, AdminCommand command) {
    if (command.name == "user add") {
        co_return co_await add_user(accounts, entry, std::move(command));
    }
    if (command.name == "user list") {
        co_return co_await list_users(accounts);
    }
    if (command.name == "user passwd") {
        CO_TRY(const auto user, co_await find_user(accounts, command.email));
        CO_TRY_VOID(co_await accounts.reset_password(user.email, std::move(command.password)));
        note(entry, "password_reset", user.id.str(), user.email);
        co_return "The password of " + user.email + " was changed; their sessions have ended.\n";
    }
    if (command.name == "key add") {
        co_return co_await add_key(accounts, entry, std::move(command));
    }
    if (command.name == "key list") {
        co_return co_await list_keys(accounts, std::move(command));
    }
    if (command.name == "key revoke") {
        co_return co_await revoke_key(accounts, entry, std::move(command));
    }
    co_return base::invalid(
        "command", "This version of Confab does not know the command '" + command.name + "'.", "unknown_command"
    );
}

}  // namespace

Task<Result<std::string>> execute(Accounts& accounts, store::AuditStore& audit, AdminCommand command) {
    store::AuditEntry entry;
    auto outcome = co_await run_command(accounts, entry, std::move(command));
    if (outcome && !entry.kind.empty()) {
        entry.at = base::unix_now();
        entry.email = store::kAuditCommandLine;
        CO_TRY_VOID(co_await audit.add_audit(std::move(entry)));
    }
    co_return outcome;
}

std::string render_command(const AdminCommand& command) {
    std::string line;
    base::JsonWriter out(line);
    out.begin_object();
    out.member("name", command.name);
    out.member("email", command.email);
    out.member("role", command.role);
    out.member("password", command.password);
    out.member("label", command.label);
    out.member("key", command.key);
    out.member("path", command.path);
    out.end_object();
    return line + "\n";
}

Result<AdminCommand> parse_command(std::string_view line) {
    TRY(const auto value, base::parse_json(line));
    if (!value.is_object()) {
        return base::invalid("command", "The command is malformed.");
    }
    const auto& object = value.get_object();
    AdminCommand command;
    command.name = base::find_string(object, "name");
    command.email = base::find_string(object, "email");
    command.role = base::find_string(object, "role");
    command.password = base::find_string(object, "password");
    command.label = base::find_string(object, "label");
    command.key = base::find_string(object, "key");
    command.path = base::find_string(object, "path");
    return command;
}

std::string render_outcome(const Result<std::string>& outcome) {
    std::string line;
    base::JsonWriter out(line);
    out.begin_object();
    out.member(outcome ? "output" : "error", outcome ? *outcome : outcome.error().message);
    out.end_object();
    return line + "\n";
}

Result<std::string> parse_outcome(std::string_view line) {
    TRY(const auto value, base::parse_json(line));
    if (!value.is_object()) {
        return base::fail(Errc::internal, "The server's answer is malformed.");
    }
    if (base::find(value.get_object(), "error") != nullptr) {
        return base::fail(Errc::invalid_request, std::string(base::find_string(value.get_object(), "error")));
    }
    return std::string(base::find_string(value.get_object(), "output"));
}

}  // namespace confab::app
