// SPDX-License-Identifier: Apache-2.0
//
// The registry of nodes: the database's rows, what YAML defines reconciled into them, published as one
// immutable table. Changes are written first and published after, so what a command reports is what will be
// there after a restart; every worker sees a change at its next request. Functions that change block (they
// write to the store): call them on the WorkerPool. Reading the table: any thread.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/log.h"
#include "base/snapshot.h"
#include "fedgate/clock.h"
#include "fedgate/node.h"
#include "fedgate/result.h"
#include "store/store.h"

namespace fedgate::nodes {

class NodeTable {
 public:
  explicit NodeTable(std::vector<Node> nodes);
  [[nodiscard]] const Node* find(const NodeId& id) const;
  /// By id or by alias.
  [[nodiscard]] const Node* find_named(std::string_view id_or_alias) const;
  /// Ordered by id.
  [[nodiscard]] const std::vector<Node>& all() const { return nodes_; }

 private:
  std::vector<Node> nodes_;
  std::unordered_map<std::string, std::size_t> by_name_;
};

/// What an operator may change of a node that exists.
struct NodeChange {
  std::optional<bool> enabled{};
  std::optional<TrustLevel> trust_level{};
  std::optional<std::uint64_t> rate_limit_per_hour{};
  bool reinstate = false;  ///< with trust_level: also from `revoked`; for `trust approve --reinstate` alone
};

/// In a node's metadata while it is disabled: who did it, `operator` or `configuration`. What an operator has
/// disabled only an operator enables; what YAML has disabled YAML enables.
inline constexpr std::string_view disabled_by = "fedgate.disabled_by";

class Registry {
 public:
  Registry(store::Store& store, NodeId own_id, const Clock& clock, const log::Logger& log);

  /// Loads the table and reconciles `configured` into it: new ones are inserted as trusted (an anchor in YAML is
  /// the operator's decision), changed ones updated, ones that YAML no longer names are kept as operator-defined
  /// and disabled, and said so. A row that is `revoked` stays revoked, whatever YAML says; `enabled=false` set by a
  /// command stays; YAML's `enabled: false` always holds. Aliases and principal domains must be unique among enabled
  /// nodes. On an error the table stays as it was.
  Result<void> load(std::span<const Node> configured);

  /// Code::conflict where the id exists or is our own, or where an alias or a principal domain is another node's;
  /// Code::bad_request where an endpoint is not https, or where it is to be trusted and has no anchor.
  Result<Node> add(Node node);
  /// Code::node_not_found; Code::conflict for what only YAML or only `--reinstate` may change.
  Result<Node> change(std::string_view id_or_alias, const NodeChange& change);
  /// Refused, naming file and line, for a node that YAML defines; refused for one that is revoked: with its row the
  /// revocation would be forgotten.
  Result<void> remove(std::string_view id_or_alias);

  [[nodiscard]] const Snapshot<NodeTable>& table() const { return table_; }
  /// Called after each publication, on the thread that changed it, one at a time: (old, new). Set before load(). A
  /// listener must not change the registry.
  void on_change(std::function<void(const NodeTable&, const NodeTable&)> listener);

 private:
  /// The store's rows by id, our own apart (somebody has changed node.id: it must not be its own peer).
  Result<std::map<NodeId, Node>> stored() const;
  Result<void> put(std::map<NodeId, Node>& nodes, Node node);
  void publish(const std::map<NodeId, Node>& nodes);
  store::Store& store_;
  NodeId own_id_;
  const Clock& clock_;
  const log::Logger& log_;
  std::mutex mutex_;  // one change at a time
  std::vector<std::function<void(const NodeTable&, const NodeTable&)>> listeners_;
  Snapshot<NodeTable> table_;
};

}  // namespace fedgate::nodes
