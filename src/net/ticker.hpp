// Ticker: one coarse timer per shard for all that only needs to be looked at now and then (deadlines of sockets,
// keep-alives, persisting of runs). A timer per socket operation would cost a system call each; a tick costs a walk
// over a list. While all subscriptions are calm (nothing under way needs more) the ticks come once a second, so that a
// server at rest sleeps.
#pragma once

#include <chrono>
#include <functional>
#include <list>

#include "net/task.hpp"

namespace confab::net {

class Ticker {
public:
    static constexpr std::chrono::milliseconds kPeriod{100};
    static constexpr std::chrono::milliseconds kCalmPeriod{1'000};
    // The process slept (SIGSTOP, a suspended machine): one tick is left out, so that what arrived meanwhile is read before anybody's
    // deadline is looked at.
    static constexpr std::chrono::milliseconds kSleptMin{2'000};

    // How often a subscription must be called: every kPeriod, or seldom, at least every kCalmPeriod.
    enum class Pace : bool { calm, brisk };

    using Callback = std::move_only_function<void(std::chrono::steady_clock::time_point now)>;

private:
    struct Entry {
        Callback callback;
        Pace pace;
    };

    using Entries = std::list<Entry>;

public:
    // Calls back every period until the subscription is destroyed. A callback may destroy any subscription, also its
    // own.
    class Subscription {
    public:
        Subscription() = default;

        Subscription(Subscription&& other) noexcept
            : ticker_(std::exchange(other.ticker_, nullptr)), entry_(other.entry_) {}

        Subscription& operator=(Subscription&& other) noexcept {
            if (this != &other) {
                cancel();
                ticker_ = std::exchange(other.ticker_, nullptr);
                entry_ = other.entry_;
            }
            return *this;
        }

        ~Subscription() { cancel(); }

        void cancel();

        // For who has nothing to look at most of the time. Cheap when nothing changes.
        void set_pace(Pace pace);

    private:
        friend class Ticker;

        Subscription(Ticker& ticker, Entries::iterator entry) : ticker_(&ticker), entry_(entry) {}

        Ticker* ticker_ = nullptr;
        Entries::iterator entry_;
    };

    explicit Ticker(Executor executor) : timer_(executor) {}

    [[nodiscard]] Subscription every_tick(Callback callback, Pace pace = Pace::brisk);

    void start();
    void stop();

private:
    void arm();
    void tick();
    void count(Pace pace, int change);

    Timer timer_;
    Entries entries_;
    Entries::iterator next_ = entries_.end();
    Entries graveyard_;  // cancelled during a tick
    int brisk_ = 0;      // subscriptions of that pace
    Pace armed_ = Pace::brisk;
    std::chrono::steady_clock::time_point woken_{};
    bool ticking_ = false;
    bool stopped_ = true;
};

}  // namespace confab::net
