// ModelAccess: which models which people may use, for the process. Any shard may ask; nothing is read from the store for it.
//
// A model that somebody may not use is as unknown to them as one that does not exist. Administrators may use every model.
// Once a model is not for everybody, a name that nobody lists and no rule names is for administrators only: servers know
// their models by other names as well ("llama3" for "llama3:latest"), and such a name would lead around the rule.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "net/task.hpp"
#include "store/model_access_store.hpp"

namespace confab::auth {

class ModelAccess {
public:
    enum class Verdict : std::uint8_t { yes, no, if_listed };  // if_listed: when a model server lists that name

    ModelAccess();

    Verdict verdict(store::UserNo user, bool administrator, std::string_view model) const;

    // Whether some model is not for everybody.
    bool restricted() const { return table_.load()->restricted; }

    // At the start.
    net::Task<base::Status> load(store::ModelAccessStore& store);
    // What the store holds now. Changes made at once on several shards may arrive in any order: the newest one stays.
    void take(const store::ModelAccess& access);

private:
    struct Rule {
        store::ModelUse who = store::ModelUse::everybody;
        std::vector<store::UserNo> people;  // sorted

        Verdict verdict(store::UserNo user) const;
    };

    struct TextHash {
        using is_transparent = void;
        std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
    };

    struct Table {
        std::int64_t revision = 0;
        Rule others;
        bool restricted = false;  // some model is not for everybody
        std::unordered_map<std::string, Rule, TextHash, std::equal_to<>> rules;
    };

    using TablePtr = std::shared_ptr<const Table>;

    std::atomic<TablePtr> table_;
};

}  // namespace confab::auth
