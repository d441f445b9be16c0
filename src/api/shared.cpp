// /api/shared: what somebody has shared, for whoever has the link. Nothing here needs an account, and nothing changes
// anything.
//
// The token comes in a header of its own, so that it stands in no address: neither our log nor a proxy's ever holds it,
// and no other site can make a browser send it.
#include "api/address_rate.hpp"
#include "api/blob_reply.hpp"
#include "api/body.hpp"
#include "api/routes.hpp"
#include "api/sign_up.hpp"
#include "auth/tokens.hpp"
#include "chat/item_json.hpp"

namespace confab::api {

namespace {

using web::Access;

constexpr std::string_view kTokenHeader = "confab-share";
constexpr std::int64_t kNobody = 0;  // in the budget: those who read without an account share one account's part

// What every answer says, be it a refusal: no search engine is to list it, and it gives no address away.
Result<store::Sha256> open_request(Context& context, web::Request& request) {
    request.answer_headers.push_back({"x-robots-tag", "noindex, nofollow"});
    request.answer_headers.push_back({"referrer-policy", "no-referrer"});
    TRY_VOID(context.shared_rate.take(throttled_address(request), std::chrono::steady_clock::now()));
    return auth::sha256(request.header(kTokenHeader));
}

// Neither browsers nor proxies keep it: a share that has ended is gone.
Reply kept_nowhere(Reply reply) {
    std::erase_if(reply.headers, [](const web::Header& header) { return header.name == "cache-control"; });
    reply.headers.push_back({"cache-control", "no-store"});
    return reply;
}

// An id that says where the item stands and nothing else: the real one would tell when it was made, and name it.
store::ItemId id_within_share(const store::Item& item) {
    const auto type = item.id.type();
    const bool message = type == store::ItemType::message;
    store::ItemId id;
    id.bytes[6] = message ? 0x70 : 0x80;
    id.bytes[8] = static_cast<std::uint8_t>(0x80 | (message ? 0 : static_cast<unsigned>(type)));
    for (std::size_t i = 0; i < 7; ++i) {
        id.bytes[15 - i] = static_cast<std::uint8_t>(static_cast<std::uint64_t>(item.position) >> (8 * i));
    }
    return id;
}

// The parts of a message, or of what a tool gave back; nullptr when it is no list of parts.
json::array* parts_of(json::value& body) {
    if (body.is_array()) {
        return &body.get_array();
    }
    json::value* output = body.is_object() ? body.get_object().if_contains("output") : nullptr;
    return output != nullptr && output->is_array() ? &output->get_array() : nullptr;
}

// An image that is a file is told by its place among the parts; the text stays, and whatever else a part may have goes.
void show_part(json::value& part, std::size_t index) {
    const json::object* given = part.if_object();
    json::object shown;
    for (const char* name : {"type", "text", "refusal", "image_url"}) {
        const json::value* member = given != nullptr ? given->if_contains(name) : nullptr;
        if (member != nullptr && member->is_string()) {
            shown[name] = *member;
        }
    }
    if (given != nullptr && !base::find_string(*given, "file_id").empty()) {
        shown["image"] = index;
    }
    part = std::move(shown);
}

base::Status show_parts(Context& context, store::Item& item) {
    if (item.format != store::BodyFormat::json || item.truncated || item.body.empty() ||
        item.id.type() == store::ItemType::function_call) {
        return {};
    }
    TRY(const auto lease, context.budget.try_lease(base::parsed_bytes(item.body), meter::Purpose::replies, kNobody));
    TRY(auto body, base::parse_json(item.body));
    json::array* parts = parts_of(body);
    if (parts == nullptr) {
        return {};
    }
    for (std::size_t i = 0; i < parts->size(); ++i) {
        show_part((*parts)[i], i);
    }
    item.body = base::to_string(body);
    item.bytes = static_cast<std::int64_t>(item.body.size());
    return {};
}

// What was said is shown; what the owner, or a program of theirs, told the model beforehand is not.
bool is_shown(const store::Item& item) {
    return item.role != store::ItemRole::system && item.role != store::ItemRole::developer;
}

// Which model it was, how long it took, and all that leads to other objects is left out.
base::Status render_shared_item(Context& context, base::JsonWriter& out, store::Item item) {
    const std::int64_t whole_bytes = item.bytes;
    TRY_VOID(show_parts(context, item));
    store::Item shown;
    shown.id = id_within_share(item);
    shown.role = item.role;
    shown.status = item.status;
    shown.format = item.format;
    shown.body = std::move(item.body);
    shown.bytes = item.truncated ? whole_bytes : item.bytes;
    shown.truncated = item.truncated;
    shown.position = item.position;
    shown.created_at = item.created_at;
    std::string text;
    chat::render_item(text, shown);
    out.raw(text);
    return {};
}

Result<store::Position> parse_position(std::string_view text, std::string_view name) {
    store::Position position = 0;
    const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), position);
    if (ec != std::errc{} || end != text.data() + text.size() || position < 0) {
        return base::invalid(std::string(name), std::string(name) + " is the position of an item.");
    }
    return position;
}

