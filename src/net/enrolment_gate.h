// SPDX-License-Identifier: Apache-2.0
//
// Who wants to begin trust is a stranger: the peers listener lets few of them in at once, few from one address, few
// in a minute, and only while enrolment is open. One per listener, kept through reloads of its TLS context; asked
// during the handshake, before anything expensive. Any thread.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include "fedgate/clock.h"
#include "fedgate/result.h"
#include "net/admission.h"

namespace fedgate::net {

struct EnrolmentLimits {
  std::size_t connections = 8;
  std::size_t per_address = 1;             ///< IPv6: per /64
  std::size_t handshakes_per_minute = 10;  ///< of all strangers together
  std::size_t bytes = 32 * 1024;           ///< received on one connection, handshake included
  std::chrono::milliseconds time{10'000};  ///< from the handshake's beginning to the connection's end
};

class EnrolmentGate {
 public:
  /// `open`: may strangers enrol right now? Called on any worker, must not block.
  EnrolmentGate(const Clock& clock, std::function<bool()> open, EnrolmentLimits limits = {});

  /// A place for a connection from this address (Stream::remote()), or why there is none.
  Result<Ticket> admit(const std::string& remote);
  /// How many had no place since the last question, closed doors included: for one summary, not for a record each.
  std::size_t take_refused() { return refused_.exchange(0, std::memory_order_relaxed); }
  [[nodiscard]] const EnrolmentLimits& limits() const { return limits_; }

 private:
  const Clock& clock_;
  std::function<bool()> open_;
  EnrolmentLimits limits_;
  std::shared_ptr<Admission> places_;
  std::atomic<std::size_t> refused_{0};
  std::mutex mutex_;
  std::deque<SteadyTime> recent_;  // handshakes of the last minute
};

}  // namespace fedgate::net
