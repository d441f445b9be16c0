// Requests that may be repeated. The meaning of each call is that of CallStore; all of them change something and expect
// a transaction.
#pragma once

#include "store/call_store.hpp"
#include "store/sqlite/connection.hpp"

namespace confab::store::sqlite {

Result<Call> begin_call(Connection& db, const NewCall& call, UnixSeconds now);
Status finish_call(Connection& db, const FinishedCall& finished);
Status interrupt_call(Connection& db, CallNo no);
Status forget_call(Connection& db, CallNo no);
Result<bool> delete_calls_before(Connection& db, UnixSeconds time);

}  // namespace confab::store::sqlite
