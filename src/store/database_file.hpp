// Looking into a database file that no store has open: a copy, or one to be restored or checked. Blocking calls.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "store/rows.hpp"

namespace confab::store {

struct BlobEntry {
    Sha256 hash{};
    std::int64_t bytes = 0;
};

struct DatabaseFacts {
    std::int64_t schema = 0;  // number of the newest migration
    std::int64_t blobs = 0;
    std::int64_t blob_bytes = 0;
};

// Makes the file complete by itself, without a log beside it, and checks it (quick_check). Errors: internal
// (database_damaged, schema_mismatch).
base::Result<DatabaseFacts> settle_database(const std::string& path);

inline constexpr std::size_t kBlobEntriesPerPage = 1'000;

// By hash, after `after`; empty at the end.
base::Result<std::vector<BlobEntry>> list_blobs(const std::string& path, const std::optional<Sha256>& after);

}  // namespace confab::store
