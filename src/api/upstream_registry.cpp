#include "api/upstream_registry.hpp"

#include <algorithm>

#include <spdlog/spdlog.h>

#include "base/json.hpp"

namespace confab::api {

namespace {

using base::Errc;
using base::Status;
using net::Task;

constexpr std::string_view kSetting = "upstreams";
constexpr std::size_t kStoredMax = 50;

auto named(const std::string& name) {
    return [&name](const llm::Upstream& upstream) { return upstream.name == name; };
}

}  // namespace

Task<Status> UpstreamRegistry::load() {
    CO_TRY(const auto setting, co_await store_.get_setting(std::string(kSetting)));
    if (setting) {
        const auto value = base::parse_json(*setting);
        const bool readable = value && value->is_array();
        if (!readable) {
            spdlog::error("setting_unreadable name={}", kSetting);
        }
        for (const auto& entry : readable ? value->get_array() : base::json::array()) {
            if (!entry.is_object()) {
                continue;
            }
            llm::Upstream upstream;
            upstream.name = base::find_string(entry.get_object(), "name");
            upstream.base_url = base::find_string(entry.get_object(), "base_url");
            upstream.api_key = sealer_.open(base::find_string(entry.get_object(), "api_key")).value_or(std::string());
            const base::json::value* slots = base::find(entry.get_object(), "slots");
            upstream.slots_max = slots != nullptr && slots->is_int64() ? slots->get_int64() : 0;
            upstream.source = llm::Upstream::Source::stored;
            stored_.push_back(std::move(upstream));
        }
    }
    apply();
    co_return Status{};
}

std::string UpstreamRegistry::render(const std::vector<llm::Upstream>& stored) const {
    std::string text;
    base::JsonWriter out(text);
    out.begin_array();
    for (const llm::Upstream& upstream : stored) {
        out.begin_object();
        out.member("name", upstream.name);
        out.member("base_url", upstream.base_url);
        out.member("slots", upstream.slots_max);
        out.member("api_key", upstream.api_key.empty() ? std::string() : sealer_.seal(upstream.api_key));
        out.end_object();
    }
    out.end_array();
    return text;
}

void UpstreamRegistry::apply() {
    std::vector<llm::Upstream> all = configured_;
    all.insert(all.end(), stored_.begin(), stored_.end());
    upstreams_.configure(std::move(all));
}

Task<Status> UpstreamRegistry::save(std::vector<llm::Upstream> stored) {
    CO_TRY_VOID(co_await store_.put_setting(std::string(kSetting), render(stored)));
    stored_ = std::move(stored);
    apply();
    (void)co_await upstreams_.fresh(std::chrono::seconds(0));
    co_return Status{};
}

Task<Status> UpstreamRegistry::add(llm::Upstream upstream) {
    co_return co_await net::run_on(home_, add_at_home(std::move(upstream)));
}

Task<Status> UpstreamRegistry::remove(std::string name) {
    co_return co_await net::run_on(home_, remove_at_home(std::move(name)));
}

Task<Status> UpstreamRegistry::change(std::string name, UpstreamChange change) {
    co_return co_await net::run_on(home_, change_at_home(std::move(name), std::move(change)));
}

Task<Status> UpstreamRegistry::add_at_home(llm::Upstream upstream) {
    const bool taken =
        std::ranges::any_of(configured_, named(upstream.name)) || std::ranges::any_of(stored_, named(upstream.name));
    if (taken) {
        co_return base::fail(
            Errc::conflict, "There is a model server with this name already.", "upstream_exists", "name"
        );
    }
    if (stored_.size() >= kStoredMax) {
        co_return base::invalid("name", "There are 50 model servers already. Remove one first.", "too_many_upstreams");
    }
    std::vector<llm::Upstream> next = stored_;
    upstream.source = llm::Upstream::Source::stored;
    next.push_back(std::move(upstream));
    co_return co_await save(std::move(next));
}

Task<Status> UpstreamRegistry::remove_at_home(std::string name) {
    std::vector<llm::Upstream> next = stored_;
    if (std::erase_if(next, named(name)) == 0) {
        co_return not_stored(name);
    }
    co_return co_await save(std::move(next));
}

Task<Status> UpstreamRegistry::change_at_home(std::string name, UpstreamChange change) {
    std::vector<llm::Upstream> next = stored_;
    const auto found = std::ranges::find_if(next, named(name));
    if (found == next.end()) {
        co_return not_stored(name);
    }
    found->slots_max = change.slots.value_or(found->slots_max);
    if (change.api_key) {
        found->api_key = *std::move(change.api_key);
    }
    co_return co_await save(std::move(next));
}

std::unexpected<base::Error> UpstreamRegistry::not_stored(const std::string& name) const {
    const bool configured = std::ranges::any_of(configured_, named(name));
    return base::not_found(
        configured ? "This model server comes from the configuration; change it there."
                   : "There is no model server with this name.",
        configured ? "upstream_configured" : "not_found",
        "name"
    );
}

}  // namespace confab::api
