// BlockingPool: where blocking calls run (SQLite, password hashing). Nothing blocks a shard.
//
// A fixed number of threads over one bounded queue; each thread owns one Worker value (a database connection, or
// nothing) that its jobs get by reference. `run` is called from a shard and resumes there. A full queue answers at once
// with `unavailable`. Cancellation does not reach a job: it ends by itself within its own bound (for instance SQLite's
// 2 s).
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <type_traits>
#include <vector>

#include "base/error.hpp"
#include "net/task.hpp"

namespace confab::net {

inline constexpr std::chrono::seconds kRestAfter{15};

// A queue of jobs that threads take from; the mutex is held only to move a job in or out.
template <class Job>
class JobQueue {
public:
    explicit JobQueue(std::size_t jobs_max) : jobs_max_(jobs_max) {}

    // False when full or closed; the job is then left untouched.
    bool push(Job&& job) {
        {
            const std::lock_guard lock(mutex_);
            if (closed_ || jobs_.size() >= jobs_max_) {
                return false;
            }
            jobs_.push_back(std::move(job));
        }
        ready_.notify_one();
        return true;
    }

    // Waits for a job; false when closed and empty. When none comes for `rest_after`, calls `rest` once meanwhile.
    template <class Rest>
    bool pop(Job& job, std::chrono::milliseconds rest_after, Rest rest) {
        std::unique_lock lock(mutex_);
        const auto ready = [&] { return closed_ || !jobs_.empty(); };
        if (!ready_.wait_for(lock, rest_after, ready)) {
            lock.unlock();
            rest();
            lock.lock();
            ready_.wait(lock, ready);
        }
        if (jobs_.empty()) {
            return false;
        }
        job = std::move(jobs_.front());
        jobs_.pop_front();
        return true;
    }

    void close() {
        {
            const std::lock_guard lock(mutex_);
            closed_ = true;
        }
        ready_.notify_all();
    }

    std::size_t size() const {
        const std::lock_guard lock(mutex_);
        return jobs_.size();
    }

private:
    const std::size_t jobs_max_;
    mutable std::mutex mutex_;
    std::condition_variable ready_;
    std::deque<Job> jobs_;
    bool closed_ = false;
};

// Suspends the calling coroutine, hands `submit` a callback `void(R)` that may be called once from any thread, and
// resumes the coroutine on its own executor with the value. (Only the value's way is a template: an asynchronous
// operation for each type of callback would multiply the compile time.)
template <class R, class Submit>
Task<R> await_callback(Submit submit) {
    std::optional<R> result;  // written before the resumption is posted, read after it
    std::move_only_function<void(std::move_only_function<void()>)> start = [&](std::move_only_function<void()> resume) {
        submit([&result, resume = std::move(resume)](R value) mutable {
            result.emplace(std::move(value));
            resume();
        });
    };
    co_await suspend_until_called(std::move(start));
    co_return *std::move(result);
}

template <class Worker>
class BlockingPool {
public:
    // A job gets its worker, or nullptr when the queue refused it and it only has to say so.
    using Job = std::move_only_function<void(Worker*)>;

    // `rest`, if given, is called on a worker's thread once that has had nothing to do for kRestAfter.
    BlockingPool(std::vector<Worker> workers, std::size_t jobs_max, std::function<void(Worker&)> rest = {})
        : queue_(jobs_max), rest_(std::move(rest)) {
        threads_.reserve(workers.size());
        for (Worker& worker : workers) {
            threads_.emplace_back([this, worker = std::move(worker)]() mutable {
                const auto have_rest = [&] {
                    if (rest_) {
                        rest_(worker);
                    }
                };
                for (Job job; queue_.pop(job, kRestAfter, have_rest);) {
                    job(&worker);
                    job = nullptr;
                }
            });
        }
    }

    BlockingPool(const BlockingPool&) = delete;
    BlockingPool& operator=(const BlockingPool&) = delete;

    ~BlockingPool() { stop(); }

    // `work(worker)` returns a Result<T>; it runs on a pool thread, its value comes back to the caller's shard.
    template <class Work>
    auto run(Work work) -> Task<std::invoke_result_t<Work&, Worker&>> {
        using R = std::invoke_result_t<Work&, Worker&>;
        auto submit = [this, &work](auto done) {
            Job job = [done = std::move(done), work = std::move(work)](Worker* worker) mutable {
                if (worker == nullptr) {
                    done(R(base::fail(
                        base::Errc::unavailable, "The server is overloaded. Try again shortly.", "overloaded"
                    )));
                } else {
                    done(work(*worker));
                }
            };
            post(std::move(job));
        };
        co_return co_await await_callback<R>(std::move(submit));
    }

    // Without a coroutine. A refused job is called here and now, with nullptr.
    void post(Job job) {
        if (!queue_.push(std::move(job))) {
            job(nullptr);
        }
    }

    std::size_t queued() const { return queue_.size(); }

    // Finishes what is queued and joins the threads.
    void stop() {
        queue_.close();
        for (std::thread& thread : threads_) {
            if (thread.joinable()) {
                thread.join();
            }
        }
    }

private:
    JobQueue<Job> queue_;
    const std::function<void(Worker&)> rest_;
    std::vector<std::thread> threads_;
};

}  // namespace confab::net
