// Backup: everything that a server keeps, as one tar archive: manifest.json, secret.key, confab.db and the images as
// files/ab/<SHA-256>. Made while the server works (docs/adr/0021).
#pragma once

#include <string>

#include "transfer/exporter.hpp"

namespace confab::transfer {

struct BackupSources {
    store::Store& store;
    std::string data_dir;  // of the store; a copy of the database is made in it
    std::string version;
};

// `conflict` (backup_running) when another one is under way.
base::Result<std::unique_ptr<Producer>> make_backup(BackupSources sources);

}  // namespace confab::transfer
