// Configuration: flag > environment > file > default, and for each value where it came from.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "auth/sign_in_options.hpp"
#include "base/error.hpp"
#include "llm/upstream.hpp"
#include "meter/byte_budget.hpp"

namespace confab::app {

inline constexpr unsigned kConnectionsPerAddress = 2'048;  // beyond this machine and trusted proxies, unless configured

// Values given on the command line; absent ones were not given.
struct Flags {
    std::optional<std::string> config_path;
    std::optional<std::string> data_dir;
    std::optional<std::string> listen;
    std::optional<std::string> upstream_url;
    std::optional<std::string> log_level;
    std::optional<std::string> log_format;
    std::optional<std::string> otlp_endpoint;
    std::optional<unsigned> trace_percent;
    std::optional<unsigned> shards;
    std::optional<unsigned> drain_seconds;
    std::optional<std::uint64_t> memory_mib;
    std::optional<std::uint64_t> user_memory_mib;
    std::optional<unsigned> user_runs;
    std::optional<bool> insecure_listen;
    std::optional<unsigned> connections_per_address;
    std::vector<std::string> allowed_hosts;
    std::vector<std::string> trusted_proxies;
    std::optional<std::string> tls_certificate;
    std::optional<std::string> tls_key;

    // How people sign in.
    std::optional<std::string> password_login;
    std::optional<bool> single_user;
    std::optional<std::string> trusted_header;
    std::optional<std::string> new_people;
    std::optional<std::string> oidc_issuer;
    std::optional<std::string> oidc_client_id;
    std::optional<std::string> oidc_client_secret_file;
    std::optional<std::string> oidc_name;
    std::optional<std::string> oidc_scope;
    std::optional<std::string> oidc_role_claim;
    std::vector<std::string> oidc_admin_values;
    std::vector<std::string> oidc_member_values;
    std::vector<std::string> oidc_email_domains;
};

struct Config {
    std::string config_path;  // empty: no file
    std::string data_dir;
    std::string listen = "127.0.0.1:8420";
    std::string log_level = "info";
    std::string log_format = "text";  // or json
    std::string otlp_endpoint;    // base URL of an OpenTelemetry collector; empty: no traces
    unsigned trace_percent = 10;  // of the requests that come without a decision
    unsigned shards = 0;          // 0: one per core
    unsigned drain_seconds = 10;
    std::uint64_t memory_mib = 0;  // 0: what the container or the machine has
    std::uint64_t user_memory_mib = meter::kUserBytesMax >> 20;  // what one user's requests may hold together
    unsigned user_runs = meter::kUserRunsMax;                    // answers that one user may have under way
    unsigned connections_per_address = 0;  // 0: kConnectionsPerAddress, not counting those from this machine
    bool insecure_listen = false;  // plain HTTP beyond this machine
    std::string tls_certificate;   // PEM files; empty: plain HTTP
    std::string tls_key;
    std::vector<std::string> allowed_hosts;
    std::vector<std::string> trusted_proxies;  // addresses and networks
    std::vector<llm::Upstream> upstreams;
    auth::SignInOptions sign_in;
    std::string admin_email;  // for unattended set-up
    std::string admin_password;

    std::map<std::string, std::string>
        origins;  // name of a value -> "flag", "environment NAME", "file PATH" or "default"
};

// Reads everything. Errors name the value and where it came from.
base::Result<Config> load_config(const Flags& flags);

// For people: one line per value with its origin, as a TOML document; keys and passwords are not shown.
std::string describe(const Config& config);

struct ListenAddress {
    std::string host;
    std::uint16_t port = 0;
    bool loopback = false;
};

// "127.0.0.1:8420", "[::1]:8420", "0.0.0.0:80", "localhost:8420". Error: invalid_request (param listen).
base::Result<ListenAddress> parse_listen(const std::string& text);

}  // namespace confab::app
