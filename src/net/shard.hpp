// Shard: one thread, one io_context, one ticker. What a shard owns only its thread touches; work for another shard's
// state is sent there with run_on(shard.executor(), ...).
#pragma once

#include <memory>
#include <thread>
#include <vector>

#include "net/task.hpp"
#include "net/ticker.hpp"

namespace confab::net {

class Shard {
public:
    explicit Shard(unsigned index) : index_(index), ticker_(executor()) {}

    unsigned index() const { return index_; }

    Executor executor() { return context_.get_executor(); }

    Ticker& ticker() { return ticker_; }

    // Runs the loop on the calling thread until stop(). Exceptions that reach the loop end the process: nothing above
    // could know.
    void run();

    void stop() { context_.stop(); }

private:
    unsigned index_;
    asio::io_context context_{1};  // one thread runs it; others only post
    Ticker ticker_;
};

// All shards. Shard 0 runs on the thread that calls run(); the others have threads of their own.
class ShardPool {
public:
    explicit ShardPool(unsigned count);

    unsigned size() const { return static_cast<unsigned>(shards_.size()); }

    Shard& operator[](unsigned index) { return *shards_[index]; }

    auto begin() { return shards_.begin(); }

    auto end() { return shards_.end(); }

    // Returns when every shard was stopped and every thread joined.
    void run();
    void stop();

private:
    std::vector<std::unique_ptr<Shard>> shards_;
};

}  // namespace confab::net
