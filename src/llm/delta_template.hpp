// DeltaTemplate: recognises the next text delta of a stream without parsing its JSON.
//
// The events of one answer differ in nothing but the text: the server repeats ids, model and structure for each token.
// Once an event was parsed and did nothing but bring a text, an event with the same bytes before and after its text
// would be parsed to the same values with another text. Servers that change more (a counter, a padding) never match,
// and after a few attempts nothing is learnt any more.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace confab::llm {

class DeltaTemplate {
public:
    // The text of an event that fits what was learnt: valid UTF-8, without escapes. A view into `data`.
    std::optional<std::string_view> match(std::string_view data) const;

    // `data` was parsed, and all it did was to bring `text`.
    void learn(std::string_view data, std::string_view text);

private:
    std::string before_;  // up to and including the text's opening quote; empty: nothing learnt
    std::string after_;   // from its closing quote on
    int attempts_ = 0;
};

}  // namespace confab::llm
