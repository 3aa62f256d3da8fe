// SPDX-License-Identifier: Apache-2.0
//
// A node: one organisation's gateway as this gateway's registry knows it. Plain value, any thread.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "fedgate/clock.h"
#include "fedgate/id.h"

namespace fedgate {

/// Ordered: what a level may do, the levels above it may too, except `revoked`, which may do nothing.
enum class TrustLevel : std::uint8_t { untrusted, pending, trusted, revoked };
std::string_view to_string(TrustLevel level);
Result<TrustLevel> trust_level_from(std::string_view text);

/// Who defined a node. A node that YAML defines cannot be removed by a command, only edited there.
enum class NodeSource : std::uint8_t { configuration, operator_command };
std::string_view to_string(NodeSource source);

struct Node {
  NodeId id;
  std::string name;
  std::string alias;
  std::vector<std::string> endpoints;      ///< `https://host:port`, in order of preference
  std::vector<std::string> trust_anchors;  ///< PEM certificates that may speak for this node and no other
  /// PEM CA certificates between anchors and leaf, where the node does not present them itself; not believed by
  /// themselves.
  std::vector<std::string> intermediates;
  std::vector<std::string> pins;  ///< SPKI SHA-256, lower-case hex; empty: any key the anchor certifies
  std::string spiffe_id;          ///< `spiffe://…`: its certificate names it by this URI; empty: by the DNS name `id`
  std::vector<Domain> principal_domains;  ///< domains this node may vouch for
  std::vector<ResourceId> resources;      ///< static routes: resources known to live there
  /// Capabilities there that are known to have no effects: calls of them need no intent. `resource/capability`; the
  /// capability is what follows the last '/'.
  std::vector<std::string> reads;
  TrustLevel trust_level = TrustLevel::untrusted;
  bool enabled = true;
  NodeSource source = NodeSource::operator_command;
  std::string defined_at;  ///< `file:line` where source is configuration
  std::optional<std::uint64_t> rate_limit_per_hour;
  std::map<std::string, std::string> metadata;
  std::optional<WallTime> trusted_since;
  std::optional<WallTime> last_seen;
  WallTime created_at{};
  WallTime updated_at{};

  /// May it call and be called: trusted and enabled.
  [[nodiscard]] bool usable() const { return trust_level == TrustLevel::trusted && enabled; }
  bool operator==(const Node&) const = default;
};

}  // namespace fedgate
