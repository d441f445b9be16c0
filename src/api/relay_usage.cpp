#include "api/relay_usage.hpp"

#include <algorithm>

#include "base/json.hpp"
#include "llm/completion_stream.hpp"
#include "llm/token_estimate.hpp"

namespace confab::api {

namespace {

constexpr std::size_t kBytesPerToken = 4;
constexpr std::size_t kLookBytesMax = 256 * 1024;  // a larger document is not parsed for its usage
constexpr std::size_t kTailBytes = 4 * 1024;       // of one, which is where servers put it

// {"usage":{...}} at the end of a document that is not parsed whole.
std::optional<llm::Usage> usage_at_end(std::string_view document) {
    const std::string_view tail = document.substr(document.size() - std::min(document.size(), kTailBytes));
    const auto at = tail.rfind("\"usage\"");
    if (at == std::string_view::npos) {
        return std::nullopt;
    }
    const auto open = tail.find('{', at);
    for (std::size_t end = open; end != std::string_view::npos; end = tail.find('}', end + 1)) {
        if (tail[end] != '}') {
            continue;
        }
        const auto value = base::parse_json("{\"usage\":" + std::string(tail.substr(open, end + 1 - open)) + "}");
        if (value && value->is_object()) {
            return llm::find_usage(value->get_object());
        }
    }
    return std::nullopt;
}

}  // namespace

std::int64_t estimate_request_tokens(std::string_view body) {
    constexpr std::string_view kImage = ";base64,";
    std::int64_t images = 0;
    std::size_t image_bytes = 0;
    for (std::size_t at = body.find(kImage); at != std::string_view::npos;) {
        const std::size_t end = std::min(body.find('"', at), body.size());
        image_bytes += end - at;
        ++images;
        at = body.find(kImage, end);
    }
    return static_cast<std::int64_t>((body.size() - image_bytes) / kBytesPerToken) + images * llm::kImageTokens;
}

RelayUsage::RelayUsage(
    chat::UsageBook& book,
    store::UsageEntry entry,
    meter::TicketPtr ticket,
    std::string_view request
)
    : book_(book),
      entry_(std::move(entry)),
      ticket_(std::move(ticket)),
      request_tokens_(estimate_request_tokens(request)) {}

void RelayUsage::look_at(std::string_view json) {
    if (json.size() > kLookBytesMax) {
        reported_ = usage_at_end(json);
        return;
    }
    if (json.find("\"usage\"") == std::string_view::npos) {
        return;
    }
    const auto value = base::parse_json(json);
    if (!value || !value->is_object()) {
        return;
    }
    if (auto usage = llm::find_usage(value->get_object())) {
        reported_ = usage;
        return;
    }
    const base::json::value* choices = base::find(value->get_object(), "choices");
    const bool has_choice = choices != nullptr && choices->is_array() && !choices->get_array().empty();
    if (has_choice && choices->get_array()[0].is_object()) {  // Moonshot puts it there
        if (auto usage = llm::find_usage(choices->get_array()[0].get_object())) {
            reported_ = usage;
        }
    }
}

void RelayUsage::settle() {
    if (settled_ || (events_ == 0 && !reported_)) {
        ticket_.reset();
        return;
    }
    settled_ = true;
    store::UsageCount& count = entry_.count;
    if (reported_) {
        count.input_tokens = reported_->input_tokens;
        count.cached_tokens = reported_->cached_tokens;
        count.output_tokens = reported_->output_tokens;
    } else {
        count.estimated = true;
        count.input_tokens = request_tokens_;
        count.output_tokens = static_cast<std::int64_t>(std::max(events_, text_bytes_ / kBytesPerToken));
    }
    book_.add(std::move(entry_), ticket_);
    ticket_.reset();
}

}  // namespace confab::api
