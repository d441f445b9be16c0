#include "net/shard.hpp"

namespace confab::net {

void Shard::run() {
    const auto work = asio::make_work_guard(context_);
    asio::post(context_, [this] { ticker_.start(); });
    context_.run();
}

ShardPool::ShardPool(unsigned count) {
    for (unsigned i = 0; i < count; ++i) {
        shards_.push_back(std::make_unique<Shard>(i));
    }
}

void ShardPool::run() {
    std::vector<std::thread> threads;
    for (unsigned i = 1; i < size(); ++i) {
        threads.emplace_back([shard = shards_[i].get()] { shard->run(); });
    }
    shards_[0]->run();
    for (std::thread& thread : threads) {
        thread.join();
    }
}

void ShardPool::stop() {
    for (const auto& shard : shards_) {
        shard->stop();
    }
}

}  // namespace confab::net
