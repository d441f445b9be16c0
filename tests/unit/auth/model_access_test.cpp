// Who may use which model, by rules.
#include "auth/model_access.hpp"

#include <gtest/gtest.h>

namespace confab::auth {
namespace {

using store::ModelUse;
using Verdict = ModelAccess::Verdict;

constexpr store::UserNo kAda{1};
constexpr store::UserNo kBob{2};

store::ModelRule rule(const std::string& model, ModelUse who, std::vector<store::UserNo> people = {}) {
    store::ModelRule made;
    made.model = model;
    made.who = who;
    for (const store::UserNo no : people) {
        made.people.push_back({no, {}, "", ""});
    }
    return made;
}

TEST(ModelAccessTest, WithoutARuleEverythingIsForEverybody) {
    const ModelAccess access;
    EXPECT_EQ(access.verdict(kAda, false, "small"), Verdict::yes);
    EXPECT_EQ(access.verdict(kAda, false, "of no server"), Verdict::yes);
}

TEST(ModelAccessTest, RulesSayWho) {
    ModelAccess access;
    access.take({1, {rule("free", ModelUse::everybody), rule("large", ModelUse::administrators), rule("shared", ModelUse::people, {kBob})}});
    EXPECT_EQ(access.verdict(kAda, false, "free"), Verdict::yes);
    EXPECT_EQ(access.verdict(kAda, false, "large"), Verdict::no);
    EXPECT_EQ(access.verdict(kAda, false, "shared"), Verdict::no);
    EXPECT_EQ(access.verdict(kBob, false, "shared"), Verdict::yes);
    EXPECT_EQ(access.verdict(kAda, false, "without a rule"), Verdict::if_listed);
    for (const auto* model : {"free", "large", "shared", "without a rule"}) {
        EXPECT_EQ(access.verdict(kAda, true, model), Verdict::yes) << model;
    }
}

TEST(ModelAccessTest, OthersMayBeForAdministratorsOnly) {
    ModelAccess access;
    access.take({1, {rule("", ModelUse::administrators), rule("free", ModelUse::everybody)}});
    EXPECT_EQ(access.verdict(kAda, false, "free"), Verdict::yes);
    EXPECT_EQ(access.verdict(kAda, false, "without a rule"), Verdict::no);
    EXPECT_EQ(access.verdict(kAda, true, "without a rule"), Verdict::yes);
}

TEST(ModelAccessTest, AnOlderStateNeverReplacesANewerOne) {
    ModelAccess access;
    access.take({2, {rule("large", ModelUse::administrators)}});
    access.take({1, {}});
    EXPECT_EQ(access.verdict(kAda, false, "large"), Verdict::no);
    access.take({3, {}});
    EXPECT_EQ(access.verdict(kAda, false, "large"), Verdict::yes);
}

}  // namespace
}  // namespace confab::auth
