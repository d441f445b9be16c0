#include "web/exchange.hpp"

#include "base/json.hpp"

namespace confab::web {

std::string_view Request::header(std::string_view lower_case_name) const {
    for (const Header& entry : headers) {
        if (entry.name == lower_case_name) {
            return entry.value;
        }
    }
    return {};
}

bool Request::has_header(std::string_view lower_case_name) const {
    for (const Header& entry : headers) {
        if (entry.name == lower_case_name) {
            return true;
        }
    }
    return false;
}

std::optional<std::string_view> Request::query_value(std::string_view name) const {
    for (const auto& [key, value] : query) {
        if (key == name) {
            return value;
        }
    }
    return std::nullopt;
}

std::string error_body(const base::Error& error) {
    std::string body;
    base::JsonWriter out(body);
    out.begin_object();
    out.key("error");
    out.begin_object();
    out.member("message", error.message);
    out.member("type", base::error_type(error.errc));
    out.member_or_null("param", error.param);
    out.member_or_null("code", error.code);
    out.end_object();
    out.end_object();
    return body;
}

Reply error_reply(const base::Error& error) {
    Reply reply = json_reply(error_body(error), base::http_status(error.errc));
    auto retry_after = error.retry_after;
    if (!retry_after && error.errc == base::Errc::unavailable) {
        retry_after = meter::jittered(std::chrono::seconds(1));
    }
    if (retry_after) {
        reply.headers.push_back({"retry-after", std::to_string(retry_after->count())});
    }
    return reply;
}

}  // namespace confab::web
