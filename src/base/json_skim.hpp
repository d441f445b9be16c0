// JSON skim: looks at the outermost members of an object without building a tree.
//
// For texts that are passed on and not worked on: most of a chat request is its messages, and all that matters of them
// is that they are there. The whole text is checked as strictly as parse_json() does, so what passes here would be
// parsed there; what does not pass is for parse_json() to judge, which says what is wrong and where.
#pragma once

#include <functional>
#include <string_view>

namespace confab::base {

// A member of the outermost object. The views are into the text.
struct SkimmedMember {
    std::string_view key;    // without quotes; it holds no escape
    std::string_view value;  // as written: a string has its quotes
};

// Calls back for each outermost member, in order. False: this is no well-formed JSON object, or one that needs a real
// parser (an outermost key with an escape); calls that were made already count for nothing then.
bool skim_object(std::string_view text, const std::function<void(const SkimmedMember&)>& take);

}  // namespace confab::base
