// Importing a file from its beginning to its end, whatever its format. Blocking reads happen on the caller's thread, so
// this runs on a loop of its own, never on a shard.
#pragma once

#include <functional>
#include <string>

#include "store/blob_disk.hpp"
#include "store/store.hpp"
#include "transfer/import_report.hpp"
#include "transfer/piece_sink.hpp"

namespace confab::transfer {

struct ImportEnvironment {
    store::ImportStore& store;
    store::FileStore& files;
    store::BlobDisk& blobs;
    std::string spool_dir;
};

// Called now and then, at most every quarter of a second; false: stop.
using KeepGoing = std::function<net::Task<base::Result<bool>>(const ImportReport&)>;

// What is wrong with single messages and conversations is in the report. The error says why the rest of the file was
// not read: not_found, invalid_request (truncated, malformed_json, unknown_format, zip_bomb, ...), storage_full,
// cancelled, internal. What was imported before stays.
net::Task<base::Status> import_file(
    ImportEnvironment environment,
    Importing importing,
    std::string path,
    ImportReport& report,
    KeepGoing keep_going
);

}  // namespace confab::transfer
