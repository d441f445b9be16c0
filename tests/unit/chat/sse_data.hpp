// The JSON object of one server-sent event.
#pragma once

#include <string>

#include <gtest/gtest.h>

#include "base/json.hpp"

namespace confab::chat {

inline base::json::object data_of(const std::string& event) {
    const auto begin = event.find("data: ") + 6;
    EXPECT_TRUE(event.ends_with("\n\n"));
    EXPECT_EQ(event.find('\n', begin), event.size() - 2) << "data must be one line";
    return base::parse_json(event.substr(begin, event.size() - 2 - begin)).value().get_object();
}

}  // namespace confab::chat
