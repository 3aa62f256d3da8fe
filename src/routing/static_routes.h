// SPDX-License-Identifier: Apache-2.0
//
// Resource → node and endpoint, from the registry's own `resources` and `endpoints` (the catalogue that peers
// publish comes with dynamic routes). Immutable, built when the registry changes; any thread.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "fedgate/invocation.h"
#include "fedgate/node.h"
#include "fedgate/result.h"
#include "fedgate/route.h"

namespace fedgate::routing {

struct RouteRow {
  ResourceId resource;
  NodeId node;
  std::string endpoint;
  bool usable = false;
  std::string why_not;  ///< empty where usable
};

class StaticRoutes {
 public:
  /// Takes what it needs of each node.
  explicit StaticRoutes(std::span<const Node> nodes);

  /// With a target (`invocation.target`): that node, whether or not it lists the resource. Without: the first by id
  /// of the usable nodes that list it. Errors: node_not_found, node_not_trusted (not trusted or disabled, says which
  /// command changes it), resource_not_found (no node is known to have it), peer_unreachable (it has no endpoint).
  /// The route's access is `read` where the node's `reads` names the capability.
  [[nodiscard]] Result<Route> choose(const Invocation& invocation) const;
  /// Ordered by resource, then node.
  [[nodiscard]] std::vector<RouteRow> rows() const;

 private:
  struct Entry {
    NodeId node;
    std::vector<std::string> endpoints;
    std::unordered_set<std::string> reads;  // `resource/capability`
    TrustLevel level;
    bool enabled;
  };
  static Result<Route> to(const Entry& entry, const Invocation& invocation, std::string_view why);
  std::unordered_map<NodeId, Entry> nodes_;
  std::unordered_map<ResourceId, std::vector<NodeId>> holders_;
};

}  // namespace fedgate::routing
