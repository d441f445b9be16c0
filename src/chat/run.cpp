#include "chat/run.hpp"

#include <algorithm>

namespace confab::chat {

namespace {

constexpr std::size_t kLeaseStepBytes = 64 * 1024;

}  // namespace

Run::Run(net::Executor executor, Origin origin, meter::Lease lease)
    : executor_(executor),
      origin_(std::move(origin)),
      lease_(std::move(lease)),
      waiting_for_save_(executor),
      waiting_for_admission_(executor) {
    append_opening_events(log_, origin_.facts.background);
    show();
}

// Whether a piece of the answer can be kept; if not, the driver breaks it off.
bool Run::takes_more() {
    if (!first_token_) {
        first_token_ = std::chrono::steady_clock::now();
    }
    return !out_of_memory_;
}

// The log has grown.
void Run::settle() {
    if (log_.bytes() + output_.bytes_held() > lease_.bytes() && !lease_.grow(kLeaseStepBytes)) {
        out_of_memory_ = true;
    }
}

// The log has grown.
void Run::show() {
    const auto now = net::Deadline::Clock::now();
    limit_.appended(log_.size(), now);
    reveal(now);
}

// Lets viewers see as much as they may.
void Run::reveal(ShowLimit::Time now) {
    if (!origin_.admitted) {
        return;
    }
    const bool all = finished_ || !origin_.persistent;
    const Sequence seen = visible_;
    visible_ = all ? log_.size() : limit_.visible(visible_, now);
    if (visible_ == seen && !finished_) {
        return;
    }
    shown_->store(rendered_bytes(visible_), std::memory_order_relaxed);
    for (Viewer* viewer : viewers_) {
        if (viewer->direct != nullptr) {
            viewer->direct->take_news();
            if (viewer->direct->position() >= visible_ && !viewer->direct->stuck() && !finished_) {
                continue;
            }
        }
        viewer->waker.notify();
    }
}

std::optional<store::RunTiming> Run::timing() const {
    if (!first_token_) {
        return std::nullopt;
    }
    const auto milliseconds = [this](std::chrono::steady_clock::time_point moment) {
        return std::chrono::duration_cast<std::chrono::milliseconds>(moment - begun_).count();
    };
    store::RunTiming timing;
    timing.first_token_ms = milliseconds(*first_token_);
    timing.duration_ms = milliseconds(std::chrono::steady_clock::now());
    return timing;
}

void Run::admit(store::RunNo no, store::UnixSeconds created_at) {
    origin_.no = no;
    origin_.facts.created_at = created_at;
    origin_.admitted = true;
    reveal(net::Deadline::Clock::now());
    waiting_for_admission_.notify_all();
}

void Run::refuse() {
    if (origin_.admitted) {
        return;
    }
    refused_ = true;
    break_off();
    waiting_for_admission_.notify_all();
}

net::Task<bool> Run::wait_for_admission() {
    while (!origin_.admitted && !refused_) {
        co_await waiting_for_admission_.wait();
    }
    co_return origin_.admitted;
}

bool Run::attach(std::function<void()> stop) {
    if (stop && stopping()) {
        return false;
    }
    stop_ = std::move(stop);
    return true;
}

void Run::close(ResponseEnd end) {
    end_ = std::move(end);
    output_.finish();
    close_log(log_, end_);
}

void Run::end_unsaved() {
    end_.status = store::RunStatus::failed;
    end_.errc = base::Errc::storage_full;
    end_.error_code = "storage_full";
    end_.error_message = "The answer could not be saved: the server's disk is full or broken.";
    end_.incomplete_reason.clear();
    for (std::size_t i = 0; i < end_.output.size(); ++i) {
        if (log_.items()[i].done >= visible_) {  // not shown as ended yet
            end_.output[i].status = store::ItemStatus::incomplete;
        }
    }
}

void Run::publish_end() {
    finished_ = true;
    reveal(net::Deadline::Clock::now());
}

// ---- saving ----

std::string_view Run::take_unsaved(Stretch stretch, Sequence& first) {
    const Sequence to = stretch == Stretch::all ? log_.size() : limit_.size();
    first = limit_.first_unsaved();
    if (first >= to) {
        return {};
    }
    limit_.taken(to);
    saving_ = true;
    return log_.records(first, to);
}

void Run::saved(bool success) {
    saving_ = false;
    limit_.saved(success);
    reveal(net::Deadline::Clock::now());
    waiting_for_save_.notify_all();
}

net::Task<void> Run::wait_until_saved() {
    while (saving_) {
        co_await waiting_for_save_.wait();
    }
}

// ---- viewers ----

net::Task<Batch> Run::next(Sequence from, net::Deadline deadline) {
    Viewer viewer{net::Waker(executor_), deadline};
    const Watching watching(viewers_, viewer);
    while (visible_ <= from && !finished_ && !deadline.passed()) {
        co_await viewer.waker.wait();
    }
    co_return render(from);
}

net::Task<void> Run::wait_for_news(DirectViewer& direct, net::Deadline deadline) {
    Viewer viewer{net::Waker(executor_), deadline, &direct};
    const Watching watching(viewers_, viewer);
    while (visible_ <= direct.position() && !direct.stuck() && !finished_ && !deadline.passed()) {
        co_await viewer.waker.wait();
    }
}

Batch Run::render(Sequence from) const {
    Batch batch;
    batch.start = rendered_bytes(std::min(from, visible_));
    batch.shown = shown_;
    batch.next = render_to(batch.bytes, from);
    batch.finished = finished_ && batch.next >= visible_;
    return batch;
}

Sequence Run::render_to(std::string& out, Sequence from) const {
    const EventRenderer renderer(origin_.facts, end_, log_);
    Sequence next = from;
    while (next < visible_ && out.size() < kBatchBytesMax) {
        renderer.render(out, next, log_.at(next));
        ++next;
    }
    return next;
}

// Of the events before this one, roughly.
std::int64_t Run::rendered_bytes(Sequence before) const {
    return static_cast<std::int64_t>(log_.records(0, before).size()) + before * kRenderedEventBytes;
}

net::Task<void> Run::wait_until_finished(net::Deadline deadline) {
    while (!finished_ && !deadline.passed()) {
        (void)co_await next(visible_, deadline);
    }
}

void Run::wake_late_viewers(std::chrono::steady_clock::time_point now) {
    for (Viewer* viewer : viewers_) {
        if (viewer->deadline.at() <= now) {
            viewer->waker.notify();
        }
    }
}

// ---- stopping ----

void Run::break_off() {
    if (stop_) {
        stop_();
    }
}

void Run::cancel() {
    if (finished_) {
        return;
    }
    cancelled_ = true;
    break_off();
}

void Run::interrupt() {
    interrupted_ = true;
    break_off();
}

}  // namespace confab::chat
