#include "api/audit_trail.hpp"

#include <spdlog/spdlog.h>

#include "api/address_rate.hpp"
#include "base/clock.hpp"
#include "base/text.hpp"

namespace confab::api {

namespace {

// Of refusals only those of credentials matter here: a malformed request is no event.
bool is_refusal_to_note(const base::Error& error, std::string_view kind) {
    const bool of_credentials = kind == "setup" || kind == "sign_in" || kind == "sign_up" || kind == "password_changed";
    return of_credentials && (error.errc == base::Errc::unauthenticated || error.errc == base::Errc::forbidden);
}

// What was typed is written down only when it is the address of an account: people type passwords into the wrong field.
Task<void> name_tried_account(Context& context, web::AuditNote& note) {
    if (note.tried.empty()) {
        co_return;
    }
    const auto user = co_await context.store.find_user_by_email(base::ascii_lower(base::trim(note.tried)));
    if (user) {
        note.object = user->id.str();
        note.detail = user->email;
    }
}

}  // namespace

Task<Result<Reply>> audited(
    Context& context,
    Exchange& exchange,
    Task<Result<Reply>> (*function)(Context&, Exchange&),
    std::string_view kind
) {
    web::Request& request = exchange.request();
    if (!request.path_arguments.empty()) {
        request.audit.object = request.path_arguments[0];
    }
    auto reply = co_await function(context, exchange);
    store::AuditEntry entry;
    entry.at = base::unix_now();
    const bool sent_on = reply && !request.audit.refusal.empty();
    if (!reply || sent_on) {
        const bool room = (sent_on || is_refusal_to_note(reply.error(), kind)) &&
                          context.refusals_audited.take("everybody", std::chrono::steady_clock::now()).has_value();
        if (!room) {
            co_return reply;
        }
        co_await name_tried_account(context, request.audit);
        entry.outcome = sent_on ? request.audit.refusal : reply.error().code;
    }
    entry.kind = request.audit.kind.empty() ? std::string(kind) : request.audit.kind;
    const std::int64_t actor = request.caller.user_no != 0 ? request.caller.user_no : request.audit.actor_no;
    entry.actor_no = store::UserNo(actor);
    entry.address = request.remote;
    entry.object = request.audit.object;
    entry.detail = request.audit.detail;
    const auto written = co_await context.audit.add_audit(std::move(entry));
    if (!written) {  // what was done is done, and its answer may hold a secret that is shown once
        spdlog::error("audit_not_written kind={} id={} error=\"{}\"", kind, request.id, written.error().message);
    }
    co_return reply;
}

}  // namespace confab::api
