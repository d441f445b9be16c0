#include "chat/prompt_images.hpp"

#include <algorithm>

#include "base/base64.hpp"
#include "base/json.hpp"
#include "llm/chat_request.hpp"

namespace confab::chat {

namespace {

using base::Errc;
using net::Task;

constexpr std::size_t kRawPieceBytes = 48 * 1024;  // a multiple of three: 64 KiB as base64
static_assert(kRawPieceBytes % 3 == 0);
constexpr std::uint64_t kSendLeaseBytes = 2 * base::base64_size(kRawPieceBytes);  // the piece sent, and one being read

// A blob as base64.
class ImagePart final : public net::BodyPart {
public:
    ImagePart(store::BlobDisk& blobs, const store::StoredFile& file)
        : blobs_(blobs), hash_(file.hash), size_(base::base64_size(static_cast<std::uint64_t>(file.bytes))) {}

    std::uint64_t size() const override { return size_; }

    void read(std::uint64_t offset, std::move_only_function<void(base::Result<std::string>)> done) override {
        auto encode = [done = std::move(done)](base::Result<std::string> raw) mutable {
            if (raw) {
                raw = base::base64_encode(*raw);
            }
            done(std::move(raw));
        };
        blobs_.read_then(hash_, offset / 4 * 3, kRawPieceBytes, std::move(encode));
    }

private:
    store::BlobDisk& blobs_;
    const store::Sha256 hash_;
    const std::uint64_t size_;
};

void append_note(std::string& text, std::string_view note) {
    base::JsonWriter out(text);
    out.begin_object();
    out.member("type", "text");
    out.member("text", note);
    out.end_object();
}

}  // namespace

Task<base::Status> PromptImages::insert(net::BodySource& body, meter::Lease& lease) const {
    const auto marks = static_cast<std::size_t>(std::ranges::count(body.text, llm::kImageMark)) / 2;
    if (marks == 0) {
        co_return base::Status{};
    }
    CO_TRY_VOID(lease.grow(body.text.size() + kSendLeaseBytes));
    const std::string marked = std::exchange(body.text, std::string());
    body.text.reserve(marked.size() + marks * 128);
    std::size_t left = marks;
    std::size_t from = 0;
    for (auto at = marked.find(llm::kImageMark); at != std::string::npos; at = marked.find(llm::kImageMark, from)) {
        const std::size_t end = marked.find(llm::kImageMark, at + 1);
        if (end == std::string::npos) {
            co_return base::fail(Errc::internal, "The prompt could not be rendered.", "server_error");
        }
        body.text.append(marked, from, at - from);
        from = end + 1;
        if (left-- > kPromptImagesMax) {
            append_note(body.text, kOlderImageNote);
            continue;
        }
        CO_TRY_VOID(co_await insert_one(body, std::string_view(marked).substr(at + 1, end - at - 1)));
    }
    body.text.append(marked, from);
    co_return base::Status{};
}

// `mark` is a file's id, a blank and the detail.
Task<base::Status> PromptImages::insert_one(net::BodySource& body, std::string_view mark) const {
    const auto blank = mark.find(' ');
    const auto id = store::FileId::parse(mark.substr(0, blank));
    base::Result<store::StoredFile> file = base::not_found("There is no such file.");
    if (id) {
        file = co_await files_.find_file(user_, *id);
    }
    if (!file && file.error().errc == Errc::not_found) {
        append_note(body.text, kGoneImageNote);
        co_return base::Status{};
    }
    if (!file) {
        co_return std::unexpected(file.error());
    }
    body.text.append(R"({"type":"image_url","image_url":{"url":"data:)").append(file->media_type).append(";base64,");
    net::BodySource::Insertion insertion;
    insertion.at = body.text.size();
    insertion.part = std::make_shared<ImagePart>(blobs_, *file);
    body.insertions.push_back(std::move(insertion));
    body.text += '"';
    if (const auto detail = mark.substr(std::min(mark.size(), blank)); detail.size() > 1) {
        body.text += R"(,"detail":")";
        base::append_escaped(body.text, detail.substr(1));
        body.text += '"';
    }
    body.text += "}}";
    co_return base::Status{};
}

}  // namespace confab::chat
