// The audit log. The meaning of each call is that of AuditStore; a call that changes something expects a transaction.
#pragma once

#include "store/audit_rows.hpp"
#include "store/sqlite/connection.hpp"

namespace confab::store::sqlite {

Status add_audit(Connection& db, const AuditEntry& entry);
Result<AuditPage> list_audit(Connection& db, const AuditFilter& filter, std::size_t limit);
Status sweep_audit(Connection& db, UnixSeconds now);

}  // namespace confab::store::sqlite
