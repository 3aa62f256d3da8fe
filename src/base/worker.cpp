// SPDX-License-Identifier: Apache-2.0
#include "base/worker.h"

#include <boost/asio/co_spawn.hpp>
#include <exception>
#include <future>
#include <stdexcept>
#include <utility>

#include "base/signals.h"

namespace fedgate {

Worker::Worker(std::size_t index, const Clock& clock) : index_(index), wheel_(io_.get_executor(), clock) {}

Worker::~Worker() { stop(); }

void Worker::start(std::function<void(const std::exception&)> failed) {
  if (thread_.joinable()) throw std::logic_error("this worker runs already");
  work_.emplace(io_.get_executor());
  io_.restart();
  thread_ = std::thread([this, failed = std::move(failed)] {
    leave_signals_to_main();
    const auto tell = [&](const std::exception& error) {
      if (failed) failed(error);
    };
    for (;;) {
      try {
        io_.run();
        return;
      } catch (const std::exception& error) {
        tell(error);
      } catch (...) {
        tell(std::runtime_error("something that is no std::exception was thrown"));
      }
    }
  });
}

void Worker::finish() {
  work_.reset();
  if (thread_.joinable()) thread_.join();
}

void Worker::stop() {
  io_.stop();
  finish();
}

void Worker::run_and_wait(std::function<Task<>()> task) {
  if (!thread_.joinable()) throw std::logic_error("run_and_wait() before start()");
  if (std::this_thread::get_id() == thread_.get_id())
    throw std::logic_error("run_and_wait() on the worker's own thread");
  std::promise<void> ended;
  asio::co_spawn(
      io_, [&task]() -> Task<> { return task(); },
      [&ended](std::exception_ptr thrown) {
        if (thrown) {
          ended.set_exception(std::move(thrown));
        } else {
          ended.set_value();
        }
      });
  ended.get_future().get();
}

}  // namespace fedgate
