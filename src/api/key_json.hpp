// API keys as the API shows them.
#pragma once

#include <string>

#include "api/context.hpp"

namespace confab::api {

// Of a key that was just made, with its secret; without `secret` else.
void render_key(
    base::JsonWriter& out,
    const store::ApiKey& key,
    const store::UsageSum& used_this_month,
    std::string_view secret
);

// A list of all keys of a person, newest first, with what each was used for this month.
Task<Result<std::string>> render_keys_of(Context& context, store::UserNo user);

}  // namespace confab::api
