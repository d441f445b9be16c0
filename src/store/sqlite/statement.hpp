// Statement: the use of one prepared statement, from binding to the last row.
//
// The statement itself belongs to its Connection, which prepares it once and keeps it; a Statement borrows it for a
// scope and gives it back reset and with its bindings cleared. Parameters are bound in order, columns are read by type:
// ids as 16-byte blobs, enumerations as their numbers, optional as NULL.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

#include <sqlite3.h>

#include "base/error.hpp"
#include "base/ids.hpp"

namespace confab::store::sqlite {

using base::Result;
using base::Status;

// The text of a statement: a string literal, whose address is its key in the statement cache.
class Sql {
public:
    consteval Sql(const char* text) : text_(text) {}  // NOLINT(google-explicit-constructor): literals pass as they are

    const char* text() const { return text_; }

private:
    const char* text_;
};

// A blob that outlives its Statement and is bound without a copy: message bodies may be megabytes.
struct Borrowed {
    std::string_view bytes;
};

// A cache entry.
struct PreparedStatement {
    sqlite3_stmt* handle = nullptr;
    bool in_use = false;
};

class Connection;

class Statement {
public:
    // `prepared` is null when preparing failed with `code`; step() then says so.
    template <class... Args>
    Statement(Connection& connection, PreparedStatement* prepared, int code, const Args&... args)
        : connection_(connection), prepared_(prepared), code_(code) {
        take();
        int index = 0;
        (bind(++index, args), ...);
    }

    Statement(const Statement&) = delete;
    Statement& operator=(const Statement&) = delete;
    ~Statement();

    // True: there is a row. False: done.
    Result<bool> step();
    // Steps to the end and ignores rows.
    Status finish();

    template <class T>
    T get(int column) const;

    bool is_null(int column) const { return sqlite3_column_type(handle(), column) == SQLITE_NULL; }

    std::int64_t integer(int column) const { return sqlite3_column_int64(handle(), column); }

    // Text or blob; valid until the next step.
    std::string_view bytes(int column) const;

private:
    template <class T>
    void bind(int index, const T& value);
    void take();

    sqlite3_stmt* handle() const { return prepared_->handle; }

    void bind_integer(int index, std::int64_t value);
    void bind_text(int index, std::string_view value);
    void bind_blob(int index, std::string_view value, sqlite3_destructor_type lifetime);
    void bind_null(int index);
    void copy_blob(int column, void* target, std::size_t size) const;
    void note(int code);

    Connection& connection_;
    PreparedStatement* prepared_;
    int code_;  // first failure of preparing or binding
};

namespace detail {

template <class T>
inline constexpr bool is_optional = false;
template <class T>
inline constexpr bool is_optional<std::optional<T>> = true;

template <class T>
inline constexpr bool is_id = false;
template <class Kind>
inline constexpr bool is_id<base::Id<Kind>> = true;

template <class T>
inline constexpr bool is_byte_array = false;
template <std::size_t N>
inline constexpr bool is_byte_array<std::array<std::uint8_t, N>> = true;

template <std::size_t N>
std::string_view view_of(const std::array<std::uint8_t, N>& bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), N};
}

}  // namespace detail

template <class T>
void Statement::bind(int index, const T& value) {
    if constexpr (detail::is_optional<T>) {
        if (value) {
            bind(index, *value);
        } else {
            bind_null(index);
        }
    } else if constexpr (std::is_enum_v<T> || std::is_integral_v<T>) {
        bind_integer(index, static_cast<std::int64_t>(value));
    } else if constexpr (detail::is_id<T>) {
        bind_blob(index, detail::view_of(value.bytes), SQLITE_TRANSIENT);
    } else if constexpr (detail::is_byte_array<T>) {
        bind_blob(index, detail::view_of(value), SQLITE_TRANSIENT);
    } else if constexpr (std::is_same_v<T, Borrowed>) {
        bind_blob(index, value.bytes, SQLITE_STATIC);
    } else {
        bind_text(index, value);
    }
}

template <class T>
T Statement::get(int column) const {
    if constexpr (detail::is_optional<T>) {
        return is_null(column) ? T() : T(get<typename T::value_type>(column));
    } else if constexpr (std::is_same_v<T, bool>) {
        return integer(column) != 0;
    } else if constexpr (std::is_enum_v<T> || std::is_integral_v<T>) {
        return static_cast<T>(integer(column));
    } else if constexpr (detail::is_id<T>) {
        T id;
        copy_blob(column, id.bytes.data(), id.bytes.size());
        return id;
    } else if constexpr (detail::is_byte_array<T>) {
        T value{};
        copy_blob(column, value.data(), value.size());
        return value;
    } else {
        return T(bytes(column));
    }
}

}  // namespace confab::store::sqlite
