// SPDX-License-Identifier: Apache-2.0
#include "base/deadline.h"

#include <algorithm>

namespace fedgate {

DeadlineWheel::DeadlineWheel(Executor executor, const Clock& clock)
    : executor_(executor), clock_(clock), timer_(executor), done_(turn_of(clock.steady())) {}

long DeadlineWheel::turn_of(SteadyTime at) const { return static_cast<long>(at.time_since_epoch() / tick); }

void DeadlineWheel::arm(Expiry& expiry, SteadyTime at) {
  expiry.disarm();
  if (at == SteadyTime::max()) return;
  expiry.at_ = at;
  if (!ticking_) done_ = turn_of(clock_.steady());
  // What has passed goes where the next tick looks first.
  const long turn = std::max(turn_of(at), done_);
  slots_[static_cast<std::size_t>(turn) % slots].push_back(expiry);
  if (!ticking_) start();
}

void DeadlineWheel::start() {
  ticking_ = true;
  timer_.expires_after(tick);
  timer_.async_wait([this](const boost::system::error_code& ec) {
    if (ec) return;
    advance();
  });
}

void DeadlineWheel::advance() {
  const SteadyTime now = clock_.steady();
  const long turn = turn_of(now);
  // The last turn's slot is looked at again: some of it was not due yet, and it takes what had passed when it
  // was armed. A clock that jumped by more than a turn of the wheel makes every slot due once.
  const long first = std::max(done_, turn - static_cast<long>(slots) + 1);
  done_ = turn;
  Slot due;
  for (long t = first; t <= turn; ++t) {
    Slot& slot = slots_[static_cast<std::size_t>(t) % slots];
    for (auto it = slot.begin(); it != slot.end();) {
      Expiry& expiry = *it++;
      if (expiry.at_ > now) continue;
      expiry.unlink();
      due.push_back(expiry);
    }
  }
  // expired() may disarm or destroy any other expiry, those in `due` too.
  while (!due.empty()) {
    Expiry& expiry = due.front();
    due.pop_front();
    expiry.expired();
  }
  if (idle()) {
    ticking_ = false;
  } else {
    start();
  }
}

bool DeadlineWheel::idle() const {
  return std::all_of(slots_.begin(), slots_.end(), [](const Slot& slot) { return slot.empty(); });
}

namespace {
class Alarm final : public Expiry {
 public:
  explicit Alarm(asio::steady_timer& timer) : timer_(timer) {}
  [[nodiscard]] bool rang() const { return rang_; }

 private:
  void expired() noexcept override {
    rang_ = true;
    timer_.cancel();
  }
  asio::steady_timer& timer_;
  bool rang_ = false;
};
}  // namespace

Task<> sleep_until(DeadlineWheel& wheel, SteadyTime at) {
  asio::steady_timer timer(wheel.executor());
  timer.expires_at(SteadyTime::max());
  Alarm alarm(timer);
  wheel.arm(alarm, at);
  // Not armed() but rang(): SteadyTime::max() is never armed, and sleeps until it is cancelled.
  while (!alarm.rang()) {
    auto [ec] = co_await timer.async_wait(use_tuple);
    (void)ec;
    if ((co_await asio::this_coro::cancellation_state).cancelled() != asio::cancellation_type::none) {
      throw boost::system::system_error(asio::error::operation_aborted);
    }
  }
}

}  // namespace fedgate
