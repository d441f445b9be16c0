// RunDirectory: what a caller asks of a run is done on the run's shard.
#include "chat/runs.hpp"

namespace confab::chat {

using net::Task;

namespace {

Task<std::optional<Batch>> next_here(
    RunService* service,
    store::UserNo user,
    store::ResponseId id,
    Sequence from,
    net::Deadline deadline
) {
    const RunPtr run = service->find(user, id);
    if (!run || !run->facts().stored) {
        co_return std::nullopt;
    }
    co_return co_await run->next(from, deadline);
}

Task<bool> cancel_here(RunService* service, store::UserNo user, store::ResponseId id) {
    const RunPtr run = service->find(user, id);
    if (!run) {
        co_return false;
    }
    run->cancel();
    co_await run->wait_until_finished(net::Deadline::after(kStopWaitMax));
    co_return true;
}

Task<void> cancel_all_here(RunService* service, store::UserNo user) {
    service->cancel_all_of(user);
    co_return;
}

Task<std::optional<std::string>> render_here(RunService* service, store::UserNo user, store::ResponseId id) {
    const RunPtr run = service->find(user, id);
    if (!run || !run->facts().stored) {
        co_return std::nullopt;
    }
    std::string text;
    ResponseEnd now;
    render_response(text, run->facts(), run->finished() ? run->end() : now);
    co_return text;
}

struct Largest {
    store::ResponseId id;
    std::uint64_t bytes = 0;
};

Task<std::optional<Largest>> largest_here(RunService* service, store::UserNo user) {
    const RunPtr run = service->largest_of(user);
    if (!run) {
        co_return std::nullopt;
    }
    Largest largest{run->facts().id, run->leased_bytes()};
    co_return largest;
}

Task<bool> interrupt_here(RunService* service, store::UserNo user, store::ResponseId id) {
    const RunPtr run = service->find(user, id);
    if (!run) {
        co_return false;
    }
    run->interrupt();
    co_return true;
}

}  // namespace

RunPtr RunService::largest_of(store::UserNo user) const {
    RunPtr largest;
    for (const auto& [id, run] : live_) {
        const bool counts = run->origin().user == user && !run->stopping() && !run->finished();
        if (counts && (!largest || run->leased_bytes() > largest->leased_bytes())) {
            largest = run;
        }
    }
    return largest;
}

void RunService::cancel_all_of(store::UserNo user) {
    for (const auto& [id, run] : live_) {
        if (run->origin().user == user) {
            run->cancel();
        }
    }
}

const RunDirectory::Place& RunDirectory::place(const store::ResponseId& id) const {
    return places_[shard_of(id, static_cast<unsigned>(places_.size()))];
}

Task<std::optional<Batch>> RunDirectory::next(
    store::UserNo user,
    store::ResponseId id,
    Sequence from,
    net::Deadline deadline
) {
    const Place& home = place(id);
    co_return co_await net::run_on(home.executor, next_here(home.service, user, id, from, deadline));
}

Task<bool> RunDirectory::cancel(store::UserNo user, store::ResponseId id) {
    const Place& home = place(id);
    co_return co_await net::run_on(home.executor, cancel_here(home.service, user, id));
}

Task<void> RunDirectory::cancel_all_of(store::UserNo user) {
    for (const Place& place : places_) {
        co_await net::run_on(place.executor, cancel_all_here(place.service, user));
    }
}

Task<std::optional<store::ResponseId>> RunDirectory::interrupt_largest_of(store::UserNo user) {
    std::optional<Largest> largest;
    for (const Place& place : places_) {
        const auto found = co_await net::run_on(place.executor, largest_here(place.service, user));
        if (found && (!largest || found->bytes > largest->bytes)) {
            largest = found;
        }
    }
    if (!largest) {
        co_return std::nullopt;
    }
    const Place& home = place(largest->id);
    const bool interrupted = co_await net::run_on(home.executor, interrupt_here(home.service, user, largest->id));
    std::optional<store::ResponseId> id;  // named first: g++ 12 evaluates both branches of a ?: beside a co_await
    if (interrupted) {
        id = largest->id;
    }
    co_return id;
}

Task<std::optional<std::string>> RunDirectory::render(store::UserNo user, store::ResponseId id) {
    const Place& home = place(id);
    co_return co_await net::run_on(home.executor, render_here(home.service, user, id));
}

}  // namespace confab::chat
