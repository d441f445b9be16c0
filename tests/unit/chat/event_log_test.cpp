#include "chat/event_log.hpp"

#include <gmock/gmock.h>

namespace confab::chat {
namespace {

EventLog sample() {
    EventLog log;
    log.append(EventKind::created);
    log.append(EventKind::item_added, "0123456789abcdef");
    log.append(EventKind::text_delta, "Hello");
    log.append(EventKind::text_delta, std::string(300, 'x'));  // a length of two bytes
    log.append(EventKind::text_delta, "");
    log.append(EventKind::finished);
    return log;
}

TEST(EventLog, NumbersEventsFromZero) {
    const EventLog log = sample();
    ASSERT_EQ(log.size(), 6);
    EXPECT_EQ(log.at(0).kind, EventKind::created);
    EXPECT_EQ(log.at(2).payload, "Hello");
    EXPECT_EQ(log.at(3).payload, std::string(300, 'x'));
    EXPECT_EQ(log.at(5).kind, EventKind::finished);
}

TEST(EventLog, JoinsItsText) {
    EXPECT_EQ(sample().text(), "Hello" + std::string(300, 'x'));
}

TEST(EventLog, IsTheSameAfterAnyCutIntoStretches) {
    const EventLog log = sample();
    for (Sequence cut = 0; cut <= log.size(); ++cut) {
        EventLog copy;
        ASSERT_TRUE(copy.append_records(log.records(0, cut)));
        ASSERT_TRUE(copy.append_records(log.records(cut, log.size())));
        ASSERT_EQ(copy.size(), log.size());
        EXPECT_EQ(copy.records(0, copy.size()), log.records(0, log.size()));
    }
}

TEST(EventLog, RefusesDamagedRecordsAndKeepsWhatCameBefore) {
    const EventLog log = sample();
    const std::string_view all = log.records(0, log.size());
    for (std::size_t bytes = 0; bytes < all.size(); ++bytes) {
        EventLog copy;
        const bool whole = copy.append_records(all.substr(0, bytes)).has_value();
        bool at_boundary = false;
        for (Sequence i = 0; i <= log.size(); ++i) {
            at_boundary = at_boundary || log.records(0, i).size() == bytes;
        }
        EXPECT_EQ(whole, at_boundary) << bytes;
        EXPECT_EQ(copy.records(0, copy.size()), all.substr(0, copy.records(0, copy.size()).size()));
    }
    EventLog copy;
    EXPECT_FALSE(copy.append_records(std::string_view("\xFF\x00", 2)));
    EXPECT_FALSE(copy.append_records(std::string_view("\x06\xFF\xFF\xFF\xFF\xFF\xFF", 7)));
}

TEST(EventLog, FindsTheFirstEventOfAKind) {
    const EventLog log = sample();
    EXPECT_EQ(log.first_payload(EventKind::item_added), "0123456789abcdef");
    EXPECT_TRUE(log.contains(EventKind::finished));
    EXPECT_FALSE(log.contains(EventKind::queued));
    EXPECT_EQ(log.first_payload(EventKind::queued), "");
}

}  // namespace
}  // namespace confab::chat
