#include "net/ticker.hpp"

namespace confab::net {

void Ticker::Subscription::cancel() {
    Ticker* ticker = std::exchange(ticker_, nullptr);
    if (ticker == nullptr) {
        return;
    }
    if (ticker->next_ == entry_) {
        ++ticker->next_;
    }
    if (ticker->ticking_) {
        ticker->graveyard_.splice(ticker->graveyard_.end(), ticker->callbacks_, entry_);
    } else {
        ticker->callbacks_.erase(entry_);
    }
}

Ticker::Subscription Ticker::every_tick(Callback callback) {
    callbacks_.push_back(std::move(callback));
    return Subscription(*this, std::prev(callbacks_.end()));
}

void Ticker::start() {
    stopped_ = false;
    arm();
}

void Ticker::stop() {
    stopped_ = true;
    timer_.cancel();
}

void Ticker::arm() {
    timer_.expires_after(kPeriod);
    timer_.async_wait([this](const boost::system::error_code& ec) {
        if (!ec && !stopped_) {
            tick();
            arm();
        }
    });
}

void Ticker::tick() {
    const auto now = std::chrono::steady_clock::now();
    ticking_ = true;
    for (next_ = callbacks_.begin(); next_ != callbacks_.end();) {
        Callback& callback = *next_++;
        callback(now);
    }
    ticking_ = false;
    graveyard_.clear();
}

}  // namespace confab::net
