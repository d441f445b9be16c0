#include "llm/upstream.hpp"

#include <algorithm>
#include <array>

#include <spdlog/spdlog.h>

#include "base/json.hpp"
#include "base/text.hpp"
#include "llm/http_error.hpp"
#include "llm/upstream_slots.hpp"

namespace confab::llm {

namespace {

using base::Errc;
using net::Task;

constexpr std::chrono::milliseconds kLookMax{5'000};
constexpr std::chrono::milliseconds kDiscoverMax{800};
constexpr std::chrono::seconds kFailedLookAgeMax{2};  // a server that was down is looked at again soon
constexpr std::uint64_t kModelListBytesMax = 8ULL * 1024 * 1024;
constexpr std::size_t kModelsMax = 5'000;

struct UsualPort {
    std::string_view name;
    std::string_view base_url;
};

// Where the common servers listen when nobody tells them otherwise.
constexpr std::array kUsualPorts{
    UsualPort{"Ollama", "http://127.0.0.1:11434/v1"},
    UsualPort{"llama.cpp", "http://127.0.0.1:8080/v1"},
    UsualPort{"LM Studio", "http://127.0.0.1:1234/v1"},
    UsualPort{"vLLM", "http://127.0.0.1:8000/v1"},
    UsualPort{"SGLang", "http://127.0.0.1:30000/v1"},
    UsualPort{"Jan", "http://127.0.0.1:1337/v1"},
    UsualPort{"KoboldCpp", "http://127.0.0.1:5001/v1"},
};

class Collector final : public net::HttpSink {
public:
    void on_head(const net::HttpHead& /*head*/) override {}

    net::Flow on_body(std::string_view bytes) override {
        body += bytes;
        return net::Flow::go_on;
    }

    std::string body;
};

// vLLM, OpenRouter, LM Studio (what is loaded, then what could be), Groq, and llama.cpp in "meta".
constexpr std::array<std::string_view, 6> kContextMembers{
    "max_model_len", "loaded_context_length", "context_length", "max_context_length", "context_window", "n_ctx_train"
};
constexpr std::int64_t kContextTokensMin = 512;
constexpr std::int64_t kContextTokensMax = 100'000'000;

// 0: nothing sensible is said.
std::int64_t context_tokens_of(const base::json::object& entry) {
    for (const std::string_view name : kContextMembers) {
        const base::json::value* said = base::find(entry, name);
        const std::int64_t tokens = said == nullptr    ? 0
                                    : said->is_int64() ? said->get_int64()
                                    : said->is_double()
                                        ? static_cast<std::int64_t>(std::clamp(said->get_double(), 0.0, 1e9))
                                        : 0;
        if (tokens >= kContextTokensMin && tokens <= kContextTokensMax) {
            return tokens;
        }
    }
    const base::json::value* meta = base::find(entry, "meta");
    return meta != nullptr && meta->is_object() && base::find(meta->get_object(), "meta") == nullptr
               ? context_tokens_of(meta->get_object())
               : 0;
}

Model model_of(const base::json::object& entry, std::string_view id) {
    Model model;
    model.id = id;
    model.owned_by = base::find_string(entry, "owned_by");
    const base::json::value* created = base::find(entry, "created");
    if (created != nullptr && created->is_int64()) {
        model.created = created->get_int64();
    }
    model.context_tokens = context_tokens_of(entry);
    return model;
}

// {"data":[{"id":..}]} as OpenAI has it; {"models":[..]} and a bare array occur too.
std::vector<Model> parse_models(const base::json::value& value, const Upstream& upstream) {
    const base::json::value* list = &value;
    if (value.is_object()) {
        const auto& object = value.get_object();
        list = base::find(object, "data") != nullptr ? base::find(object, "data") : base::find(object, "models");
    }
    std::vector<Model> models;
    if (list == nullptr || !list->is_array()) {
        return models;
    }
    for (const auto& entry : list->get_array()) {
        if (!entry.is_object() || models.size() >= kModelsMax) {
            continue;
        }
        const std::string_view id = base::find_string(entry.get_object(), "id");
        if (!id.empty() && upstream.offers(id)) {
            models.push_back(model_of(entry.get_object(), id));
        }
    }
    return models;
}

}  // namespace

bool Upstream::offers(std::string_view model) const {
    return models.empty() ||
           std::ranges::any_of(models, [&](const std::string& pattern) { return base::fits_pattern(pattern, model); });
}

std::string Catalog::default_model() const {
    return default_model([](const std::string& /*model*/) { return true; });
}

std::string Catalog::default_model(const std::function<bool(const std::string&)>& known) const {
    if (is_demo()) {
        std::string demo(kDemoModel);
        return known(demo) ? demo : std::string();
    }
    for (const UpstreamState& state : upstreams) {
        const auto first = std::ranges::find_if(state.models, known, &Model::id);
        if (first != state.models.end()) {
            return first->id;
        }
    }
    return {};
}

bool Catalog::lists(std::string_view model) const {
    return is_demo() ? model == kDemoModel : std::ranges::any_of(upstreams, [model](const UpstreamState& state) {
        return std::ranges::find(state.models, model, &Model::id) != state.models.end();
    });
}

ContextWindow Catalog::window_of(const UpstreamPtr& upstream, const std::string& model) const {
    ContextWindow window;
    if (!upstream) {
        return window;
    }
    for (const UpstreamState& state : upstreams) {
        if (state.upstream->name == upstream->name) {
            const auto listed = std::ranges::find(state.models, model, &Model::id);
            if (listed != state.models.end() && listed->context_tokens > 0) {
                window = {listed->context_tokens, true};
            }
        }
    }
    if (upstream->context_tokens > 0) {
        window.tokens = window.known ? std::min(window.tokens, upstream->context_tokens) : upstream->context_tokens;
        window.known = true;
    }
    return window;
}

base::Result<UpstreamPtr> Catalog::resolve(const std::string& model) const {
    if (is_demo()) {
        if (model == kDemoModel) {
            return UpstreamPtr();
        }
        return base::not_found(
            "The model '" + model +
                "' does not exist: no model server is connected. Set OPENAI_BASE_URL or OLLAMA_BASE_URL, or connect "
                "one in the page.",
            "model_not_found",
            "model"
        );
    }
    for (const UpstreamState& state : upstreams) {
        if (std::ranges::find(state.models, model, &Model::id) != state.models.end()) {
            return state.upstream;
        }
    }
    for (const UpstreamState& state : upstreams) {
        if (state.upstream->offers(model)) {
            return state.upstream;
        }
    }
    return upstreams.front().upstream;
}

base::Result<std::string> normalise_base_url(std::string_view url) {
    std::string_view trimmed = base::trim(url);
    while (trimmed.ends_with('/')) {
        trimmed.remove_suffix(1);
    }
    const bool http = trimmed.starts_with("http://") && trimmed.size() > 7;
    const bool https = trimmed.starts_with("https://") && trimmed.size() > 8;
    const bool plain = std::ranges::all_of(trimmed, [](char c) { return c > 0x20 && c < 0x7F; });
    if ((!http && !https) || !plain || trimmed.size() > 2'000 ||
        trimmed.find_first_of("?#@") != std::string_view::npos) {
        return base::invalid(
            "base_url",
            "A base URL looks like http://127.0.0.1:11434/v1 or https://api.example.com/v1.",
            "invalid_base_url"
        );
    }
    return std::string(trimmed);
}

std::vector<std::string> request_headers(const Upstream& upstream, const std::string& traceparent) {
    std::vector<std::string> headers{"Content-Type: application/json", "Accept: application/json, text/event-stream"};
    if (!upstream.api_key.empty()) {
        headers.push_back("Authorization: Bearer " + upstream.api_key);
    }
    if (!traceparent.empty()) {
        headers.push_back("traceparent: " + traceparent);
    }
    return headers;
}

Task<base::Result<std::vector<Model>>> fetch_models(
    net::HttpClient& client,
    UpstreamPtr upstream,
    std::chrono::milliseconds patience
) {
    net::HttpRequest request;
    request.url = upstream->base_url + "/models";
    request.headers = request_headers(*upstream);
    request.deadline = net::Deadline::after(patience);
    request.body_bytes_max = kModelListBytesMax;
    Collector sink;
    net::HttpCall call(client, std::move(request), sink);
    CO_TRY(const auto head, co_await call.send());
    if (head.status >= 400) {
        co_return std::unexpected(error_from_answer(*upstream, head, sink.body));
    }
    const auto value = base::parse_json(sink.body);
    if (!value) {
        co_return base::fail(
            Errc::upstream_failed,
            "The server's list of models is not JSON. Is the base URL right?",
            "upstream_bad_answer"
        );
    }
    co_return parse_models(*value, *upstream);
}

Task<std::vector<UpstreamState>> discover_local(net::HttpClient& client) {
    std::vector<UpstreamState> found;
    for (const UsualPort& port : kUsualPorts) {
        auto upstream = std::make_shared<Upstream>();
        upstream->name = port.name;
        upstream->base_url = port.base_url;
        auto models = co_await fetch_models(client, upstream, kDiscoverMax);
        if (models) {
            UpstreamState state;
            state.upstream = std::move(upstream);
            state.models = std::move(*models);
            state.ok = true;
            found.push_back(std::move(state));
        }
    }
    co_return found;
}

// ---- Upstreams ----

Upstreams::Upstreams(net::Executor home, net::HttpClient& client)
    : home_(home),
      client_(client),
      catalog_(std::make_shared<Catalog>()),
      tasks_(home, "upstreams"),
      refreshed_(home) {}

void Upstreams::configure(std::vector<Upstream> upstreams) {
    const CatalogPtr before = snapshot();
    auto catalog = std::make_shared<Catalog>();
    for (Upstream& upstream : upstreams) {
        const auto known = std::ranges::find_if(before->upstreams, [&](const UpstreamState& state) {
            return state.upstream->name == upstream.name && state.upstream->base_url == upstream.base_url;
        });
        upstream.slots = known != before->upstreams.end() ? known->upstream->slots : std::make_shared<UpstreamSlots>();
        upstream.slots->set_most(upstream.slots_max > 0 ? static_cast<std::size_t>(upstream.slots_max) : kSlotsMax);
        UpstreamState state;
        state.upstream = std::make_shared<const Upstream>(std::move(upstream));
        catalog->upstreams.push_back(std::move(state));
    }
    catalog_.store(std::move(catalog));
}

Task<base::Result<UpstreamPtr>> Upstreams::choose(std::string model) {
    CatalogPtr catalog = snapshot();
    if (!catalog->refreshed && catalog->upstreams.size() > 1) {
        catalog = co_await fresh(std::chrono::hours(1));
    }
    co_return catalog->resolve(model);
}

Task<CatalogPtr> Upstreams::fresh(std::chrono::seconds age_max) {
    co_await net::run_on(home_, refresh_at_home(age_max));
    co_return snapshot();
}

Task<void> Upstreams::refresh_at_home(std::chrono::seconds age_max) {
    const CatalogPtr before = snapshot();
    const auto age = std::chrono::steady_clock::now() - before->refreshed_at;
    const bool all_well = std::ranges::all_of(before->upstreams, &UpstreamState::ok);
    const auto enough = all_well ? age_max : std::min<std::chrono::seconds>(age_max, kFailedLookAgeMax);
    if (before->is_demo() || (before->refreshed && age < enough)) {
        co_return;
    }
    // One round as a rule; two when the servers were changed while somebody looked at the old ones.
    for (int round = 0; round < 2 && (round == 0 || !snapshot()->refreshed); ++round) {
        co_await look_once();
    }
}

net::Task<void> Upstreams::look_once() {
    // The look itself belongs to nobody who waits for it: a waiter may leave at any time.
    if (!std::exchange(refreshing_, true) && !tasks_.spawn(refresh())) {
        refreshing_ = false;
    }
    while (refreshing_) {
        co_await refreshed_.wait();
    }
}

Task<void> Upstreams::refresh() {
    const CatalogPtr before = snapshot();
    auto next = std::make_shared<Catalog>(*before);
    net::TaskGroup looks(home_, "models");
    for (UpstreamState& state : next->upstreams) {
        state.error.clear();
        looks.spawn(look(state));
    }
    co_await looks.join();
    next->refreshed = true;
    next->refreshed_at = std::chrono::steady_clock::now();
    CatalogPtr expected = before;
    catalog_.compare_exchange_strong(expected, std::move(next));  // a configure() meanwhile wins
    refreshing_ = false;
    refreshed_.notify_all();
}

Task<void> Upstreams::look(UpstreamState& state) {
    const auto begun = std::chrono::steady_clock::now();
    auto models = co_await fetch_models(client_, state.upstream, kLookMax);
    UpstreamSlots& slots = *state.upstream->slots;
    slots.note_look(std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - begun));
    state.ok = models.has_value();
    if (models) {
        state.models = std::move(*models);
    } else {
        state.error = models.error().message;
        slots.note_failure(models.error().code, models.error().message);
        spdlog::warn("upstream_unavailable name=\"{}\" code={}", state.upstream->name, models.error().code);
    }
}

Task<void> Upstreams::close() {
    co_await tasks_.join();
}

}  // namespace confab::llm
