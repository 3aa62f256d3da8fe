// SPDX-License-Identifier: Apache-2.0
//
// Over a limit, neither a peer nor a client may fill the trail: refused calls are counted here, and one event a
// minute says how many there were (product.md section 7). Any thread; one short mutex. The table is as large as
// the registry times the few codes that are counted.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <utility>
#include <vector>

#include "federation/call.h"
#include "fedgate/audit_event.h"
#include "fedgate/clock.h"
#include "fedgate/error.h"
#include "fedgate/id.h"

namespace fedgate::federation {

class RefusalFloods {
 public:
  /// Whether one of our limits refused the call: then it is counted here and not recorded by itself.
  bool takes(const Call& call);
  /// One event per peer and limit since the last call; empty when nothing was refused.
  std::vector<AuditEvent> take(WallTime now);

 private:
  struct Sum {
    Code code = Code::rate_limited;
    NodeId origin, target;
    std::uint64_t calls = 0;
  };
  std::mutex mutex_;
  std::map<std::pair<std::string, std::string>, Sum> sums_;  // by `origin target`, limit
};

}  // namespace fedgate::federation
