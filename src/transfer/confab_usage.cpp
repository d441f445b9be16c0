#include "transfer/confab_usage.hpp"

#include <initializer_list>
#include <optional>

#include "transfer/value_parser.hpp"

namespace confab::transfer {

namespace {

namespace json = base::json;

std::optional<std::int64_t> count_of(const json::object& object, std::string_view name) {
    const json::value* value = base::find(object, name);
    const bool counts = value != nullptr && value->is_int64() && value->get_int64() >= 0;
    return counts ? std::optional(value->get_int64()) : std::nullopt;
}

void copy_count(base::JsonWriter& out, const json::object& from, std::string_view name) {
    if (const auto count = count_of(from, name)) {
        out.member(name, *count);
    }
}

void copy_details(
    base::JsonWriter& out,
    const json::object& usage,
    std::string_view name,
    std::initializer_list<std::string_view> members
) {
    const json::object* details = find_object(usage, name);
    if (details == nullptr) {
        return;
    }
    out.key(name);
    out.begin_object();
    for (const std::string_view member : members) {
        copy_count(out, *details, member);
    }
    out.end_object();
}

}  // namespace

std::string read_usage(const json::object& usage) {
    std::string text;
    base::JsonWriter out(text);
    out.begin_object();
    copy_count(out, usage, "input_tokens");
    copy_details(out, usage, "input_tokens_details", {"cached_tokens", "cache_write_tokens"});
    copy_count(out, usage, "output_tokens");
    copy_details(out, usage, "output_tokens_details", {"reasoning_tokens"});
    copy_count(out, usage, "total_tokens");
    out.end_object();
    return text == "{}" ? std::string() : text;
}

}  // namespace confab::transfer
