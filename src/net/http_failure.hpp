// How exchanges with HTTP servers fail: codes for programs, sentences for people.
#pragma once

#include <string>
#include <string_view>

#include "base/error.hpp"

namespace confab::net {

base::Error http_failure(base::Errc errc, std::string code, std::string message);

// Of an answer with a 3xx status; names the host of `location`, and nothing of it that could be secret.
base::Error redirected(unsigned status, std::string_view location);

// Of a CURLcode other than CURLE_OK; `detail` may be empty.
base::Error curl_failure(int code, const char* detail);

}  // namespace confab::net
