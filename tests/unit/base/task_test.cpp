// SPDX-License-Identifier: Apache-2.0
#include "base/task.h"

#include <stdexcept>
#include <string>
#include <vector>

#include "support/event_loop.h"

namespace fedgate {
namespace {

using namespace std::chrono_literals;

using Group = test::EventLoop;

TEST_F(Group, IsBoundedAndTakesAgainWhatFits) {
  TaskGroup group(io.get_executor(), 2);
  const SteadyTime until = wheel.now() + 1s;
  ASSERT_TRUE(group.spawn(sleep_until(wheel, until)).has_value());
  ASSERT_TRUE(group.spawn(sleep_until(wheel, until)).has_value());
  const auto third = group.spawn(sleep_until(wheel, until));
  ASSERT_FALSE(third.has_value());
  EXPECT_EQ(third.error().code, Code::overloaded);
  clock.advance(2s);
  run<void>(group.join());
  EXPECT_EQ(group.size(), 0U);
  ASSERT_TRUE(group.spawn(sleep_until(wheel, until)).has_value());
  run<void>(group.join());
}

TEST_F(Group, CancelEndsAllAndRefusesMore) {
  TaskGroup group(io.get_executor(), 100);
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(group.spawn(sleep_until(wheel, SteadyTime::max())).has_value());
  ticks();
  EXPECT_EQ(group.size(), 100U);
  group.cancel();
  run<void>(group.join());
  EXPECT_EQ(group.size(), 0U);
  const auto late = group.spawn(sleep_until(wheel, wheel.now()));
  ASSERT_FALSE(late.has_value());
  EXPECT_EQ(late.error().code, Code::draining);
}

TEST_F(Group, CancelBeforeTheFirstStep) {
  TaskGroup group(io.get_executor(), 4);
  bool slept = false;
  const auto task = [&]() -> Task<> {
    co_await sleep_until(wheel, SteadyTime::max());
    slept = true;
  };
  ASSERT_TRUE(group.spawn(task()).has_value());
  group.cancel();
  run<void>(group.join());
  EXPECT_FALSE(slept);
}

TEST_F(Group, ATaskMayCancelItsOwnGroup) {
  TaskGroup group(io.get_executor(), 4);
  const auto fails_at_once = [&]() -> Task<> {
    group.cancel();
    co_return;
  };
  ASSERT_TRUE(group.spawn(sleep_until(wheel, SteadyTime::max())).has_value());
  ASSERT_TRUE(group.spawn(fails_at_once()).has_value());
  run<void>(group.join());
  TaskGroup other(io.get_executor(), 4);
  const auto inside = [&]() -> Task<> {  // on the running loop, where a spawned task begins at once
    EXPECT_TRUE(other.spawn(sleep_until(wheel, SteadyTime::max())).has_value());
    EXPECT_TRUE(other
                    .spawn([](TaskGroup& g) -> Task<> {
                      g.cancel();
                      co_return;
                    }(other))
                    .has_value());
    co_await other.join();
  };
  run<void>(inside());
  EXPECT_EQ(group.size() + other.size(), 0U);
}

TEST_F(Group, OneMayEndAnotherWhileAllAreCancelled) {
  TaskGroup group(io.get_executor(), 4);
  asio::steady_timer waited(io, SteadyTime::max());
  const auto waits = [&]() -> Task<> {
    auto [ec] = co_await waited.async_wait(use_tuple);
    EXPECT_EQ(ec, asio::error::operation_aborted);
  };
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(group.spawn(waits()).has_value());
  ticks();
  waited.cancel();
  group.cancel();
  run<void>(group.join());
  EXPECT_EQ(group.size(), 0U);
}

TEST_F(Group, HearsOfBugsButNotOfCancellations) {
  std::vector<std::string> heard;
  TaskGroup group(io.get_executor(), 4, [&](const std::exception& error) { heard.emplace_back(error.what()); });
  const auto bug = []() -> Task<> {
    throw std::runtime_error("a bug");
    co_return;
  };
  const auto stranger = []() -> Task<> {
    throw 7;
    co_return;
  };
  ASSERT_TRUE(group.spawn(bug()).has_value());
  ASSERT_TRUE(group.spawn(stranger()).has_value());
  ASSERT_TRUE(group.spawn(sleep_until(wheel, SteadyTime::max())).has_value());
  ticks();
  group.cancel();
  run<void>(group.join());
  ASSERT_EQ(heard.size(), 2U);
  EXPECT_EQ(heard[0], "a bug");
}

TEST_F(Group, WhatIsShieldedIsDoneAfterACancellation) {
  TaskGroup group(io.get_executor(), 4);
  std::string story;
  const auto call = [&]() -> Task<> {
    auto [ec] = co_await asio::steady_timer(io, SteadyTime::max()).async_wait(use_tuple);
    story += ec ? "cut off," : "answered,";
    co_await shielded();
    co_await sleep_until(wheel, wheel.now() + 1s);
    story += "recorded,";
    asio::steady_timer again(io, 1ms);
    auto [second] = co_await again.async_wait(use_tuple);
    story += second ? "cut off again" : "told";
  };
  ASSERT_TRUE(group.spawn(call()).has_value());
  ticks();
  group.cancel();
  group.cancel();
  ticks();
  EXPECT_EQ(story, "cut off,");
  EXPECT_EQ(group.size(), 1U);
  clock.advance(2s);
  run<void>(group.join());
  EXPECT_EQ(story, "cut off,recorded,told");
}

TEST_F(Group, WhatIsNotShieldedIsNotDoneAfterACancellation) {
  TaskGroup group(io.get_executor(), 4);
  std::string story;
  const auto call = [&]() -> Task<> {
    auto [ec] = co_await asio::steady_timer(io, SteadyTime::max()).async_wait(use_tuple);
    story += ec ? "cut off," : "answered,";
    co_await sleep_until(wheel, wheel.now());
    story += "recorded";
  };
  ASSERT_TRUE(group.spawn(call()).has_value());
  ticks();
  group.cancel();
  run<void>(group.join());
  EXPECT_EQ(story, "cut off,");
}

using GroupDeathTest = Group;
TEST_F(GroupDeathTest, ATaskLeftRunningEndsTheProcess) {
  ::testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_DEATH(
      {
        TaskGroup group(io.get_executor(), 1);
        (void)group.spawn(sleep_until(wheel, SteadyTime::max()));
      },
      "");
}

}  // namespace
}  // namespace fedgate
