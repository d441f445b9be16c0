// Rows that are keyed user_no << 40 | n, so that what one user has of a table is one range of it.
#pragma once

#include <cstdint>

#include "store/rows.hpp"

namespace confab::store::sqlite {

inline constexpr int kUserShift = 40;
inline constexpr std::int64_t kUserRowsMask = (std::int64_t{1} << kUserShift) - 1;

struct RowRange {
    std::int64_t first = 0;
    std::int64_t last = 0;  // included
};

constexpr RowRange rows_of(UserNo user) {
    const std::int64_t first = static_cast<std::int64_t>(user) << kUserShift;
    return {first, first | kUserRowsMask};
}

}  // namespace confab::store::sqlite
