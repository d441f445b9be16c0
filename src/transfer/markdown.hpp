// A conversation as a Markdown document: headings with role, model and time, and the texts as they are.
#pragma once

#include <string>

#include "store/rows.hpp"

namespace confab::transfer {

void append_markdown_head(std::string& out, const store::Conversation& conversation);
void append_markdown(std::string& out, const store::Item& item);

}  // namespace confab::transfer
