// SPDX-License-Identifier: Apache-2.0
//
// How far the timer has compared each node's records with ours, so that nothing is left out after a restart or while a
// node was away, and that of several replicas one does it. Blocking, like Store; any thread.
#pragma once

#include <chrono>
#include <optional>

#include "fedgate/id.h"
#include "fedgate/result.h"
#include "store/store.h"

namespace fedgate::store {

class ReconciliationRecords {
 public:
  explicit ReconciliationRecords(Store& store) : store_(store) {}

  /// Begins the next comparison with this node: from where. Nothing where one was begun less than `pause` ago. `first`:
  /// from where the first of all begins.
  Result<std::optional<WallTime>> begin(const NodeId& node, WallTime now, std::chrono::milliseconds pause,
                                        WallTime first);
  /// Everything before `to` has been compared.
  Result<void> reached(const NodeId& node, WallTime to);

 private:
  Store& store_;
};

}  // namespace fedgate::store
