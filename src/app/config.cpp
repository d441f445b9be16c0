#include "app/config.hpp"

#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <sstream>

#include <toml++/toml.h>

#include <boost/asio/ip/address.hpp>

#include "base/text.hpp"

namespace confab::app {

namespace {

using base::invalid;
using base::Result;
using base::Status;

constexpr std::string_view kOpenAiUrl = "https://api.openai.com/v1";
constexpr unsigned kShardsMax = 64;

std::optional<std::string> environment(const char* name) {
    const char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): read before the first thread starts
    return value == nullptr || *value == '\0' ? std::nullopt : std::optional<std::string>(value);
}

std::string default_folder(const char* variable, const char* below_home) {
    if (const auto folder = environment(variable)) {
        return *folder + "/confab";
    }
    return environment("HOME").value_or("/tmp") + "/" + below_home + "/confab";
}

// Takes values from the sources in the order of their precedence.
class Loader {
public:
    explicit Loader(const Flags& flags) : flags_(flags) {}

    Result<Config> load() {
        TRY_VOID(read_file());
        pick("data_dir", flags_.data_dir, "CONFAB_DATA_DIR", config_.data_dir);
        if (config_.data_dir.empty()) {
            config_.data_dir = default_folder("XDG_DATA_HOME", ".local/share");
        }
        pick("listen", flags_.listen, "CONFAB_LISTEN", config_.listen);
        pick("log_level", flags_.log_level, "CONFAB_LOG_LEVEL", config_.log_level);
        TRY_VOID(pick_number("shards", flags_.shards, "CONFAB_SHARDS", config_.shards, kShardsMax));
        TRY_VOID(
            pick_number("drain_seconds", flags_.drain_seconds, "CONFAB_DRAIN_SECONDS", config_.drain_seconds, 3'600U)
        );
        TRY_VOID(pick_number(
            "memory_mib", flags_.memory_mib, "CONFAB_MEMORY_MIB", config_.memory_mib, std::uint64_t{1} << 30
        ));
        TRY_VOID(pick_flag("insecure_listen", flags_.insecure_listen, "CONFAB_INSECURE_LISTEN", config_.insecure_listen)
        );
        TRY_VOID(pick_hosts());
        TRY_VOID(pick_upstreams());
        config_.admin_email = environment("CONFAB_ADMIN_EMAIL").value_or("");
        config_.admin_password = environment("CONFAB_ADMIN_PASSWORD").value_or("");
        TRY_VOID(check());
        return std::move(config_);
    }

private:
    Status read_file() {
        const auto asked = flags_.config_path ? flags_.config_path : environment("CONFAB_CONFIG");
        const std::string path = asked.value_or(default_folder("XDG_CONFIG_HOME", ".config") + "/confab.toml");
        if (!asked && !std::filesystem::exists(path)) {
            return {};
        }
        if (!std::filesystem::exists(path)) {
            return invalid("config", "There is no configuration file at " + path + ".");
        }
        try {
            table_ = toml::parse_file(path);
        } catch (const toml::parse_error& e) {
            std::ostringstream text;
            text << "The configuration file " << path << " cannot be read: " << e.description() << " (line "
                 << e.source().begin.line << ").";
            return invalid("config", text.str());
        }
        config_.config_path = path;
        return {};
    }

    void note(const std::string& name, std::string origin) { config_.origins[name] = std::move(origin); }

    std::string file_origin() const { return "file " + config_.config_path; }

    void pick(
        const std::string& name,
        const std::optional<std::string>& flag,
        const char* variable,
        std::string& value
    ) {
        if (flag) {
            value = *flag;
            note(name, "flag");
        } else if (const auto given = environment(variable)) {
            value = *given;
            note(name, std::string("environment ") + variable);
        } else if (const auto in_file = table_[name].value<std::string>()) {
            value = *in_file;
            note(name, file_origin());
        } else {
            note(name, "default");
        }
    }

    template <class Number>
    Status pick_number(
        const std::string& name,
        const std::optional<Number>& flag,
        const char* variable,
        Number& value,
        Number max
    ) {
        if (flag) {
            value = *flag;
            note(name, "flag");
        } else if (const auto given = environment(variable)) {
            const auto [end, ec] = std::from_chars(given->data(), given->data() + given->size(), value);
            if (ec != std::errc{} || end != given->data() + given->size()) {
                return invalid(name, std::string(variable) + " must be a number.");
            }
            note(name, std::string("environment ") + variable);
        } else if (table_.contains(name)) {
            const auto in_file = table_[name].value<std::int64_t>();
            if (!in_file || *in_file < 0) {
                return invalid(name, name + " in " + config_.config_path + " must be a number.");
            }
            value = static_cast<Number>(*in_file);
            note(name, file_origin());
        } else {
            note(name, "default");
        }
        if (value > max) {
            return invalid(name, name + " must be at most " + std::to_string(max) + ".");
        }
        return {};
    }

    Status pick_flag(const std::string& name, const std::optional<bool>& flag, const char* variable, bool& value) {
        if (flag) {
            value = *flag;
            note(name, "flag");
        } else if (const auto given = environment(variable)) {
            value = *given == "1" || *given == "true" || *given == "yes";
            note(name, std::string("environment ") + variable);
        } else if (table_.contains(name)) {
            const auto in_file = table_[name].value<bool>();
            if (!in_file) {
                return invalid(name, name + " in " + config_.config_path + " must be true or false.");
            }
            value = *in_file;
            note(name, file_origin());
        } else {
            note(name, "default");
        }
        return {};
    }

    Status pick_hosts() {
        std::string origin = "default";
        if (!flags_.allowed_hosts.empty()) {
            config_.allowed_hosts = flags_.allowed_hosts;
            origin = "flag";
        } else if (const auto given = environment("CONFAB_ALLOWED_HOSTS")) {
            std::istringstream names(*given);
            for (std::string name; std::getline(names, name, ',');) {
                config_.allowed_hosts.emplace_back(base::trim(name));
            }
            origin = "environment CONFAB_ALLOWED_HOSTS";
        } else if (const auto* list = table_["allowed_hosts"].as_array()) {
            for (const auto& name : *list) {
                config_.allowed_hosts.push_back(name.value_or(std::string()));
            }
            origin = file_origin();
        }
        for (std::string& name : config_.allowed_hosts) {
            name = base::ascii_lower(name);
            if (name.empty() || name.find_first_of(":/ *") != std::string::npos) {
                return invalid(
                    "allowed_hosts",
                    "allowed_hosts holds plain host names, for instance chat.example.com, not '" + name + "'."
                );
            }
        }
        note("allowed_hosts", origin);
        return {};
    }

    // Servers named on the command line and in the environment come first: the first one is the default.
    Status pick_upstreams() {
        if (flags_.upstream_url) {
            TRY_VOID(add_upstream("default", *flags_.upstream_url, environment("OPENAI_API_KEY").value_or(""), "flag"));
        }
        auto url = environment("OPENAI_BASE_URL");
        const char* variable = "OPENAI_BASE_URL";
        if (!url) {
            url = environment("OPENAI_API_BASE_URL");
            variable = "OPENAI_API_BASE_URL";
        }
        const auto key = environment("OPENAI_API_KEY");
        if (url) {
            TRY_VOID(add_upstream("openai", *url, key.value_or(""), std::string("environment ") + variable));
        } else if (key && !flags_.upstream_url) {
            TRY_VOID(add_upstream("openai", std::string(kOpenAiUrl), *key, "environment OPENAI_API_KEY"));
        }
        if (auto ollama = environment("OLLAMA_BASE_URL")) {
            while (ollama->ends_with('/')) {
                ollama->pop_back();
            }
            TRY_VOID(add_upstream(
                "ollama", ollama->ends_with("/v1") ? *ollama : *ollama + "/v1", "", "environment OLLAMA_BASE_URL"
            ));
        }
        return read_upstreams();
    }

    bool has_upstream(const std::string& name) const {
        for (const llm::Upstream& upstream : config_.upstreams) {
            if (upstream.name == name) {
                return true;
            }
        }
        return false;
    }

    Status add_upstream(std::string name, const std::string& url, std::string key, std::string origin) {
        llm::Upstream upstream;
        auto normalised = llm::normalise_base_url(url);
        if (!normalised) {
            return invalid("upstream", origin + ": " + normalised.error().message);
        }
        upstream.base_url = std::move(*normalised);
        upstream.name = name;
        upstream.api_key = std::move(key);
        config_.upstreams.push_back(std::move(upstream));
        note("upstream." + name, std::move(origin));
        return {};
    }

    Status read_upstreams() {
        const toml::array* list = table_["upstream"].as_array();
        for (std::size_t i = 0; list != nullptr && i < list->size(); ++i) {
            const toml::table* entry = (*list)[i].as_table();
            const std::string name = entry == nullptr ? "" : (*entry)["name"].value_or(std::string());
            if (name.empty()) {
                return invalid(
                    "upstream", "Every [[upstream]] in " + config_.config_path + " needs a name and a base_url."
                );
            }
            if (has_upstream(name)) {
                continue;  // the environment or a flag replaces it
            }
            std::string key = (*entry)["api_key"].value_or(std::string());
            if (const auto variable = (*entry)["api_key_env"].value<std::string>()) {
                key = environment(variable->c_str()).value_or("");
            }
            TRY_VOID(add_upstream(name, (*entry)["base_url"].value_or(std::string()), std::move(key), file_origin()));
            llm::Upstream& upstream = config_.upstreams.back();
            upstream.max_tokens_field = (*entry)["max_tokens_field"].value_or(upstream.max_tokens_field);
            upstream.context_tokens = (*entry)["context_tokens"].value_or(upstream.context_tokens);
            if (const auto* models = (*entry)["models"].as_array()) {
                for (const auto& model : *models) {
                    upstream.models.push_back(model.value_or(std::string()));
                }
            }
            if (upstream.max_tokens_field != "max_tokens" && upstream.max_tokens_field != "max_completion_tokens") {
                return invalid("upstream." + name, "max_tokens_field is \"max_tokens\" or \"max_completion_tokens\".");
            }
            if (upstream.context_tokens != 0 && upstream.context_tokens < 512) {
                return invalid("upstream." + name, "context_tokens must be at least 512.");
            }
        }
        return {};
    }

    Status check() const {
        TRY(const auto address, parse_listen(config_.listen));
        if (!address.loopback && !config_.insecure_listen) {
            return invalid(
                "listen",
                "Listening on " + config_.listen +
                    " would send passwords over the network unencrypted. Put a TLS proxy in front and listen on "
                    "127.0.0.1, or say --insecure-listen."
            );
        }
        for (const char* level : {"trace", "debug", "info", "warn", "error", "off"}) {
            if (config_.log_level == level) {
                return {};
            }
        }
        return invalid("log_level", "log_level is trace, debug, info, warn, error or off.");
    }

    const Flags& flags_;
    toml::table table_;
    Config config_;
};

std::string toml_string(std::string_view text) {
    std::string result = "\"";
    for (const char c : text) {
        if (c == '"' || c == '\\') {
            result += '\\';
        }
        result += c;
    }
    return result + "\"";
}

std::string toml_list(const std::vector<std::string>& list) {
    std::string result = "[";
    for (const std::string& entry : list) {
        result += (result.size() > 1 ? ", " : "") + toml_string(entry);
    }
    return result + "]";
}

}  // namespace

Result<Config> load_config(const Flags& flags) {
    return Loader(flags).load();
}

std::string describe(const Config& config) {
    std::ostringstream out;
    const auto line = [&](const std::string& name, const std::string& value) {
        const auto origin = config.origins.find(name);
        out << name << " = " << value << "  # " << (origin == config.origins.end() ? "default" : origin->second)
            << "\n";
    };
    line("data_dir", toml_string(config.data_dir));
    line("listen", toml_string(config.listen));
    line("insecure_listen", config.insecure_listen ? "true" : "false");
    line("allowed_hosts", toml_list(config.allowed_hosts));
    line("log_level", toml_string(config.log_level));
    line("shards", std::to_string(config.shards));
    line("drain_seconds", std::to_string(config.drain_seconds));
    line("memory_mib", std::to_string(config.memory_mib));
    for (const llm::Upstream& upstream : config.upstreams) {
        const auto origin = config.origins.find("upstream." + upstream.name);
        out << "\n[[upstream]]  # " << (origin == config.origins.end() ? "default" : origin->second) << "\n"
            << "name = " << toml_string(upstream.name) << "\n"
            << "base_url = " << toml_string(upstream.base_url) << "\n"
            << "# api_key: " << (upstream.api_key.empty() ? "none" : "set, not shown") << "\n"
            << "models = " << toml_list(upstream.models) << "\n"
            << "max_tokens_field = " << toml_string(upstream.max_tokens_field) << "\n"
            << "context_tokens = " << upstream.context_tokens << "\n";
    }
    if (config.upstreams.empty()) {
        out << "\n# no [[upstream]]: set OPENAI_BASE_URL or OLLAMA_BASE_URL, or connect a model server in the page\n";
    }
    return out.str();
}

Result<ListenAddress> parse_listen(const std::string& text) {
    const auto colon = text.rfind(':');
    const auto wrong = [&] {
        return invalid(
            "listen", "'" + text + "' is no address to listen on; it looks like 127.0.0.1:8420 or [::1]:8420."
        );
    };
    if (colon == std::string::npos) {
        return wrong();
    }
    ListenAddress address;
    address.host = text.substr(0, colon);
    if (address.host.starts_with('[') && address.host.ends_with(']')) {
        address.host = address.host.substr(1, address.host.size() - 2);
    }
    if (address.host == "localhost") {
        address.host = "127.0.0.1";
    }
    const std::string port = text.substr(colon + 1);
    const auto [end, ec] = std::from_chars(port.data(), port.data() + port.size(), address.port);
    boost::system::error_code bad_host;
    const auto parsed = boost::asio::ip::make_address(address.host, bad_host);
    if (port.empty() || ec != std::errc{} || end != port.data() + port.size() || bad_host) {
        return wrong();
    }
    address.loopback = parsed.is_loopback();
    return address;
}

}  // namespace confab::app
