// SPDX-License-Identifier: Apache-2.0
#include "store/reconciliation_records.h"

#include <vector>

namespace fedgate::store {

Result<std::optional<WallTime>> ReconciliationRecords::begin(const NodeId& node, WallTime now,
                                                             std::chrono::milliseconds pause, WallTime first) {
  std::optional<WallTime> from;
  auto done = store_.transact("beginning a reconciliation", [&](Transaction& at) -> Result<void> {
    from = first;
    at.read("SELECT " + at.selected("reached_at, begun_at") + " FROM federation_reconciliations WHERE node_id = $1",
            std::vector<Parameter>{node.str()}, [&](const Row& row) {
              from = row.time(0);
              const auto begun = row.time(1).value_or(WallTime{});
              // A clock that was set back must not stop it for long.
              if (begun <= now && begun + pause > now) from.reset();
            });
    if (!from) return {};
    at.run(
        "INSERT INTO federation_reconciliations (node_id, reached_at, begun_at) VALUES ($1, $2, $3) "
        "ON CONFLICT (node_id) DO UPDATE SET begun_at = excluded.begun_at",
        std::vector<Parameter>{node.str(), *from, now});
    return {};
  });
  if (!done) return fail(done.error());
  return from;
}

Result<void> ReconciliationRecords::reached(const NodeId& node, WallTime to) {
  return store_.transact("noting a reconciliation", [&](Transaction& at) -> Result<void> {
    at.run("UPDATE federation_reconciliations SET reached_at = $1 WHERE node_id = $2",
           std::vector<Parameter>{to, node.str()});
    return {};
  });
}

}  // namespace fedgate::store
