// ModelAccessStore: which models which people may use, as administrators say.
//
// A rule is of one model, by its name; the rule of the model "" is for all models that have none of their own, names that
// nobody lists included. Administrators may use every model. Who is deleted leaves the lists in the same transaction.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "net/task.hpp"
#include "store/rows.hpp"

namespace confab::store {

inline constexpr std::size_t kModelRulesMax = 500;
inline constexpr std::size_t kModelPeopleMax = 500;          // of one rule
inline constexpr std::size_t kModelPeopleInAllMax = 10'000;  // of all rules together

enum class ModelUse : std::uint8_t { everybody = 0, administrators = 1, people = 2 };  // as stored

struct ModelPerson {
    UserNo no{};
    UserId id;
    std::string name;
    std::string email;
};

struct ModelRule {
    std::string model;
    ModelUse who = ModelUse::everybody;
    std::vector<ModelPerson> people;  // of ModelUse::people; by number
};

struct ModelAccess {
    std::int64_t revision = 0;      // grows with each change of a rule
    std::vector<ModelRule> rules;  // by model; at most kModelRulesMax, and one for ""
};

struct ModelRuleChange {
    std::string model;
    std::optional<ModelUse> who;  // nothing: the model has no rule of its own any more
    std::vector<UserId> people;
};

class ModelAccessStore {
public:
    virtual ~ModelAccessStore() = default;

    virtual net::Task<base::Result<ModelAccess>> get_model_access() = 0;
    // Everything as it is afterwards. `invalid_request`: too_many_rules (param model), too_many_people and
    // user_not_found (param people).
    virtual net::Task<base::Result<ModelAccess>> change_model_rule(ModelRuleChange change) = 0;
};

}  // namespace confab::store
