#include "app/command_line.hpp"

#include <cstdio>
#include <iostream>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <termios.h>
#include <unistd.h>

#include "app/complain.hpp"
#include "app/import_command.hpp"
#include "app/review_command.hpp"
#include "app/routes_command.hpp"
#include "app/server.hpp"
#include "app/transfer_commands.hpp"
#include "auth/tokens.hpp"
#include "base/log.hpp"
#include "store/checkup.hpp"
#include "transfer/restore.hpp"

namespace confab::app {

namespace {

using base::Result;

constexpr const char* kVersion = CONFAB_VERSION;
constexpr int kMisused = 2;

// ---- confab serve, confab config ----

int serve(const Flags& flags) {
    auto config = load_config(flags);
    if (!config) {
        return complain(config.error());
    }
    base::init_log(config->log_level, config->log_format == "json" ? base::LogFormat::json : base::LogFormat::text);
    auto server = Server::build(std::move(*config), kVersion);
    if (!server) {
        return complain(server.error());
    }
    return (*server)->run();
}

int show_config(const Flags& flags) {
    const auto config = load_config(flags);
    if (!config) {
        return complain(config.error());
    }
    fmt::print("{}", describe(*config));
    return 0;
}

// ---- confab export, backup, restore, doctor ----

// Loads the configuration and makes ready what all commands on the data directory need.
Result<Config> prepare(const Flags& flags) {
    TRY(auto config, load_config(flags));
    base::init_log("warn");
    auth::init_crypto();
    return config;
}

int send_out(const Flags& flags, const AdminCommand& command, const std::string& file) {
    const auto config = prepare(flags);
    if (!config) {
        return complain(config.error());
    }
    if (::access(database_path(config->data_dir).c_str(), F_OK) != 0) {
        return complain(base::not_found("There is no database in " + config->data_dir + ".").error());
    }
    return transfer_from_command_line(*config, command, file, kVersion);
}

// What a long command is at, on a terminal.
void show_step(const std::string& what) {
    if (::isatty(STDERR_FILENO) != 0) {
        fmt::print(stderr, "\r\x1b[K{}", what);
    }
}

int restore(const Flags& flags, const std::string& file, bool force) {
    const auto config = prepare(flags);
    if (!config) {
        return complain(config.error());
    }
    const auto restored = transfer::restore_backup(file, config->data_dir, force, show_step);
    show_step("");
    if (!restored) {
        return complain(restored.error());
    }
    fmt::print("Restored to {}, with {} images.\n", config->data_dir, restored->images);
    if (!restored->moved_to.empty()) {
        fmt::print("What was there before is in {}.\n", restored->moved_to);
    }
    return 0;
}

int examine(const Flags& flags) {
    const auto config = prepare(flags);
    if (!config) {
        return complain(config.error());
    }
    const auto findings = store::check_database(database_path(config->data_dir), show_step);
    show_step("");
    if (!findings && findings.error().code == "database_in_use") {
        fmt::print(
            stderr,
            "confab: The server is running. Stop it first; or examine a backup: confab backup FILE, and\n"
            "        confab restore FILE --data-dir ELSEWHERE, which checks the copy.\n"
        );
        return 1;
    }
    if (!findings) {
        return complain(findings.error());
    }
    bool sound = true;
    for (const store::Finding& finding : *findings) {
        sound = sound && !finding.serious;
        fmt::print("{}: {}\n", finding.serious ? "PROBLEM" : "note", finding.what);
        if (!finding.advice.empty()) {
            fmt::print("    {}\n", finding.advice);
        }
    }
    fmt::print("{}\n", sound ? "Everything is sound." : "There are problems. Nothing was changed.");
    return sound ? 0 : 1;
}

// ---- confab import ----

int import_file(const Flags& flags, const std::string& file, const std::string& email) {
    const auto config = load_config(flags);
    if (!config) {
        return complain(config.error());
    }
    base::init_log("warn");
    auth::init_crypto();
    if (const auto ready = prepare_data_dir(config->data_dir); !ready) {
        return complain(ready.error());
    }
    return import_from_command_line(*config, file, email);
}

// ---- confab user, confab key ----

// Without a server: this process opens the store itself.
Result<std::string> execute_alone(const Config& config, AdminCommand command) {
    meter::StoreCounters counters;
    store::SqliteOptions options{.path = database_path(config.data_dir), .readers = 1, .counters = counters};
    TRY(const auto store, store::SqliteStore::open(std::move(options)));
    auth::PasswordPool passwords;
    net::asio::io_context context{1};
    auth::Accounts accounts(*store, *store, passwords, context.get_executor());
    Result<std::string> outcome = std::string();
    net::asio::co_spawn(
        context,
        execute(accounts, *store, std::move(command)),
        [&outcome](std::exception_ptr failure, Result<std::string> result) {
            if (failure) {
                std::rethrow_exception(failure);
            }
            outcome = std::move(result);
        }
    );
    context.run();
    return outcome;
}

int administer(const Flags& flags, AdminCommand command) {
    const auto config = load_config(flags);
    if (!config) {
        return complain(config.error());
    }
    base::init_log("warn");
    auth::init_crypto();
    if (const auto ready = prepare_data_dir(config->data_dir); !ready) {
        return complain(ready.error());
    }
    auto outcome = execute_alone(*config, command);
    if (!outcome && outcome.error().errc == base::Errc::unavailable) {
        outcome = ask_server(config->data_dir, command);  // the store is open elsewhere: by the server, as a rule
    }
    if (!outcome) {
        return complain(outcome.error());
    }
    fmt::print("{}", *outcome);
    return 0;
}

// One line from standard input; on a terminal it is asked for, without echo.
std::string read_password() {
    termios before{};
    const bool terminal = ::isatty(STDIN_FILENO) != 0 && ::tcgetattr(STDIN_FILENO, &before) == 0;
    if (terminal) {
        fmt::print(stderr, "Password: ");
        termios silent = before;
        silent.c_lflag &= ~static_cast<tcflag_t>(ECHO);
        ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent);
    }
    std::string line;
    std::getline(std::cin, line);
    if (terminal) {
        ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
        fmt::print(stderr, "\n");
    }
    if (line.ends_with('\r')) {
        line.pop_back();
    }
    return line;
}

// ---- the grammar ----

void add_common_options(CLI::App& command, Flags& flags) {
    command.add_option("--data-dir", flags.data_dir, "where conversations and accounts are kept (CONFAB_DATA_DIR)")
        ->type_name("DIR");
    command.add_option("--config", flags.config_path, "configuration file, TOML (CONFAB_CONFIG)")->type_name("FILE");
}

// The log and traces.
void add_observing_options(CLI::App& command, Flags& flags) {
    command.add_option("--log-level", flags.log_level, "trace, debug, info, warn, error or off (CONFAB_LOG_LEVEL)")
        ->type_name("LEVEL");
    command
        .add_option(
            "--log-format",
            flags.log_format,
            "text, or json: an object for each line, and a line for each request (CONFAB_LOG_FORMAT)"
        )
        ->type_name("FORMAT");
    command
        .add_option(
            "--otlp-endpoint",
            flags.otlp_endpoint,
            "OpenTelemetry collector that gets traces, for instance http://127.0.0.1:4318 (CONFAB_OTLP_ENDPOINT)"
        )
        ->type_name("URL");
    command
        .add_option(
            "--trace-percent", flags.trace_percent, "how many of the requests are traced, default 10 (CONFAB_TRACE_PERCENT)"
        )
        ->type_name("N");
}

void add_network_options(CLI::App& command, Flags& flags) {
    command
        .add_option(
            "--listen",
            flags.listen,
            "address and port, default 127.0.0.1:8420; port 0 picks a free one (CONFAB_LISTEN)"
        )
        ->type_name("HOST:PORT");
    command
        .add_option(
            "--allowed-host",
            flags.allowed_hosts,
            "host name under which the server is reached, besides IP addresses (CONFAB_ALLOWED_HOSTS)"
        )
        ->type_name("NAME");
    command
        .add_option(
            "--tls-certificate",
            flags.tls_certificate,
            "certificate with its chain, PEM; read again on SIGHUP (CONFAB_TLS_CERTIFICATE)"
        )
        ->type_name("FILE");
    command.add_option("--tls-key", flags.tls_key, "its key, PEM, not encrypted (CONFAB_TLS_KEY)")->type_name("FILE");
    command
        .add_option(
            "--trusted-proxy",
            flags.trusted_proxies,
            "address or network of a proxy in front, whose X-Forwarded-For and X-Forwarded-Proto are believed "
            "(CONFAB_TRUSTED_PROXIES)"
        )
        ->type_name("NETWORK");
    command
        .add_option(
            "--connections-per-address",
            flags.connections_per_address,
            "connections that one address may have, default 2048 and any number from this machine "
            "(CONFAB_CONNECTIONS_PER_ADDRESS)"
        )
        ->type_name("N");
    command.add_flag(
        "--insecure-listen{true}",
        flags.insecure_listen,
        "allow plain HTTP beyond this machine (CONFAB_INSECURE_LISTEN)"
    );
}

void add_openid_options(CLI::App& command, Flags& flags) {
    command
        .add_option(
            "--oidc-issuer", flags.oidc_issuer, "OpenID Connect provider to sign in with, https://... (CONFAB_OIDC_ISSUER)"
        )
        ->type_name("URL");
    command.add_option("--oidc-client-id", flags.oidc_client_id, "what it knows this server by (CONFAB_OIDC_CLIENT_ID)")
        ->type_name("ID");
    command
        .add_option(
            "--oidc-client-secret-file",
            flags.oidc_client_secret_file,
            "file with the client's secret, unless CONFAB_OIDC_CLIENT_SECRET has it (CONFAB_OIDC_CLIENT_SECRET_FILE)"
        )
        ->type_name("FILE");
    command.add_option("--oidc-name", flags.oidc_name, "its name, for the button (CONFAB_OIDC_NAME)")->type_name("NAME");
    command
        .add_option("--oidc-scope", flags.oidc_scope, "default 'openid email profile' (CONFAB_OIDC_SCOPE)")
        ->type_name("SCOPE");
    command
        .add_option("--oidc-role-claim", flags.oidc_role_claim, "claim that says the role (CONFAB_OIDC_ROLE_CLAIM)")
        ->type_name("CLAIM");
    command
        .add_option(
            "--oidc-admin-value", flags.oidc_admin_values, "its value for administrators (CONFAB_OIDC_ADMIN_VALUES)"
        )
        ->type_name("VALUE");
    command
        .add_option(
            "--oidc-member-value",
            flags.oidc_member_values,
            "its value for members; default anybody (CONFAB_OIDC_MEMBER_VALUES)"
        )
        ->type_name("VALUE");
    command
        .add_option(
            "--oidc-email-domain",
            flags.oidc_email_domains,
            "whose people may come in; default all (CONFAB_OIDC_EMAIL_DOMAINS)"
        )
        ->type_name("DOMAIN");
}

void add_sign_in_options(CLI::App& command, Flags& flags) {
    command
        .add_option("--password-login", flags.password_login, "on or off, default on (CONFAB_PASSWORD_LOGIN)")
        ->type_name("on|off");
    command
        .add_option(
            "--new-people",
            flags.new_people,
            "whether whom a provider or proxy vouches for gets an account: no, pending or member, default no "
            "(CONFAB_NEW_PEOPLE)"
        )
        ->type_name("WHAT");
    command
        .add_option(
            "--trusted-header",
            flags.trusted_header,
            "header in which a trusted proxy says the e-mail address of who is there (CONFAB_TRUSTED_HEADER)"
        )
        ->type_name("NAME");
    command.add_flag(
        "--single-user{true}",
        flags.single_user,
        "no sign-in: whoever reaches the server, on this machine only, is its one person (CONFAB_SINGLE_USER)"
    );
    add_openid_options(command, flags);
}

void add_server_options(CLI::App& command, Flags& flags) {
    add_common_options(command, flags);
    add_network_options(command, flags);
    add_sign_in_options(command, flags);
    command
        .add_option(
            "--upstream-url",
            flags.upstream_url,
            "base URL of an OpenAI-compatible model server; its key comes from OPENAI_API_KEY"
        )
        ->type_name("URL");
    command
        .add_option(
            "--drain-seconds", flags.drain_seconds, "how long running answers may go on after SIGTERM, default 10"
        )
        ->type_name("N");
    command.add_option("--shards", flags.shards, "threads that serve, default one per core (CONFAB_SHARDS)")
        ->type_name("N");
    command
        .add_option(
            "--memory-mib", flags.memory_mib, "memory to stay within, default the container's limit (CONFAB_MEMORY_MIB)"
        )
        ->type_name("N");
    command
        .add_option(
            "--user-runs",
            flags.user_runs,
            "answers that one user may have under way, default 4; two more wait for 2 s (CONFAB_USER_RUNS)"
        )
        ->type_name("N");
    command
        .add_option(
            "--user-memory-mib",
            flags.user_memory_mib,
            "memory that one user's requests may hold, default 16 (CONFAB_USER_MEMORY_MIB)"
        )
        ->type_name("N");
    add_observing_options(command, flags);
}

class CommandLine {
public:
    CommandLine() {
        app_.set_version_flag("--version", std::string("confab ") + kVersion);
        app_.require_subcommand(1);
        app_.footer(
            "Examples:\n"
            "  confab serve                                      start on http://127.0.0.1:8420\n"
            "  OLLAMA_BASE_URL=http://127.0.0.1:11434 confab serve\n"
            "  confab user add ada@example.com --role admin --password-stdin\n"
            "  confab key add --user ada@example.com --name laptop"
        );
        add_serve();
        add_user_commands();
        add_key_commands();
        add_transfer_commands();
        add_upkeep_commands();
        add_import_command();
        add_review_command(app_, review_flags_, kVersion, [this](std::function<int()> action) {
            action_ = std::move(action);
        });
    }

