// SPDX-License-Identifier: Apache-2.0
#include "base/worker_pool.h"

#include <functional>
#include <future>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "support/event_loop.h"

namespace fedgate {
namespace {

using namespace std::chrono_literals;

using Pool = test::EventLoop;

TEST_F(Pool, RunsElsewhereAndResumesHere) {
  WorkerPool pool(2, 8);
  const auto here = std::this_thread::get_id();
  const auto task = [&]() -> Task<std::string> {
    auto there = co_await pool.run([]() -> Result<std::thread::id> { return std::this_thread::get_id(); });
    co_return there.value() == here || std::this_thread::get_id() != here ? "wrong thread" : "right";
  };
  EXPECT_EQ(run<std::string>(task()), "right");
}

TEST_F(Pool, KeepsTheEventLoopAliveWhileItWorks) {
  WorkerPool pool(1, 8);
  std::promise<void> go;
  bool resumed = false;
  const auto task = [&]() -> Task<> {
    auto done = co_await pool.run([&go]() -> Result<void> {
      go.get_future().wait_for(10s);
      return {};
    });
    resumed = done.has_value();
  };
  asio::co_spawn(io, task(), [](std::exception_ptr) {});
  io.restart();
  io.run_for(50ms);
  EXPECT_FALSE(io.stopped());
  go.set_value();
  io.run_for(10s);
  EXPECT_TRUE(resumed);
}

TEST_F(Pool, TurnsAwayWhatItsQueueCannotHold) {
  WorkerPool pool(1, 2);
  std::promise<void> go;
  const auto gate = go.get_future().share();
  std::vector<Code> refused;
  int done = 0;
  const auto task = [&]() -> Task<> {
    auto answer = co_await pool.run([gate]() -> Result<int> {
      gate.wait_for(10s);
      return 1;
    });
    if (answer) {
      ++done;
    } else {
      refused.push_back(answer.error().code);
    }
  };
  TaskGroup group(io.get_executor(), 8);
  for (int i = 0; i < 4; ++i) ASSERT_TRUE(group.spawn(task()).has_value());
  run_until([&] { return refused.size() == 2; });
  go.set_value();
  run<void>(group.join());
  EXPECT_EQ(done, 2);
  EXPECT_EQ(refused, (std::vector{Code::overloaded, Code::overloaded}));
  ASSERT_TRUE(group.spawn(task()).has_value());  // places come back
  run<void>(group.join());
  EXPECT_EQ(done, 3);
}

TEST_F(Pool, ExceptionsBecomeErrors) {
  WorkerPool pool(1, 2);
  const auto task = [&]() -> Task<Result<int>> {
    co_return co_await pool.run([]() -> Result<int> { throw std::runtime_error("disk on fire"); });
  };
  const auto answer = run<Result<int>>(task());
  ASSERT_FALSE(answer.has_value());
  EXPECT_EQ(answer.error(), Error(Code::internal, "disk on fire"));
}

TEST_F(Pool, ACancelledCoroutineLeavesNoPlaceTaken) {
  WorkerPool pool(1, 1);
  TaskGroup group(io.get_executor(), 4);
  bool reached = false;
  const auto task = [&]() -> Task<> {
    auto [ec] = co_await asio::steady_timer(io, SteadyTime::max()).async_wait(use_tuple);
    (void)ec;
    auto answer = co_await pool.run([]() -> Result<int> { return 1; });
    reached = answer.has_value();
  };
  ASSERT_TRUE(group.spawn(task()).has_value());
  ticks();
  group.cancel();
  run<void>(group.join());
  EXPECT_FALSE(reached);
  const auto after = [&]() -> Task<Result<int>> { co_return co_await pool.run([]() -> Result<int> { return 2; }); };
  EXPECT_EQ(run<Result<int>>(after()).value(), 2);
}

TEST_F(Pool, AfterStopItRefuses) {
  WorkerPool pool(1, 2);
  pool.stop();
  const auto task = [&]() -> Task<Result<int>> { co_return co_await pool.run([]() -> Result<int> { return 2; }); };
  EXPECT_EQ(run<Result<int>>(task()).error().code, Code::draining);
}

TEST_F(Pool, WhatTheWorkHoldsIsReleasedBeforeTheAnswer) {
  WorkerPool pool(1, 2);
  const auto task = [&]() -> Task<long> {
    auto held = std::make_shared<int>(1);
    std::function<Result<int>()> work = [held]() -> Result<int> { return *held; };
    auto answer = co_await pool.run(std::move(work));
    co_return held.use_count() * answer.value();
  };
  EXPECT_EQ(run<long>(task()), 1);
}

}  // namespace
}  // namespace fedgate
