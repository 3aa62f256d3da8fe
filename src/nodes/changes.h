// SPDX-License-Identifier: Apache-2.0
//
// What may happen to a node, and what it means. What narrows takes something away (it is disabled, removed,
// revoked, trusted less, by fewer anchors, pins or domains) and must never wait for anything; everything else gives
// something and waits for the database and the trail. Plain values, any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "fedgate/clock.h"
#include "fedgate/node.h"
#include "nodes/node_table.h"

namespace fedgate::nodes {

/// In a node's metadata while it is disabled: who did it, `operator` or `configuration`. What an operator has
/// disabled only an operator enables; what YAML has disabled YAML enables.
inline constexpr std::string_view disabled_by = "fedgate.disabled_by";
/// In a node's metadata since its revocation was lifted: when, in microseconds since 1970. A revocation that is older
/// than that no longer counts.
inline constexpr std::string_view reinstated_at = "fedgate.reinstated_at";

/// Nothing while it is enabled.
std::optional<NodeSource> who_disabled(const Node& node);
void enable(Node& node);
void disable(Node& node, NodeSource by);
void set_trust(Node& node, TrustLevel level, WallTime now);
void set_reinstated(Node& node, WallTime at);
std::optional<WallTime> when_reinstated(const Node& node);

/// What is taken away. It can be laid over a node again and again, whatever has become of the node meanwhile.
struct Narrowing {
  bool removed = false;
  std::optional<NodeSource> disabled{};               ///< by whom
  std::optional<TrustLevel> level{};                  ///< no higher; `revoked` is the lowest
  std::optional<std::vector<std::string>> anchors{};  ///< none but these
  std::optional<std::vector<std::string>> pins{};     ///< none but these; never empty
  std::optional<std::vector<Domain>> domains{};       ///< none but these

  [[nodiscard]] bool empty() const { return *this == Narrowing{}; }
  /// Both hold from now on.
  void add(const Narrowing& other);
  /// Not for `removed`, which leaves no node.
  void apply(Node& node) const;
  bool operator==(const Narrowing&) const = default;
};
/// What `after` takes away from `before`.
Narrowing narrowing(const Node& before, const Node& after);

/// What became of one node between two tables.
struct NodeDifference {
  const Node* before = nullptr;  ///< null: it was not there
  const Node* after = nullptr;   ///< null: it is gone
  /// What it could do by connections that are open, it may no longer: it is not usable any more, or an anchor or pin
  /// is gone that may stand behind them.
  bool cut_off = false;
  /// It is trusted now, or by other anchors or pins than before.
  bool trusted_anew = false;
};
/// Of every node that is not the same in both, by id. Points into both tables.
std::vector<NodeDifference> differences(const NodeTable& before, const NodeTable& after);

}  // namespace fedgate::nodes
