// SPDX-License-Identifier: Apache-2.0
//
// Coroutines that wait, each within a bound, until something has come about; whoever may have brought it about rings.
// All on one worker. Outlives those who wait.
#pragma once

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <vector>

#include "base/task.h"
#include "fedgate/clock.h"

namespace fedgate {

class Bell {
 public:
  /// Everybody who waits looks again.
  void ring() {
    for (auto* one : waiting_) one->cancel();
  }
  /// Whether `good()` held before `until`, on the real steady clock.
  template <class Condition>
  Task<bool> wait(SteadyTime until, Condition good) {
    asio::steady_timer bound(co_await asio::this_coro::executor);
    const Enlisted enlisted(waiting_, bound);
    while (!good()) {
      if (std::chrono::steady_clock::now() >= until) co_return false;
      bound.expires_at(until);
      auto [ec] = co_await bound.async_wait(use_tuple);
      (void)ec;
    }
    co_return true;
  }

 private:
  using Waiting = std::vector<asio::steady_timer*>;
  class Enlisted {
   public:
    Enlisted(Waiting& all, asio::steady_timer& one) : all_(all), one_(&one) { all_.push_back(one_); }
    ~Enlisted() { std::erase(all_, one_); }
    Enlisted(const Enlisted&) = delete;
    Enlisted& operator=(const Enlisted&) = delete;

   private:
    Waiting& all_;
    asio::steady_timer* one_;
  };

  Waiting waiting_;
};

}  // namespace fedgate
