// TaskGroup: the owner of background coroutines. Nothing in Confab is spawned detached: the owner cancels and joins.
//
// One thread. `spawn` after `cancel` is refused. The owner must `co_await join()` (or have an empty group) before it
// dies.
#pragma once

#include <list>
#include <string_view>

#include <boost/asio/cancellation_signal.hpp>

#include "net/task.hpp"
#include "net/waker.hpp"

namespace confab::net {

class TaskGroup {
public:
    // `name` appears in the log when a task ends by an exception.
    TaskGroup(Executor executor, std::string_view name) : executor_(executor), name_(name), emptied_(executor) {}

    TaskGroup(const TaskGroup&) = delete;
    TaskGroup& operator=(const TaskGroup&) = delete;

    ~TaskGroup() { CONFAB_ASSERT(tasks_.empty()); }

    // Starts `task` on the group's executor. An exception that leaves it is logged, once, here: the group is its root.
    // Returns false, and drops the task unstarted, when the group is cancelled.
    bool spawn(Task<void> task);

    // Asks every task to stop at its next cancellable await.
    void cancel();

    // Waits until no task is left.
    Task<void> join();

    std::size_t size() const { return tasks_.size(); }

private:
    Executor executor_;
    std::string_view name_;
    std::list<asio::cancellation_signal> tasks_;
    Waker emptied_;
    bool cancelled_ = false;
};

}  // namespace confab::net
