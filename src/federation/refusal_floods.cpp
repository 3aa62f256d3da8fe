// SPDX-License-Identifier: Apache-2.0
#include "federation/refusal_floods.h"

namespace fedgate::federation {

void RefusalFloods::count(const NodeId& peer, Code code, std::string_view limit) {
  const std::lock_guard lock(mutex_);
  Sum& sum = sums_[{peer, std::string(limit)}];
  sum.code = code;
  ++sum.calls;
}

std::vector<AuditEvent> RefusalFloods::take(const NodeId& own_id, WallTime now) {
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
    event.origin = key.first.str();
    event.target = own_id.str();
    event.action = "refused_calls";
    event.error_code = code_info(sum.code).wire_name;
    event.reason = std::to_string(sum.calls) + " calls refused by " + key.second;
    events.push_back(std::move(event));
  }
  return events;
}

}  // namespace fedgate::federation
