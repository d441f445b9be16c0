#include "app/config.hpp"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <toml++/toml.h>

#include <boost/asio/ip/address.hpp>

#include "auth/openid.hpp"
#include "base/text.hpp"
#include "web/trusted_proxies.hpp"

namespace confab::app {

namespace {

using base::invalid;
using base::Result;
using base::Status;

constexpr std::string_view kOpenAiUrl = "https://api.openai.com/v1";
constexpr unsigned kShardsMax = 64;
constexpr unsigned kTracePercentMax = 100;
constexpr unsigned kUserRunsMost = 1'000'000;

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
        pick("log_format", flags_.log_format, "CONFAB_LOG_FORMAT", config_.log_format);
        pick("otlp_endpoint", flags_.otlp_endpoint, "CONFAB_OTLP_ENDPOINT", config_.otlp_endpoint);
        TRY_VOID(pick_number(
            "trace_percent", flags_.trace_percent, "CONFAB_TRACE_PERCENT", config_.trace_percent, kTracePercentMax
        ));
        TRY_VOID(pick_number("shards", flags_.shards, "CONFAB_SHARDS", config_.shards, kShardsMax));
        TRY_VOID(
            pick_number("drain_seconds", flags_.drain_seconds, "CONFAB_DRAIN_SECONDS", config_.drain_seconds, 3'600U)
        );
        TRY_VOID(pick_number(
            "memory_mib", flags_.memory_mib, "CONFAB_MEMORY_MIB", config_.memory_mib, std::uint64_t{1} << 30
        ));
        TRY_VOID(pick_number(
            "user_memory_mib",
            flags_.user_memory_mib,
            "CONFAB_USER_MEMORY_MIB",
            config_.user_memory_mib,
            std::uint64_t{1} << 30
        ));
        TRY_VOID(pick_number("user_runs", flags_.user_runs, "CONFAB_USER_RUNS", config_.user_runs, kUserRunsMost));
        TRY_VOID(pick_number(
            "connections_per_address",
            flags_.connections_per_address,
            "CONFAB_CONNECTIONS_PER_ADDRESS",
            config_.connections_per_address,
            1'000'000U
        ));
        TRY_VOID(pick_flag("insecure_listen", flags_.insecure_listen, "CONFAB_INSECURE_LISTEN", config_.insecure_listen)
        );
        pick("tls_certificate", flags_.tls_certificate, "CONFAB_TLS_CERTIFICATE", config_.tls_certificate);
        pick("tls_key", flags_.tls_key, "CONFAB_TLS_KEY", config_.tls_key);
        pick_list("trusted_proxies", flags_.trusted_proxies, "CONFAB_TRUSTED_PROXIES", config_.trusted_proxies);
        TRY_VOID(pick_hosts());
        TRY_VOID(pick_upstreams());
        TRY_VOID(pick_sign_in());
        TRY_VOID(pick_openid());
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

    // In the environment, separated by commas.
    void pick_list(
        const std::string& name,
        const std::vector<std::string>& flag,
        const char* variable,
        std::vector<std::string>& value
    ) {
        if (!flag.empty()) {
            value = flag;
            note(name, "flag");
        } else if (const auto given = environment(variable)) {
            std::istringstream entries(*given);
            for (std::string entry; std::getline(entries, entry, ',');) {
                value.emplace_back(base::trim(entry));
            }
            note(name, std::string("environment ") + variable);
        } else if (const auto* list = table_[name].as_array()) {
            for (const auto& entry : *list) {
                value.push_back(entry.value_or(std::string()));
            }
            note(name, file_origin());
        } else {
            note(name, "default");
        }
    }

    Status pick_hosts() {
        pick_list("allowed_hosts", flags_.allowed_hosts, "CONFAB_ALLOWED_HOSTS", config_.allowed_hosts);
        for (std::string& name : config_.allowed_hosts) {
            name = base::ascii_lower(name);
            if (name.empty() || name.find_first_of(":/ *") != std::string::npos) {
                return invalid(
                    "allowed_hosts",
                    "allowed_hosts holds plain host names, for instance chat.example.com, not '" + name + "'."
                );
            }
        }
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
            upstream.slots_max = (*entry)["slots"].value_or(upstream.slots_max);
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
            if (upstream.slots_max < 0 || upstream.slots_max > 65'536) {
                return invalid("upstream." + name, "slots is a number from 1 to 65536, or 0 for as many as it bears.");
            }
        }
        return {};
    }

