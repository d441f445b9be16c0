#include "chat/show_limit.hpp"

#include <gtest/gtest.h>

namespace confab::chat {
namespace {

using std::chrono::milliseconds;

class ShowLimitTest : public testing::Test {
protected:
    // One event each `step`, as many as `count`.
    void grow(Sequence count, milliseconds step = milliseconds(0)) {
        for (Sequence i = 0; i < count; ++i) {
            limit_.appended(limit_.size() + 1, now_);
            now_ += step;
        }
    }

    Sequence visible() { return seen_ = limit_.visible(seen_, now_); }

    ShowLimit limit_;
    ShowLimit::Time now_ = ShowLimit::Time() + std::chrono::hours(1);
    Sequence seen_ = 0;
};

TEST_F(ShowLimitTest, ShowsAtOnceWhatIsYoung) {
    grow(10, milliseconds(10));
    EXPECT_EQ(visible(), 10);
}

TEST_F(ShowLimitTest, ShowsNothingNewerThanAnOldUnsavedEvent) {
    grow(5);
    EXPECT_EQ(visible(), 5);
    now_ += kShownUnsavedMax;
    grow(1);
    EXPECT_EQ(visible(), 5);
    limit_.taken(limit_.size());
    EXPECT_EQ(visible(), 5) << "on its way is not there";
    limit_.saved(true);
    EXPECT_EQ(visible(), 6);
}

TEST_F(ShowLimitTest, TheAgeIsThatOfTheOldestUnsavedEvent) {
    grow(1);
    limit_.taken(1);
    now_ += kShownUnsavedMax / 2;
    grow(1);
    limit_.saved(true);
    now_ += kShownUnsavedMax / 2 + milliseconds(1);
    grow(1);
    EXPECT_EQ(visible(), 3) << "the old one is durable, the others are younger";
    now_ += kShownUnsavedMax / 2;
    grow(1);
    EXPECT_EQ(visible(), 3);
}

TEST_F(ShowLimitTest, AFailedSaveMakesTheEventsOldAgain) {
    grow(1);
    limit_.taken(1);
    now_ += kShownUnsavedMax;
    grow(1);
    limit_.saved(false);
    EXPECT_EQ(limit_.first_unsaved(), 0);
    EXPECT_EQ(visible(), 0);
    limit_.taken(2);
    limit_.saved(true);
    EXPECT_EQ(visible(), 2);
}

TEST_F(ShowLimitTest, ShowsABoundedNumberOfEventsBeyondTheDurableOnes) {
    grow(3 * kShownAheadMax);
    EXPECT_EQ(visible(), kShownAheadMax);
    limit_.taken(10);
    limit_.saved(true);
    EXPECT_EQ(visible(), 10 + kShownAheadMax);
    limit_.taken(limit_.size());
    limit_.saved(true);
    EXPECT_EQ(visible(), 3 * kShownAheadMax);
}

TEST_F(ShowLimitTest, ClosingEventsThatCouldNotBeSavedAreNotShown) {
    grow(4);
    limit_.taken(8);  // with four that close the log
    EXPECT_EQ(visible(), 4);
    limit_.saved(false);
    EXPECT_EQ(visible(), 4);
    EXPECT_EQ(limit_.size(), 4);
    EXPECT_EQ(limit_.first_unsaved(), 0);
}

}  // namespace
}  // namespace confab::chat
