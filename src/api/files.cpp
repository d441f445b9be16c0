// /v1/files: images, uploaded and served piece by piece.
#include "api/blob_reply.hpp"
#include "api/body.hpp"
#include "api/routes.hpp"
#include "base/clock.hpp"
#include "base/text.hpp"
#include "store/blob_disk.hpp"
#include "web/body_reader.hpp"
#include "web/multipart.hpp"

namespace confab::api {

namespace {

using base::Errc;
using base::fail;
using web::Access;
using web::MultipartParser;

constexpr std::uint64_t kFormBytesMax = 64 * 1024;  // of an upload besides the file itself
constexpr std::size_t kPurposeBytesMax = 64;

std::unexpected<base::Error> malformed(std::string message, std::string param = {}) {
    return fail(Errc::invalid_request, std::move(message), "malformed_multipart", std::move(param));
}

// A name to show: what stands after the last slash or backslash, without control characters. It names nothing on disk.
std::string clean_filename(std::string_view given) {
    const auto slash = given.find_last_of("/\\");
    if (slash != std::string_view::npos) {
        given.remove_prefix(slash + 1);
    }
    std::string name;
    for (const char c : given) {
        if (static_cast<unsigned char>(c) >= 0x20 && c != 0x7F) {
            name += c;
        }
    }
    if (!base::is_utf8(name)) {
        return "image";
    }
    name = base::utf8_prefix(name, kFilenameBytesMax);
    return name.empty() || name == "." || name == ".." ? "image" : name;
}

// ---- taking an upload ----

// The form of POST /v1/files, as its pieces arrive.
class Upload {
public:
    Upload(store::BlobDisk& blobs, std::string_view boundary) : parser_(boundary), writer_(blobs) {}

    Task<base::Status> take(std::string_view piece) {
        parser_.feed(piece);
        while (true) {
            CO_TRY(const auto event, parser_.next());
            switch (event) {
                case MultipartParser::Event::need_more:
                case MultipartParser::Event::end: co_return base::Status{};
                case MultipartParser::Event::part: CO_TRY_VOID(begin_part()); break;
                case MultipartParser::Event::data: CO_TRY_VOID(co_await take_data()); break;
                case MultipartParser::Event::part_end: field_ = Field::other; break;
            }
        }
    }

    // After the last piece. The id and the owner are still to be set.
    Task<Result<store::NewFile>> finish() {
        if (!parser_.complete()) {
            co_return malformed("The form ends before its last delimiter.");
        }
        if (!has_file_) {
            co_return base::invalid("file", "Missing required parameter: 'file'.", "missing_required_parameter");
        }
        if (purpose_.empty()) {
            co_return base::invalid("purpose", "Missing required parameter: 'purpose'.", "missing_required_parameter");
        }
        if (!base::is_utf8(purpose_)) {
            co_return base::invalid("purpose", "'purpose' is not valid UTF-8.", "invalid_utf8");
        }
        CO_TRY(auto file, co_await writer_.finish());
        file.file.filename = filename_;
        file.file.purpose = purpose_;
        file.file.created_at = base::unix_now();
        co_return file;
    }

private:
    enum class Field : std::uint8_t { other, purpose, file };

    base::Status begin_part() {
        const web::PartHead& head = parser_.head();
        if (head.name == "file") {
            if (std::exchange(has_file_, true)) {
                return malformed("The form has more than one file.", "file");
            }
            field_ = Field::file;
            filename_ = clean_filename(head.filename.value_or(std::string()));
        } else if (head.name == "purpose") {
            if (std::exchange(has_purpose_, true)) {
                return malformed("The form has more than one purpose.", "purpose");
            }
            field_ = Field::purpose;
        } else {
            field_ = Field::other;  // fields that we do not know are ignored
        }
        return {};
    }

    Task<base::Status> take_data() {
        const std::string_view data = parser_.data();
        if (field_ == Field::file) {
            co_return co_await writer_.append(data);
        }
        form_bytes_ += data.size();
        if (form_bytes_ > kFormBytesMax) {
            co_return malformed("The form's fields besides the file are larger than 64 KiB.");
        }
        if (field_ == Field::purpose) {
            purpose_ += data;
        }
        if (purpose_.size() > kPurposeBytesMax) {
            co_return base::invalid("purpose", "'purpose' is longer than 64 bytes.", "string_above_max_length");
        }
        co_return base::Status{};
    }

