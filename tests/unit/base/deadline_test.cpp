// SPDX-License-Identifier: Apache-2.0
#include "base/deadline.h"

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "support/event_loop.h"

namespace fedgate {
namespace {

using namespace std::chrono_literals;

class Bell final : public Expiry {
 public:
  explicit Bell(std::function<void()> ring) : ring_(std::move(ring)) {}

 private:
  void expired() noexcept override { ring_(); }
  std::function<void()> ring_;
};

using Wheel = test::EventLoop;

TEST_F(Wheel, FiresAtItsTimeAndNeverBefore) {
  int rung = 0;
  Bell bell([&] { ++rung; });
  wheel.arm(bell, wheel.now() + 5s);
  clock.advance(4999ms);
  ticks();
  EXPECT_EQ(rung, 0);
  EXPECT_TRUE(bell.armed());
  clock.advance(1ms);  // exactly its time, and the clock stands still from here on
  run_until([&] { return rung == 1; });
  EXPECT_FALSE(bell.armed());
  clock.advance(1h);
  ticks();
  EXPECT_EQ(rung, 1);
}

TEST_F(Wheel, APassedDeadlineFiresOnTheNextTick) {
  int rung = 0;
  Bell past([&] { ++rung; });
  Bell now([&] { ++rung; });
  wheel.arm(past, wheel.now() - 1h);
  wheel.arm(now, wheel.now());
  EXPECT_EQ(rung, 0);
  run_until([&] { return rung == 2; });
}

TEST_F(Wheel, DeadlinesBeyondATurnStayForAnother) {
  std::vector<int> order;
  Bell near([&] { order.push_back(1); });
  Bell far([&] { order.push_back(2); });
  const SteadyTime start = wheel.now();
  wheel.arm(far, start + 10min);
  wheel.arm(near, start + 10s);
  for (int second = 0; second < 599; ++second) {
    clock.advance(1s);
    if (second % 100 == 0) ticks();
  }
  ticks();
  EXPECT_EQ(order, std::vector{1});
  clock.advance(1s);
  run_until([&] { return order.size() == 2; });
}

TEST_F(Wheel, AJumpOfTheClockMakesEverythingDueOnce) {
  int rung = 0;
  std::vector<std::unique_ptr<Bell>> bells;
  for (int i = 0; i < 5000; ++i) {
    bells.push_back(std::make_unique<Bell>([&] { ++rung; }));
    wheel.arm(*bells.back(), wheel.now() + i * 37ms);
  }
  clock.advance(24h);
  run_until([&] { return rung == 5000; });
  ticks();
  EXPECT_EQ(rung, 5000);
}

TEST_F(Wheel, DisarmedMovedAndDestroyedExpiriesStaySilent) {
  int rung = 0;
  Bell disarmed([&] { rung += 100; });
  Bell moved([&] { ++rung; });
  wheel.arm(disarmed, wheel.now() + 1s);
  wheel.arm(moved, wheel.now() + 1s);
  wheel.arm(moved, wheel.now() + 1h);
  {
    Bell destroyed([&] { rung += 1000; });
    wheel.arm(destroyed, wheel.now() + 1s);
  }
  Bell never([&] { rung += 10000; });
  wheel.arm(never, SteadyTime::max());
  EXPECT_FALSE(never.armed());
  disarmed.disarm();
  clock.advance(10s);
  ticks();
  EXPECT_EQ(rung, 0);
  clock.advance(1h);
  run_until([&] { return rung == 1; });
}

TEST_F(Wheel, AnExpiryMayDestroyAnotherThatIsDueToo) {
  int rung = 0;
  std::unique_ptr<Bell> first;
  std::unique_ptr<Bell> second;
  first = std::make_unique<Bell>([&] {
    ++rung;
    second.reset();
  });
  second = std::make_unique<Bell>([&] {
    ++rung;
    first.reset();
  });
  wheel.arm(*first, wheel.now() + 1s);
  wheel.arm(*second, wheel.now() + 1s);
  clock.advance(2s);
  run_until([&] { return rung > 0; });
  ticks();
  EXPECT_EQ(rung, 1);
}

TEST_F(Wheel, AnExpiryMayArmItselfAgain) {
  int rung = 0;
  std::function<void()> ring;
  Bell bell([&] { ring(); });
  ring = [&] {
    if (++rung < 3) wheel.arm(bell, wheel.now());
  };
  wheel.arm(bell, wheel.now());
  run_until([&] { return rung == 3; });
}

TEST_F(Wheel, TicksOnlyWhileSomethingIsArmed) {
  Bell bell([] {});
  wheel.arm(bell, wheel.now() + 1h);
  bell.disarm();
  io.run_for(10s);  // ends by itself once the wheel has seen that it is idle
  EXPECT_TRUE(io.stopped());
}

TEST_F(Wheel, SleepEndsWithTheClock) {
  bool woke = false;
  asio::co_spawn(io, sleep_until(wheel, wheel.now() + 1min), [&](std::exception_ptr thrown) { woke = !thrown; });
  ticks();
  EXPECT_FALSE(woke);
  clock.advance(1min);
  run_until([&] { return woke; });
}

TEST_F(Wheel, SleepIsCancelled) {
  for (const SteadyTime until : {wheel.now() + 1h, SteadyTime::max()}) {
    TaskGroup group(io.get_executor(), 4);
    std::string ended;
    const auto sleeper = [&]() -> Task<> {
      try {
        co_await sleep_until(wheel, until);
        ended = "woke";
      } catch (const boost::system::system_error& error) {
        ended = error.code() == asio::error::operation_aborted ? "cancelled" : error.what();
      }
    };
    ASSERT_TRUE(group.spawn(sleeper()).has_value());
    ticks();
    EXPECT_EQ(ended, "");
    group.cancel();
    run<void>(group.join());
    EXPECT_EQ(ended, "cancelled");
  }
}

}  // namespace
}  // namespace fedgate
