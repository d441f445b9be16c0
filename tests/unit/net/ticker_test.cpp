#include "net/ticker.hpp"

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "unit/net/loop.hpp"

namespace confab::net {
namespace {

using namespace std::chrono_literals;

// Runs a ticker until `done` and stops it.
void run_ticker(Loop& loop, Ticker& ticker, std::function<bool()> done) {
    auto test = [&]() -> Task<void> {
        ticker.start();
        while (!done()) {
            co_await sleep_for(10ms);
        }
        ticker.stop();
    };
    loop.run(test());
}

TEST(Ticker, calls_back_every_period_until_the_subscription_dies) {
    Loop loop;
    Ticker ticker(loop.executor());
    int kept = 0;
    int dropped = 0;
    const auto first = ticker.every_tick([&](auto) { ++kept; });
    {
        const auto second = ticker.every_tick([&](auto) { ++dropped; });
    }
    const auto begin = std::chrono::steady_clock::now();
    run_ticker(loop, ticker, [&] { return kept == 3; });
    EXPECT_EQ(dropped, 0);
    EXPECT_GE(std::chrono::steady_clock::now() - begin, 3 * Ticker::kPeriod - 10ms);
}

TEST(Ticker, comes_seldom_while_all_are_calm_and_soon_once_one_is_not) {
    using Clock = std::chrono::steady_clock;
    Loop loop;
    Ticker ticker(loop.executor());
    int ticks = 0;
    auto calm = ticker.every_tick([&](auto) { ++ticks; }, Ticker::Pace::calm);
    auto test = [&]() -> Task<void> {
        const auto wait_for = [&](int wanted) -> Task<Clock::duration> {
            const auto begin = Clock::now();
            while (ticks < wanted) {
                co_await sleep_for(5ms);
            }
            co_return Clock::now() - begin;
        };
        ticker.start();
        EXPECT_GE(co_await wait_for(1), Ticker::kCalmPeriod - 10ms);
        calm.set_pace(Ticker::Pace::brisk);
        EXPECT_LT(co_await wait_for(3), Ticker::kCalmPeriod / 2);  // the calm wait was cut short
        calm.set_pace(Ticker::Pace::calm);
        co_await wait_for(4);  // was armed before
        {
            const auto brisk = ticker.every_tick([](auto) {});
            EXPECT_LT(co_await wait_for(6), Ticker::kCalmPeriod / 2);
        }
        co_await wait_for(7);
        EXPECT_GE(co_await wait_for(8), Ticker::kCalmPeriod - 10ms);
        ticker.stop();
    };
    loop.run(test());
}

TEST(Ticker, leaves_a_tick_out_after_a_sleep_so_that_what_arrived_is_read_first) {
    Loop loop;
    Ticker ticker(loop.executor());
    std::vector<std::string> order;
    const auto subscription = ticker.every_tick([&](auto) { order.emplace_back("tick"); });
    auto test = [&]() -> Task<void> {
        ticker.start();
        std::this_thread::sleep_for(Ticker::kSleptMin + 50ms);  // the whole loop
        Timer arrived(loop.executor(), Ticker::kPeriod / 2);    // reported after the overdue tick
        co_await arrived.async_wait(use_task);
        order.emplace_back("read");
        while (order.size() < 3) {
            co_await sleep_for(10ms);
        }
        ticker.stop();
    };
    loop.run(test());
    EXPECT_EQ(order, (std::vector<std::string>{"read", "tick", "tick"}));
}

TEST(Ticker, a_callback_may_cancel_itself) {
    Loop loop;
    Ticker ticker(loop.executor());
    int once = 0;
    int after = 0;
    Ticker::Subscription self;
    auto guard = std::make_shared<int>(7);  // the callback must live until it returns
    self = ticker.every_tick([&, guard](auto) {
        self.cancel();
        once += *guard;
    });
    const auto other = ticker.every_tick([&](auto) { ++after; });
    run_ticker(loop, ticker, [&] { return after == 2; });
    EXPECT_EQ(once, 7);
    EXPECT_EQ(guard.use_count(), 1);
}

TEST(Ticker, a_callback_may_cancel_any_other) {
    for (std::size_t killer = 0; killer < 4; ++killer) {
        for (std::size_t victim = 0; victim < 4; ++victim) {
            Loop loop;
            Ticker ticker(loop.executor());
            std::vector<int> calls(4);
            std::vector<Ticker::Subscription> all(4);
            for (std::size_t i = 0; i < 4; ++i) {
                all[i] = ticker.every_tick([&, i](auto) {
                    ++calls[i];
                    if (i == killer) {
                        all[victim].cancel();
                    }
                });
            }
            const std::size_t witness = victim == 3 ? 2 : 3;
            run_ticker(loop, ticker, [&] { return calls[witness] == 2; });
            for (std::size_t i = 0; i < 4; ++i) {
                const int expected = i != victim ? 2 : victim >= killer && i != killer ? 0 : 1;
                EXPECT_EQ(calls[i], expected) << "killer " << killer << " victim " << victim << " callback " << i;
            }
        }
    }
}

TEST(Ticker, a_callback_may_cancel_all_and_subscribe_anew) {
    Loop loop;
    Ticker ticker(loop.executor());
    int born = 0;
    std::vector<Ticker::Subscription> all;
    Ticker::Subscription child;
    for (int i = 0; i < 3; ++i) {
        all.push_back(ticker.every_tick([&](auto) {
            all.clear();
            child = ticker.every_tick([&](auto) { ++born; });
        }));
    }
    run_ticker(loop, ticker, [&] { return born >= 2; });
    EXPECT_GE(born, 2);
}

TEST(Ticker, a_subscription_moves) {
    Loop loop;
    Ticker ticker(loop.executor());
    int a = 0;
    int b = 0;
    auto first = ticker.every_tick([&](auto) { ++a; });
    auto second = ticker.every_tick([&](auto) { ++b; });
    first = std::move(second);  // ends the first
    Ticker::Subscription third(std::move(first));
    run_ticker(loop, ticker, [&] { return b == 2; });
    EXPECT_EQ(a, 0);
    third.cancel();
    third.cancel();
}

TEST(Ticker, stops_from_within_a_callback) {
    Loop loop;
    Ticker ticker(loop.executor());
    int calls = 0;
    const auto subscription = ticker.every_tick([&](auto) {
        ++calls;
        ticker.stop();
    });
    auto test = [&]() -> Task<void> {
        ticker.start();
        co_await sleep_for(5 * Ticker::kPeriod / 2);
    };
    loop.run(test());
    EXPECT_EQ(calls, 1);
}

}  // namespace
}  // namespace confab::net
