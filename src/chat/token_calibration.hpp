// TokenCalibration: how the tokens that model servers count compare with our estimates, for each server and model.
//
// One for the process. What is known is an immutable map that is replaced as a whole, so any shard reads and adds to it
// without a lock; it is kept in the store, so that a restart does not forget.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "store/context_store.hpp"

namespace confab::chat {

inline constexpr double kTokenFactorMin = 0.5;
inline constexpr double kTokenFactorMax = 2.5;
inline constexpr std::int64_t kSampleTokensMin = 200;  // of a prompt; a shorter one says more of the server's template

// Of one server and model.
struct TokenKnowledge {
    double factor = 1;         // tokens counted for each one estimated
    std::int64_t samples = 0;  // 0: the factor says nothing
    std::int64_t window = 0;   // that the server named when it refused a prompt; 0: it never did
    double saved_factor = 0;   // as the store has it

    friend bool operator==(const TokenKnowledge&, const TokenKnowledge&) = default;
};

// What one more prompt teaches. Follows upwards faster than downwards: a prompt that is too long costs more than one
// that is too short.
TokenKnowledge with_sample(TokenKnowledge known, std::int64_t estimated, std::int64_t counted);

// The server refused a prompt for its length. A window that it names is remembered; without one the factor grows.
TokenKnowledge with_refusal(TokenKnowledge known, std::int64_t named_window);

class TokenCalibration {
public:
    explicit TokenCalibration(store::ContextStore& store) : store_(store) {}

    // Once, before the first run.
    net::Task<base::Status> load();

    TokenKnowledge find(const std::string& upstream, const std::string& model) const;

    // `estimated` and `counted` tokens of one prompt. Saves what changed by more than 2 %.
    net::Task<void> learn(std::string upstream, std::string model, std::int64_t estimated, std::int64_t counted);
    net::Task<void> refused(std::string upstream, std::string model, std::int64_t named_window);

private:
    using Key = std::pair<std::string, std::string>;
    using Map = std::map<Key, TokenKnowledge>;

    // False: the map is full.
    template <class Change>
    bool change(const Key& key, const Change& change);
    net::Task<void> save(Key key);

    store::ContextStore& store_;
    std::atomic<std::shared_ptr<const Map>> known_{std::make_shared<const Map>()};
};

}  // namespace confab::chat
