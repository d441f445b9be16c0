#include "api/overload.hpp"

#include <charconv>
#include <limits>

namespace confab::api {

namespace {

using base::Errc;
using base::Status;
using meter::Action;
using meter::Shed;
using web::Load;

constexpr std::chrono::seconds kPressureRetryAfter{2};

std::unexpected<base::Error> refused_for_pressure(meter::Pressure& pressure, Shed shed, std::string message) {
    pressure.count(shed);
    base::Error error{Errc::unavailable, std::move(message), "overloaded", {}, meter::jittered(kPressureRetryAfter)};
    return std::unexpected(std::move(error));
}

}  // namespace

Load load_of(const web::Request& request, const web::Route& route) {
    if (route.load != Load::light || route.body_bytes_max <= web::kSmallBodyBytesMax) {
        return route.load;
    }
    const std::string_view length = request.header("content-length");
    std::uint64_t bytes = 0;
    std::from_chars(length.data(), length.data() + length.size(), bytes);  // the gate has looked at it
    return bytes > web::kSmallBodyBytesMax || request.has_header("transfer-encoding") ? Load::upload : Load::light;
}

Status check_pressure(const Context& context, Load load) {
    meter::Pressure& pressure = context.pressure;
    switch (load) {
        case Load::background:
            if (pressure.active(Action::defer_background)) {
                return refused_for_pressure(
                    pressure,
                    Shed::background_refused,
                    "The server is short of memory and leaves exports and searches for later. Try again shortly."
                );
            }
            break;
        case Load::upload:
            if (pressure.active(Action::refuse_uploads)) {
                return refused_for_pressure(
                    pressure,
                    Shed::upload_refused,
                    "The server is short of memory and takes no uploads. Try again shortly."
                );
            }
            break;
        case Load::sign_in:
            if (pressure.active(Action::refuse_runs)) {
                return refused_for_pressure(
                    pressure, Shed::sign_in_refused, "The server is short of memory and signs nobody in. Try again shortly."
                );
            }
            break;
        case Load::run:
            if (pressure.active(Action::refuse_runs)) {
                return refused_for_pressure(
                    pressure,
                    Shed::run_refused,
                    "The server is short of memory and begins no new answers. Try again shortly."
                );
            }
            break;
        case Load::light:
        case Load::essential: break;
    }
    return {};
}

namespace {

// A password takes 19 MiB to check: when uploads are refused, one at a time goes on.
Status take_sign_in(Context& context, web::Request& request) {
    const bool pressed = context.pressure.active(Action::refuse_uploads);
    request.slot = context.budget.try_sign_in(pressed ? 1 : std::numeric_limits<unsigned>::max());
    if (!request.slot) {
        return refused_for_pressure(
            context.pressure,
            Shed::sign_in_refused,
            "The server is short of memory and checks one password at a time. Try again shortly."
        );
    }
    return {};
}

}  // namespace

Task<Status> check_quota(Context& context, web::Request& request, Load load) {
    const std::int64_t user = request.caller.user_no;
    const bool is_work = load == Load::run || load == Load::upload || load == Load::background;
    if (is_work && context.pressure.active(Action::refuse_over_share) && context.budget.is_over_share(user)) {
        context.pressure.count(Shed::over_share_refused);
        base::Error error{
            Errc::rate_limited,
            "The server is short of memory, and your requests hold more than your share of it. Try again when some "
            "have "
            "ended.",
            "over_fair_share",
            {},
            meter::jittered(kPressureRetryAfter)};
        co_return std::unexpected(std::move(error));
    }
    if (load == Load::sign_in) {
        co_return take_sign_in(context, request);
    }
    if (load != Load::run) {
        co_return Status{};
    }
    request.slot = context.budget.try_run(user);
    if (request.slot) {
        co_return Status{};
    }
    const meter::Slot place = context.budget.try_wait(user);
    const auto patience = net::Deadline::after(kRunWaitMax);
    while (place && !request.slot && !patience.passed()) {
        co_await net::sleep_for(kRunLookEvery);
        request.slot = context.budget.try_run(user);
    }
    if (!request.slot) {
        co_return context.budget.too_many_runs();
    }
    co_return Status{};
}

}  // namespace confab::api
