// The content of a stored file as an answer: piece by piece, so that nothing in it can run.
#pragma once

#include "api/context.hpp"

namespace confab::api {

// `owner` is whose share of the memory the pieces are leased from. Errors: not_found when the bytes are gone; those of a
// lease.
Task<Result<Reply>> blob_reply(Context& context, const web::Request& request, store::StoredFile file, std::int64_t owner);

}  // namespace confab::api
