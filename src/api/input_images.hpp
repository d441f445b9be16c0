// Images in the input of a request, before it is parsed into items: content parts {"type":"input_image"} come to name a
// file of the caller's, so that what is stored never holds the bytes of an image.
#pragma once

#include "api/body.hpp"
#include "api/context.hpp"

namespace confab::api {

inline constexpr std::size_t kInputImagesMax = 100;         // in one request
inline constexpr std::size_t kImageUrlBytesMax = 8 * 1024;  // of an https URL

// Looks at `body[member]`, an array of items, and rewrites its images:
//   file_id            stays; it must be the caller's: invalid_request (file_not_found)
//   data: URL          is decoded, checked and stored as a file with the purpose "vision"; one that the caller has
//                      already is used again. invalid_request (invalid_image, unsupported_file_type), too_large
//                      (file_too_large), rate_limited (file_quota_exceeded)
//   https: URL         stays: the model server fetches it. Any other: invalid_request (invalid_image)
// Errors name the part: input[0].content[1]. Whatever is not of this form is left for parse_input to complain about.
Task<base::Status> take_input_images(Context& context, store::UserNo user, json::object& body, std::string_view member);

// The same for the body of POST /v1/responses. Of a response that leaves nothing behind (store: false, and no
// conversation) data URLs are checked but stay as they are: nothing of it goes to the disk.
Task<base::Status> take_request_images(Context& context, store::UserNo user, json::object& body);

}  // namespace confab::api