    int run(int argc, char** argv) {
        try {
            app_.parse(argc, argv);
        } catch (const CLI::ParseError& e) {
            return app_.exit(e) == 0 ? 0 : kMisused;
        }
        return action_ ? action_() : kMisused;
    }

private:
    void add_serve() {
        auto& serve_command = *app_.add_subcommand("serve", "Start the server");
        add_server_options(serve_command, flags_);
        serve_command.callback([this] { action_ = [this] { return serve(flags_); }; });
        auto& config_command =
            *app_.add_subcommand("config", "Show the effective configuration and where each value comes from");
        add_server_options(config_command, flags_);
        config_command.callback([this] { action_ = [this] { return show_config(flags_); }; });
        auto& routes_command = *app_.add_subcommand("routes", "Show every address of the server and who may use it");
        routes_command.add_flag("--json", as_json_, "as a JSON array");
        routes_command.callback([this] { action_ = [this] { return show_routes(as_json_); }; });
    }

    CLI::App& add_admin_command(
        CLI::App& parent,
        const std::string& group,
        const std::string& name,
        const std::string& description
    ) {
        auto& command = *parent.add_subcommand(name, description);
        add_common_options(command, flags_);
        command.callback([this, full = group + " " + name] {
            command_.name = full;
            action_ = [this] {
                if (needs_password_) {
                    command_.password = read_password();
                }
                return administer(flags_, command_);
            };
        });
        return command;
    }

