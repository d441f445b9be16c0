// Utf8Joiner: makes valid UTF-8 of the pieces a model server cuts a text into.
//
// Servers decode token by token, and a token may end in the middle of a character; JavaScript ones cut between two
// halves of a surrogate pair. What could still become a character is held back and joined to the next piece; what
// cannot becomes U+FFFD.
#pragma once

#include <string>
#include <string_view>

namespace confab::llm {

class Utf8Joiner {
public:
    // The valid text that is complete now. The view is into `piece` when nothing had to be changed, else into
    // `scratch`. A lone surrogate comes as the three bytes that UTF-8 would have for it (WTF-8, see lenient_json.hpp).
    std::string_view join(std::string_view piece, std::string& scratch);

    // No more pieces come: U+FFFD for what was held back, else nothing.
    std::string_view finish();

private:
    std::string tail_;  // at most 5 bytes: a leading surrogate and the beginning of its partner
};

// One piece that has no next: everything that is not valid UTF-8 becomes U+FFFD.
std::string valid_utf8(std::string_view text);

}  // namespace confab::llm
