#include "base/ids.hpp"

#include <set>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "base/clock.hpp"

namespace confab::base {
namespace {

TEST(Ids, are_version_7_and_variant_2) {
    const auto before = static_cast<std::uint64_t>(unix_now_ms());
    const IdBytes id = make_uuid_v7();
    EXPECT_EQ(id[6] >> 4, 7);
    EXPECT_EQ(id[8] >> 6, 2);
    std::uint64_t ms = 0;
    for (std::size_t i = 0; i < 6; ++i) {
        ms = ms << 8 | id[i];
    }
    EXPECT_GE(ms, before);
    EXPECT_LE(ms, before + 1000);
}

TEST(Ids, rise_within_a_thread_even_within_one_millisecond) {
    IdBytes last = make_uuid_v7();
    for (int i = 0; i < 100'000; ++i) {
        const IdBytes next = make_uuid_v7();
        ASSERT_LT(last, next) << i;
        ASSERT_EQ(next[6] >> 4, 7);
        last = next;
    }
}

TEST(Ids, differ_between_threads) {
    std::vector<std::vector<IdBytes>> made(4);
    std::vector<std::thread> threads;
    for (auto& ids : made) {
        threads.emplace_back([&ids] {
            for (int i = 0; i < 5000; ++i) {
                ids.push_back(make_uuid_v7());
            }
        });
    }
    std::set<IdBytes> all;
    for (std::size_t i = 0; i < threads.size(); ++i) {
        threads[i].join();
        all.insert(made[i].begin(), made[i].end());
    }
    EXPECT_EQ(all.size(), 20'000U);
}

TEST(Ids, are_read_back_from_their_text) {
    const auto id = ConversationId::make();
    EXPECT_EQ(id.str().size(), 5U + 32U);
    EXPECT_TRUE(id.str().starts_with("conv_"));
    EXPECT_EQ(ConversationId::parse(id.str()), id);
    EXPECT_EQ(ItemId::make().str().substr(0, 4), "msg_");
    EXPECT_EQ(ResponseId::make().str().substr(0, 5), "resp_");
}

TEST(Ids, of_another_kind_or_shape_are_refused) {
    const std::string text = ConversationId::make().str();
    EXPECT_FALSE(ResponseId::parse(text));
    for (const std::string& wrong : {
             std::string(),
             std::string("conv_"),
             text.substr(0, 36),
             text + "0",
             text.substr(5),
             "conv_" + std::string(32, 'g'),
             "conv_" + std::string(32, 'A'),
             "CONV_" + text.substr(5),
             " " + text,
             "conv_" + std::string(31, '0') + '\0',
         }) {
        EXPECT_FALSE(ConversationId::parse(wrong)) << wrong;
    }
}

TEST(Ids, of_items_say_what_the_item_is) {
    const std::vector<std::string> prefixes{"msg_", "rs_", "fc_", "fco_", "item_"};
    for (std::size_t i = 0; i < prefixes.size(); ++i) {
        const auto type = static_cast<ItemType>(i);
        const ItemId id = ItemId::make(type);
        EXPECT_EQ(id.type(), type);
        EXPECT_EQ(id.str().substr(0, prefixes[i].size()), prefixes[i]);
        EXPECT_EQ(id.str().size(), prefixes[i].size() + 32);
        EXPECT_EQ(ItemId::parse(id.str()), id);
        EXPECT_EQ(id.bytes[8] >> 6, 2) << "the variant";
        for (const std::string& other : prefixes) {
            EXPECT_EQ(ItemId::parse(other + to_hex(id.bytes)).has_value(), other == prefixes[i]) << other;
        }
    }
    const ItemId earlier = ItemId::make(ItemType::reasoning);
    EXPECT_LT(earlier, ItemId::make(ItemType::reasoning));
    EXPECT_FALSE(ItemId::parse("rs_"));
    EXPECT_FALSE(ItemId::parse("xx_" + to_hex(earlier.bytes)));
}

TEST(Ids, hex_goes_there_and_back) {
    IdBytes bytes{};
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        bytes[i] = static_cast<std::uint8_t>(i * 17);
    }
    EXPECT_EQ(to_hex(bytes), "00112233445566778899aabbccddeeff");
    EXPECT_EQ(id_from_hex("00112233445566778899aabbccddeeff"), bytes);
    EXPECT_EQ(to_hex({}), "");
}

TEST(Ids, hash_uses_the_random_half) {
    auto a = ResponseId::make();
    auto b = a;
    b.bytes[0] ^= 1;
    EXPECT_EQ(IdHash{}(a), IdHash{}(b));
    b.bytes[15] ^= 1;
    EXPECT_NE(IdHash{}(a), IdHash{}(b));
}

}  // namespace
}  // namespace confab::base