    void add_user_commands() {
        auto& user = *app_.add_subcommand("user", "Manage accounts; works whether the server runs or not");
        user.require_subcommand(1);
        auto& add = add_admin_command(user, "user", "add", "Add an account");
        add.add_option("email", command_.email, "e-mail address")->required();
        add.add_option("--role", command_.role, "admin, member, or pending: an administrator has to let them in")
            ->check(CLI::IsMember({"admin", "member", "pending"}))
            ->capture_default_str();
        add.add_flag("--password-stdin", needs_password_, "read the password from standard input")->required();
        add_admin_command(user, "user", "list", "List all accounts");
        auto& passwd = add_admin_command(user, "user", "passwd", "Set a new password and end the account's sessions");
        passwd.add_option("email", command_.email, "e-mail address")->required();
        passwd.add_flag("--password-stdin", needs_password_, "read the password from standard input")->required();
    }

    void add_key_commands() {
        auto& key = *app_.add_subcommand("key", "Manage API keys; works whether the server runs or not");
        key.require_subcommand(1);
        auto& add =
            add_admin_command(key, "key", "add", "Create an API key and print it, once, alone on standard output");
        add.add_option("--user", command_.email, "e-mail address of its owner")->required();
        add.add_option("--name", command_.label, "a name to recognise it by")->required();
        auto& list = add_admin_command(key, "key", "list", "List API keys, never their secret part");
        list.add_option("--user", command_.email, "only this account's");
        auto& revoke = add_admin_command(key, "key", "revoke", "Revoke an API key at once");
        revoke.add_option("key", command_.key, "its id, or the key itself")->required();
    }

