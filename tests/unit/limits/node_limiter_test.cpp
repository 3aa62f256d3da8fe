// SPDX-License-Identifier: Apache-2.0
#include "limits/node_limiter.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "support/fake_clock.h"

namespace fedgate::limits {
namespace {

using test::FakeClock;
using namespace std::chrono_literals;
const NodeId org_b = NodeId::parse("orgb.example").value();
const NodeId org_c = NodeId::parse("orgc.example").value();

/// Calls that are admitted and end at once, until one is refused.
int admitted_now(NodeLimiter& limiter, const NodeId& node = org_b, std::optional<std::uint64_t> own_rate = {}) {
  int count = 0;
  while (count < 1'000'000 && limiter.admit(node, own_rate)) ++count;
  return count;
}

TEST(NodeLimiter, BurstThenTheRate) {
  FakeClock clock;
  NodeLimiter limiter(clock, {.rate_per_hour = 3600, .burst = 5, .concurrency_per_peer = 10});
  EXPECT_EQ(admitted_now(limiter), 5);
  clock.advance(999ms);
  EXPECT_EQ(admitted_now(limiter), 0);
  clock.advance(1ms);
  EXPECT_EQ(admitted_now(limiter), 1);
  clock.advance(3s);
  EXPECT_EQ(admitted_now(limiter), 3);
  clock.advance(24h);
  EXPECT_EQ(admitted_now(limiter), 5);
}

TEST(NodeLimiter, OddRatesAreExactOverADay) {
  FakeClock clock;
  NodeLimiter limiter(clock, {.rate_per_hour = 9973, .burst = 50, .concurrency_per_peer = 1});
  int total = admitted_now(limiter);
  for (int i = 0; i < 24 * 3600 * 4; ++i) {
    clock.advance(250ms);
    total += admitted_now(limiter);
  }
  EXPECT_EQ(total, 50 + 24 * 9973);
}

TEST(NodeLimiter, NodesDoNotShare) {
  FakeClock clock;
  NodeLimiter limiter(clock, {.rate_per_hour = 3600, .burst = 5, .concurrency_per_peer = 10});
  EXPECT_EQ(admitted_now(limiter), 5);
  EXPECT_EQ(admitted_now(limiter, org_c), 5);
}

TEST(NodeLimiter, RefusalNamesTheLimitAndWhenToComeBack) {
  FakeClock clock;
  NodeLimiter limiter(clock, {.rate_per_hour = 36, .burst = 1, .concurrency_per_peer = 10});
  EXPECT_EQ(admitted_now(limiter), 1);
  clock.advance(500ms);
  const auto refused = limiter.admit(org_b, {});
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().limit, "rate_limit_per_hour");
  EXPECT_EQ(refused.error().error.code, Code::rate_limited);
  EXPECT_EQ(refused.error().error.detail, "orgb.example is at its limit: rate_limit_per_hour = 36");
  EXPECT_EQ(refused.error().retry_after, 100s);  // 99.5 s, rounded up: who waits as told is admitted
  clock.advance(refused.error().retry_after);
  EXPECT_TRUE(limiter.admit(org_b, {}).has_value());
}

TEST(NodeLimiter, RefusedCallsConsumeNothing) {
  FakeClock clock;
  NodeLimiter limiter(clock, {.rate_per_hour = 3600, .burst = 2, .concurrency_per_peer = 1});
  auto held = limiter.admit(org_b, {});
  ASSERT_TRUE(held.has_value());
  for (int i = 0; i < 100; ++i) {
    const auto refused = limiter.admit(org_b, {});  // by concurrency: the second token stays
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().limit, "concurrency_per_peer");
    EXPECT_EQ(refused.error().retry_after, 1s);
  }
  *held = Permit();
  EXPECT_EQ(admitted_now(limiter), 1);
  for (int i = 0; i < 100; ++i)
    EXPECT_FALSE(limiter.admit(org_b, {}).has_value());  // by rate: the next token comes all the same
  clock.advance(1s);
  EXPECT_EQ(admitted_now(limiter), 1);
}

TEST(NodeLimiter, OwnRateBeatsTheDefault) {
  FakeClock clock;
  NodeLimiter limiter(clock, {.rate_per_hour = 3600, .burst = 50, .concurrency_per_peer = 10});
  EXPECT_EQ(admitted_now(limiter, org_b, 0), 0);
  EXPECT_EQ(limiter.admit(org_b, 0).error().retry_after, 3600s);
  EXPECT_EQ(admitted_now(limiter, org_c, 3), 3);  // the burst is no more than an hour grants
  clock.advance(20min);
  EXPECT_EQ(admitted_now(limiter, org_c, 3), 1);
}

