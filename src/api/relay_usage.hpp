// RelayUsage: what a relayed answer took, as its model server says, else an estimate.
//
// Most events of a relayed stream are not looked at, and this changes nothing about it: they are counted, because nearly
// every server sends an event for each token, and their text is known by its length. A usage is looked for in the events
// from the one on that ends the answer.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "chat/usage_book.hpp"
#include "llm/events.hpp"

namespace confab::api {

class RelayUsage {
public:
    // `entry` names who asked what; `request` is the body of the request.
    RelayUsage(chat::UsageBook& book, store::UsageEntry entry, meter::TicketPtr ticket, std::string_view request);

    // For whom it is.
    std::int64_t person() const { return static_cast<std::int64_t>(entry_.payer.user); }

    // Something came of the answer, so that it counts.
    void add_events(std::size_t events, std::size_t text_bytes) {
        events_ += events;
        text_bytes_ += text_bytes;
    }

    // An event or a whole answer that may carry a usage.
    void look_at(std::string_view json);

    // Writes it down, once. Of an answer of which nothing came nothing is written.
    void settle();

private:
    chat::UsageBook& book_;
    store::UsageEntry entry_;
    meter::TicketPtr ticket_;
    std::int64_t request_tokens_;
    std::size_t events_ = 0;
    std::size_t text_bytes_ = 0;
    std::optional<llm::Usage> reported_;
    bool settled_ = false;
};

// The tokens of a chat request, roughly: four bytes each, and each image that is in it as much as an image.
std::int64_t estimate_request_tokens(std::string_view body);

}  // namespace confab::api
