#include "chat/title_text.hpp"

#include <gtest/gtest.h>

#include "base/json.hpp"

namespace confab::chat {
namespace {

store::Item item(store::ItemRole role, std::string body, store::BodyFormat format = store::BodyFormat::text) {
    store::Item made;
    made.id = store::ItemId::make();
    made.role = role;
    made.format = format;
    made.body = std::move(body);
    return made;
}

TEST(TitleText, IsCleanedOfWhatModelsPutAroundIt) {
    EXPECT_EQ(clean_title("Capital of France"), "Capital of France");
    EXPECT_EQ(clean_title("\n  \"Capital of France.\"\nBecause you asked"), "Capital of France");
    EXPECT_EQ(clean_title("**Title: Capital of France**"), "Capital of France");
    EXPECT_EQ(clean_title("<think>hm\nhm</think>\n\n„Hauptstadt“"), "Hauptstadt");
    EXPECT_EQ(clean_title("<think>never ends"), "");
    EXPECT_EQ(clean_title(" \" ' "), "");
    EXPECT_EQ(clean_title("a\tb\x01\x7f  c\xe2\x80\xaew\xff"), "a b cw");
}

TEST(TitleText, HasAtMostEightyCharacters) {
    std::string text;
    for (int i = 0; i < 100; ++i) {
        text += "漢";
    }
    EXPECT_EQ(clean_title(text).size(), kTitleCharactersMax * 3);
}

TEST(TitleText, TheRequestIsBoundedAndNeedsAQuestion) {
    using store::ItemRole;
    const std::string long_text(100'000, 'x');
    const std::string body =
        title_request({item(ItemRole::user, long_text), item(ItemRole::assistant, long_text)}, "m", "max_tokens");
    EXPECT_LT(body.size(), kTitleQuestionBytes + kTitleAnswerBytes + 2'000);
    const auto parsed = base::parse_json(body);
    ASSERT_TRUE(parsed);
    EXPECT_EQ(base::find_string(parsed->get_object(), "model"), "m");
    EXPECT_NE(body.find("\"max_tokens\":"), std::string::npos);
    EXPECT_EQ(body.find("\"stream\":true"), std::string::npos);
    EXPECT_EQ(title_request({item(ItemRole::assistant, "hello")}, "m", "max_tokens"), "");
    const auto parts = item(ItemRole::user, R"([{"type":"input_text","text":"from parts"}])", store::BodyFormat::json);
    EXPECT_NE(title_request({parts}, "m", "max_tokens").find("from parts"), std::string::npos);
}

}  // namespace
}  // namespace confab::chat