    Status pick_sign_in() {
        auth::SignInOptions& options = config_.sign_in;
        std::string passwords = "on";
        pick("password_login", flags_.password_login, "CONFAB_PASSWORD_LOGIN", passwords);
        if (passwords != "on" && passwords != "off") {
            return invalid("password_login", "password_login is on or off.");
        }
        options.passwords = passwords == "on";
        TRY_VOID(pick_flag("single_user", flags_.single_user, "CONFAB_SINGLE_USER", options.single_user));
        pick("trusted_header", flags_.trusted_header, "CONFAB_TRUSTED_HEADER", options.trusted_header);
        options.trusted_header = base::ascii_lower(options.trusted_header);
        std::string people = "no";
        pick("new_people", flags_.new_people, "CONFAB_NEW_PEOPLE", people);
        if (people != "no" && people != "pending" && people != "member") {
            return invalid("new_people", "new_people is no, pending or member.");
        }
        using auth::NewPeople;
        options.new_people =
            people == "member" ? NewPeople::member : (people == "pending" ? NewPeople::pending : NewPeople::refused);
        return {};
    }

    Status pick_openid() {
        auth::OpenIdOptions& options = config_.sign_in.openid;
        pick("oidc_issuer", flags_.oidc_issuer, "CONFAB_OIDC_ISSUER", options.issuer);
        pick("oidc_client_id", flags_.oidc_client_id, "CONFAB_OIDC_CLIENT_ID", options.client_id);
        pick("oidc_name", flags_.oidc_name, "CONFAB_OIDC_NAME", options.name);
        pick("oidc_scope", flags_.oidc_scope, "CONFAB_OIDC_SCOPE", options.scope);
        pick("oidc_role_claim", flags_.oidc_role_claim, "CONFAB_OIDC_ROLE_CLAIM", options.role_claim);
        pick_list("oidc_admin_values", flags_.oidc_admin_values, "CONFAB_OIDC_ADMIN_VALUES", options.admin_values);
        pick_list("oidc_member_values", flags_.oidc_member_values, "CONFAB_OIDC_MEMBER_VALUES", options.member_values);
        pick_list("oidc_email_domains", flags_.oidc_email_domains, "CONFAB_OIDC_EMAIL_DOMAINS", options.email_domains);
        for (std::string& domain : options.email_domains) {
            domain = base::ascii_lower(domain);
        }
        pick("oidc_client_secret", std::nullopt, "CONFAB_OIDC_CLIENT_SECRET", options.client_secret);
        std::string file;
        pick("oidc_client_secret_file", flags_.oidc_client_secret_file, "CONFAB_OIDC_CLIENT_SECRET_FILE", file);
        if (file.empty()) {
            return {};
        }
        std::ifstream lines(file);
        std::string secret;
        std::getline(lines, secret);
        options.client_secret = base::trim(secret);
        if (options.client_secret.empty()) {
            return invalid("oidc_client_secret_file", "There is no secret in the first line of " + file + ".");
        }
        return {};
    }

    Status check_openid() const {
        const auth::OpenIdOptions& options = config_.sign_in.openid;
        if (options.issuer.empty()) {
            return {};
        }
        TRY_VOID(auth::check_provider_url(options.issuer, "oidc_issuer"));
        if (options.client_id.empty()) {
            return invalid("oidc_client_id", "oidc_issuer needs an oidc_client_id, which the provider gives.");
        }
        if ((" " + options.scope + " ").find(" openid ") == std::string::npos) {
            return invalid("oidc_scope", "oidc_scope must contain openid.");
        }
        return {};
    }

    Status check_sign_in(const ListenAddress& address) const {
        const auth::SignInOptions& options = config_.sign_in;
        TRY_VOID(check_openid());
        if (options.single_user && !address.loopback) {
            return invalid(
                "single_user", "single_user lets everybody in who reaches the server, so it listens on 127.0.0.1 only."
            );
        }
        if (options.single_user &&
            (!config_.trusted_proxies.empty() || !options.trusted_header.empty() || !options.openid.issuer.empty())) {
            return invalid("single_user", "single_user goes with no proxy and no identity provider: nobody signs in.");
        }
        const bool plain = std::ranges::all_of(options.trusted_header, [](char c) {
            return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
        });
        for (const char* other : {"authorization", "cookie", "host", "origin", "x-forwarded-for", "x-forwarded-proto"}) {
            if (!plain || options.trusted_header == other) {
                return invalid("trusted_header", "trusted_header is the name of a header, for instance Remote-Email.");
            }
        }
        if (!options.trusted_header.empty() && config_.trusted_proxies.empty()) {
            return invalid(
                "trusted_header", "trusted_header is believed from trusted_proxies only, and there are none: name the proxy."
            );
        }
        if (!options.passwords && options.openid.issuer.empty() && options.trusted_header.empty() && !options.single_user) {
            return invalid("password_login", "password_login is off, and there is no other way to sign in.");
        }
        return {};
    }

