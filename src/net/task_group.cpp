#include "net/task_group.hpp"

#include <exception>

#include <spdlog/spdlog.h>

#include <boost/asio/bind_cancellation_slot.hpp>

namespace confab::net {

bool TaskGroup::spawn(Task<void> task) {
    if (cancelled_) {
        return false;
    }
    const auto entry = tasks_.emplace(tasks_.end());
    auto ended = [this, entry](std::exception_ptr failure) {
        if (failure) {
            try {
                std::rethrow_exception(failure);
            } catch (const boost::system::system_error& e) {
                if (e.code() != asio::error::operation_aborted) {
                    spdlog::error("task_failed group={} error=\"{}\"", name_, e.what());
                }
            } catch (const std::exception& e) {
                spdlog::error("task_failed group={} error=\"{}\"", name_, e.what());
            }
        }
        tasks_.erase(entry);
        if (tasks_.empty()) {
            emptied_.notify();
        }
    };
    asio::co_spawn(executor_, std::move(task), asio::bind_cancellation_slot(entry->slot(), std::move(ended)));
    return true;
}

void TaskGroup::cancel() {
    cancelled_ = true;
    for (auto signal = tasks_.begin(); signal != tasks_.end();) {
        auto& current = *signal++;  // the task may end inside emit()
        current.emit(asio::cancellation_type::terminal);
    }
}

Task<void> TaskGroup::join() {
    while (!tasks_.empty()) {
        co_await emptied_.wait();
    }
}

}  // namespace confab::net
