// SPDX-License-Identifier: Apache-2.0
//
// Deadlines without a timer per operation: one coarse wheel per io_context thread. An operation arms an
// Expiry before it waits and disarms it afterwards, both O(1) and without a system call; the wheel's own
// timer ticks only while something is armed. A deadline fires up to one tick (16 ms) late, never early.
// The wheel reads the injected Clock, so a test that moves the clock moves every deadline.
// Everything here belongs to the one thread that runs the executor. A wheel lives as long as that thread does.
#pragma once

#include <array>
#include <boost/asio/steady_timer.hpp>
#include <boost/intrusive/list.hpp>
#include <chrono>
#include <cstddef>

#include "base/task.h"
#include "fedgate/clock.h"

namespace fedgate {

class DeadlineWheel;

/// Something that can run out of time. Disarms itself on destruction.
class Expiry : public boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
 public:
  virtual ~Expiry() = default;
  void disarm() {
    if (is_linked()) unlink();
  }
  [[nodiscard]] bool armed() const { return is_linked(); }

 protected:
  /// Called once, on the wheel's thread, already disarmed. May arm again.
  virtual void expired() noexcept = 0;

 private:
  friend class DeadlineWheel;
  SteadyTime at_{};
};

class DeadlineWheel {
 public:
  static constexpr std::chrono::milliseconds tick{16};

  DeadlineWheel(Executor executor, const Clock& clock);
  DeadlineWheel(const DeadlineWheel&) = delete;
  DeadlineWheel& operator=(const DeadlineWheel&) = delete;

  /// Arms, or moves, `expiry`. A deadline that has passed fires on the next tick. SteadyTime::max(): disarms.
  void arm(Expiry& expiry, SteadyTime at);
  [[nodiscard]] const Clock& clock() const { return clock_; }
  [[nodiscard]] SteadyTime now() const { return clock_.steady(); }
  [[nodiscard]] Executor executor() const { return executor_; }

 private:
  using Slot = boost::intrusive::list<Expiry, boost::intrusive::constant_time_size<false>>;
  static constexpr std::size_t slots = 2048;  // about 33 s a turn; later deadlines stay for another turn

  [[nodiscard]] long turn_of(SteadyTime at) const;
  void start();
  void advance();
  [[nodiscard]] bool idle() const;

  Executor executor_;
  const Clock& clock_;
  asio::steady_timer timer_;
  std::array<Slot, slots> slots_;
  long done_;  // the last turn whose slot was looked at; it is looked at again
  bool ticking_ = false;
};

/// Sleeps until `at` on the wheel's clock; SteadyTime::max(): until cancelled. Cancellable.
Task<> sleep_until(DeadlineWheel& wheel, SteadyTime at);

}  // namespace fedgate
