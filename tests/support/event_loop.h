// SPDX-License-Identifier: Apache-2.0
//
// An event loop on the test's own thread, under a clock that only the test moves.
#pragma once

#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_future.hpp>
#include <chrono>
#include <functional>
#include <future>
#include <utility>

#include "base/deadline.h"
#include "base/task.h"
#include "support/fake_clock.h"

namespace fedgate::test {

class EventLoop : public ::testing::Test {
 protected:
  FakeClock clock;
  asio::io_context io{1};
  DeadlineWheel wheel{io.get_executor(), clock};

  void run_until(const std::function<bool()>& done) {
    const auto bound = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (!done() && std::chrono::steady_clock::now() < bound) {
      if (io.stopped()) io.restart();  // it had run out of work before
      io.run_one_for(std::chrono::milliseconds(100));
    }
    ASSERT_TRUE(done());
  }
  // Lets the wheel look at its slots several times.
  void ticks() {
    asio::steady_timer timer(io, DeadlineWheel::tick * 4);
    bool over = false;
    timer.async_wait([&](const boost::system::error_code&) { over = true; });
    run_until([&] { return over; });
  }
  template <class T>
  T run(Task<T> task) {
    auto future = asio::co_spawn(io, std::move(task), asio::use_future);
    run_until([&] { return future.wait_for(std::chrono::seconds(0)) == std::future_status::ready; });
    return future.get();
  }
};

}  // namespace fedgate::test
