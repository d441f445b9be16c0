// Searching messages and titles of one user.
#pragma once

#include "base/error.hpp"
#include "net/task.hpp"
#include "store/search_rows.hpp"

namespace confab::store {

class SearchStore {
public:
    virtual ~SearchStore() = default;

    // A page of what the user has. What was written less than two seconds ago may be missing. `invalid_request` (param
    // after) for a cursor that is not one.
    virtual net::Task<base::Result<SearchPage>> search(UserNo user, SearchRequest request) = 0;
};

}  // namespace confab::store
