#include "api/body.hpp"

#include <cmath>

#include "base/text.hpp"

namespace confab::api {

namespace {

using base::Errc;
using base::fail;
using base::invalid;
using base::Result;

constexpr std::size_t kMetadataPairsMax = 16;
constexpr std::size_t kMetadataKeyMax = 64;     // characters
constexpr std::size_t kMetadataValueMax = 512;  // characters

std::size_t characters(std::string_view text) {
    std::size_t count = 0;
    for (const char c : text) {
        count += (static_cast<unsigned char>(c) & 0xC0) != 0x80 ? 1 : 0;
    }
    return count;
}

std::string_view view(const json::string& text) {
    return {text.data(), text.size()};
}

}  // namespace

bool is_json_type(std::string_view content_type) {
    const std::string_view type = base::trim(content_type.substr(0, content_type.find(';')));
    return base::iequals(type, "application/json");
}

Result<json::object> parse_body(web::Request& request) {
    if (request.body.empty()) {
        return json::object();
    }
    if (!is_json_type(request.header("content-type"))) {
        return fail(
            Errc::unsupported_media,
            "The body must be JSON: send content-type: application/json.",
            "unsupported_content_type"
        );
    }
    if (request.body.size() > kParsedUnleasedMax) {
        TRY_VOID(request.lease.grow(base::parsed_bytes(request.body)));
    }
    TRY(auto value, base::parse_json(request.body));
    if (!value.is_object()) {
        return fail(Errc::invalid_request, "The body must be a JSON object.", "invalid_json");
    }
    return std::move(value.get_object());
}

const json::value* Fields::any(std::string_view name) const {
    const json::value* member = base::find(object_, name);
    return member == nullptr || member->is_null() ? nullptr : member;
}

std::unexpected<base::Error> Fields::wrong_type(std::string_view name, std::string_view expected) const {
    return invalid(
        param(name), "Invalid type for '" + param(name) + "': expected " + std::string(expected) + ".", "invalid_type"
    );
}

Result<std::optional<std::string>> Fields::text(std::string_view name, std::size_t bytes_max) const {
    const json::value* member = any(name);
    if (member == nullptr) {
        return std::nullopt;
    }
    if (!member->is_string()) {
        return wrong_type(name, "a string");
    }
    const std::string_view content = view(member->get_string());
    if (content.size() > bytes_max) {
        return invalid(
            param(name),
            "'" + param(name) + "' is longer than " + std::to_string(bytes_max) + " bytes.",
            "string_above_max_length"
        );
    }
    if (!base::is_utf8(content)) {
        return invalid(param(name), "'" + param(name) + "' is not valid UTF-8.", "invalid_utf8");
    }
    return std::string(content);
}

Result<std::string> Fields::required_text(std::string_view name, std::size_t bytes_max) const {
    TRY(auto content, text(name, bytes_max));
    if (!content) {
        return invalid(param(name), "Missing required parameter: '" + param(name) + "'.", "missing_required_parameter");
    }
    return *std::move(content);
}

Result<std::optional<bool>> Fields::boolean(std::string_view name) const {
    const json::value* member = any(name);
    if (member == nullptr) {
        return std::nullopt;
    }
    if (!member->is_bool()) {
        return wrong_type(name, "a boolean");
    }
    return member->get_bool();
}

Result<std::optional<double>> Fields::number(std::string_view name, double min, double max) const {
    const json::value* member = any(name);
    if (member == nullptr) {
        return std::nullopt;
    }
    if (!member->is_number()) {
        return wrong_type(name, "a number");
    }
    const auto value = member->to_number<double>();
    if (!std::isfinite(value) || value < min || value > max) {
        return invalid(param(name), "'" + param(name) + "' is out of its range.", "invalid_value");
    }
    return value;
}

Result<std::optional<std::int64_t>> Fields::integer(std::string_view name, std::int64_t min, std::int64_t max) const {
    const json::value* member = any(name);
    if (member == nullptr) {
        return std::nullopt;
    }
    if (!member->is_int64()) {
        return wrong_type(name, "an integer");
    }
    const std::int64_t value = member->get_int64();
    if (value < min || value > max) {
        return invalid(
            param(name),
            "'" + param(name) + "' must be from " + std::to_string(min) + " to " + std::to_string(max) + ".",
            "invalid_value"
        );
    }
    return value;
}

Result<const json::array*> Fields::array(std::string_view name) const {
    const json::value* member = any(name);
    if (member != nullptr && !member->is_array()) {
        return wrong_type(name, "an array");
    }
    return member == nullptr ? nullptr : &member->get_array();
}

Result<const json::object*> Fields::object(std::string_view name) const {
    const json::value* member = any(name);
    if (member != nullptr && !member->is_object()) {
        return wrong_type(name, "an object");
    }
    return member == nullptr ? nullptr : &member->get_object();
}

Result<std::optional<std::string>> parse_metadata(const Fields& fields) {
    TRY(const json::object* metadata, fields.object("metadata"));
    if (metadata == nullptr) {
        return std::nullopt;
    }
    if (metadata->size() > kMetadataPairsMax) {
        return invalid(fields.param("metadata"), "metadata has at most 16 pairs.", "object_above_max_properties");
    }
    for (const auto& [key, value] : *metadata) {
        const std::string name = fields.param("metadata") + "." + std::string(key);
        if (characters({key.data(), key.size()}) > kMetadataKeyMax) {
            return invalid(fields.param("metadata"), "Keys of metadata have at most 64 characters.", "invalid_value");
        }
        if (!value.is_string()) {
            return invalid(name, "Values of metadata are strings.", "invalid_type");
        }
        if (characters(view(value.get_string())) > kMetadataValueMax) {
            return invalid(name, "Values of metadata have at most 512 characters.", "string_above_max_length");
        }
    }
    return base::to_string(*metadata);
}

}  // namespace confab::api
