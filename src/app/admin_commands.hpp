// The administrator's commands (`confab user ...`, `confab key ...`): one implementation, run inside the server when it
// runs, else by the command line itself. Either way a single process has the store open.
#pragma once

#include <string>
#include <vector>

#include "auth/accounts.hpp"
#include "store/audit_store.hpp"

namespace confab::app {

struct AdminCommand {
    std::string name;  // "user add", "user list", "user passwd", "key add", "key list", "key revoke"
    std::string email;
    std::string role = "member";
    std::string password;
    std::string label;
    std::string key;  // an id or the visible prefix of a key
    std::string path;  // of a file to import
};

// What to print on standard output. What changes something is written down in the audit log.
net::Task<base::Result<std::string>> execute(auth::Accounts& accounts, store::AuditStore& audit, AdminCommand command);

// One line of JSON each way, for the control socket.
std::string render_command(const AdminCommand& command);
base::Result<AdminCommand> parse_command(std::string_view line);
std::string render_outcome(const base::Result<std::string>& outcome);
base::Result<std::string> parse_outcome(std::string_view line);

}  // namespace confab::app
