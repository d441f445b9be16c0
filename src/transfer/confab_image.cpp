#include "transfer/confab_image.hpp"

#include <algorithm>
#include <array>

#include "base/text.hpp"
#include "store/file_rows.hpp"

namespace confab::transfer {

namespace {

namespace json = base::json;

constexpr std::size_t kImageUrlBytesMax = 8UL * 1024;  // as the API has it
constexpr std::array<std::string_view, 4> kDetails{"auto", "low", "high", "original"};

bool is_good_url(std::string_view url) {
    return base::iequals(url.substr(0, 8), "https://") && url.size() <= kImageUrlBytesMax;
}

void keep_if(json::object& part, std::string_view name, bool good) {
    if (!good) {
        part.stable_erase(name);
    }
}

}  // namespace

base::Status check_images(json::array& parts) {
    for (json::value& value : parts) {
        json::object* part = value.if_object();
        if (part == nullptr || base::find_string(*part, "type") != "input_image") {
            continue;
        }
        keep_if(*part, "image_url", is_good_url(base::find_string(*part, "image_url")));
        keep_if(*part, "file_id", store::FileId::parse(base::find_string(*part, "file_id")).has_value());
        keep_if(*part, "detail", std::ranges::find(kDetails, base::find_string(*part, "detail")) != kDetails.end());
        if (base::find(*part, "image_url") == nullptr && base::find(*part, "file_id") == nullptr) {
            return base::invalid(
                "file", "An item was left out: an image in it has no file and no https address.", "invalid_item"
            );
        }
    }
    return {};
}

}  // namespace confab::transfer
