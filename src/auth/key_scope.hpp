// What an API key may be used for.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "base/error.hpp"

namespace confab::auth {

inline constexpr std::size_t kKeyModelsMax = 50;
inline constexpr std::size_t kKeyModelBytesMax = 300;
inline constexpr base::UnixSeconds kKeyLifeMax = 10LL * 366 * 24 * 3'600;  // seconds; a longer one is a slip

struct KeyScope {
    bool read_only = false;
    std::shared_ptr<const std::vector<std::string>> models;  // names or patterns with '*'; null: every model
    std::optional<base::UnixSeconds> expires_at;

    bool allows(std::string_view model) const;
};

// What a new key is to be.
struct NewKey {
    std::string name;
    std::vector<std::string> models;  // empty: all
    bool read_only = false;
    std::optional<base::UnixSeconds> expires_at;
};

// As the store keeps them: a JSON array of texts. What cannot be read allows nothing but the model "".
std::string render_key_models(const std::vector<std::string>& models);
std::vector<std::string> parse_key_models(std::string_view text);

// invalid_request (param models, expires_at).
base::Status check_key_scope(const NewKey& key, base::UnixSeconds now);

}  // namespace confab::auth
