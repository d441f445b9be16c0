// The router: one table that says, for each route, who may call it, how large its body may be and who answers.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "web/exchange.hpp"

namespace confab::web {

enum class Access : std::uint8_t {
    open,         // anybody
    user,         // cookie or key
    cookie_user,  // cookie only: account matters
    admin,        // an administrator, by cookie only
};

// What a request costs, and so when it is refused under pressure (meter/pressure.hpp).
enum class Load : std::uint8_t {
    light,
    essential,   // never refused: stopping an answer, signing out, health
    sign_in,     // hashes a password
    upload,
    background,  // exports, search
    run,         // an answer
};

inline constexpr std::uint64_t kBodyBytesMax = 32ULL * 1024 * 1024;  // of requests that carry messages
inline constexpr std::uint64_t kSmallBodyBytesMax = 64ULL * 1024;    // of all others

// Who reads the body: the session before the handler is called, into request.body; or the handler itself, piece by
// piece (Exchange::read_body_piece).
enum class BodyMode : std::uint8_t { whole, streamed };

using Handler = std::function<net::Task<base::Result<Reply>>(Exchange&)>;

struct Route {
    std::string method;
    std::string pattern;  // "/v1/responses/{id}"; a last segment "{rest...}" matches any number of segments
    Access access = Access::user;
    std::uint64_t body_bytes_max = 0;
    BodyMode body_mode = BodyMode::whole;
    Load load = Load::light;
    std::string_view too_large_code = "request_too_large";  // of the error for a larger body; a literal
    std::string_view audit_kind;  // a literal; empty: the audit log says nothing of it
    bool makes_answer = false;  // asks a model, so that the caller's limits count it
    Handler handler;
};

class Router {
public:
    // The route as it stands in the table, until the next one is added.
    Route& add(Route route);

    // The route for a request; fills `arguments`. Errors: not_found, method_not_allowed (then `allowed` lists the
    // methods).
    base::Result<const Route*> find(
        std::string_view method,
        std::string_view path,
        std::vector<std::string>& arguments,
        std::string& allowed
    ) const;

    auto begin() const { return routes_.begin(); }

    auto end() const { return routes_.end(); }

private:
    struct Entry {
        Route route;
        std::vector<std::string> segments;
    };

    static bool matches(
        const Entry& entry,
        const std::vector<std::string_view>& segments,
        std::vector<std::string>& arguments
    );

    std::vector<Entry> routes_;
};

// Percent-decoding of a path. Nothing when it is malformed, holds NUL, a backslash or invalid UTF-8,
// escaped or not, or an escaped slash.
std::optional<std::string> decode_path(std::string_view text);
// Decodes "a=1&b=2"; '+' means a space. Malformed escapes are kept as they are.
std::vector<std::pair<std::string, std::string>> decode_query(std::string_view text);

}  // namespace confab::web
