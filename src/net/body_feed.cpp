#include "net/body_feed.hpp"

#include <algorithm>
#include <cstring>

namespace confab::net {

BodyFeed::BodyFeed(const BodySource& source, Executor executor, std::function<void()> on_news)
    : source_(source), executor_(std::move(executor)), on_news_(std::move(on_news)) {}

BodyFeed::~BodyFeed() {
    forget_read();
}

void BodyFeed::forget_read() {
    if (reading_) {
        std::exchange(reading_, nullptr)->feed = nullptr;
    }
}

void BodyFeed::rewind() {
    forget_read();
    text_at_ = 0;
    insertion_ = 0;
    part_at_ = 0;
    piece_.clear();
    piece_at_ = 0;
    error_.reset();
}

// A part stands where the text is.
bool BodyFeed::in_part() const {
    return insertion_ < source_.insertions.size() && source_.insertions[insertion_].at == text_at_;
}

BodyFeed::Taken BodyFeed::read(char* out, std::size_t room) {
    while (in_part() && piece_at_ == piece_.size() && !error_) {
        if (part_at_ == source_.insertions[insertion_].part->size()) {
            ++insertion_;
            part_at_ = 0;
            piece_ = std::string();
            piece_at_ = 0;
            continue;
        }
        if (!reading_) {
            load();
        }
        return {State::wait, 0};
    }
    if (error_) {
        return {State::failed, 0};
    }
    std::string_view ready;
    std::size_t* at = nullptr;
    if (in_part()) {
        ready = std::string_view(piece_).substr(piece_at_);
        at = &piece_at_;
    } else {
        const bool more_parts = insertion_ < source_.insertions.size();
        const std::size_t until = more_parts ? source_.insertions[insertion_].at : source_.text.size();
        ready = std::string_view(source_.text).substr(text_at_, until - text_at_);
        at = &text_at_;
    }
    const std::size_t count = std::min(room, ready.size());
    std::memcpy(out, ready.data(), count);
    *at += count;
    return {count == 0 ? State::end : State::bytes, count};
}

// The answer comes through the event loop, whichever thread gives it.
void BodyFeed::load() {
    reading_ = std::make_shared<Ticket>(Ticket{this});
    auto done = [ticket = reading_, executor = executor_](base::Result<std::string> piece) mutable {
        asio::post(executor, [ticket = std::move(ticket), piece = std::move(piece)]() mutable {
            if (ticket->feed != nullptr) {
                ticket->feed->loaded(std::move(piece));
            }
        });
    };
    source_.insertions[insertion_].part->read(part_at_, std::move(done));
}

void BodyFeed::loaded(base::Result<std::string> piece) {
    reading_.reset();
    if (!piece) {
        error_ = std::move(piece).error();
    } else if (piece->empty() || piece->size() > source_.insertions[insertion_].part->size() - part_at_) {
        error_ = base::fail(base::Errc::internal, "A part of the request changed while it was sent.", "part_changed")
                     .error();
    } else {
        piece_ = *std::move(piece);
        piece_at_ = 0;
        part_at_ += piece_.size();
    }
    on_news_();
}

}  // namespace confab::net
