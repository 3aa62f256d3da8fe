// SPDX-License-Identifier: Apache-2.0
#include "base/task.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/system/system_error.hpp>
#include <exception>
#include <stdexcept>
#include <utility>
#include <vector>

namespace fedgate {

// Carries its slot itself: behind bind_cancellation_slot() Asio 1.81 would post the emission with a bare pointer
// to the signal, and a task that ends by itself in between leaves it dangling.
struct TaskGroup::Ending {
  using cancellation_slot_type = asio::cancellation_slot;
  TaskGroup* group;
  Running::iterator entry;
  [[nodiscard]] cancellation_slot_type get_cancellation_slot() const noexcept { return entry->signal.slot(); }
  void operator()(const std::exception_ptr& thrown) const { group->ended(entry, thrown); }
};

TaskGroup::TaskGroup(Executor executor, std::size_t bound, std::function<void(const std::exception&)> failed)
    : executor_(executor), bound_(bound), failed_(std::move(failed)), empty_(executor) {
  empty_.expires_at(SteadyTime::max());
}

TaskGroup::~TaskGroup() {
  if (!running_.empty()) std::terminate();
}

Result<void> TaskGroup::spawn(Task<> task) {
  if (closed_) return fail(Code::draining, "this part of the gateway is shutting down");
  if (running_.size() >= bound_)
    return fail(Code::overloaded, "too many tasks at once (" + std::to_string(bound_) + ")");
  auto entry = running_.emplace(running_.end());
  asio::co_spawn(executor_, run(entry, std::move(task)), Ending{this, entry});
  return {};
}

// Asio 1.81 awaits around the task, too: if one of those awaits finds a cancellation, it throws past the
// completion handler, and the task would never be seen to end. So none is let in before the task has begun
// or after it has ended.
Task<> TaskGroup::run(Running::iterator entry, Task<> task) {
  entry->begun = true;
  if (closed_) co_return;
  std::exception_ptr thrown;
  try {
    co_await std::move(task);
  } catch (...) {
    thrown = std::current_exception();
  }
  co_await shielded();
  if (thrown) std::rethrow_exception(thrown);
}

void TaskGroup::ended(Running::iterator entry, const std::exception_ptr& thrown) {
  // A task may end while its own signal is being emitted: that signal must outlive the emission.
  ended_.splice(ended_.end(), running_, entry);
  if (!cancelling_) ended_.clear();
  if (running_.empty()) empty_.cancel();
  if (!thrown) return;
  try {
    std::rethrow_exception(thrown);
  } catch (const boost::system::system_error& error) {
    if (error.code() != asio::error::operation_aborted && failed_) failed_(error);
  } catch (const std::exception& error) {
    if (failed_) failed_(error);
  } catch (...) {
    if (failed_) failed_(std::runtime_error("a task threw something that is no std::exception"));
  }
}

void TaskGroup::cancel() {
  closed_ = true;
  if (cancelling_) return;
  cancelling_ = true;
  std::vector<asio::cancellation_signal*> signals;
  signals.reserve(running_.size());
  for (Entry& entry : running_) {
    if (entry.begun) signals.push_back(&entry.signal);
  }
  for (auto* signal : signals) signal->emit(asio::cancellation_type::terminal);
  cancelling_ = false;
  ended_.clear();
}

Task<> TaskGroup::join() {
  while (!running_.empty()) {
    auto [ec] = co_await empty_.async_wait(use_tuple);
    (void)ec;
  }
}

}  // namespace fedgate
