#include "auth/tokens.hpp"

#include <filesystem>
#include <fstream>
#include <set>

#include <gmock/gmock.h>
#include <unistd.h>

#include "auth/accounts.hpp"
#include "auth/passwords.hpp"
#include "auth/sealer.hpp"
#include "base/ids.hpp"
#include "support/run_task.hpp"

namespace confab::auth {
namespace {

class TokensTest : public testing::Test {
protected:
    static void SetUpTestSuite() { init_crypto(); }
};

TEST_F(TokensTest, AreLongRandomAndUrlSafe) {
    std::set<std::string> seen;
    for (int i = 0; i < 1000; ++i) {
        const std::string token = random_token();
        EXPECT_EQ(token.size(), 43U);
        EXPECT_EQ(token.find_first_of("+/=; \r\n"), std::string::npos);
        EXPECT_TRUE(seen.insert(token).second);
    }
    EXPECT_TRUE(make_api_key().starts_with("sk-"));
}

TEST_F(TokensTest, HashesAsPublished) {
    EXPECT_EQ(base::to_hex(sha256("abc")), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST_F(TokensTest, ComparesSecrets) {
    EXPECT_TRUE(equal_secret("abc", "abc"));
    EXPECT_FALSE(equal_secret("abc", "abd"));
    EXPECT_FALSE(equal_secret("abc", "ab"));
}

TEST_F(TokensTest, APasswordFitsOnlyItsOwnHash) {
    PasswordPool pool;
    const auto hash = support::run_task(pool.hash("correct horse"));
    ASSERT_TRUE(hash);
    EXPECT_TRUE(hash->starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
    EXPECT_EQ(support::run_task(pool.verify("correct horse", *hash)), true);
    EXPECT_EQ(support::run_task(pool.verify("wrong horse", *hash)), false);
    EXPECT_EQ(support::run_task(pool.verify("correct horse", "")), false);
}

TEST_F(TokensTest, PasswordsHaveALength) {
    EXPECT_FALSE(check_password_length("1234567"));
    EXPECT_TRUE(check_password_length("12345678"));
    EXPECT_TRUE(check_password_length(std::string(1024, 'a')));
    EXPECT_FALSE(check_password_length(std::string(1025, 'a')));
}

TEST_F(TokensTest, TheThrottleLetsAFewTriesThroughThenDelaysLongerAndLonger) {
    LoginThrottle throttle;
    const auto now = std::chrono::steady_clock::now();
    for (int i = 0; i < 4; ++i) {
        throttle.failed("a", 5, now);
        EXPECT_EQ(throttle.wait_for("a", now).count(), 0);
    }
    throttle.failed("a", 5, now);
    const auto first = throttle.wait_for("a", now);
    EXPECT_GT(first.count(), 0);
    throttle.failed("a", 5, now);
    EXPECT_GT(throttle.wait_for("a", now), first);
    for (int i = 0; i < 50; ++i) {
        throttle.failed("a", 5, now);
    }
    EXPECT_LE(throttle.wait_for("a", now).count(), 64);
    EXPECT_EQ(throttle.wait_for("b", now).count(), 0);
    throttle.forget("a");
    EXPECT_EQ(throttle.wait_for("a", now).count(), 0);
}

TEST_F(TokensTest, TheThrottleForgivesOneTryAndNoMore) {
    LoginThrottle throttle;
    const auto now = std::chrono::steady_clock::now();
    for (int i = 0; i < 5; ++i) {
        throttle.failed("a", 5, now);
    }
    throttle.forgive("a", 5);
    EXPECT_EQ(throttle.wait_for("a", now).count(), 0);
    throttle.failed("a", 5, now);
    EXPECT_GT(throttle.wait_for("a", now).count(), 0) << "four failures stand";
    throttle.failed("b", 5, now);
    throttle.forgive("b", 5);
    throttle.forgive("nobody", 5);
    EXPECT_EQ(throttle.size(), 1U);
    for (int i = 0; i < 5; ++i) {
        throttle.failed("a", 5, now);
    }
    throttle.forgive("a", 5);
    EXPECT_GT(throttle.wait_for("a", now).count(), 0) << "nine failures stand, and wait";
}

TEST_F(TokensTest, TheThrottleDoesNotForgetWhoWaitsInAFlood) {
    LoginThrottle throttle;
    const auto now = std::chrono::steady_clock::now();
    for (int i = 0; i < 20; ++i) {
        throttle.failed("victim", 5, now);
    }
    for (int i = 0; i < 50'000; ++i) {
        throttle.failed("stranger " + std::to_string(i), 5, now);
    }
    EXPECT_GT(throttle.wait_for("victim", now).count(), 0);
    EXPECT_LE(throttle.size(), 10'000U);
}

TEST_F(TokensTest, SealedSecretsOpenWithTheirKeyFileOnly) {
    const auto folder = std::filesystem::temp_directory_path() / ("confab-sealer-" + std::to_string(::getpid()));
    std::filesystem::create_directories(folder);
    const std::string path = folder / "secret.key";
    const auto sealer = Sealer::open_key_file(path);
    ASSERT_TRUE(sealer);
    const std::string sealed = sealer->seal("canary-key");
    EXPECT_EQ(sealed.find("canary"), std::string::npos);
    EXPECT_EQ(Sealer::open_key_file(path)->open(sealed).value(), "canary-key");
    EXPECT_FALSE(sealer->open("nonsense"));
    const auto other = Sealer::open_key_file(folder / "other.key");
    EXPECT_FALSE(other->open(sealed));
    EXPECT_EQ(
        std::filesystem::status(path).permissions() & std::filesystem::perms::all,
        std::filesystem::perms::owner_read | std::filesystem::perms::owner_write
    );
    std::ofstream(folder / "short.key") << "x";
    EXPECT_FALSE(Sealer::open_key_file(folder / "short.key"));
    std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace confab::auth
