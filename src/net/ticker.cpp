#include "net/ticker.hpp"

namespace confab::net {

void Ticker::Subscription::cancel() {
    Ticker* ticker = std::exchange(ticker_, nullptr);
    if (ticker == nullptr) {
        return;
    }
    ticker->count(entry_->pace, -1);
    if (ticker->next_ == entry_) {
        ++ticker->next_;
    }
    if (ticker->ticking_) {
        ticker->graveyard_.splice(ticker->graveyard_.end(), ticker->entries_, entry_);
    } else {
        ticker->entries_.erase(entry_);
    }
}

void Ticker::Subscription::set_pace(Pace pace) {
    if (ticker_ != nullptr && entry_->pace != pace) {
        ticker_->count(std::exchange(entry_->pace, pace), -1);
        ticker_->count(pace, +1);
    }
}

Ticker::Subscription Ticker::every_tick(Callback callback, Pace pace) {
    entries_.push_back({std::move(callback), pace});
    count(pace, +1);
    return Subscription(*this, std::prev(entries_.end()));
}

void Ticker::count(Pace pace, int change) {
    if (pace == Pace::calm) {
        return;
    }
    brisk_ += change;
    if (brisk_ > 0 && armed_ == Pace::calm && !stopped_) {
        arm();  // the wait for a calm tick is cancelled by it
    }
}

void Ticker::start() {
    stopped_ = false;
    woken_ = std::chrono::steady_clock::now();
    arm();
}

void Ticker::stop() {
    stopped_ = true;
    timer_.cancel();
}

void Ticker::arm() {
    armed_ = brisk_ > 0 ? Pace::brisk : Pace::calm;
    timer_.expires_after(armed_ == Pace::brisk ? kPeriod : kCalmPeriod);
    timer_.async_wait([this](const boost::system::error_code& ec) {
        if (ec || stopped_) {
            return;
        }
        const auto before = std::exchange(woken_, std::chrono::steady_clock::now());
        if (woken_ - before < kSleptMin) {
            tick();
        }
        arm();
    });
}

void Ticker::tick() {
    const auto now = std::chrono::steady_clock::now();
    ticking_ = true;
    for (next_ = entries_.begin(); next_ != entries_.end();) {
        Entry& entry = *next_++;
        entry.callback(now);
    }
    ticking_ = false;
    graveyard_.clear();
}

}  // namespace confab::net
