// SPDX-License-Identifier: Apache-2.0
//
// Over a limit, a peer must not be able to fill the trail: its refused calls are counted here, and one event a
// minute says how many there were (product.md section 7). Any thread; one short mutex. The table is as large as
// the registry times the few codes that are counted.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <utility>
#include <vector>

#include "fedgate/audit_event.h"
#include "fedgate/clock.h"
#include "fedgate/error.h"
#include "fedgate/id.h"

namespace fedgate::federation {

class RefusalFloods {
 public:
  /// Whether refusals with this code are summed up instead of recorded one by one.
  [[nodiscard]] static bool summed_up(Code code) { return code == Code::rate_limited || code == Code::overloaded; }

  void count(const NodeId& peer, Code code, std::string_view limit);
  /// One event per peer and limit since the last call; empty when nothing was refused.
  std::vector<AuditEvent> take(const NodeId& own_id, WallTime now);

 private:
  struct Sum {
    Code code = Code::rate_limited;
    std::uint64_t calls = 0;
  };
  std::mutex mutex_;
  std::map<std::pair<NodeId, std::string>, Sum> sums_;
};

}  // namespace fedgate::federation
