// Making the items of a SourceMessage.
#pragma once

#include <string>
#include <string_view>

#include "base/json.hpp"
#include "transfer/source_model.hpp"

namespace confab::transfer {

// Nothing happens when the text is blank. A text beyond kBodyBytesMax is cut at a character.
void add_text(SourceMessage& message, store::ItemRole role, std::string_view text);
void add_reasoning(SourceMessage& message, std::string_view text);
void add_call(SourceMessage& message, std::string_view call_id, std::string_view name, std::string_view arguments);
void add_call_output(SourceMessage& message, std::string_view call_id, std::string_view output);

}  // namespace confab::transfer
