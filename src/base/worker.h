// SPDX-License-Identifier: Apache-2.0
//
// One io_context thread. Worker 0 is the shared one: discovery, trust, routing upkeep and, with `threads: 1`,
// the connections too. A connection, its upstream pools and its requests stay on one worker, so the hot path
// needs neither strands nor locks.
#pragma once

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <thread>

#include "base/deadline.h"
#include "base/readiness.h"
#include "base/task.h"
#include "fedgate/clock.h"

namespace fedgate {

class Worker {
 public:
  Worker(std::size_t index, const Clock& clock);
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  /// Starts the thread. `failed` hears of an exception that reached the event loop (a bug); the loop goes on.
  void start(std::function<void(const std::exception&)> failed);
  /// Lets the loop end once nothing is pending, and joins the thread. Any thread but its own.
  void finish();
  /// Ends the loop now, whatever is pending, and joins.
  void stop();

  [[nodiscard]] std::size_t index() const { return index_; }
  [[nodiscard]] asio::io_context& io() { return io_; }
  [[nodiscard]] Executor executor() { return io_.get_executor(); }
  [[nodiscard]] DeadlineWheel& wheel() { return wheel_; }
  [[nodiscard]] Readiness& readiness() { return readiness_; }
  [[nodiscard]] const Clock& clock() const { return wheel_.clock(); }

  /// Runs `task` here, from any other thread, and waits for its end. For start-up, shutdown and tests.
  void run_and_wait(std::function<Task<>()> task);

 private:
  std::size_t index_;
  asio::io_context io_{1};
  std::optional<asio::executor_work_guard<Executor>> work_;
  DeadlineWheel wheel_;
  Readiness readiness_{io_};
  std::thread thread_;
};

}  // namespace fedgate
