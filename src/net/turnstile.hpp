// Turnstile: lets so many coroutines of one shard through at once; the others wait in the order in which they came.
// For work that needs much memory for a short time, so that what it needs together has a bound.
#pragma once

#include <list>
#include <utility>

#include "net/waker.hpp"

namespace confab::net {

class Turnstile {
public:
    // Being inside. Gives the place to the next one when it dies.
    class Place {
    public:
        Place() = default;

        Place(Place&& other) noexcept : turnstile_(std::exchange(other.turnstile_, nullptr)) {}

        Place& operator=(Place&& other) noexcept {
            if (this != &other) {
                leave();
                turnstile_ = std::exchange(other.turnstile_, nullptr);
            }
            return *this;
        }

        ~Place() { leave(); }

        void leave() {
            if (turnstile_ != nullptr) {
                std::exchange(turnstile_, nullptr)->pass_on();
            }
        }

    private:
        friend class Turnstile;

        explicit Place(Turnstile& turnstile) : turnstile_(&turnstile) {}

        Turnstile* turnstile_ = nullptr;
    };

    // `inside_max`: at least 1.
    Turnstile(Executor executor, unsigned inside_max) : executor_(executor), free_(inside_max) {}

    Turnstile(const Turnstile&) = delete;
    Turnstile& operator=(const Turnstile&) = delete;

    // Waits for a place. Who is cancelled while waiting leaves the line.
    Task<Place> enter() {
        if (free_ > 0) {
            --free_;
            co_return Place(*this);
        }
        Waiter waiter(*this);
        while (!waiter.place.turnstile_) {
            co_await waiter.waker.wait();
        }
        co_return std::move(waiter.place);
    }

private:
    // Stands in the line until it has a place.
    struct Waiter {
        explicit Waiter(Turnstile& turnstile)
            : waker(turnstile.executor_), line(turnstile.line_), self(line.insert(line.end(), this)) {}

        Waiter(const Waiter&) = delete;
        Waiter& operator=(const Waiter&) = delete;

        ~Waiter() {
            if (place.turnstile_ == nullptr && self != line.end()) {
                line.erase(self);
            }
        }

        Waker waker;
        Place place;
        std::list<Waiter*>& line;
        std::list<Waiter*>::iterator self;  // end() once it has been called
    };

    void pass_on() {
        if (line_.empty()) {
            ++free_;
            return;
        }
        Waiter& next = *line_.front();
        line_.pop_front();
        next.self = line_.end();
        next.place = Place(*this);
        next.waker.notify();
    }

    Executor executor_;
    unsigned free_;
    std::list<Waiter*> line_;
};

}  // namespace confab::net
