// Reading a JSON request body field by field. Every error names the field; unknown fields are ignored.
#pragma once

#include <charconv>
#include <optional>
#include <string>
#include <string_view>

#include "base/json.hpp"
#include "store/rows.hpp"
#include "web/body_reader.hpp"
#include "web/exchange.hpp"

namespace confab::api {

namespace json = base::json;

inline constexpr std::size_t kPageRowsMax = 100;
inline constexpr std::size_t kModelBytesMax = 300;     // of a model's name
inline constexpr std::size_t kFilenameBytesMax = 255;  // of an uploaded file's name

inline constexpr std::uint64_t kUploadLeaseBytes = 2 * web::kBodyPieceBytes;  // what is read, and what is written

bool is_json_type(std::string_view content_type);

// The body as an object. Errors: unsupported_media when it is declared as something other than JSON, invalid_request
// when it is not a JSON object; those of Lease::grow, for what is parsed of a large body is leased with it. An empty body
// is an empty object.
base::Result<json::object> parse_body(web::Request& request);

inline constexpr std::size_t kParsedUnleasedMax = 16 * 1024;  // of a body; what is parsed of a larger one is leased

// Absent and null members are nothing; a member of another type is an error that names it as `param`.
class Fields {
public:
    // `prefix` stands before the names in errors, for instance "text.".
    explicit Fields(const json::object& object, std::string prefix = {})
        : object_(object), prefix_(std::move(prefix)) {}

    base::Result<std::optional<std::string>> text(std::string_view name, std::size_t bytes_max = 64 * 1024) const;
    base::Result<std::string> required_text(std::string_view name, std::size_t bytes_max = 64 * 1024) const;
    base::Result<std::optional<bool>> boolean(std::string_view name) const;
    base::Result<std::optional<double>> number(std::string_view name, double min, double max) const;
    base::Result<std::optional<std::int64_t>> integer(std::string_view name, std::int64_t min, std::int64_t max) const;
    base::Result<const json::array*> array(std::string_view name) const;    // nullptr when absent
    base::Result<const json::object*> object(std::string_view name) const;  // nullptr when absent
    const json::value* any(std::string_view name) const;                    // nullptr when absent or null

    bool has(std::string_view name) const { return object_.if_contains(name) != nullptr; }  // also when it is null

    std::string param(std::string_view name) const { return prefix_ + std::string(name); }

private:
    std::unexpected<base::Error> wrong_type(std::string_view name, std::string_view expected) const;

    const json::object& object_;
    std::string prefix_;
};

// `metadata`: at most 16 pairs, keys of 64 and string values of 512 characters. Rendered as a JSON object, "{}" when
// absent.
base::Result<std::optional<std::string>> parse_metadata(const Fields& fields);

// Paging parameters of a list: limit (1..100), order (asc, desc), after (an id of the listed kind).
template <class Id>
base::Result<store::PageRequest<Id>> parse_page(
    const web::Request& request,
    store::Order order_default = store::Order::descending
) {
    store::PageRequest<Id> page;
    page.order = order_default;
    if (const auto limit = request.query_value("limit")) {
        const auto [end, ec] = std::from_chars(limit->data(), limit->data() + limit->size(), page.limit);
        if (ec != std::errc{} || end != limit->data() + limit->size() || page.limit < 1 || page.limit > kPageRowsMax) {
            return base::invalid("limit", "limit is a number from 1 to 100.");
        }
    }
    if (const auto order = request.query_value("order")) {
        if (*order != "asc" && *order != "desc") {
            return base::invalid("order", "order is 'asc' or 'desc'.");
        }
        page.order = *order == "asc" ? store::Order::ascending : store::Order::descending;
    }
    if (const auto after = request.query_value("after"); after && !after->empty()) {
        page.after = Id::parse(*after);
        if (!page.after) {
            return base::invalid("after", "after is not an id of this list.");
        }
    }
    return page;
}

// The id in the path; a malformed one is as unknown as any other.
template <class Id>
base::Result<Id> parse_path_id(const web::Request& request, std::size_t index, std::string_view what) {
    const auto id = Id::parse(request.path_arguments[index]);
    if (!id) {
        return base::not_found(std::string(what) + " with id '" + request.path_arguments[index] + "' not found.");
    }
    return *id;
}

// {"object":"list","data":[...],"first_id","last_id","has_more"}; `render(out, row)` appends one row.
template <class Row, class Render>
std::string render_list(const store::Page<Row>& page, Render render) {
    std::string body;
    base::JsonWriter out(body);
    out.begin_object();
    out.member("object", "list");
    out.key("data");
    out.begin_array();
    for (const Row& row : page.rows) {
        std::string rendered;
        render(rendered, row);
        out.raw(rendered);
    }
    out.end_array();
    out.member("first_id", page.rows.empty() ? std::string() : page.rows.front().id.str());
    out.member("last_id", page.rows.empty() ? std::string() : page.rows.back().id.str());
    out.member("has_more", page.has_more);
    out.end_object();
    return body;
}

}  // namespace confab::api