TEST(NodeLimiter, ChangedRatesTakeEffect) {
  FakeClock clock;
  NodeLimiter limiter(clock, {.rate_per_hour = 3600, .burst = 10, .concurrency_per_peer = 10});
  EXPECT_EQ(admitted_now(limiter), 10);
  limiter.set_options({.rate_per_hour = 36'000, .burst = 10, .concurrency_per_peer = 10});
  EXPECT_EQ(admitted_now(limiter), 0);  // a new rate is no refill
  clock.advance(1s);
  EXPECT_EQ(admitted_now(limiter), 10);
  limiter.set_options({.rate_per_hour = 3600, .burst = 2, .concurrency_per_peer = 10});
  clock.advance(1h);
  EXPECT_EQ(admitted_now(limiter), 2);
  limiter.set_options({.rate_per_hour = 3600, .burst = 10, .concurrency_per_peer = 10});
  EXPECT_EQ(admitted_now(limiter), 0);
  clock.advance(3s);
  EXPECT_EQ(admitted_now(limiter), 3);
}

TEST(NodeLimiter, ALoweredConcurrencyLetsWhatRunsEnd) {
  FakeClock clock;
  NodeLimiter limiter(clock, {.rate_per_hour = 1'000'000, .burst = 1000, .concurrency_per_peer = 3});
  std::vector<Permit> held;
  while (auto permit = limiter.admit(org_b, {})) held.push_back(std::move(*permit));
  EXPECT_EQ(held.size(), 3U);
  limiter.set_options({.rate_per_hour = 1'000'000, .burst = 1000, .concurrency_per_peer = 1});
  held.pop_back();
  held.pop_back();
  EXPECT_FALSE(limiter.admit(org_b, {}).has_value());
  held.pop_back();
  EXPECT_TRUE(limiter.admit(org_b, {}).has_value());
}

TEST(NodeLimiter, ExtremeOptionsDoNotOverflow) {
  FakeClock clock;
  constexpr auto most = std::numeric_limits<std::uint64_t>::max();
  NodeLimiter limiter(
      clock, {.rate_per_hour = most, .burst = std::numeric_limits<std::uint32_t>::max(), .concurrency_per_peer = 1});
  for (int i = 0; i < 20; ++i) {
    EXPECT_TRUE(limiter.admit(org_b, {}).has_value());
    clock.advance(24h * 365 * 10);
  }
  limiter.set_options(
      {.rate_per_hour = 1, .burst = 0, .concurrency_per_peer = 1});  // a burst of none would never let anything pass
  EXPECT_EQ(admitted_now(limiter), 1);
  EXPECT_EQ(limiter.admit(org_b, {}).error().retry_after, 3600s);
}

TEST(Permit, GivesItsPlaceBackOnceHoweverItMoves) {
  FakeClock clock;
  NodeLimiter limiter(clock, {.rate_per_hour = 1'000'000, .burst = 1000, .concurrency_per_peer = 2});
  const auto free_places = [&] {
    std::vector<Permit> held;
    while (auto permit = limiter.admit(org_b, {})) held.push_back(std::move(*permit));
    return held.size();
  };
  auto first = limiter.admit(org_b, {}).value();
  auto second = limiter.admit(org_b, {}).value();
  EXPECT_EQ(free_places(), 0U);
  first = std::move(second);  // the first's place is free
  EXPECT_EQ(free_places(), 1U);
  Permit third(std::move(first));
  EXPECT_EQ(free_places(), 1U);
  auto& alias = third;
  third = std::move(alias);
  EXPECT_EQ(free_places(), 1U);
  third = Permit();
  EXPECT_EQ(free_places(), 2U);
}

TEST(Permit, OutlivesTheLimiterAndChangesThreads) {
  FakeClock clock;
  auto limiter =
      std::make_unique<NodeLimiter>(clock, Options{.rate_per_hour = 1000, .burst = 10, .concurrency_per_peer = 1});
  auto permit = limiter->admit(org_b, {}).value();
  std::thread([moved = std::move(permit)]() mutable { const Permit ended = std::move(moved); }).join();
  permit = limiter->admit(org_b, {}).value();
  limiter.reset();
  std::thread([moved = std::move(permit)]() mutable { const Permit ended = std::move(moved); }).join();
}

TEST(Threads, NeverMoreThanTheRateAdmits) {
  FakeClock clock;
  NodeLimiter limiter(clock, {.rate_per_hour = 3600, .burst = 500, .concurrency_per_peer = 1000});
  std::atomic<int> admitted{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i)
    threads.emplace_back([&] {
      for (int j = 0; j < 5000; ++j)
        if (limiter.admit(org_b, {})) admitted.fetch_add(1);
    });
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(admitted.load(), 500);
}

TEST(Threads, NeverMoreAtOnceThanAllowed) {
  FakeClock clock;
  NodeLimiter limiter(clock, {.rate_per_hour = 1'000'000, .burst = 1'000'000, .concurrency_per_peer = 3});
  std::atomic<int> at_once{0};
  std::atomic<int> highest{0};
  std::atomic<int> admitted{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i)
    threads.emplace_back([&, i] {
      for (int j = 0; j < 5000; ++j) {
        if (i == 0 && j % 100 == 0)
          limiter.set_options({.rate_per_hour = 1'000'000, .burst = 1'000'000, .concurrency_per_peer = 3});
        const auto permit = limiter.admit(org_b, {});
        if (!permit) continue;
        admitted.fetch_add(1);
        const int now = at_once.fetch_add(1) + 1;
        for (int seen = highest.load(); now > seen && !highest.compare_exchange_weak(seen, now);) {
        }
        std::this_thread::yield();
        at_once.fetch_sub(1);
      }
    });
  for (auto& thread : threads) thread.join();
  EXPECT_LE(highest.load(), 3);
  EXPECT_GT(admitted.load(), 0);
  std::vector<Permit> held;
  while (auto permit = limiter.admit(org_b, {})) held.push_back(std::move(*permit));
  EXPECT_EQ(held.size(), 3U);  // every place came back
}

}  // namespace
}  // namespace fedgate::limits
