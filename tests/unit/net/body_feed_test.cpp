#include "net/body_feed.hpp"

#include <gtest/gtest.h>

namespace confab::net {
namespace {

// Gives `content` in pieces of `step`, at once or when told to.
class FakePart final : public BodyPart {
public:
    FakePart(std::string content, std::size_t step) : content_(std::move(content)), step_(step) {}

    std::uint64_t size() const override { return content_.size() + missing; }

    void read(std::uint64_t offset, std::move_only_function<void(base::Result<std::string>)> done) override {
        ++reads;
        waiting = [this, offset, done = std::move(done)]() mutable {
            if (failing) {
                done(base::not_found("gone", "file_not_found"));
            } else {
                done(content_.substr(offset, step_));
            }
        };
        if (!held) {
            std::exchange(waiting, nullptr)();
        }
    }

    int reads = 0;
    bool held = false;
    bool failing = false;
    std::size_t missing = 0;  // bytes announced and not there
    std::move_only_function<void()> waiting;

private:
    const std::string content_;
    const std::size_t step_;
};

class BodyFeedTest : public testing::Test {
protected:
    // Reads to the end, `room` bytes at a time.
    std::string read_all(BodyFeed& feed, std::size_t room) {
        std::string all;
        std::string out(room, '\0');
        for (int turns = 0; turns < 10'000; ++turns) {
            const auto taken = feed.read(out.data(), room);
            last_ = taken.state;
            if (taken.state == BodyFeed::State::bytes) {
                all.append(out, 0, taken.count);
            } else if (taken.state == BodyFeed::State::wait) {
                context_.restart();
                if (context_.poll() == 0) {
                    return all;
                }
            } else {
                return all;
            }
        }
        ADD_FAILURE() << "no end";
        return all;
    }

    std::unique_ptr<BodyFeed> make_feed() {
        return std::make_unique<BodyFeed>(source_, context_.get_executor(), [this] { ++news_; });
    }

    asio::io_context context_{1};
    BodySource source_;
    int news_ = 0;
    BodyFeed::State last_ = BodyFeed::State::end;
};

TEST_F(BodyFeedTest, JoinsTextAndPartsWhateverTheRoom) {
    const auto first = std::make_shared<FakePart>("0123456789", 4);
    const auto second = std::make_shared<FakePart>("abc", 100);
    source_.text = "[,]";
    source_.insertions = {{0, first}, {1, second}, {2, second}, {3, first}};
    const std::string expected = "0123456789[abc,abc]0123456789";
    EXPECT_EQ(source_.size(), expected.size());
    for (std::size_t room = 1; room < 40; ++room) {
        EXPECT_EQ(read_all(*make_feed(), room), expected) << room;
        EXPECT_EQ(last_, BodyFeed::State::end);
    }
}

TEST_F(BodyFeedTest, ATextAloneNeedsNoLoop) {
    source_ = std::string("only text");
    EXPECT_EQ(read_all(*make_feed(), 4), "only text");
    EXPECT_EQ(news_, 0);
}

TEST_F(BodyFeedTest, HoldsOnePieceAtATime) {
    const auto part = std::make_shared<FakePart>("0123456789", 4);
    part->held = true;
    source_.insertions = {{0, part}};
    const auto feed = make_feed();
    char out[16];
    EXPECT_EQ(feed->read(out, 16).state, BodyFeed::State::wait);
    EXPECT_EQ(feed->read(out, 16).state, BodyFeed::State::wait);
    EXPECT_EQ(part->reads, 1) << "one read is under way, not two";
    part->waiting();
    EXPECT_EQ(news_, 0) << "news come from the loop, never inside the part's call";
    context_.poll();
    EXPECT_EQ(news_, 1);
    EXPECT_EQ(feed->read(out, 16).count, 4U);
    EXPECT_EQ(part->reads, 1) << "the next piece is read when this one is used up";
}

TEST_F(BodyFeedTest, BeginsAnewAfterRewinding) {
    const auto part = std::make_shared<FakePart>("0123456789", 4);
    source_.text = "<>";
    source_.insertions = {{1, part}};
    const auto feed = make_feed();
    EXPECT_EQ(read_all(*feed, 3), "<0123456789>");
    feed->rewind();
    EXPECT_EQ(read_all(*feed, 5), "<0123456789>");
    feed->rewind();
    part->held = true;
    char out[4];
    feed->read(out, 4);
    feed->read(out, 4);
    auto late = std::move(part->waiting);
    feed->rewind();  // what was under way is not wanted any more
    part->held = false;
    late();
    EXPECT_EQ(read_all(*feed, 5), "<0123456789>");
}

TEST_F(BodyFeedTest, FailsWhenAPartFailsOrIsTooShort) {
    const auto part = std::make_shared<FakePart>("0123456789", 4);
    source_.insertions = {{0, part}};
    part->failing = true;
    auto feed = make_feed();
    EXPECT_EQ(read_all(*feed, 5), "");
    EXPECT_EQ(last_, BodyFeed::State::failed);
    EXPECT_EQ(feed->error()->code, "file_not_found");
    part->failing = false;
    part->missing = 1;
    feed = make_feed();
    EXPECT_EQ(read_all(*feed, 5), "0123456789");
    EXPECT_EQ(last_, BodyFeed::State::failed);
    EXPECT_EQ(feed->error()->code, "part_changed");
}

TEST_F(BodyFeedTest, AnAnswerAfterItsEndIsDropped) {
    const auto part = std::make_shared<FakePart>("0123456789", 4);
    part->held = true;
    source_.insertions = {{0, part}};
    auto feed = make_feed();
    char out[4];
    feed->read(out, 4);
    feed.reset();
    part->waiting();
    context_.poll();
    EXPECT_EQ(news_, 0);
}

}  // namespace
}  // namespace confab::net
