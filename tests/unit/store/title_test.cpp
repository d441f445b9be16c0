#include "store/sqlite/title.hpp"

#include <gtest/gtest.h>

#include "base/text.hpp"

namespace confab::store::sqlite {
namespace {

TEST(Title, IsTheTextOnOneLine) {
    EXPECT_EQ(title_from(BodyFormat::text, "  Plan a\n\n garden\tfor me "), "Plan a garden for me");
    EXPECT_EQ(title_from(BodyFormat::text, " \n "), "");
}

TEST(Title, IsCutBetweenWordsOrCharacters) {
    std::string words;
    for (int i = 0; i < 100; ++i) {
        words += "word ";
    }
    const std::string title = title_from(BodyFormat::text, words);
    EXPECT_LE(title.size(), kTitleBytesMax);
    EXPECT_TRUE(title.ends_with("word…")) << title;

    std::string unbroken;
    for (int i = 0; i < 100; ++i) {
        unbroken += "漢";
    }
    const std::string cut = title_from(BodyFormat::text, unbroken);
    EXPECT_LE(cut.size(), kTitleBytesMax);
    EXPECT_TRUE(base::is_utf8(cut));
    EXPECT_TRUE(cut.ends_with("漢…"));
}

TEST(Title, OfPartsIsTheFirstText) {
    const char* parts = R"([{"type":"input_image","image_url":"x"},{"type":"input_text","text":" Hi\nthere"}])";
    EXPECT_EQ(title_from(BodyFormat::json, parts), "Hi there");
    EXPECT_EQ(title_from(BodyFormat::json, "not json"), "");
    EXPECT_EQ(title_from(BodyFormat::json, R"([{"type":"input_image"}])"), "");
}

}  // namespace
}  // namespace confab::store::sqlite
