// SPDX-License-Identifier: Apache-2.0
//
// Coroutines of this house. A Task runs on one io_context thread; whoever starts one either awaits it or
// gives it to a TaskGroup, which can cancel and join it. Nothing is ever left running without an owner.
//
// Cancellation: once a coroutine has been cancelled each further await in it throws
// system_error(operation_aborted). What must happen all the same (recording the outcome of a call) stands
// behind `co_await shielded();`.
#pragma once

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cstddef>
#include <exception>
#include <functional>
#include <list>

#include "fedgate/clock.h"
#include "fedgate/result.h"

namespace fedgate {

namespace asio = boost::asio;

using Executor = asio::io_context::executor_type;

template <class T = void>
using Task = asio::awaitable<T, Executor>;

/// Completion token for operations whose failure is a bug or a cancellation: throws.
inline constexpr asio::use_awaitable_t<Executor> use_task{};
/// Completion token for socket calls: `auto [ec, n] = co_await …(use_tuple);`
inline constexpr auto use_tuple = asio::as_tuple(use_task);

/// From here on the awaiting coroutine neither sees nor obeys cancellation, including one that has already
/// happened. Only for short, bounded endings.
[[nodiscard]] inline auto shielded() { return asio::this_coro::reset_cancellation_state(asio::disable_cancellation()); }

/// Owns coroutines on one executor. Not thread-safe: every call on the executor's thread.
class TaskGroup {
 public:
  /// `bound`: how many may run at once; `failed` hears of an exception that ended a task (a bug), never of a
  /// cancellation.
  TaskGroup(Executor executor, std::size_t bound, std::function<void(const std::exception&)> failed = {});
  TaskGroup(const TaskGroup&) = delete;
  TaskGroup& operator=(const TaskGroup&) = delete;
  /// All tasks have ended: join() first. (Violating this is a bug and ends the process.)
  ~TaskGroup();

  /// Code::overloaded when `bound` tasks are running, Code::draining after cancel().
  Result<void> spawn(Task<> task);
  /// Asks every task to end (one that has not begun never begins); spawn() refuses from here on. A task may
  /// call it.
  void cancel();
  /// Waits until no task is left. May be awaited by one coroutine, itself not of this group.
  Task<> join();
  [[nodiscard]] std::size_t size() const { return running_.size(); }

 private:
  struct Entry {
    asio::cancellation_signal signal;
    bool begun = false;
  };
  using Running = std::list<Entry>;
  struct Ending;
  Task<> run(Running::iterator entry, Task<> task);
  void ended(Running::iterator entry, const std::exception_ptr& thrown);

  Executor executor_;
  std::size_t bound_;
  std::function<void(const std::exception&)> failed_;
  Running running_;
  Running ended_;  // kept while cancel() emits
  asio::steady_timer empty_;
  bool closed_ = false;
  bool cancelling_ = false;
};

}  // namespace fedgate
