// CommitQueue: what waits for the writer. A commit costs the same however much is in it, so what can wait a moment waits
// for company.
//
// Each job says until when it may wait. The queue is served as a whole as soon as one job is due: what somebody waits for
// takes along what was patient. The mutex is held only to move jobs in or out.
#pragma once

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <mutex>
#include <vector>

namespace confab::store::sqlite {

template <class Job>
class CommitQueue {
public:
    using Clock = std::chrono::steady_clock;

    explicit CommitQueue(std::size_t jobs_max) : jobs_max_(jobs_max) {}

    // False when full or closed; the job is then left untouched.
    bool push(Job&& job, Clock::time_point due) {
        bool sooner = false;
        {
            const std::lock_guard lock(mutex_);
            if (closed_ || jobs_.size() >= jobs_max_) {
                return false;
            }
            jobs_.push_back(std::move(job));
            sooner = due < due_;
            due_ = std::min(due_, due);
        }
        if (sooner) {
            ready_.notify_one();
        }
        return true;
    }

    // Waits until a job is due, or `most` are there; then takes up to `most`, the first ones first. Empty when that did
    // not happen within `patience`, or when the queue is closed and empty.
    std::vector<Job> pop_many(std::size_t most, Clock::duration patience) {
        std::vector<Job> taken;
        std::unique_lock lock(mutex_);
        const Clock::time_point end = Clock::now() + patience;
        for (;;) {
            const Clock::time_point now = Clock::now();
            if (closed_ || (!jobs_.empty() && (due_ <= now || jobs_.size() >= most))) {
                break;
            }
            if (end <= now) {
                return taken;
            }
            ready_.wait_until(lock, std::min(end, due_));
        }
        while (!jobs_.empty() && taken.size() < most) {
            taken.push_back(std::move(jobs_.front()));
            jobs_.pop_front();
        }
        due_ = jobs_.empty() ? Clock::time_point::max() : Clock::time_point::min();
        return taken;
    }

    // What is queued can still be taken, at once.
    void close() {
        {
            const std::lock_guard lock(mutex_);
            closed_ = true;
        }
        ready_.notify_all();
    }

    // Closed, and nothing is left.
    bool closed() const {
        const std::lock_guard lock(mutex_);
        return closed_ && jobs_.empty();
    }

private:
    const std::size_t jobs_max_;
    mutable std::mutex mutex_;
    std::condition_variable ready_;
    std::deque<Job> jobs_;
    Clock::time_point due_ = Clock::time_point::max();  // of the first job to be due; max: there is none
    bool closed_ = false;
};

}  // namespace confab::store::sqlite
