// /api/admin/audit: what was done that matters for security, for administrators.
#include <stdexcept>

#include "api/body.hpp"
#include "api/export_name.hpp"
#include "api/routes.hpp"
#include "api/usage_json.hpp"

namespace confab::api {

namespace {

using web::Access;

constexpr std::size_t kAuditRowsDefault = 50;
constexpr std::size_t kAuditCsvRows = 500;                     // read at a time
constexpr std::uint64_t kAuditCsvLeaseBytes = 1024ULL * 1024;  // of those rows, rendered, and as they are

Result<std::optional<std::int64_t>> parse_audit_number(const web::Request& request, std::string_view name, std::int64_t max) {
    const auto text = request.query_value(name);
    if (!text || text->empty()) {
        return std::nullopt;
    }
    std::int64_t number = 0;
    const auto [end, ec] = std::from_chars(text->data(), text->data() + text->size(), number);
    if (ec != std::errc{} || end != text->data() + text->size() || number < 1 || number > max) {
        return base::invalid(std::string(name), std::string(name) + " is a number from 1 to " + std::to_string(max) + ".");
    }
    return number;
}

// People who are gone can still be asked for, by their id.
Result<store::AuditFilter> parse_audit_filter(const web::Request& request) {
    store::AuditFilter filter;
    if (const auto person = request.query_value("person"); person && !person->empty()) {
        const auto id = store::UserId::parse(*person);
        if (!id) {
            return base::invalid("person", "person is the id of a person.");
        }
        filter.actor = id->str();
    }
    if (const auto kind = request.query_value("kind"); kind && !kind->empty()) {
        if (std::ranges::find(store::kAuditKinds, *kind) == store::kAuditKinds.end()) {
            return base::invalid("kind", "There is no such kind of entry.");
        }
        filter.kind = std::string(*kind);
    }
    TRY(filter.before, parse_audit_number(request, "after", std::numeric_limits<std::int64_t>::max()));
    return filter;
}

void render_audit_entry(base::JsonWriter& out, const store::AuditEntry& entry) {
    out.begin_object();
    out.member("id", entry.entry);
    out.member("at", entry.at);
    out.member("kind", entry.kind);
    out.member("outcome", entry.outcome);
    out.member_or_null("person", entry.actor);
    out.member_or_null("email", entry.email);
    out.member_or_null("address", entry.address);
    out.member_or_null("object", entry.object);
    out.member_or_null("detail", entry.detail);
    out.end_object();
}

Task<Result<Reply>> list_audit(Context& context, Exchange& exchange) {
    CO_TRY(auto filter, parse_audit_filter(exchange.request()));
    CO_TRY(const auto limit, parse_audit_number(exchange.request(), "limit", kPageRowsMax));
    const std::size_t rows = limit ? static_cast<std::size_t>(*limit) : kAuditRowsDefault;
    CO_TRY(const auto page, co_await context.audit.list_audit(std::move(filter), rows));
    std::string body;
    base::JsonWriter out(body);
    out.begin_object();
    out.member("object", "list");
    out.key("data");
    out.begin_array();
    for (const store::AuditEntry& entry : page.rows) {
        render_audit_entry(out, entry);
    }
    out.end_array();
    out.member("has_more", page.has_more);
    out.key("next");
    if (page.has_more) {
        out.value(std::to_string(page.rows.back().entry));
    } else {
        out.value(nullptr);
    }
    out.key("kinds");
    out.begin_array();
    for (const std::string_view kind : store::kAuditKinds) {
        out.value(kind);
    }
    out.end_array();
    out.end_object();
    co_return web::json_reply(std::move(body));
}

class AuditCsvStreamer final : public web::Streamer {
public:
    AuditCsvStreamer(store::AuditStore& store, store::AuditFilter filter, meter::Lease lease)
        : store_(store), filter_(std::move(filter)), lease_(std::move(lease)) {}

    // The next rows are read when the client has taken the last.
    Task<void> stream(web::StreamWriter& writer) override {
        std::string piece = "time,kind,outcome,person_id,email,address,object,detail\r\n";
        for (bool more = true; more;) {
            const auto page = co_await store_.list_audit(filter_, kAuditCsvRows);
            if (!page) {
                throw std::runtime_error("an export broke off: " + page.error().message);  // seen as not whole
            }
            for (const store::AuditEntry& entry : page->rows) {
                append_row(piece, entry);
                filter_.before = entry.entry;
            }
            more = page->has_more;
            const bool taken = co_await writer.write(piece);
            if (!taken) {
                co_return;
            }
            piece.clear();
        }
    }

private:
    static void append_row(std::string& out, const store::AuditEntry& entry) {
        out += render_time(entry.at);
        for (const std::string* text :
             {&entry.kind, &entry.outcome, &entry.actor, &entry.email, &entry.address, &entry.object, &entry.detail}) {
            out += ',';
            append_csv_text(out, *text);
        }
        out += "\r\n";
    }

    store::AuditStore& store_;
    store::AuditFilter filter_;
    const meter::Lease lease_;
};

Task<Result<Reply>> get_audit_csv(Context& context, Exchange& exchange) {
    CO_TRY(auto filter, parse_audit_filter(exchange.request()));
    auto lease = context.budget.try_lease(
        kAuditCsvLeaseBytes, meter::Purpose::exports, exchange.request().caller.user_no
    );
    if (!lease) {
        co_return std::unexpected(lease.error());
    }
    Reply reply;
    reply.content_type = "text/csv; charset=utf-8; header=present";
    reply.headers.push_back({"content-disposition", export_disposition("confab-audit", "csv")});
    reply.headers.push_back({"cache-control", "no-store"});
    reply.headers.push_back({"content-security-policy", "sandbox; default-src 'none'"});
    reply.streamer = std::make_unique<AuditCsvStreamer>(context.audit, std::move(filter), *std::move(lease));
    co_return reply;
}

}  // namespace

void add_audit_routes(Routes& routes) {
    routes.add("GET", "/api/admin/audit", Access::admin, list_audit);
    routes.add("GET", "/api/admin/audit/csv", Access::admin, get_audit_csv).load = web::Load::background;
}

}  // namespace confab::api
