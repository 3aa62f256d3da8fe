// SPDX-License-Identifier: Apache-2.0
#include "base/worker.h"

#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <chrono>
#include <csignal>
#include <future>
#include <stdexcept>
#include <string>
#include <thread>

namespace fedgate {
namespace {

using namespace std::chrono_literals;

TEST(Worker, RunsTasksOnItsOwnThread) {
  Worker worker(3, system_clock());
  EXPECT_EQ(worker.index(), 3U);
  worker.start({});
  std::thread::id there;
  worker.run_and_wait([&]() -> Task<> {
    co_await sleep_until(worker.wheel(), worker.clock().steady() + 1ms);
    there = std::this_thread::get_id();
  });
  EXPECT_NE(there, std::thread::id());
  EXPECT_NE(there, std::this_thread::get_id());
}

TEST(Worker, HandsExceptionsToWhoeverWaits) {
  Worker worker(0, system_clock());
  worker.start({});
  EXPECT_THROW(worker.run_and_wait([]() -> Task<> {
    throw std::out_of_range("here");
    co_return;
  }),
               std::out_of_range);
}

TEST(Worker, GoesOnAfterABugInAHandler) {
  Worker worker(0, system_clock());
  std::promise<std::string> heard;
  worker.start([&](const std::exception& error) { heard.set_value(error.what()); });
  asio::post(worker.io(), [] { throw std::runtime_error("a bug"); });
  auto future = heard.get_future();
  ASSERT_EQ(future.wait_for(10s), std::future_status::ready);
  EXPECT_EQ(future.get(), "a bug");
  bool ran = false;
  worker.run_and_wait([&]() -> Task<> {
    ran = true;
    co_return;
  });
  EXPECT_TRUE(ran);
}

TEST(Worker, FinishWaitsForWhatIsPendingAndStopDoesNot) {
  bool over = false;
  {
    Worker worker(0, system_clock());
    worker.start({});
    asio::co_spawn(worker.io(), sleep_until(worker.wheel(), worker.clock().steady() + 50ms),
                   [&](std::exception_ptr) { over = true; });
    worker.finish();
    EXPECT_TRUE(over);
  }
  over = false;
  {
    Worker worker(0, system_clock());
    worker.start({});
    asio::co_spawn(worker.io(), sleep_until(worker.wheel(), SteadyTime::max()),
                   [&](std::exception_ptr) { over = true; });
    worker.stop();
  }
  EXPECT_FALSE(over);
}

TEST(Worker, IsSafeWhereItNeverStarted) {
  Worker worker(0, system_clock());
  EXPECT_THROW(worker.run_and_wait([]() -> Task<> { co_return; }), std::logic_error);
  worker.finish();
  worker.stop();
}

TEST(Worker, LeavesSignalsToMain) {
  Worker worker(0, system_clock());
  worker.start({});
  sigset_t blocked{};
  worker.run_and_wait([&]() -> Task<> {
    pthread_sigmask(SIG_SETMASK, nullptr, &blocked);
    co_return;
  });
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) EXPECT_EQ(sigismember(&blocked, signal), 1) << signal;
  EXPECT_EQ(sigismember(&blocked, SIGSEGV), 0);
}

}  // namespace
}  // namespace fedgate
