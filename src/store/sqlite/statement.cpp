#include "store/sqlite/statement.hpp"

#include <cstring>

#include "store/sqlite/connection.hpp"

namespace confab::store::sqlite {

void Statement::take() {
    CONFAB_ASSERT(prepared_ != nullptr || code_ != SQLITE_OK);
    if (prepared_ != nullptr) {
        CONFAB_ASSERT(!prepared_->in_use);
        prepared_->in_use = true;
    }
}

Statement::~Statement() {
    if (prepared_ != nullptr) {
        sqlite3_reset(handle());
        sqlite3_clear_bindings(handle());
        prepared_->in_use = false;
    }
}

Result<bool> Statement::step() {
    if (code_ == SQLITE_OK) {
        const int code = sqlite3_step(handle());
        if (code == SQLITE_ROW) {
            return true;
        }
        if (code == SQLITE_DONE) {
            return false;
        }
        code_ = code;
    }
    return std::unexpected(connection_.error_of(code_));
}

Status Statement::finish() {
    for (;;) {
        TRY(const bool row, step());
        if (!row) {
            return {};
        }
    }
}

std::string_view Statement::bytes(int column) const {
    const void* data = sqlite3_column_blob(handle(), column);
    const int size = sqlite3_column_bytes(handle(), column);
    return {static_cast<const char*>(data), static_cast<std::size_t>(size)};
}

void Statement::bind_integer(int index, std::int64_t value) {
    if (prepared_ != nullptr) {
        note(sqlite3_bind_int64(handle(), index, value));
    }
}

void Statement::bind_text(int index, std::string_view value) {
    if (prepared_ != nullptr) {
        // A null pointer would bind NULL.
        const char* data = value.data() != nullptr ? value.data() : "";
        note(sqlite3_bind_text64(handle(), index, data, value.size(), SQLITE_TRANSIENT, SQLITE_UTF8));
    }
}

void Statement::bind_blob(int index, std::string_view value, sqlite3_destructor_type lifetime) {
    if (prepared_ != nullptr) {
        const char* data = value.data() != nullptr ? value.data() : "";
        note(sqlite3_bind_blob64(handle(), index, data, value.size(), lifetime));
    }
}

void Statement::bind_null(int index) {
    if (prepared_ != nullptr) {
        note(sqlite3_bind_null(handle(), index));
    }
}

void Statement::copy_blob(int column, void* target, std::size_t size) const {
    const std::string_view value = bytes(column);
    CONFAB_ASSERT(value.size() == size);
    std::memcpy(target, value.data(), size);
}

void Statement::note(int code) {
    if (code_ == SQLITE_OK) {
        code_ = code;
    }
}

}  // namespace confab::store::sqlite
