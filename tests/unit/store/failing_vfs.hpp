// A SQLite file system that fails on command, in front of the real one.
#pragma once

#include <atomic>
#include <map>

#include <sqlite3.h>

namespace confab::store {

// While it lives, files opened through SQLite's default file system can be made to fail at fsync.
class FailingVfs {
public:
    FailingVfs() : real_(sqlite3_vfs_find(nullptr)), vfs_(*real_) {
        vfs_.zName = "failing";
        vfs_.pAppData = real_;
        vfs_.pNext = nullptr;
        vfs_.xOpen = open;
        sqlite3_vfs_register(&vfs_, 1);
    }

    FailingVfs(const FailingVfs&) = delete;
    FailingVfs& operator=(const FailingVfs&) = delete;

    ~FailingVfs() { sqlite3_vfs_unregister(&vfs_); }

    static inline std::atomic<bool> sync_fails = false;

private:
    // Opens with the real one, then replaces the method table by a copy with our fsync.
    static int open(sqlite3_vfs* vfs, sqlite3_filename name, sqlite3_file* file, int flags, int* out_flags) {
        auto* real = static_cast<sqlite3_vfs*>(vfs->pAppData);
        const int code = real->xOpen(real, name, file, flags, out_flags);
        if (code == SQLITE_OK && file->pMethods != nullptr) {
            real_sync = file->pMethods->xSync;
            sqlite3_io_methods& methods = methods_of[file->pMethods];
            methods = *file->pMethods;
            methods.xSync = sync;
            file->pMethods = &methods;
        }
        return code;
    }

    static int sync(sqlite3_file* file, int flags) { return sync_fails ? SQLITE_IOERR_FSYNC : real_sync(file, flags); }

    static inline int (*real_sync)(sqlite3_file*, int) = nullptr;
    // Databases and their logs have method tables of their own.
    static inline std::map<const sqlite3_io_methods*, sqlite3_io_methods> methods_of;

    sqlite3_vfs* real_;
    sqlite3_vfs vfs_;
};

}  // namespace confab::store
