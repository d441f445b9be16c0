// Items of a conversation as plain text, for a model that summarises them.
#pragma once

#include <string>

#include "store/rows.hpp"

namespace confab::chat {

inline constexpr std::size_t kTranscriptItemBytesMax = 8 * 1024;  // of one item's text; the rest is left out

// Appends who said what. Nothing for items that no model is sent.
void append_to_transcript(std::string& out, const store::Item& item);

}  // namespace confab::chat
