// FamiliarEvents: finds the events of a stream that are like one already looked at.
//
// The events of one answer differ in little but the text: a server repeats ids, model and structure with each token.
// When nothing had to be done about an event but to pass it on, nothing has to be done about one with the same bytes
// before and after its text either: no text between two quotation marks makes an error or a finish reason of it.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace confab::llm {

class FamiliarEvents {
public:
    // How many bytes at the beginning of `bytes`, which begin an event, are whole events of the known kind, as they
    // should be framed: one data line and a blank line, with LF. Their number is added to `events`.
    std::size_t match(std::string_view bytes, std::size_t& events) const;

    std::size_t match(std::string_view bytes) const {
        std::size_t uncounted = 0;
        return match(bytes, uncounted);
    }

    // Bytes of such an event besides its text.
    std::size_t frame_bytes() const { return before_.size() + after_.size(); }

    // Such an event's data, which was passed on as it is: from now on this is the known kind. Only events with a
    // "content" of plain text can be.
    void learn(std::string_view data);

private:
    std::string before_;  // from the beginning to the text's opening quote; empty: nothing is known
    std::string after_;   // from its closing quote to the blank line
};

}  // namespace confab::llm
