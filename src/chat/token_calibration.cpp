#include "chat/token_calibration.hpp"

#include <algorithm>
#include <cmath>

#include <spdlog/spdlog.h>

namespace confab::chat {

namespace {

constexpr double kSavedWithin = 0.02;
constexpr double kWeightUp = 0.5;  // of a new sample
constexpr double kWeightDown = 0.2;
constexpr double kRefusalGrowth = 1.2;

}  // namespace

TokenKnowledge with_sample(TokenKnowledge known, std::int64_t estimated, std::int64_t counted) {
    if (estimated < kSampleTokensMin || counted <= 0) {
        return known;
    }
    const double sample =
        std::clamp(static_cast<double>(counted) / static_cast<double>(estimated), kTokenFactorMin, kTokenFactorMax);
    const double weight =
        std::max(sample > known.factor ? kWeightUp : kWeightDown, 1.0 / static_cast<double>(known.samples + 1));
    known.factor += weight * (sample - known.factor);
    ++known.samples;
    return known;
}

TokenKnowledge with_refusal(TokenKnowledge known, std::int64_t named_window) {
    if (named_window > 0 && named_window != known.window) {
        known.window = named_window;
        return known;
    }
    known.factor = std::min(known.factor * kRefusalGrowth, kTokenFactorMax);
    known.samples = std::max<std::int64_t>(known.samples, 1);
    return known;
}

net::Task<base::Status> TokenCalibration::load() {
    CO_TRY(const auto rows, co_await store_.list_token_factors());
    auto map = std::make_shared<Map>();
    for (const store::TokenFactor& row : rows) {
        TokenKnowledge known;
        known.factor = std::clamp(static_cast<double>(row.thousandths) / 1'000, kTokenFactorMin, kTokenFactorMax);
        known.saved_factor = known.factor;
        known.samples = row.samples;
        known.window = row.context_tokens;
        map->emplace(Key(row.upstream, row.model), known);
    }
    known_.store(std::move(map));
    co_return base::Status();
}

TokenKnowledge TokenCalibration::find(const std::string& upstream, const std::string& model) const {
    const auto map = known_.load();
    const auto entry = map->find(Key(upstream, model));
    return entry == map->end() ? TokenKnowledge() : entry->second;
}

template <class Change>
bool TokenCalibration::change(const Key& key, const Change& change) {
    for (auto before = known_.load();;) {
        auto after = std::make_shared<Map>(*before);
        if (!after->contains(key) && after->size() >= static_cast<std::size_t>(store::kTokenFactorsMax)) {
            return false;
        }
        TokenKnowledge& known = (*after)[key];
        known = change(known);
        if (known_.compare_exchange_strong(before, std::move(after))) {
            return true;
        }
    }
}

net::Task<void> TokenCalibration::save(Key key) {
    const TokenKnowledge known = find(key.first, key.second);
    store::TokenFactor row;
    row.upstream = key.first;
    row.model = key.second;
    row.thousandths = std::llround(known.factor * 1'000);
    row.samples = known.samples;
    row.context_tokens = known.window;
    const auto saved = co_await store_.save_token_factor(std::move(row));
    if (!saved) {
        spdlog::warn("token_factor_not_saved model=\"{}\" code={}", key.second, saved.error().code);
        co_return;
    }
    change(key, [&](TokenKnowledge now) {
        now.saved_factor = known.factor;
        return now;
    });
}

net::Task<void> TokenCalibration::learn(
    std::string upstream,
    std::string model,
    std::int64_t estimated,
    std::int64_t counted
) {
    Key key(std::move(upstream), std::move(model));
    const TokenKnowledge before = find(key.first, key.second);
    if (with_sample(before, estimated, counted) == before) {
        co_return;
    }
    if (!change(key, [&](const TokenKnowledge& known) { return with_sample(known, estimated, counted); })) {
        co_return;
    }
    const TokenKnowledge now = find(key.first, key.second);
    if (std::abs(now.factor - now.saved_factor) > kSavedWithin * now.factor) {
        co_await save(std::move(key));
    }
}

net::Task<void> TokenCalibration::refused(std::string upstream, std::string model, std::int64_t named_window) {
    Key key(std::move(upstream), std::move(model));
    if (change(key, [&](const TokenKnowledge& known) { return with_refusal(known, named_window); })) {
        co_await save(std::move(key));
    }
}

}  // namespace confab::chat
