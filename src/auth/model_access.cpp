#include "auth/model_access.hpp"

#include <algorithm>

namespace confab::auth {

using store::ModelUse;

ModelAccess::ModelAccess() : table_(std::make_shared<const Table>()) {}

ModelAccess::Verdict ModelAccess::Rule::verdict(store::UserNo user) const {
    const bool named = who == ModelUse::people && std::ranges::binary_search(people, user);
    return who == ModelUse::everybody || named ? Verdict::yes : Verdict::no;
}

ModelAccess::Verdict ModelAccess::verdict(store::UserNo user, bool administrator, std::string_view model) const {
    const TablePtr table = table_.load();
    if (administrator || !table->restricted) {
        return Verdict::yes;
    }
    const auto found = table->rules.find(model);
    if (found != table->rules.end()) {
        return found->second.verdict(user);
    }
    return table->others.who == ModelUse::everybody ? Verdict::if_listed : Verdict::no;
}

net::Task<base::Status> ModelAccess::load(store::ModelAccessStore& store) {
    CO_TRY(const auto access, co_await store.get_model_access());
    take(access);
    co_return base::Status();
}

void ModelAccess::take(const store::ModelAccess& access) {
    auto table = std::make_shared<Table>();
    table->revision = access.revision;
    for (const store::ModelRule& stored : access.rules) {
        Rule rule;
        rule.who = stored.who;
        for (const store::ModelPerson& person : stored.people) {
            rule.people.push_back(person.no);
        }
        std::ranges::sort(rule.people);
        table->restricted = table->restricted || rule.who != ModelUse::everybody;
        if (stored.model.empty()) {
            table->others = std::move(rule);
        } else {
            table->rules.emplace(stored.model, std::move(rule));
        }
    }
    const TablePtr next = std::move(table);
    TablePtr known = table_.load();
    while (known->revision <= next->revision && !table_.compare_exchange_weak(known, next)) {
    }
}

}  // namespace confab::auth
