// SPDX-License-Identifier: Apache-2.0
//
// The registry of nodes: the database's rows, what YAML defines reconciled into them, published as one immutable
// table; every worker sees a change at its next request. What widens is written first and published after, so that
// what a command reports is what will be there after a restart. What narrows is published first, whatever the
// database does, and then written as soon as that can be done; until then it lies over every table that is
// published. Owned by the composition root. Reading the table: any thread. narrow() and narrow_to() never wait for the
// database; the other functions that change block on it: call them on the WorkerPool.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/log.h"
#include "base/snapshot.h"
#include "fedgate/clock.h"
#include "fedgate/node.h"
#include "fedgate/result.h"
#include "nodes/changes.h"
#include "nodes/node_table.h"
#include "nodes/reconcile.h"
#include "nodes/revocations.h"
#include "store/store.h"

namespace fedgate::nodes {

/// What a node may show and say, as an operator has approved it.
struct Credentials {
  std::vector<std::string> endpoints, trust_anchors, pins;
  std::vector<Domain> principal_domains;
};

/// What an operator may give to a node that exists; for what is taken away see Narrowing.
struct NodeChange {
  bool enable = false;
  std::optional<TrustLevel> trust_level{};  ///< not lower than it is
  std::optional<std::uint64_t> rate_limit_per_hour{};
  std::optional<Credentials> credentials{};  ///< in place of those that it has; not where YAML defines the node
  bool reinstate = false;  ///< with trust_level: also from `revoked`; for `trust approve --reinstate` alone
};

/// Whose change a publication brings: this gateway's, whose commands and reloads record it, or that of others who write
/// to the same database, first seen now.
enum class ChangedBy : std::uint8_t { us, others };

class Registry {
 public:
  Registry(store::Store& store, NodeId own_id, Revocations& revocations, const Clock& clock, const log::Logger& log);

  /// Loads the table and reconciles the configuration into it (reconcile.h). On an error nothing is wider than before;
  /// what the configuration takes away is in force, unless it is the configuration that is wrong.
  Result<void> load(const Configured& configured);

  /// Takes away at once, in memory: no waiting, neither for the database nor for another command that does. A
  /// revocation is on stable storage when this returns, unless waiting() says otherwise. The node as it is now, or as
  /// it was before it was removed. Code::node_not_found; Code::conflict for removing a node that YAML defines, naming
  /// file and line, or one that is revoked: with its row the revocation would be forgotten.
  Result<Node> narrow(std::string_view id_or_alias, const Narrowing& by);
  /// The same for all that a configuration takes away; Code::conflict, Code::bad_request where it is wrong.
  Result<void> narrow_to(const Configured& configured);

  /// Code::conflict where the id exists or is our own, or where an alias or a principal domain is another's or ours;
  /// Code::bad_request where an endpoint is not https, or where it is to be trusted and has no anchor.
  Result<Node> add(Node node);
  /// Code::node_not_found; Code::conflict for what only YAML or only `--reinstate` may change.
  Result<Node> change(std::string_view id_or_alias, const NodeChange& change);

  /// Writes what waits, and publishes what others have changed in the database.
  Result<void> refresh();
  /// What has been taken away from whom, or given back, and is not on stable storage yet. Any thread, at once.
  [[nodiscard]] std::vector<NodeId> waiting() const;

  [[nodiscard]] const Snapshot<NodeTable>& table() const { return table_; }
  /// Called after each publication, on the thread that changed it, one at a time: (old, new, whose change it is). Set
  /// before load(). A listener must not change the registry.
  using Listener = std::function<void(const NodeTable&, const NodeTable&, ChangedBy)>;
  void on_change(Listener listener);

 private:
  Result<Rows> stored();
  Result<std::optional<WallTime>> birth_of_database() const;
  Result<Rows> restored();
  Result<Rows> settled();
  Result<void> write(Rows& rows, const NodeId& id, const Narrowing& by);
  Result<void> keep_revoked(Rows& rows);
  Result<void> write_changes(const Rows& before, Rows& after, WallTime now);
  Result<Node> changed(const Rows& rows, const Node& row, const NodeChange& change);
  Result<void> put(Rows& rows, Node node);
  void replace(Rows rows, ChangedBy by);
  void publish(ChangedBy by);
  [[nodiscard]] WallTime later_than_reinstatement(const Node& node) const;
  [[nodiscard]] WallTime later_than_revocation(const NodeId& id) const;

  store::Store& store_;
  const NodeId own_id_;
  Revocations& revocations_;
  const Clock& clock_;
  const log::Logger& log_;

  // One at a time with the database. Never taken under mutex_, and narrow() does not take it at all.
  std::mutex storing_;
  std::vector<Domain> own_domains_;
  bool loaded_ = false;
  std::optional<WallTime> born_;  // when the database that we loaded from was made

  std::mutex mutex_;  // guards what follows; held for no longer than a publication takes
  Rows rows_;         // as the database has them, so far as we know
  std::map<NodeId, Narrowing> pending_;
  std::vector<Listener> listeners_;
  Snapshot<NodeTable> table_;
  Snapshot<std::vector<NodeId>> waiting_;  // the keys of pending_
};

}  // namespace fedgate::nodes