    MultipartParser parser_;
    store::BlobWriter writer_;
    Field field_ = Field::other;
    bool has_file_ = false;
    bool has_purpose_ = false;
    std::string filename_;
    std::string purpose_;
    std::uint64_t form_bytes_ = 0;
};

void render_file(std::string& body, const store::StoredFile& file) {
    base::JsonWriter out(body);
    out.begin_object();
    out.member("id", file.id.str());
    out.member("object", "file");
    out.member("bytes", file.bytes);
    out.member("created_at", file.created_at);
    out.member("filename", file.filename);
    out.member("purpose", file.purpose);
    out.member("status", "processed");
    out.member("media_type", file.media_type);
    out.end_object();
}

Reply file_reply(const store::StoredFile& file) {
    std::string body;
    render_file(body, file);
    return web::json_reply(std::move(body));
}

Task<Result<Reply>> create_file(Context& context, Exchange& exchange) {
    CO_TRY(const std::string boundary, web::form_boundary(exchange.request().header("content-type")));
    const auto lease = context.budget.try_lease(
        kUploadLeaseBytes, meter::Purpose::uploads, exchange.request().caller.user_no
    );
    if (!lease) {
        co_return std::unexpected(lease.error());
    }
    Upload upload(context.blobs, boundary);
    while (true) {
        CO_TRY(const std::string_view piece, co_await exchange.read_body_piece());
        if (piece.empty()) {
            break;
        }
        CO_TRY_VOID(co_await upload.take(piece));
    }
    CO_TRY(auto file, co_await upload.finish());
    file.file.id = store::FileId::make();
    file.file.user = user_of(exchange);
    CO_TRY(const auto created, co_await context.store.create_file(std::move(file)));
    co_return file_reply(created);
}

// ---- looking at files ----

Task<Result<Reply>> list_files(Context& context, Exchange& exchange) {
    CO_TRY(const auto page, parse_page<store::FileId>(exchange.request()));
    CO_TRY(const auto files, co_await context.store.list_files(user_of(exchange), page));
    co_return web::json_reply(render_list(files, render_file));
}

Result<store::FileId> parse_file_id(const web::Request& request) {
    const auto id = store::FileId::parse(request.path_arguments[0]);
    if (!id) {
        return base::not_found("File with id '" + request.path_arguments[0] + "' not found.", "file_not_found");
    }
    return *id;
}

Task<Result<Reply>> get_file(Context& context, Exchange& exchange) {
    CO_TRY(const auto id, parse_file_id(exchange.request()));
    CO_TRY(const auto file, co_await context.store.find_file(user_of(exchange), id));
    co_return file_reply(file);
}

Task<Result<Reply>> delete_file(Context& context, Exchange& exchange) {
    CO_TRY(const auto id, parse_file_id(exchange.request()));
    CO_TRY_VOID(co_await context.store.delete_file(user_of(exchange), id));
    std::string body;
    base::JsonWriter out(body);
    out.begin_object();
    out.member("id", id.str());
    out.member("object", "file");
    out.member("deleted", true);
    out.end_object();
    co_return web::json_reply(std::move(body));
}

Task<Result<Reply>> get_content(Context& context, Exchange& exchange) {
    CO_TRY(const auto id, parse_file_id(exchange.request()));
    CO_TRY(auto file, co_await context.store.find_file(user_of(exchange), id));
    co_return co_await blob_reply(context, exchange.request(), std::move(file), exchange.request().caller.user_no);
}

}  // namespace

void add_file_routes(Routes& routes) {
    constexpr std::uint64_t kUploadBytesMax = store::kFileBytesMax + kFormBytesMax;
    routes.add_streaming("POST", "/v1/files", Access::user, create_file, kUploadBytesMax, "file_too_large").load = web::Load::upload;
    routes.add("GET", "/v1/files", Access::user, list_files);
    routes.add("GET", "/v1/files/{id}", Access::user, get_file);
    routes.add("DELETE", "/v1/files/{id}", Access::user, delete_file);
    routes.add("GET", "/v1/files/{id}/content", Access::user, get_content);
}

}  // namespace confab::api
