// SPDX-License-Identifier: Apache-2.0
#include "routing/static_routes.h"

#include <algorithm>
#include <tuple>

namespace fedgate::routing {

namespace {

/// Why nothing can be sent to a node, and the command that changes it; empty where it can.
std::string obstacle(const NodeId& node, TrustLevel level, bool enabled, bool reachable) {
  if (level == TrustLevel::revoked)
    return node.str() + " is revoked; `fedgate trust approve " + node.str() + " --reinstate` lifts it";
  if (level != TrustLevel::trusted)
    return node.str() + " is " + std::string(to_string(level)) + ", not trusted; `fedgate trust approve " + node.str() +
           "` changes it";
  if (!enabled) return node.str() + " is disabled; `fedgate nodes enable " + node.str() + "` changes it";
  if (!reachable) return node.str() + " has no endpoint; add one to its `endpoints`";
  return {};
}

}  // namespace

StaticRoutes::StaticRoutes(std::span<const Node> nodes) {
  for (const auto& node : nodes) {
    Entry entry{node.id, node.endpoints, {node.reads.begin(), node.reads.end()}, node.trust_level, node.enabled};
    if (!nodes_.try_emplace(node.id, std::move(entry)).second) continue;
    for (const auto& resource : node.resources) holders_[resource].push_back(node.id);
  }
  for (auto& [resource, holders] : holders_) {
    std::ranges::sort(holders);
    const auto repeated = std::ranges::unique(holders);
    holders.erase(repeated.begin(), repeated.end());
  }
}

Result<Route> StaticRoutes::to(const Entry& entry, const Invocation& invocation, std::string_view why) {
  auto problem = obstacle(entry.node, entry.level, entry.enabled, !entry.endpoints.empty());
  if (!problem.empty()) {
    const bool usable = entry.level == TrustLevel::trusted && entry.enabled;
    return fail(usable ? Code::peer_unreachable : Code::node_not_trusted, std::move(problem));
  }
  // In an entry the capability is what follows the last '/'. One with a '/' of its own cannot be listed: the entry
  // would mean another resource's capability as well.
  const bool read = !entry.reads.empty() && invocation.capability.view().find('/') == std::string_view::npos &&
                    entry.reads.contains(invocation.resource.str() + "/" + invocation.capability.str());
  return Route{entry.node, entry.endpoints.front(), read ? Access::read : Access::write, std::string(why)};
}

Result<Route> StaticRoutes::choose(const Invocation& invocation) const {
  if (!invocation.target.empty()) {
    const auto found = nodes_.find(invocation.target);
    if (found == nodes_.end())
      return fail(Code::node_not_found,
                  invocation.target.str() + " is not in the registry; `fedgate nodes list` shows which are");
    return to(found->second, invocation, "the call names this node");
  }
  const auto holders = holders_.find(invocation.resource);
  if (holders == holders_.end())
    return fail(Code::resource_not_found,
                "no node is known to have " + invocation.resource.str() +
                    "; name the node in the call, or list the resource under the node's `resources`");
  std::optional<Error> first_problem;
  for (const auto& holder : holders->second) {
    auto route = to(nodes_.at(holder), invocation, "the first usable node by id that lists the resource");
    if (route) return route;
    if (!first_problem) first_problem = std::move(route.error());
  }
  return fail(std::move(*first_problem));
}

std::vector<RouteRow> StaticRoutes::rows() const {
  std::vector<RouteRow> rows;
  for (const auto& [resource, holders] : holders_) {
    for (const auto& holder : holders) {
      const Entry& entry = nodes_.at(holder);
      auto why_not = obstacle(entry.node, entry.level, entry.enabled, !entry.endpoints.empty());
      const bool usable = why_not.empty();
      rows.push_back({resource, holder, entry.endpoints.empty() ? std::string() : entry.endpoints.front(), usable,
                      std::move(why_not)});
    }
  }
  std::ranges::sort(rows, {}, [](const RouteRow& row) { return std::tie(row.resource, row.node); });
  return rows;
}

}  // namespace fedgate::routing
