#include "llm/upstream_slots.hpp"

#include <algorithm>
#include <atomic>
#include <thread>

#include <boost/asio/detached.hpp>

#include "unit/net/loop.hpp"

namespace confab::llm {
namespace {

using net::Task;
using namespace std::chrono_literals;

class UpstreamSlotsTest : public testing::Test {
public:  // the tests' coroutines are not members
    std::unique_ptr<SlotRequest> request(PersonKey person = 0) {
        return std::make_unique<SlotRequest>(slots_, loop_.executor(), person);
    }

    // Lowers the limit to one.
    Task<void> lower() {
        for (int i = 0; i < 3; ++i) {
            auto refused = request();
            EXPECT_TRUE(co_await refused->wait("model"));
            refused->refused();
        }
        EXPECT_EQ(slots_->counts().limit, 1U);
    }

    // Waits for a slot, notes the name when it came, and holds it until told.
    Task<void> take_turn(std::string name, std::unique_ptr<SlotRequest> place) {
        const auto got = co_await place->wait("model");
        order_.push_back(got ? name : name + ":" + got.error().code);
    }

    void start(std::string name, std::unique_ptr<SlotRequest> place) {
        net::asio::co_spawn(loop_.executor(), take_turn(std::move(name), std::move(place)), net::asio::detached);
    }

