// SPDX-License-Identifier: Apache-2.0
#include "federation/refusal_floods.h"

namespace fedgate::federation {

bool RefusalFloods::takes(const Call& call) {
  if (call.limit.empty() || !call.outcome.error) return false;
  const NodeId& origin = call.invocation.origin;
  const NodeId& target = call.invocation.target;
  const std::lock_guard lock(mutex_);
  Sum& sum = sums_[{origin.str() + ' ' + target.str(), std::string(call.limit)}];
  sum.code = call.outcome.error->code;
  sum.origin = origin;
  sum.target = target;
  ++sum.calls;
  return true;
}

std::vector<AuditEvent> RefusalFloods::take(WallTime now) {
  decltype(sums_) sums;
  {
    const std::lock_guard lock(mutex_);
    sums.swap(sums_);
  }
  std::vector<AuditEvent> events;
  for (const auto& [key, sum] : sums) {
    AuditEvent event;
    event.type = EventType::cross_org_request_denied;
    event.phase = Phase::event;
    event.time = now;
    event.origin = sum.origin.str();
    event.target = sum.target.str();
    event.action = "refused_calls";
    event.error_code = code_info(sum.code).wire_name;
    event.reason = std::to_string(sum.calls) + " calls refused by " + key.second;
    events.push_back(std::move(event));
  }
  return events;
}

}  // namespace fedgate::federation
