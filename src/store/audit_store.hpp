// AuditStore: the log of what was done that matters for security. It is only added to: the database itself refuses
// anything else, but for what is older than kAuditKept or beyond kAuditRowsMax.
#pragma once

#include "base/error.hpp"
#include "net/task.hpp"
#include "store/audit_rows.hpp"

namespace confab::store {

class AuditStore {
public:
    virtual ~AuditStore() = default;

    virtual net::Task<base::Status> add_audit(AuditEntry entry) = 0;
    virtual net::Task<base::Result<AuditPage>> list_audit(AuditFilter filter, std::size_t limit) = 0;
    // Removes what may be removed, at most some thousand rows at a time.
    virtual net::Task<base::Status> sweep_audit(UnixSeconds now) = 0;
};

}  // namespace confab::store
