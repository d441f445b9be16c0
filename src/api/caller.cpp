// What handlers want to know of their caller.
#include <algorithm>

#include "api/context.hpp"
#include "auth/model_access.hpp"
#include "base/text.hpp"

namespace confab::api {

namespace {

using Verdict = auth::ModelAccess::Verdict;

constexpr std::chrono::seconds kListedAgeMax{15};

bool key_may_ask(const web::Request& request, std::string_view model) {
    const auto& patterns = request.caller.models;
    const auto fits = [model](const std::string& pattern) { return base::fits_pattern(pattern, model); };
    return !patterns || std::ranges::any_of(*patterns, fits);
}

Verdict verdict_of(const Context& context, const web::Request& request, std::string_view model) {
    return context.model_access.verdict(store::UserNo(request.caller.user_no), request.caller.admin, model);
}

}  // namespace

store::Payer payer_of(Exchange& exchange) {
    const web::Caller& caller = exchange.request().caller;
    store::Payer payer;
    payer.user = user_of(exchange);
    payer.key = store::KeyId::parse(caller.key_id);
    payer.session = store::SessionId::parse(caller.session_id);
    return payer;
}

bool knows_listed(const Context& context, const web::Request& request, std::string_view model) {
    return verdict_of(context, request, model) != Verdict::no;
}

bool may_ask_listed(const Context& context, const web::Request& request, std::string_view model) {
    return knows_listed(context, request, model) && key_may_ask(request, model);
}

Task<Result<std::string>> default_model_of(Context& context, const web::Request& request, llm::CatalogPtr catalog) {
    CO_TRY(auto set, co_await context.store.get_setting(std::string(store::kSettingDefaultModel)));
    if (set && catalog->lists(*set) && knows_listed(context, request, *set)) {
        co_return *std::move(set);
    }
    co_return catalog->default_model([&](const std::string& model) { return knows_listed(context, request, model); });
}

std::unexpected<base::Error> unknown_model(std::string_view model) {
    return base::not_found("The model '" + std::string(model) + "' does not exist.", "model_not_found", "model");
}

Task<bool> knows_model(Context& context, const web::Request& request, std::string model) {
    const Verdict verdict = verdict_of(context, request, model);
    if (verdict != Verdict::if_listed || context.upstreams.snapshot()->lists(model)) {
        co_return verdict != Verdict::no;
    }
    const auto catalog = co_await context.upstreams.fresh(kListedAgeMax);
    co_return catalog->lists(model);
}

// The key is looked at first: what it says is the same for models that are there and models that are not.
Task<base::Status> check_model(Context& context, const web::Request& request, std::string model) {
    if (!key_may_ask(request, model)) {
        co_return base::fail(
            base::Errc::forbidden,
            "This API key may not ask the model '" + model + "'.",
            "model_not_allowed",
            "model"
        );
    }
    const bool known = co_await knows_model(context, request, model);
    if (!known) {
        co_return unknown_model(model);
    }
    co_return base::Status();
}

}  // namespace confab::api
