#include "api/input_images.hpp"

#include <array>

#include "base/base64.hpp"
#include "base/text.hpp"
#include "store/blob_disk.hpp"
#include "store/blobs.hpp"

namespace confab::api {

namespace {

using base::invalid;
using base::Status;

enum class Keep : std::uint8_t { as_files, as_they_are };

constexpr std::size_t kBase64PieceChars = 64 * 1024;  // decoded at a time
static_assert(kBase64PieceChars % 4 == 0);
constexpr std::array<std::string_view, 4> kDetails{"auto", "low", "high", "original"};

std::string_view view(const json::value& text) {
    return {text.get_string().data(), text.get_string().size()};
}

std::string indexed(const std::string& name, std::size_t index) {
    return name + "[" + std::to_string(index) + "]";
}

// Names the part in an error that does not know of it.
std::unexpected<base::Error> about(const std::string& param, base::Error error) {
    error.param = param;
    return std::unexpected(std::move(error));
}

std::unexpected<base::Error> bad_image(const std::string& param, std::string message) {
    return invalid(param, std::move(message), "invalid_image");
}

// The base64 text of "data:image/png;base64,....". What the URL says of the type is not looked at: the content tells.
Result<std::string_view> base64_of(std::string_view url, const std::string& param) {
    const auto comma = url.find(',');
    if (comma == std::string_view::npos || !base::ascii_lower(url.substr(0, comma)).ends_with(";base64")) {
        return bad_image(param, "A data URL of an image must be of the form data:image/png;base64,...");
    }
    url.remove_prefix(comma + 1);
    if (url.empty()) {
        return bad_image(param, "The data URL holds no image.");
    }
    return url;
}

// The bytes of the next piece of `text`, which is shortened by it.
Result<std::string> decode_piece(std::string_view& text, const std::string& param) {
    const std::string_view piece = text.substr(0, kBase64PieceChars);
    text.remove_prefix(piece.size());
    auto bytes = base::base64_decode(piece);
    if (!bytes || (!text.empty() && piece.ends_with('='))) {
        return bad_image(param, "The data URL of an image is not valid base64.");
    }
    return *std::move(bytes);
}

Task<Result<store::FileId>> store_image(
    Context& context,
    store::UserNo user,
    std::string_view base64,
    const std::string& param
) {
    store::BlobWriter writer(context.blobs);
    while (!base64.empty()) {
        CO_TRY(const std::string piece, decode_piece(base64, param));
        const auto written = co_await writer.append(piece);
        if (!written) {
            co_return about(param, written.error());
        }
    }
    auto file = co_await writer.finish();
    if (!file) {
        co_return about(param, file.error());
    }
    file->file.id = store::FileId::make();
    file->file.user = user;
    file->file.filename = "image." + file->file.media_type.substr(file->file.media_type.find('/') + 1);
    file->file.purpose = "vision";
    file->file.created_at = base::unix_now();
    file->reuse = true;
    const auto created = co_await context.store.create_file(*std::move(file));
    if (!created) {
        co_return about(param, created.error());
    }
    co_return created->id;
}

Status check_image(std::string_view base64, const std::string& param) {
    bool first = true;
    while (!base64.empty()) {
        TRY(const std::string piece, decode_piece(base64, param));
        if (std::exchange(first, false) && store::image_media_type(piece).empty()) {
            return invalid(
                param, "The image is none of the supported ones: PNG, JPEG, WebP and GIF.", "unsupported_file_type"
            );
        }
    }
    return {};
}

class ImageTaker {
public:
    ImageTaker(Context& context, store::UserNo user, Keep keep) : context_(context), user_(user), keep_(keep) {}

