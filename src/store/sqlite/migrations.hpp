// Migrations: how an empty file becomes a database, and an older database a newer one.
//
// src/store/migrations/NNNN_name.sql, embedded at build time, numbered from 1 without gaps, applied forward only, each
// in one transaction that also notes its number and checksum. A file that was applied somewhere is never edited again.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "store/sqlite/connection.hpp"

namespace confab::store::sqlite {

struct Migration {
    std::int64_t version = 0;
    const char* name = "";
    const char* sql = "";
};

// What this program knows, oldest first.
std::span<const Migration> embedded_migrations();

// Brings the database to the newest of `migrations`. Fails, without changing anything further, when an applied
// migration differs from the known one or when the database is newer than the program.
Status migrate(Connection& db, std::span<const Migration> migrations);

}  // namespace confab::store::sqlite
