// The address of a model server: what is accepted, libcurl reads as plain http or https without credentials, and a path
// can be appended to it.
#include <memory>
#include <string>

#include <curl/curl.h>

#include "llm/upstream.hpp"
#include "tests/fuzz/fuzz.hpp"

namespace {

struct UrlCleanup {
    void operator()(CURLU* url) const { curl_url_cleanup(url); }
};

bool has_part(CURLU* url, CURLUPart part) {
    char* text = nullptr;
    const bool found = curl_url_get(url, part, &text, 0) == CURLUE_OK && text != nullptr;
    curl_free(text);
    return found;
}

std::string part_of(CURLU* url, CURLUPart part) {
    char* text = nullptr;
    if (curl_url_get(url, part, &text, 0) != CURLUE_OK) {
        return {};
    }
    std::string value(text);
    curl_free(text);
    return value;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto accepted = confab::llm::normalise_base_url(confab::fuzz::as_text(data, size));
    if (!accepted) {
        return 0;
    }
    FUZZ_CHECK(!accepted->ends_with('/'));
    FUZZ_CHECK(accepted->find_first_of("\r\n \t") == std::string::npos);
    const auto again = confab::llm::normalise_base_url(*accepted);
    FUZZ_CHECK(again && *again == *accepted);

    const std::unique_ptr<CURLU, UrlCleanup> url(curl_url());
    const std::string address = *accepted + "/models";
    if (curl_url_set(url.get(), CURLUPART_URL, address.c_str(), 0) != CURLUE_OK) {
        return 0;  // refused when it is used: upstream_bad_url
    }
    const std::string scheme = part_of(url.get(), CURLUPART_SCHEME);
    FUZZ_CHECK(scheme == "http" || scheme == "https");
    FUZZ_CHECK(!has_part(url.get(), CURLUPART_USER) && !has_part(url.get(), CURLUPART_PASSWORD));
    FUZZ_CHECK(!has_part(url.get(), CURLUPART_QUERY) && !has_part(url.get(), CURLUPART_FRAGMENT));
    return 0;
}
