// Runs coroutines to their end on an event loop of their own, so that a test reads like plain calls.
#pragma once

#include <exception>
#include <optional>
#include <utility>
#include <vector>

#include "net/task.hpp"

namespace confab::support {

template <class T>
T run_task(net::Task<T> task) {
    net::asio::io_context context;
    std::optional<T> result;
    net::asio::co_spawn(context, std::move(task), [&](std::exception_ptr error, T value) {
        if (error) {
            std::rethrow_exception(error);
        }
        result.emplace(std::move(value));
    });
    context.run();
    return *std::move(result);
}

// All at once; the results are in the order of the tasks.
template <class T>
std::vector<T> run_tasks(std::vector<net::Task<T>> tasks) {
    net::asio::io_context context;
    std::vector<std::optional<T>> results(tasks.size());
    for (std::size_t i = 0; i < tasks.size(); ++i) {
        net::asio::co_spawn(context, std::move(tasks[i]), [&, i](std::exception_ptr error, T value) {
            if (error) {
                std::rethrow_exception(error);
            }
            results[i].emplace(std::move(value));
        });
    }
    context.run();
    std::vector<T> values;
    for (auto& result : results) {
        values.push_back(*std::move(result));
    }
    return values;
}

}  // namespace confab::support
