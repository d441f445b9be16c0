// Rules about models: kept whole, bounded, and without people who are gone.
#include "store/sqlite/model_access.hpp"

#include "store_fixture.hpp"

namespace confab::store {
namespace {

class ModelAccessTest : public StoreTest {
protected:
    User make_person(const std::string& email) {
        return good(run_task(store_->create_user(new_user(email), IfFirst::no)));
    }

    Result<ModelAccess> put(const std::string& model, std::optional<ModelUse> who, std::vector<UserId> people = {}) {
        ModelRuleChange change;
        change.model = model;
        change.who = who;
        change.people = std::move(people);
        return run_task(store_->change_model_rule(std::move(change)));
    }

    ModelAccess all() { return good(run_task(store_->get_model_access())); }

    static std::vector<std::string> emails_of(const ModelRule& rule) {
        std::vector<std::string> emails;
        for (const ModelPerson& person : rule.people) {
            emails.push_back(person.email);
        }
        return emails;
    }
};

TEST_F(ModelAccessTest, RulesAreKeptAndCounted) {
    EXPECT_EQ(all().rules.size(), 0);
    EXPECT_EQ(all().revision, 0);
    const User ada = make_person("ada@example.org");
    const User bob = make_person("bob@example.org");
    EXPECT_EQ(good(put("large", ModelUse::people, {bob.id, ada.id, bob.id})).revision, 1);
    EXPECT_EQ(good(put("", ModelUse::administrators)).revision, 2);
    reopen();
    const ModelAccess access = all();
    EXPECT_EQ(access.revision, 2);
    ASSERT_EQ(access.rules.size(), 2);
    EXPECT_EQ(access.rules[0].model, "");
    EXPECT_EQ(access.rules[0].who, ModelUse::administrators);
    EXPECT_EQ(access.rules[1].model, "large");
    EXPECT_EQ(emails_of(access.rules[1]), (Texts{"ada@example.org", "bob@example.org"}));
    EXPECT_EQ(access.rules[1].people[0].no, ada.no);
    EXPECT_EQ(access.rules[1].people[0].id, ada.id);
}

TEST_F(ModelAccessTest, ANewRuleTakesThePlaceOfTheOldOne) {
    const User ada = make_person("ada@example.org");
    const User bob = make_person("bob@example.org");
    good(put("large", ModelUse::people, {ada.id}));
    EXPECT_EQ(emails_of(good(put("large", ModelUse::people, {bob.id})).rules[0]), Texts{"bob@example.org"});
    EXPECT_EQ(good(put("large", ModelUse::everybody)).rules[0].people.size(), 0);
    good(put("large", ModelUse::people, {ada.id}));
    EXPECT_EQ(good(put("large", std::nullopt)).rules.size(), 0);
    EXPECT_EQ(good(put("large", ModelUse::people)).rules[0].people.size(), 0) << "nobody comes back with a new rule";
}

TEST_F(ModelAccessTest, WhoIsDeletedLeavesTheLists) {
    const User ada = make_person("ada@example.org");
    const User bob = make_person("bob@example.org");
    good(put("large", ModelUse::people, {ada.id, bob.id}));
    good(put("larger", ModelUse::people, {ada.id}));
    good(run_task(store_->delete_user(ada.id)));
    const ModelAccess access = all();
    ASSERT_EQ(access.rules.size(), 2);
    EXPECT_EQ(emails_of(access.rules[0]), Texts{"bob@example.org"});
    EXPECT_EQ(access.rules[1].who, ModelUse::people) << "a list that is empty is for nobody, not for everybody";
    EXPECT_EQ(access.rules[1].people.size(), 0);
}

TEST_F(ModelAccessTest, WhatIsRefusedChangesNothing) {
    const User ada = make_person("ada@example.org");
    good(put("large", ModelUse::people, {ada.id}));
    EXPECT_EQ(code_of(put("large", ModelUse::people, {UserId::make()})), "user_not_found");
    EXPECT_EQ(code_of(put("large", ModelUse::people, std::vector(kModelPeopleMax + 1, ada.id))), "too_many_people");
    EXPECT_EQ(emails_of(all().rules[0]), Texts{"ada@example.org"});
    EXPECT_EQ(all().revision, 1);
    good(put("large", ModelUse::people, std::vector(kModelPeopleMax, ada.id)));
}

TEST_F(ModelAccessTest, TheNumberOfRulesIsBounded) {
    good(put("", ModelUse::administrators));
    for (std::size_t i = 0; i < kModelRulesMax; ++i) {
        good(put("model " + std::to_string(i), ModelUse::everybody));
    }
    EXPECT_EQ(code_of(put("one more", ModelUse::everybody)), "too_many_rules");
    EXPECT_EQ(good(put("model 7", ModelUse::administrators)).rules.size(), kModelRulesMax + 1) << "with the one for others";
}

TEST_F(ModelAccessTest, TheNumberOfPeopleInAllListsIsBounded) {
    constexpr std::size_t kEach = 100;
    std::vector<UserId> people;
    for (std::size_t i = 0; i < kEach; ++i) {
        people.push_back(make_person("person" + std::to_string(i) + "@example.org").id);
    }
    for (std::size_t i = 0; i < kModelPeopleInAllMax / kEach; ++i) {
        good(put("model " + std::to_string(i), ModelUse::people, people));
    }
    EXPECT_EQ(code_of(put("one more", ModelUse::people, {people[0]})), "too_many_people");
    good(put("model 0", ModelUse::people));
    good(put("one more", ModelUse::people, {people[0]}));
}

}  // namespace
}  // namespace confab::store
