#include "base/base64.hpp"

#include <gtest/gtest.h>

namespace confab::base {
namespace {

TEST(Base64Test, KnowsTheVectorsOfTheStandard) {
    const std::pair<const char*, const char*> vectors[] = {
        {"", ""},
        {"f", "Zg=="},
        {"fo", "Zm8="},
        {"foo", "Zm9v"},
        {"foob", "Zm9vYg=="},
        {"fooba", "Zm9vYmE="},
        {"foobar", "Zm9vYmFy"},
    };
    for (const auto& [bytes, text] : vectors) {
        EXPECT_EQ(base64_encode(bytes), text);
        EXPECT_EQ(base64_decode(text), bytes);
        EXPECT_EQ(base64_size(std::string_view(bytes).size()), std::string_view(text).size());
    }
}

TEST(Base64Test, CarriesEveryByteAlsoInPieces) {
    std::string bytes;
    for (int i = 0; i < 1000; ++i) {
        bytes += static_cast<char>(i * 7 + i / 256);
    }
    const std::string whole = base64_encode(bytes);
    std::string joined;
    for (std::size_t at = 0; at < bytes.size(); at += 48) {
        joined += base64_encode(std::string_view(bytes).substr(at, 48));
    }
    EXPECT_EQ(joined, whole);
    std::string decoded;
    for (std::size_t at = 0; at < whole.size(); at += 64) {
        decoded += base64_decode(std::string_view(whole).substr(at, 64)).value();
    }
    EXPECT_EQ(decoded, bytes);
}

TEST(Base64Test, RefusesWhatIsNotBase64) {
    for (const char* bad :
         {"Z", "Zg", "Zg=", "Zg==Zg==", "=g==", "Z===", "====", "Zm9\n", "Zm 9", "Zm9-", "Zm9_", "Zm9v="}) {
        EXPECT_FALSE(base64_decode(bad)) << bad;
    }
}

}  // namespace
}  // namespace confab::base
