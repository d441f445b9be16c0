// Configuration: flag > environment > file > default, and for each value where it came from.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "llm/upstream.hpp"

namespace confab::app {

// Values given on the command line; absent ones were not given.
struct Flags {
    std::optional<std::string> config_path;
    std::optional<std::string> data_dir;
    std::optional<std::string> listen;
    std::optional<std::string> upstream_url;
    std::optional<std::string> log_level;
    std::optional<unsigned> shards;
    std::optional<unsigned> drain_seconds;
    std::optional<std::uint64_t> memory_mib;
    std::optional<bool> insecure_listen;
    std::vector<std::string> allowed_hosts;
};

struct Config {
    std::string config_path;  // empty: no file
    std::string data_dir;
    std::string listen = "127.0.0.1:8420";
    std::string log_level = "info";
    unsigned shards = 0;  // 0: one per core
    unsigned drain_seconds = 10;
    std::uint64_t memory_mib = 0;  // 0: what the container or the machine has
    bool insecure_listen = false;  // plain HTTP beyond this machine
    std::vector<std::string> allowed_hosts;
    std::vector<llm::Upstream> upstreams;
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
