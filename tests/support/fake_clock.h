// SPDX-License-Identifier: Apache-2.0
//
// A clock that stands still until a test moves it. Safe from any thread.
#pragma once

#include <atomic>
#include <chrono>

#include "fedgate/clock.h"

namespace fedgate::test {

class FakeClock final : public Clock {
 public:
  /// 2026-11-23T14:00:00Z, and some hours after boot.
  explicit FakeClock(WallTime wall = WallTime(std::chrono::seconds(1'795'442'400)),
                     SteadyTime steady = SteadyTime(std::chrono::hours(5)))
      : wall_(wall.time_since_epoch().count()), steady_(steady.time_since_epoch().count()) {}

  [[nodiscard]] SteadyTime steady() const override { return SteadyTime(SteadyTime::duration(steady_.load())); }
  [[nodiscard]] WallTime wall() const override { return WallTime(WallTime::duration(wall_.load())); }

  /// Time passes.
  void advance(std::chrono::microseconds by) {
    steady_ += SteadyTime::duration(by).count();
    wall_ += by.count();
  }
  /// Somebody sets the wall clock; the steady clock does not notice.
  void set_wall(WallTime at) { wall_ = at.time_since_epoch().count(); }

 private:
  std::atomic<WallTime::rep> wall_;
  std::atomic<SteadyTime::rep> steady_;
};

}  // namespace fedgate::test
