#include "net/turnstile.hpp"

#include <vector>

#include <gtest/gtest.h>

#include "net/task_group.hpp"
#include "unit/net/loop.hpp"

namespace confab::net {
namespace {

using namespace std::chrono_literals;

struct Count {
    int inside = 0;
    int most = 0;
    std::vector<int> order;
};

Task<void> pass(Turnstile& turnstile, int who, Count& count) {
    const Turnstile::Place place = co_await turnstile.enter();
    count.order.push_back(who);
    count.most = std::max(count.most, ++count.inside);
    co_await sleep_for(1ms);
    --count.inside;
}

TEST(Turnstile, lets_so_many_through_at_once_in_their_order) {
    Loop loop;
    Turnstile turnstile(loop.executor(), 2);
    TaskGroup group(loop.executor(), "test");
    Count count;
    auto test = [&]() -> Task<void> {
        for (int who = 0; who < 7; ++who) {
            group.spawn(pass(turnstile, who, count));
        }
        co_await group.join();
    };
    loop.run(test());
    EXPECT_EQ(count.most, 2);
    EXPECT_EQ(count.order, (std::vector<int>{0, 1, 2, 3, 4, 5, 6}));
}

TEST(Turnstile, forgets_those_who_are_cancelled_in_the_line) {
    Loop loop;
    Turnstile turnstile(loop.executor(), 1);
    TaskGroup leaving(loop.executor(), "leaving");
    TaskGroup staying(loop.executor(), "staying");
    Count count;
    auto test = [&]() -> Task<void> {
        Turnstile::Place place = co_await turnstile.enter();
        leaving.spawn(pass(turnstile, 1, count));
        staying.spawn(pass(turnstile, 2, count));
        co_await sleep_for(1ms);
        leaving.cancel();
        co_await leaving.join();
        EXPECT_TRUE(count.order.empty());
        place.leave();
        co_await staying.join();
        co_await turnstile.enter();  // the place is free again
    };
    loop.run(test());
    EXPECT_EQ(count.order, std::vector<int>{2});
}

}  // namespace
}  // namespace confab::net
