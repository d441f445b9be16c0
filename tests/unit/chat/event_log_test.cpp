#include "chat/event_log.hpp"

#include <gmock/gmock.h>

namespace confab::chat {
namespace {

Event event(EventKind kind, std::string_view payload = {}, std::uint8_t output = 0, std::uint8_t content = 0) {
    return {kind, output, content, payload};
}

const base::ItemId kMessage = base::ItemId::make();
const base::ItemId kCall = base::ItemId::make(base::ItemType::function_call);

EventLog sample() {
    EventLog log;
    log.append(EventKind::created);
    log.append(event(EventKind::item_added, announcement(kMessage)));
    log.append(event(EventKind::text_delta, "Hello"));
    log.append(event(EventKind::text_delta, std::string(300, 'x')));  // a length of two bytes
    log.append(event(EventKind::text_delta, ""));
    log.append(event(EventKind::refusal_delta, "no", 0, 1));
    log.append(event(EventKind::item_added, announcement(kCall, "call_1", "look"), 1));
    log.append(event(EventKind::arguments_delta, "{}", 1));
    log.append(event(EventKind::text_delta, "!"));
    log.append(EventKind::finished);
    return log;
}

TEST(EventLog, NumbersEventsFromZero) {
    const EventLog log = sample();
    ASSERT_EQ(log.size(), 10);
    EXPECT_EQ(log.at(0).kind, EventKind::created);
    EXPECT_EQ(log.at(2).payload, "Hello");
    EXPECT_EQ(log.at(3).payload, std::string(300, 'x'));
    EXPECT_EQ(log.at(5).content, 1);
    EXPECT_EQ(log.at(7).output, 1);
    EXPECT_EQ(log.at(7).payload, "{}");
    EXPECT_EQ(log.at(9).kind, EventKind::finished);
}

TEST(EventLog, JoinsTheTextOfEachPart) {
    EXPECT_EQ(sample().text_of(0, 0), "Hello" + std::string(300, 'x') + "!");
    EXPECT_EQ(sample().text_of(0, 1), "no");
    EXPECT_EQ(sample().text_of(1, 0), "{}");
}

TEST(EventLog, KnowsItsItems) {
    const EventLog log = sample();
    ASSERT_EQ(log.items().size(), 2U);
    EXPECT_EQ(log.items()[0].id, kMessage);
    EXPECT_EQ(log.items()[1].id, kCall);
    EXPECT_EQ(log.items()[1].call_id, "call_1");
    EXPECT_EQ(log.items()[1].name, "look");
    EXPECT_EQ(log.items()[1].first, 6);
    EXPECT_TRUE(log.items()[1].is_open());
    EXPECT_EQ(log.items()[1].place, "\"item_id\":\"" + kCall.str() + "\",\"output_index\":1");
}

// What a server of the first version wrote: no places, one message.
TEST(EventLog, ReadsTheRecordsOfBefore) {
    std::string records("\x01\x00\x04\x10", 4);
    records.append(reinterpret_cast<const char*>(kMessage.bytes.data()), kMessage.bytes.size());
    records.append("\x05\x00\x06\x02Hi", 6);
    EventLog log;
    ASSERT_TRUE(log.append_records(records));
    EXPECT_EQ(log.records(0, log.size()), records) << "and writes a plain answer in the same way";
    EXPECT_EQ(log.items().at(0).id, kMessage);
    EXPECT_EQ(log.text_of(0, 0), "Hi");
}

TEST(EventLog, ClosesAnItemWhereverItStands) {
    const std::vector<EventKind> whole{
        EventKind::item_added, EventKind::part_added, EventKind::text_done, EventKind::part_done, EventKind::item_done
    };
    for (std::size_t kept = 1; kept <= whole.size(); ++kept) {
        EventLog log;
        for (std::size_t i = 0; i < kept; ++i) {
            log.append(event(whole[i], i == 0 ? announcement(kMessage) : std::string()));
        }
        log.close_item(0);
        ASSERT_EQ(log.size(), static_cast<Sequence>(whole.size())) << kept;
        for (std::size_t i = 0; i < whole.size(); ++i) {
            EXPECT_EQ(log.at(static_cast<Sequence>(i)).kind, whole[i]) << kept;
        }
    }
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

TEST(EventLog, RefusesPlacesBeyondTheLimits) {
    for (const auto& [output, content, good] : {std::tuple(249, 249, true), {250, 0, false}, {0, 250, false}}) {
        std::string record = "\x86";
        record += static_cast<char>(output);
        record += static_cast<char>(content);
        record += std::string("\x01x", 2);
        EventLog log;
        EXPECT_EQ(log.append_records(record).has_value(), good) << output << " " << content;
    }
}

// A stretch from the middle speaks of items that it does not know.
TEST(EventLog, MayBeAStretchOfAnother) {
    const EventLog log = sample();
    EventLog stretch;
    ASSERT_TRUE(stretch.append_records(log.records(5, log.size())));
    EXPECT_EQ(stretch.at(0).payload, "no");
    EXPECT_EQ(stretch.items().at(1).id, kCall);
}

}  // namespace
}  // namespace confab::chat
