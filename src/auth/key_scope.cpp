#include "auth/key_scope.hpp"

#include <algorithm>

#include "base/json.hpp"
#include "base/text.hpp"

namespace confab::auth {

bool KeyScope::allows(std::string_view model) const {
    return !models || std::ranges::any_of(*models, [model](const std::string& pattern) {
        return base::fits_pattern(pattern, model);
    });
}

std::string render_key_models(const std::vector<std::string>& models) {
    std::string text;
    base::JsonWriter out(text);
    out.begin_array();
    for (const std::string& model : models) {
        out.value(model);
    }
    out.end_array();
    return text;
}

std::vector<std::string> parse_key_models(std::string_view text) {
    const auto value = base::parse_json(text);
    if (!value || !value->is_array()) {
        return {std::string()};
    }
    std::vector<std::string> models;
    for (const auto& entry : value->get_array()) {
        models.emplace_back(entry.is_string() ? std::string_view(entry.get_string()) : std::string_view());
    }
    return models;
}

base::Status check_key_scope(const NewKey& key, base::UnixSeconds now) {
    if (key.models.size() > kKeyModelsMax) {
        return base::invalid("models", "A key names at most 50 models.", "too_many_models");
    }
    for (const std::string& model : key.models) {
        if (model.empty() || model.size() > kKeyModelBytesMax || !base::is_utf8(model)) {
            return base::invalid("models", "The name of a model has 1 to 300 bytes of UTF-8.");
        }
    }
    if (key.expires_at && (*key.expires_at <= now || *key.expires_at > now + kKeyLifeMax)) {
        return base::invalid("expires_at", "expires_at is a moment in the future, at most ten years away, in Unix seconds.");
    }
    return {};
}

}  // namespace confab::auth
