// A model server that says that a prompt is too long for the model.
#pragma once

#include <cstdint>
#include <string_view>

namespace confab::llm {

// By the code or, since few servers have one, by the words.
bool says_context_exceeded(std::string_view code, std::string_view message);

// The window that the words name, in tokens; 0 when they name none.
std::int64_t named_window(std::string_view message);

}  // namespace confab::llm