Result<std::string> render_shared_page(Context& context, store::SharedPage page) {
    std::string body;
    base::JsonWriter out(body);
    out.begin_object();
    out.member("object", "shared_conversation");
    out.member("title", page.title);
    out.member("created_at", page.created_at);
    out.key("expires_at");
    if (page.expires_at) {
        out.value(*page.expires_at);
    } else {
        out.value(nullptr);
    }
    const store::Position last = page.rows.empty() ? 0 : page.rows.back().position;
    out.key("data");
    out.begin_array();
    for (store::Item& item : page.rows) {
        if (is_shown(item)) {
            TRY_VOID(render_shared_item(context, out, std::move(item)));
        }
    }
    out.end_array();
    out.member("last_position", last);
    out.member("has_more", page.has_more);
    out.end_object();
    return body;
}

Task<Result<Reply>> read_share(Context& context, Exchange& exchange) {
    web::Request& request = exchange.request();
    CO_TRY(const auto token_hash, open_request(context, request));
    CO_TRY(const auto after, parse_position(request.query_value("after").value_or("0"), "after"));
    CO_TRY(auto page, co_await context.store.read_share(token_hash, after, kPageRowsMax / 2));
    CO_TRY(auto body, render_shared_page(context, std::move(page)));
    co_return kept_nowhere(web::json_reply(std::move(body)));
}

Task<Result<store::SharedItem>> find_item_of_share(Context& context, web::Request& request) {
    CO_TRY(const auto token_hash, open_request(context, request));
    CO_TRY(const auto position, parse_position(request.path_arguments[0], "position"));
    CO_TRY(auto found, co_await context.store.read_shared_item(token_hash, position));
    if (!is_shown(found.item)) {
        co_return base::not_found("There is no such item.", "item_not_found");
    }
    co_return found;
}

Task<Result<Reply>> read_shared_item(Context& context, Exchange& exchange) {
    CO_TRY(auto found, co_await find_item_of_share(context, exchange.request()));
    std::string body;
    base::JsonWriter out(body);
    CO_TRY_VOID(render_shared_item(context, out, std::move(found.item)));
    co_return kept_nowhere(web::json_reply(std::move(body)));
}

// The file that this part of the item names, if it is an image.
Result<store::FileId> find_image(Context& context, const store::Item& item, store::Position index) {
    const auto nothing = base::not_found("There is no such image.", "image_not_found");
    if (item.format != store::BodyFormat::json || item.body.empty()) {
        return nothing;
    }
    TRY(const auto lease, context.budget.try_lease(base::parsed_bytes(item.body), meter::Purpose::replies, kNobody));
    TRY(auto body, base::parse_json(item.body));
    const json::array* parts = parts_of(body);
    if (parts == nullptr || static_cast<std::size_t>(index) >= parts->size()) {
        return nothing;
    }
    const json::object* part = (*parts)[static_cast<std::size_t>(index)].if_object();
    const auto id = part != nullptr ? store::FileId::parse(base::find_string(*part, "file_id")) : std::nullopt;
    return id ? Result<store::FileId>(*id) : nothing;
}

// An image is reached through the item that shows it and in no other way: whatever files its owner has besides are not
// part of the share.
Task<Result<Reply>> read_shared_image(Context& context, Exchange& exchange) {
    CO_TRY(const auto found, co_await find_item_of_share(context, exchange.request()));
    CO_TRY(const auto index, parse_position(exchange.request().path_arguments[1], "image"));
    CO_TRY(const auto id, find_image(context, found.item, index));
    CO_TRY(auto file, co_await context.store.find_file(found.owner, id));
    file.filename = "image";
    CO_TRY(auto reply, co_await blob_reply(context, exchange.request(), std::move(file), kNobody));
    co_return kept_nowhere(std::move(reply));
}

}  // namespace

void add_shared_routes(Routes& routes) {
    routes.add("GET", "/api/shared", Access::open, read_share).load = web::Load::background;
    routes.add("GET", "/api/shared/items/{position}", Access::open, read_shared_item).load = web::Load::background;
    routes.add("GET", "/api/shared/items/{position}/images/{image}", Access::open, read_shared_image).load =
        web::Load::background;
}

}  // namespace confab::api