    net::Loop loop_;
    std::atomic<ConcurrencyLimit::Time> now_{ConcurrencyLimit::Time() + 1h};  // stands still unless a test moves it
    std::shared_ptr<UpstreamSlots> slots_ = std::make_shared<UpstreamSlots>([this] { return now_.load(); });
    std::vector<std::string> order_;
};

TEST_F(UpstreamSlotsTest, AHealthyServerIsNeverThrottled) {
    auto body = [](UpstreamSlotsTest& self) -> Task<void> {
        std::vector<std::unique_ptr<SlotRequest>> held;
        for (int i = 0; i < 5'000; ++i) {
            held.push_back(self.request());
            EXPECT_TRUE(co_await held.back()->wait("model"));
        }
        EXPECT_EQ(self.slots_->counts().in_use, 5'000U);
        EXPECT_EQ(self.slots_->counts().waiting, 0U);
    };
    loop_.run(body(*this));
    EXPECT_EQ(slots_->counts().in_use, 0U);
}

TEST_F(UpstreamSlotsTest, WaitersComeInOrder) {
    auto body = [](UpstreamSlotsTest& self) -> Task<void> {
        co_await self.lower();
        auto held = self.request();
        EXPECT_TRUE(co_await held->wait("model"));
        self.start("a", self.request());
        self.start("b", self.request());
        self.start("c", self.request());
        co_await net::sleep_for(20ms);
        EXPECT_TRUE(self.order_.empty());
        EXPECT_EQ(self.slots_->counts().waiting, 3U);
        held.reset();
        while (self.order_.size() < 3) {
            co_await net::sleep_for(5ms);
        }
    };
    loop_.run(body(*this));
    EXPECT_EQ(order_, (std::vector<std::string>{"a", "b", "c"}));
    EXPECT_EQ(slots_->counts().in_use, 0U);
}

TEST_F(UpstreamSlotsTest, AWaiterGoesOnWhenTheLimitGrows) {
    auto body = [](UpstreamSlotsTest& self) -> Task<void> {
        co_await self.lower();
        auto held = self.request();
        EXPECT_TRUE(co_await held->wait("model"));
        self.start("a", self.request());
        while (self.slots_->counts().waiting == 0) {
            co_await net::sleep_for(1ms);
        }
        self.now_ = self.now_.load() + 2 * kSlotsHold;
        while (self.order_.empty()) {
            co_await net::sleep_for(1ms);
        }
        EXPECT_EQ(self.order_, std::vector<std::string>{"a"}) << "nobody gave anything back";
    };
    loop_.run(body(*this), 60s);
}

TEST_F(UpstreamSlotsTest, WaitingEndsAtOnceWhenCancelled) {
    auto body = [](UpstreamSlotsTest& self) -> Task<void> {
        co_await self.lower();
        auto held = self.request();
        EXPECT_TRUE(co_await held->wait("model"));
        auto place = self.request();
        SlotRequest* waiting = place.get();
        self.start("a", std::move(place));
        self.start("b", self.request());
        co_await net::sleep_for(20ms);
        waiting->cancel();
        while (self.order_.empty()) {
            co_await net::sleep_for(1ms);
        }
        EXPECT_EQ(self.order_.front(), "a:cancelled");
        held.reset();
        while (self.order_.size() < 2) {
            co_await net::sleep_for(1ms);
        }
        EXPECT_EQ(self.order_.back(), "b");
    };
    loop_.run(body(*this));
    EXPECT_EQ(slots_->counts().in_use, 0U);
    EXPECT_EQ(slots_->counts().waiting, 0U);
}

TEST_F(UpstreamSlotsTest, NobodyWaitsForEver) {
    auto body = [](UpstreamSlotsTest& self) -> Task<void> {
        co_await self.lower();
        auto held = self.request();
        EXPECT_TRUE(co_await held->wait("model"));
        auto place = self.request();
        const auto refused = co_await place->wait("model", net::Deadline::after(50ms));
        EXPECT_FALSE(refused);
        EXPECT_EQ(refused.error().code, "upstream_busy");
        place.reset();
        EXPECT_EQ(self.slots_->counts().waiting, 0U);
        EXPECT_EQ(kSlotWaitMax, 30s) << "as docs/api.md says";
    };
    loop_.run(body(*this));
    EXPECT_EQ(slots_->counts().in_use, 0U);
}

TEST_F(UpstreamSlotsTest, TheLineIsBounded) {
    auto body = [](UpstreamSlotsTest& self) -> Task<void> {
        co_await self.lower();
        auto held = self.request();
        EXPECT_TRUE(co_await held->wait("model"));
        std::vector<SlotRequest*> waiting;
        for (std::size_t i = 0; i < kSlotQueueMax; ++i) {
            auto place = self.request();
            waiting.push_back(place.get());
            self.start("w", std::move(place));
        }
        while (self.slots_->counts().waiting < kSlotQueueMax) {
            co_await net::sleep_for(1ms);
        }
        auto late = self.request();
        const auto refused = co_await late->wait("model-x");
        EXPECT_FALSE(refused);
        EXPECT_EQ(refused.error().errc, base::Errc::unavailable);
        EXPECT_EQ(refused.error().code, "upstream_busy");
        EXPECT_NE(refused.error().message.find("model-x"), std::string::npos);
        EXPECT_EQ(refused.error().retry_after, kBusyRetryAfter);
        EXPECT_EQ(self.slots_->busy.value(), 1U);
        for (SlotRequest* place : waiting) {
            place->cancel();
        }
        while (self.order_.size() < kSlotQueueMax) {
            co_await net::sleep_for(1ms);
        }
    };
    loop_.run(body(*this), 60s);
    EXPECT_EQ(slots_->counts().waiting, 0U);
    EXPECT_EQ(slots_->counts().in_use, 0U);
}

TEST_F(UpstreamSlotsTest, PeopleTakeTurns) {
    auto body = [](UpstreamSlotsTest& self) -> Task<void> {
        co_await self.lower();
        auto held = self.request(1);
        EXPECT_TRUE(co_await held->wait("model"));
        for (int i = 0; i < 100; ++i) {
            self.start("hog", self.request(1));
        }
        while (self.slots_->counts().waiting < 100) {
            co_await net::sleep_for(1ms);
        }
        self.start("other", self.request(2));
        while (self.slots_->counts().waiting < 101) {
            co_await net::sleep_for(1ms);
        }
        held.reset();
        while (self.order_.size() < 101) {
            co_await net::sleep_for(1ms);
        }
    };
    loop_.run(body(*this), 60s);
    EXPECT_EQ(order_.front(), "other");
    EXPECT_EQ(slots_->counts().in_use, 0U);
}

TEST_F(UpstreamSlotsTest, AFullLineMakesRoomForSomebodyElse) {
    auto body = [](UpstreamSlotsTest& self) -> Task<void> {
        co_await self.lower();
        auto held = self.request(1);
        EXPECT_TRUE(co_await held->wait("model"));
        std::vector<SlotRequest*> waiting;
        for (std::size_t i = 0; i < kSlotQueueMax; ++i) {
            auto place = self.request(1);
            waiting.push_back(place.get());
            self.start("hog", std::move(place));
        }
        while (self.slots_->counts().waiting < kSlotQueueMax) {
            co_await net::sleep_for(1ms);
        }
        self.start("other", self.request(2));
        while (self.order_.empty()) {
            co_await net::sleep_for(1ms);
        }
        EXPECT_EQ(self.order_, std::vector<std::string>{"hog:upstream_busy"});
        EXPECT_EQ(self.slots_->counts().waiting, kSlotQueueMax);
        waiting.pop_back();
        for (SlotRequest* place : waiting) {
            place->cancel();
        }
        held.reset();
        while (self.order_.size() < kSlotQueueMax + 1) {
            co_await net::sleep_for(1ms);
        }
        EXPECT_NE(std::find(self.order_.begin(), self.order_.end(), "other"), self.order_.end());
    };
    loop_.run(body(*this), 60s);
    EXPECT_EQ(slots_->counts().waiting, 0U);
    EXPECT_EQ(slots_->counts().in_use, 0U);
}

TEST_F(UpstreamSlotsTest, NoMoreThanTheAdministratorAllows) {
    auto body = [](UpstreamSlotsTest& self) -> Task<void> {
        self.slots_->set_most(2);
        EXPECT_EQ(self.slots_->counts().limit, 2U);
        auto one = self.request();
        auto two = self.request();
        auto three = self.request();
        EXPECT_TRUE(co_await one->wait("model"));
        EXPECT_TRUE(co_await two->wait("model"));
        EXPECT_FALSE(co_await three->wait("model", net::Deadline::after(50ms)));
        self.slots_->set_most(kSlotsMax);
        auto four = self.request();
        EXPECT_TRUE(co_await four->wait("model"));
    };
    loop_.run(body(*this));
}

TEST_F(UpstreamSlotsTest, ShardsShareOneLine) {
    std::atomic<int> done{0};
    const auto work = [&](int count) {
        net::asio::io_context context{1};
        auto one = [](std::shared_ptr<UpstreamSlots> slots, net::Executor executor, std::atomic<int>& ended
                   ) -> Task<void> {
            SlotRequest place(std::move(slots), executor);
            EXPECT_TRUE(co_await place.wait("model"));
            co_await net::sleep_for(1ms);
            ++ended;
        };
        for (int i = 0; i < count; ++i) {
            net::asio::co_spawn(context, one(slots_, context.get_executor(), done), net::asio::detached);
        }
        context.run();
    };
    auto body = [](UpstreamSlotsTest& self) -> Task<void> { co_await self.lower(); };
    loop_.run(body(*this));
    {
        std::jthread first(work, 100);
        std::jthread second(work, 100);
    }
    EXPECT_EQ(done, 200);
    EXPECT_EQ(slots_->counts().in_use, 0U);
    EXPECT_EQ(slots_->counts().waiting, 0U);
}

}  // namespace
}  // namespace confab::llm
