// An event loop for one test: runs a coroutine to its end and fails when it takes longer than it may.
#pragma once

#include <chrono>
#include <utility>

#include <gtest/gtest.h>

#include "net/task.hpp"

namespace confab::net {

class Loop {
public:
    Executor executor() { return context_.get_executor(); }

    void run(Task<void> task, std::chrono::seconds most = std::chrono::seconds(10)) {
        bool ended = false;
        asio::co_spawn(context_, std::move(task), [&](std::exception_ptr failure) {
            ended = true;
            if (failure) {
                std::rethrow_exception(failure);
            }
        });
        context_.restart();
        const auto until = std::chrono::steady_clock::now() + most;
        while (!ended && std::chrono::steady_clock::now() < until) {
            if (context_.run_one_until(until) == 0) {
                break;
            }
        }
        ASSERT_TRUE(ended) << "the task hangs";
        context_.poll();
    }

private:
    asio::io_context context_{1};
};

}  // namespace confab::net
