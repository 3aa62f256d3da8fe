// SPDX-License-Identifier: Apache-2.0
#include "net/enrolment_gate.h"

#include "net/address.h"

namespace fedgate::net {

EnrolmentGate::EnrolmentGate(const Clock& clock, std::function<bool()> open, EnrolmentLimits limits)
    : clock_(clock),
      open_(std::move(open)),
      limits_(limits),
      places_(Admission::make({.total = limits.connections, .per_source = limits.per_address})) {}

Result<Ticket> EnrolmentGate::admit(const std::string& remote) {
  const auto refuse = [&](const std::string& why, Code code = Code::overloaded) {
    refused_.fetch_add(1, std::memory_order_relaxed);
    return fail(code, "enrolment of " + remote + ": " + why);
  };
  if (!open_()) return refuse("enrolment is closed", Code::forbidden);
  auto answer = places_->admit(source_of(address_of(remote)));
  if (!answer.ticket) return refuse("too many strangers at once (" + std::string(answer.full) + ")");
  const std::lock_guard lock(mutex_);
  const SteadyTime now = clock_.steady();
  while (!recent_.empty() && now - recent_.front() >= std::chrono::minutes(1)) recent_.pop_front();
  if (recent_.size() >= limits_.handshakes_per_minute) return refuse("too many strangers this minute");
  recent_.push_back(now);
  return std::move(answer.ticket);
}

}  // namespace fedgate::net
