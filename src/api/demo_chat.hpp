// The built-in model `confab-demo` in the dialect of Chat Completions.
#pragma once

#include <memory>
#include <string>

#include "web/exchange.hpp"

namespace confab::api {

std::string demo_chat_document();
std::unique_ptr<web::Streamer> make_demo_chat_streamer();

}  // namespace confab::api