    Status check() const {
        TRY(const auto address, parse_listen(config_.listen));
        if (config_.tls_certificate.empty() != config_.tls_key.empty()) {
            return invalid("tls_certificate", "TLS takes both tls_certificate and tls_key.");
        }
        TRY_VOID(web::TrustedProxies::parse(config_.trusted_proxies));
        TRY_VOID(check_sign_in(address));
        if (!address.loopback && !config_.insecure_listen && config_.tls_certificate.empty()) {
            return invalid(
                "listen",
                "Listening on " + config_.listen +
                    " would send passwords over the network unencrypted. Give --tls-certificate and --tls-key, put a TLS "
                    "proxy in front and listen on 127.0.0.1, or say --insecure-listen."
            );
        }
        if (config_.log_format != "text" && config_.log_format != "json") {
            return invalid("log_format", "log_format is text or json.");
        }
        if (!config_.otlp_endpoint.empty() && !llm::normalise_base_url(config_.otlp_endpoint)) {
            return invalid("otlp_endpoint", "otlp_endpoint is a URL like http://127.0.0.1:4318.");
        }
        if (config_.user_memory_mib == 0 || config_.user_runs == 0) {
            const char* name = config_.user_runs == 0 ? "user_runs" : "user_memory_mib";
            return invalid(name, std::string(name) + " must be at least 1.");
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

template <class Line>
void describe_sign_in(const Line& line, const auth::SignInOptions& options) {
    using auth::NewPeople;
    const bool refused = options.new_people == NewPeople::refused;
    line("password_login", options.passwords ? "\"on\"" : "\"off\"");
    line("single_user", options.single_user ? "true" : "false");
    line("trusted_header", toml_string(options.trusted_header));
    line("new_people", refused ? "\"no\"" : (options.new_people == NewPeople::member ? "\"member\"" : "\"pending\""));
    line("oidc_issuer", toml_string(options.openid.issuer));
    if (options.openid.issuer.empty()) {
        return;
    }
    line("oidc_client_id", toml_string(options.openid.client_id));
    line("# oidc_client_secret", options.openid.client_secret.empty() ? "none" : "set, not shown");
    line("oidc_name", toml_string(options.openid.name));
    line("oidc_scope", toml_string(options.openid.scope));
    line("oidc_role_claim", toml_string(options.openid.role_claim));
    line("oidc_admin_values", toml_list(options.openid.admin_values));
    line("oidc_member_values", toml_list(options.openid.member_values));
    line("oidc_email_domains", toml_list(options.openid.email_domains));
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
    line("tls_certificate", toml_string(config.tls_certificate));
    line("tls_key", toml_string(config.tls_key));
    line("connections_per_address", std::to_string(config.connections_per_address));
    line("allowed_hosts", toml_list(config.allowed_hosts));
    line("trusted_proxies", toml_list(config.trusted_proxies));
    line("log_level", toml_string(config.log_level));
    line("log_format", toml_string(config.log_format));
    line("otlp_endpoint", toml_string(config.otlp_endpoint));
    line("trace_percent", std::to_string(config.trace_percent));
    line("shards", std::to_string(config.shards));
    line("drain_seconds", std::to_string(config.drain_seconds));
    line("memory_mib", std::to_string(config.memory_mib));
    line("user_memory_mib", std::to_string(config.user_memory_mib));
    line("user_runs", std::to_string(config.user_runs));
    describe_sign_in(line, config.sign_in);
    for (const llm::Upstream& upstream : config.upstreams) {
        const auto origin = config.origins.find("upstream." + upstream.name);
        out << "\n[[upstream]]  # " << (origin == config.origins.end() ? "default" : origin->second) << "\n"
            << "name = " << toml_string(upstream.name) << "\n"
            << "base_url = " << toml_string(upstream.base_url) << "\n"
            << "# api_key: " << (upstream.api_key.empty() ? "none" : "set, not shown") << "\n"
            << "models = " << toml_list(upstream.models) << "\n"
            << "max_tokens_field = " << toml_string(upstream.max_tokens_field) << "\n"
            << "context_tokens = " << upstream.context_tokens << "\n"
            << "slots = " << upstream.slots_max << "\n";
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
