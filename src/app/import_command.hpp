// `confab import FILE --user EMAIL`: by the server when it runs, which is given the path, else by this very process.
#pragma once

#include "app/admin_commands.hpp"
#include "app/config.hpp"
#include "transfer/import_service.hpp"

namespace confab::app {

// The server's side of the control socket: "import start" (email, path), "import show" and "import cancel" (email, key:
// the import's id). The outcome is the import as the API shows it.
net::Task<base::Result<std::string>> execute_import(
    auth::Accounts& accounts,
    transfer::ImportService& imports,
    AdminCommand command
);

// Shows its progress on a terminal. The process's exit status.
int import_from_command_line(const Config& config, const std::string& file, const std::string& email);

}  // namespace confab::app