    void add_transfer_commands() {
        auto& out = *app_.add_subcommand(
            "export", "Write conversations to a file to keep or to import; works whether the server runs or not"
        );
        add_common_options(out, flags_);
        out.add_option("--user", command_.email, "e-mail address of whose conversations; may be left out when there is one user")
            ->type_name("EMAIL");
        out.add_option("--conversation", command_.key, "only this one (conv_...)")->type_name("ID");
        out.add_option(
               "--format", export_format_, "ndjson: all branches and images, can be imported; md, json: one conversation to read"
        )
            ->check(CLI::IsMember({"ndjson", "md", "json"}))
            ->capture_default_str();
        out.add_option("-o,--output", file_, "file to write, '-' for standard output")
            ->type_name("FILE")
            ->capture_default_str();
        out.footer(
            "The file is called FILE.part until it is whole.\n"
            "Examples:\n"
            "  confab export --user ada@example.com -o ada.ndjson\n"
            "  confab export --conversation conv_0197... --format md | less"
        );
        out.callback([this] {
            command_.name = "export";
            command_.label = export_format_;
            action_ = [this] { return send_out(flags_, command_, file_); };
        });
        auto& backup = *app_.add_subcommand(
            "backup", "Write everything the server keeps to one file; works whether the server runs or not"
        );
        add_common_options(backup, flags_);
        backup.add_option("file", file_, "archive to write (.tar), '-' for standard output")->type_name("FILE")->required();
        backup.footer(
            "The archive holds the database, the images and secret.key, which opens the stored keys of model servers: keep\n"
            "it as private as the data directory. It is called FILE.part until it is whole, checked and on the disk. Room\n"
            "for a copy of the database is needed in the data directory meanwhile. 'confab restore FILE' brings it back."
        );
        backup.callback([this] {
            command_.name = "backup";
            action_ = [this] { return send_out(flags_, command_, file_); };
        });
    }

