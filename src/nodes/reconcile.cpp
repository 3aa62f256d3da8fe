// SPDX-License-Identifier: Apache-2.0
#include "nodes/reconcile.h"

#include <algorithm>
#include <string_view>
#include <unordered_map>

#include "nodes/changes.h"
#include "nodes/identity.h"

namespace fedgate::nodes {
namespace {

/// What the row becomes where YAML says `configured`. `old`: the row that is there, if any.
Node reconciled(const Node& configured, const Node* old, WallTime now) {
  Node node = configured;
  node.source = NodeSource::configuration;
  node.created_at = old != nullptr ? old->created_at : now;
  node.updated_at = old != nullptr ? old->updated_at : now;
  node.last_seen = old != nullptr ? old->last_seen : std::nullopt;
  node.trust_level = old != nullptr ? old->trust_level : TrustLevel::untrusted;
  node.trusted_since = old != nullptr ? old->trusted_since : std::nullopt;
  // The gateway's own mark, not YAML's to set.
  node.metadata.erase(std::string(reinstated_at));
  if (const auto when = old != nullptr ? when_reinstated(*old) : std::nullopt) set_reinstated(node, *when);
  if (node.trust_level != TrustLevel::revoked)
    set_trust(node, node.trust_anchors.empty() ? TrustLevel::untrusted : TrustLevel::trusted, now);
  enable(node);
  if (old != nullptr && who_disabled(*old) == NodeSource::operator_command)
    disable(node, NodeSource::operator_command);
  else if (!configured.enabled)
    disable(node, NodeSource::configuration);
  return node;
}

/// What the row becomes where YAML no longer names it.
Node retired(const Node& old) {
  Node node = old;
  node.source = NodeSource::operator_command;
  node.defined_at.clear();
  if (node.enabled) disable(node, NodeSource::configuration);
  return node;
}

}  // namespace

Result<Rows> reconcile(const Rows& rows, const NodeId& own_id, const Configured& configured, WallTime now) {
  Rows next = rows;
  for (auto& [id, node] : next)
    if (node.source == NodeSource::configuration &&
        std::ranges::find(configured.nodes, id, &Node::id) == configured.nodes.end())
      node = retired(node);
  std::unordered_map<std::string_view, const Node*> seen;
  for (const auto& wanted : configured.nodes) {
    if (wanted.id == own_id)
      return fail(Code::conflict,
                  described(wanted) + ": this is this gateway's own id (node.id); a node is another organisation's");
    if (const auto [first, fresh] = seen.emplace(wanted.id.view(), &wanted); !fresh)
      return fail(Code::conflict, described(wanted) + " is defined already: " + described(*first->second));
    const auto old = rows.find(wanted.id);
    auto node = reconciled(wanted, old == rows.end() ? nullptr : &old->second, now);
    if (auto form = check_form(node); !form) return fail(form.error());
    next.insert_or_assign(wanted.id, std::move(node));
  }
  Names names(own_id, configured.own_domains);
  for (const auto& [id, node] : next)
    if (node.enabled)
      if (auto claimed = names.claim(node); !claimed) return fail(claimed.error());
  return next;
}

bool matters(const Node& before, Node after) {
  after.defined_at = before.defined_at;
  return after != before;
}

}  // namespace fedgate::nodes
