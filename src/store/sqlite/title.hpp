// A conversation's first title: the beginning of what its user wrote.
#pragma once

#include <string>
#include <string_view>

#include "store/rows.hpp"

namespace confab::store::sqlite {

// One line of at most kTitleBytesMax, cut between words where possible; empty when the body has no text.
std::string title_from(BodyFormat format, std::string_view body);

inline constexpr std::size_t kTitleBytesMax = 80;

}  // namespace confab::store::sqlite