    void add_upkeep_commands() {
        auto& back = *app_.add_subcommand("restore", "Make a data directory from a backup; the server must not run");
        add_common_options(back, flags_);
        back.add_option("file", file_, "archive that 'confab backup' wrote")->type_name("FILE")->required();
        back.add_flag("--force", force_, "also when there is a database: it is moved aside, not removed");
        back.footer("Everything is unpacked and checked before anything is changed.");
        back.callback([this] { action_ = [this] { return restore(flags_, file_, force_); }; });
        auto& doctor = *app_.add_subcommand(
            "doctor", "Check the database and the images, and say what to do; the server must not run"
        );
        add_common_options(doctor, flags_);
        doctor.footer("Reads everything and changes nothing. Ends with 1 when there is a problem.");
        doctor.callback([this] { action_ = [this] { return examine(flags_); }; });
    }

    void add_import_command() {
        auto& command = *app_.add_subcommand(
            "import", "Bring conversations in: from Confab, ChatGPT, Claude or Open WebUI; works whether the server runs or not"
        );
        add_common_options(command, flags_);
        command.add_option("file", import_path_, "an export: .ndjson, .json, or the .zip that ChatGPT and Claude send")
            ->type_name("FILE")
            ->required();
        command.add_option("--user", command_.email, "e-mail address of whose they will be")->required();
        command.callback([this] { action_ = [this] { return import_file(flags_, import_path_, command_.email); }; });
    }

    CLI::App app_{"Confab: a small, self-hosted LLM chat server for many people", "confab"};
    Flags flags_;
    AdminCommand command_;
    ReviewFlags review_flags_;
    std::string file_ = "-";
    std::string export_format_ = "ndjson";
    std::string import_path_;
    bool needs_password_ = false;
    bool force_ = false;
    bool as_json_ = false;
    std::function<int()> action_;
};

}  // namespace

int run_command_line(int argc, char** argv) {
    return CommandLine().run(argc, argv);
}

}  // namespace confab::app
