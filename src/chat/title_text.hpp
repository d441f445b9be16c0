// The words around a title that a model finds: what it is asked, and what is kept of its answer.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "store/rows.hpp"

namespace confab::chat {

inline constexpr std::size_t kTitleQuestionBytes = 2'000;   // of the first message that the model reads
inline constexpr std::size_t kTitleAnswerBytes = 1'000;     // of the answer
inline constexpr std::size_t kTitleCharactersMax = 80;      // of a title
inline constexpr std::int64_t kTitleOutputTokensMax = 512;  // models that think first need more than a title has

// The body of the request to a model server, from the first items of a conversation. Empty when there is no question
// with a text among them.
std::string title_request(
    const std::vector<store::Item>& items,
    const std::string& model,
    std::string_view max_tokens_field
);

// The title in what the model said: the first line after its thoughts, without quotes, marks and control characters.
// Empty: there is none.
std::string clean_title(std::string_view answer);

}  // namespace confab::chat
