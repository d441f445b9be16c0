// Ticker: one coarse timer per shard for all that only needs to be looked at now and then (deadlines of sockets,
// keep-alives, persisting of runs). A timer per socket operation would cost a system call each; a tick costs a walk
// over a list.
#pragma once

#include <chrono>
#include <functional>
#include <list>

#include "net/task.hpp"

namespace confab::net {

class Ticker {
public:
    static constexpr std::chrono::milliseconds kPeriod{100};

    using Callback = std::move_only_function<void(std::chrono::steady_clock::time_point now)>;

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

    private:
        friend class Ticker;

        Subscription(Ticker& ticker, std::list<Callback>::iterator entry) : ticker_(&ticker), entry_(entry) {}

        Ticker* ticker_ = nullptr;
        std::list<Callback>::iterator entry_;
    };

    explicit Ticker(Executor executor) : timer_(executor) {}

    [[nodiscard]] Subscription every_tick(Callback callback);

    void start();
    void stop();

private:
    void arm();
    void tick();

    Timer timer_;
    std::list<Callback> callbacks_;
    std::list<Callback>::iterator next_ = callbacks_.end();
    std::list<Callback> graveyard_;  // cancelled during a tick
    bool ticking_ = false;
    bool stopped_ = true;
};

}  // namespace confab::net
