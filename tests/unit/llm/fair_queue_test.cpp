#include "llm/fair_queue.hpp"

#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace confab::llm {
namespace {

struct Named {
    std::string name;
};

using Waiter = std::shared_ptr<Named>;

Waiter named(std::string name) {
    return std::make_shared<Named>(Named{std::move(name)});
}

std::vector<std::string> drain(FairQueue<Waiter>& queue) {
    std::vector<std::string> order;
    while (const Waiter next = queue.pop()) {
        order.push_back(next->name);
    }
    return order;
}

TEST(FairQueueTest, OnePersonIsServedInOrder) {
    FairQueue<Waiter> queue;
    for (const char* name : {"a", "b", "c"}) {
        queue.push(1, named(name));
    }
    EXPECT_EQ(queue.size(), 3U);
    EXPECT_EQ(drain(queue), (std::vector<std::string>{"a", "b", "c"}));
    EXPECT_EQ(queue.pop(), nullptr);
    EXPECT_TRUE(queue.empty());
}

TEST(FairQueueTest, PeopleTakeTurns) {
    FairQueue<Waiter> queue;
    for (int i = 0; i < 3; ++i) {
        queue.push(1, named("hog" + std::to_string(i)));
    }
    queue.push(2, named("x0"));
    queue.push(2, named("x1"));
    queue.push(3, named("y0"));
    EXPECT_EQ(drain(queue), (std::vector<std::string>{"hog0", "x0", "y0", "hog1", "x1", "hog2"}));
}

// The promise, in counts: whoever comes waits for one turn of each other person, whatever their load.
TEST(FairQueueTest, AHundredfoldLoadDelaysOthersByOneTurn) {
    constexpr int kSlots = 4;
    constexpr int kHogWaiting = 400;
    FairQueue<Waiter> queue;
    for (int i = 0; i < kSlots + kHogWaiting; ++i) {
        queue.push(1, named("hog"));
    }
    for (int i = 0; i < kSlots; ++i) {
        EXPECT_EQ(queue.pop()->name, "hog");
    }
    for (int request = 0; request < 100; ++request) {
        queue.push(2, named("other"));
        queue.release(1);  // one of the hog's answers ends
        EXPECT_EQ(queue.pop()->name, "other") << "the first slot that is free";
        queue.push(1, named("hog"));
        queue.release(2);
        EXPECT_EQ(queue.pop()->name, "hog") << "and the hog is served all the same";
    }
}

TEST(FairQueueTest, WhoHoldsLessComesFirst) {
    FairQueue<Waiter> queue;
    for (int i = 0; i < 4; ++i) {
        queue.push(1, named("one"));
    }
    for (int i = 0; i < 3; ++i) {
        queue.pop();
    }
    for (int i = 0; i < 3; ++i) {
        queue.push(2, named("two"));
    }
    EXPECT_EQ(drain(queue), (std::vector<std::string>{"two", "two", "two", "one"})) << "until both hold three";
}

TEST(FairQueueTest, WhatIsGivenBackCounts) {
    FairQueue<Waiter> queue;
    queue.push(1, named("one"));
    queue.pop();
    queue.push(1, named("one"));
    queue.push(2, named("two"));
    queue.release(1);
    EXPECT_EQ(queue.pop()->name, "two") << "both hold nothing, and the other was just served";
    EXPECT_EQ(queue.pop()->name, "one");
}

// Somebody who always comes back at once does not overtake who waits.
TEST(FairQueueTest, WhoWaitsIsNotOvertakenForEver) {
    FairQueue<Waiter> queue;
    queue.push(1, named("one"));
    queue.pop();
    queue.push(2, named("two"));
    queue.release(1);
    queue.push(1, named("one again"));
    EXPECT_EQ(queue.pop()->name, "two");
}

TEST(FairQueueTest, WhoLeavesIsForgotten) {
    FairQueue<Waiter> queue;
    const Waiter gone = named("gone");
    queue.push(1, gone);
    queue.push(2, named("other"));
    queue.erase(1, gone);
    queue.erase(1, gone);
    queue.erase(9, gone);
    queue.release(9);
    EXPECT_EQ(queue.size(), 1U);
    EXPECT_EQ(drain(queue), std::vector<std::string>{"other"});
}

TEST(FairQueueTest, WhoHasMostGivesWay) {
    FairQueue<Waiter> queue;
    for (int i = 0; i < 5; ++i) {
        queue.push(1, named("hog" + std::to_string(i)));
    }
    queue.push(2, named("other"));
    EXPECT_EQ(queue.displace(1), nullptr) << "nobody gives way to who has most";
    EXPECT_EQ(queue.displace(2)->name, "hog4") << "the newest";
    EXPECT_EQ(queue.displace(3)->name, "hog3");
    EXPECT_EQ(queue.waiting_of(1), 3U);
    EXPECT_EQ(queue.displace(2)->name, "hog2");
    EXPECT_EQ(queue.displace(2), nullptr) << "as many as this person would have";
    EXPECT_EQ(queue.size(), 3U);
    EXPECT_EQ(drain(queue), (std::vector<std::string>{"hog0", "other", "hog1"}));
}

}  // namespace
}  // namespace confab::llm