    // An item's `content` or `output`.
    Task<Status> take_parts(json::value* parts, std::string param) {
        if (parts == nullptr || !parts->is_array()) {
            co_return Status{};
        }
        for (std::size_t i = 0; i < parts->get_array().size(); ++i) {
            json::value& part = parts->get_array()[i];
            if (part.is_object() && base::find_string(part.get_object(), "type") == "input_image") {
                CO_TRY_VOID(co_await take_image(part.get_object(), indexed(param, i)));
            }
        }
        co_return Status{};
    }

private:
    Task<Status> take_image(json::object& part, std::string param) {
        if (++images_ > kInputImagesMax) {
            co_return invalid(param, "A request has at most 100 images.", "too_many_images");
        }
        const Fields fields(part, param + ".");
        CO_TRY(const auto detail, fields.text("detail", 16));
        if (detail && std::ranges::find(kDetails, *detail) == kDetails.end()) {
            co_return invalid(param + ".detail", "detail is 'auto', 'low', 'high' or 'original'.");
        }
        json::object taken;
        taken["type"] = "input_image";
        if (fields.any("file_id") != nullptr) {
            CO_TRY(const std::string id, co_await check_file(fields));
            taken["file_id"] = id;
        } else {
            CO_TRY_VOID(co_await take_url(part, param, taken));
        }
        taken["detail"] = detail.value_or("auto");
        part = std::move(taken);
        co_return Status{};
    }

    Task<Result<std::string>> check_file(const Fields& fields) {
        CO_TRY(const std::string text, fields.required_text("file_id", 64));
        const auto id = store::FileId::parse(text);
        const auto unknown =
            invalid(fields.param("file_id"), "File with id '" + text + "' not found.", "file_not_found");
        if (!id) {
            co_return unknown;
        }
        const auto file = co_await context_.store.find_file(user_, *id);
        if (!file && file.error().errc == base::Errc::not_found) {
            co_return unknown;
        }
        if (!file) {
            co_return std::unexpected(file.error());
        }
        co_return text;
    }

    Task<Status> take_url(json::object& part, std::string param, json::object& taken) {
        json::value* url = part.if_contains("image_url");
        if (url == nullptr || url->is_null()) {
            co_return invalid(param, "An image needs a file_id or an image_url.", "missing_required_parameter");
        }
        param += ".image_url";
        if (!url->is_string()) {
            co_return invalid(param, "Invalid type for '" + param + "': expected a string.", "invalid_type");
        }
        const std::string_view text = view(*url);
        if (base::iequals(text.substr(0, 8), "https://") && text.size() <= kImageUrlBytesMax) {
            taken["image_url"] = std::move(*url);
            co_return Status{};
        }
        if (!base::iequals(text.substr(0, 5), "data:")) {
            co_return bad_image(param, "An image_url is a data: URL, or an https: URL of at most 8 KiB.");
        }
        CO_TRY(const std::string_view base64, base64_of(text, param));
        if (keep_ == Keep::as_they_are) {
            CO_TRY_VOID(check_image(base64, param));
            taken["image_url"] = std::move(*url);
            co_return Status{};
        }
        CO_TRY(const auto id, co_await store_image(context_, user_, base64, param));
        taken["file_id"] = id.str();
        co_return Status{};
    }

    Context& context_;
    const store::UserNo user_;
    const Keep keep_;
    std::size_t images_ = 0;
};

Task<Status> take_images(Context& context, store::UserNo user, json::object& body, std::string_view member, Keep keep) {
    json::value* items = body.if_contains(member);
    if (items == nullptr || !items->is_array()) {
        co_return Status{};
    }
    ImageTaker taker(context, user, keep);
    for (std::size_t i = 0; i < items->get_array().size(); ++i) {
        json::object* item = items->get_array()[i].if_object();
        const std::string param = indexed(std::string(member), i);
        if (item != nullptr) {
            CO_TRY_VOID(co_await taker.take_parts(item->if_contains("content"), param + ".content"));
            CO_TRY_VOID(co_await taker.take_parts(item->if_contains("output"), param + ".output"));
        }
    }
    co_return Status{};
}

bool is_given(const json::object& body, std::string_view name) {
    const json::value* value = base::find(body, name);
    return value != nullptr && !value->is_null();
}

}  // namespace

Task<Status> take_input_images(Context& context, store::UserNo user, json::object& body, std::string_view member) {
    co_return co_await take_images(context, user, body, member, Keep::as_files);
}

Task<Status> take_request_images(Context& context, store::UserNo user, json::object& body) {
    const json::value* store = base::find(body, "store");
    const bool passing = store != nullptr && store->is_bool() && !store->get_bool() &&
                         !is_given(body, "conversation") && !is_given(body, "previous_response_id");
    const Keep keep = passing ? Keep::as_they_are : Keep::as_files;
    co_return co_await take_images(context, user, body, "input", keep);
}

}  // namespace confab::api
