#include "api/blob_reply.hpp"

#include <stdexcept>

#include "base/text.hpp"
#include "store/blob_disk.hpp"

namespace confab::api {

namespace {

constexpr std::uint64_t kServeLeaseBytes = 2 * store::kBlobPieceBytes;

class BlobStreamer final : public web::Streamer {
public:
    // `first` is the beginning, read before the head went out, so that a missing blob is a 404.
    BlobStreamer(store::BlobDisk& blobs, const store::StoredFile& file, std::string first, meter::Lease lease)
        : blobs_(blobs),
          hash_(file.hash),
          bytes_(static_cast<std::uint64_t>(file.bytes)),
          piece_(std::move(first)),
          lease_(std::move(lease)) {}

    Task<void> stream(web::StreamWriter& writer) override {
        std::uint64_t sent = 0;
        while (co_await writer.write(piece_)) {
            sent += piece_.size();
            if (sent >= bytes_) {
                co_return;
            }
            auto next = co_await blobs_.read(hash_, sent, store::kBlobPieceBytes);
            if (!next || next->empty()) {
                throw std::runtime_error("a blob ends early");  // the client sees that the answer is not whole
            }
            piece_ = *std::move(next);
        }
    }

private:
    store::BlobDisk& blobs_;
    const store::Sha256 hash_;
    const std::uint64_t bytes_;
    std::string piece_;
    const meter::Lease lease_;
};

// RFC 8187: everything but the plainest characters is escaped.
std::string disposition_of(const std::string& filename) {
    std::string text = "inline; filename*=UTF-8''";
    for (const char c : filename) {
        const bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' ||
                           c == '-' || c == '_';
        if (plain) {
            text += c;
        } else {
            const auto byte = static_cast<std::uint8_t>(c);
            text.append("%").append(base::to_hex({&byte, 1}));
        }
    }
    return text;
}

bool names_etag(std::string_view if_none_match, std::string_view etag) {
    return if_none_match == "*" || if_none_match.find(etag) != std::string_view::npos;
}

}  // namespace

Task<Result<Reply>> blob_reply(Context& context, const web::Request& request, store::StoredFile file, std::int64_t owner) {
    const std::string etag = "\"" + base::to_hex(file.hash) + "\"";
    Reply reply;
    reply.content_type = file.media_type;
    reply.headers.push_back({"etag", etag});
    reply.headers.push_back({"cache-control", "private, max-age=31536000, immutable"});
    reply.headers.push_back({"vary", "authorization, cookie"});
    reply.headers.push_back({"content-security-policy", "sandbox; default-src 'none'"});
    reply.headers.push_back({"cross-origin-resource-policy", "same-origin"});
    reply.headers.push_back({"content-disposition", disposition_of(file.filename)});
    if (names_etag(request.header("if-none-match"), etag)) {
        reply.status = 304;
        co_return reply;
    }
    auto lease = context.budget.try_lease(kServeLeaseBytes, meter::Purpose::downloads, owner);
    if (!lease) {
        co_return std::unexpected(lease.error());
    }
    CO_TRY(auto first, co_await context.blobs.read(file.hash, 0, store::kBlobPieceBytes));
    reply.streamer = std::make_unique<BlobStreamer>(context.blobs, file, std::move(first), *std::move(lease));
    co_return reply;
}

}  // namespace confab::api
