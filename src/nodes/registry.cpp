// SPDX-License-Identifier: Apache-2.0
#include "nodes/registry.h"

#include <algorithm>

#include "nodes/identity.h"

namespace fedgate::nodes {
namespace {

constexpr std::string_view by_operator = "operator";
constexpr std::string_view by_configuration = "configuration";

std::string_view who_disabled(const Node& node) {
  if (node.enabled) return "";
  const auto entry = node.metadata.find(std::string(disabled_by));
  // Without a mark: somebody wrote it into the database, which is an operator's act too.
  return entry != node.metadata.end() && entry->second == by_configuration ? by_configuration : by_operator;
}

void enable(Node& node) {
  node.enabled = true;
  node.metadata.erase(std::string(disabled_by));
}

void disable(Node& node, std::string_view by) {
  node.enabled = false;
  node.metadata[std::string(disabled_by)] = by;
}

void set_trust(Node& node, TrustLevel level, WallTime now) {
  if (level != TrustLevel::trusted)
    node.trusted_since.reset();
  else if (node.trust_level != TrustLevel::trusted || !node.trusted_since)
    node.trusted_since = now;
  node.trust_level = level;
}

/// What the row becomes where YAML says `configured`. `old`: the row that is there, if any.
Node reconciled(const Node& configured, const Node* old, WallTime now) {
  Node node = configured;
  node.source = NodeSource::configuration;
  node.created_at = old != nullptr ? old->created_at : now;
  node.updated_at = old != nullptr ? old->updated_at : now;
  node.last_seen = old != nullptr ? old->last_seen : std::nullopt;
  node.trust_level = old != nullptr ? old->trust_level : TrustLevel::untrusted;
  node.trusted_since = old != nullptr ? old->trusted_since : std::nullopt;
  if (node.trust_level != TrustLevel::revoked)
    set_trust(node, node.trust_anchors.empty() ? TrustLevel::untrusted : TrustLevel::trusted, now);
  enable(node);
  if (old != nullptr && who_disabled(*old) == by_operator)
    disable(node, by_operator);
  else if (!configured.enabled)
    disable(node, by_configuration);
  return node;
}

/// What the row becomes where YAML no longer names it.
Node retired(const Node& old) {
  Node node = old;
  node.source = NodeSource::operator_command;
  node.defined_at.clear();
  if (node.enabled) disable(node, by_configuration);
  return node;
}

/// Whether more has changed than the line it stands on.
bool matters(const Node& before, Node after) {
  after.defined_at = before.defined_at;
  return after != before;
}

}  // namespace

NodeTable::NodeTable(std::vector<Node> nodes) : nodes_(std::move(nodes)) {
  std::ranges::sort(nodes_, {}, &Node::id);
  for (std::size_t i = 0; i < nodes_.size(); ++i) by_name_.emplace(nodes_[i].id.str(), i);
  // Ids before aliases, and what is enabled before what is not: a retired node may share a name with its successor.
  for (const bool enabled : {true, false})
    for (std::size_t i = 0; i < nodes_.size(); ++i)
      if (nodes_[i].enabled == enabled && !nodes_[i].alias.empty()) by_name_.emplace(nodes_[i].alias, i);
}

const Node* NodeTable::find(const NodeId& id) const {
  const auto found = by_name_.find(id.str());
  return found != by_name_.end() && nodes_[found->second].id == id ? &nodes_[found->second] : nullptr;
}

const Node* NodeTable::find_named(std::string_view id_or_alias) const {
  const auto found = by_name_.find(std::string(id_or_alias));
  return found == by_name_.end() ? nullptr : &nodes_[found->second];
}

Registry::Registry(store::Store& store, NodeId own_id, const Clock& clock, const log::Logger& log)
    : store_(store),
      own_id_(std::move(own_id)),
      clock_(clock),
      log_(log),
      table_(std::make_shared<const NodeTable>(std::vector<Node>{})) {}

void Registry::on_change(std::function<void(const NodeTable&, const NodeTable&)> listener) {
  const std::lock_guard lock(mutex_);
  listeners_.push_back(std::move(listener));
}

Result<std::map<NodeId, Node>> Registry::stored() const {
  auto rows = store_.nodes();
  if (!rows) return fail(rows.error().in("reading the registry of nodes"));
  std::map<NodeId, Node> nodes;
  for (auto& row : *rows) {
    if (row.id == own_id_) {
      log_.warning("the registry holds this gateway's own id; the row is ignored", {{"node", row.id.str()}});
      continue;
    }
    auto id = row.id;
    nodes.emplace(std::move(id), std::move(row));
  }
  return nodes;
}

Result<void> Registry::put(std::map<NodeId, Node>& nodes, Node node) {
  if (auto written = store_.put_node(node); !written) return fail(written.error().in("writing " + described(node)));
  const auto id = node.id;
  nodes.insert_or_assign(id, std::move(node));
  return {};
}

void Registry::publish(const std::map<NodeId, Node>& nodes) {
  std::vector<Node> list;
  list.reserve(nodes.size());
  for (const auto& [id, node] : nodes) list.push_back(node);
  const auto before = table_.load();
  const auto after = std::make_shared<const NodeTable>(std::move(list));
  table_.publish(after);
  for (const auto& listener : listeners_) listener(*before, *after);
}

Result<void> Registry::load(std::span<const Node> configured) {
  const std::lock_guard lock(mutex_);
  auto nodes = stored();
  if (!nodes) return fail(nodes.error());
  const auto now = clock_.wall();
  std::map<NodeId, Node> next = *nodes;
  for (auto& [id, node] : next)
    if (node.source == NodeSource::configuration && std::ranges::find(configured, id, &Node::id) == configured.end())
      node = retired(node);
  std::unordered_map<std::string_view, const Node*> seen;
  for (const auto& wanted : configured) {
    if (wanted.id == own_id_)
      return fail(Code::conflict,
                  described(wanted) + ": this is this gateway's own id (node.id); a node is another organisation's");
    if (const auto [first, fresh] = seen.emplace(wanted.id.view(), &wanted); !fresh)
      return fail(Code::conflict, described(wanted) + " is defined already: " + described(*first->second));
    const auto old = nodes->find(wanted.id);
    auto node = reconciled(wanted, old == nodes->end() ? nullptr : &old->second, now);
    if (auto form = check_form(node); !form) return form;
    next.insert_or_assign(wanted.id, std::move(node));
  }
  Names names(own_id_);
  for (const auto& [id, node] : next)
    if (node.enabled)
      if (auto claimed = names.claim(node); !claimed) return claimed;
  for (auto& [id, node] : next) {
    const auto old = nodes->find(id);
    const bool fresh = old == nodes->end();
    if (!fresh && old->second == node) continue;
    const bool changed = fresh || matters(old->second, node);
    if (changed) node.updated_at = now;
    if (auto written = store_.put_node(node); !written) return fail(written.error().in("writing " + described(node)));
    if (node.source == NodeSource::operator_command)
      log_.warning("a node is no longer in the configuration: kept, disabled", {{"node", id.str()}});
    else if (changed)
      log_.info(fresh ? "a node was taken from the configuration" : "a node was updated from the configuration",
                {{"node", id.str()}, {"defined_at", node.defined_at}});
  }
  for (const auto& wanted : configured) {
    const auto& node = next.at(wanted.id);
    if (node.trust_level == TrustLevel::revoked)
      log_.warning("a configured node stays revoked", {{"node", node.id.str()}, {"defined_at", node.defined_at}});
    else if (wanted.enabled && !node.enabled)
      log_.warning("a configured node stays disabled by an operator",
                   {{"node", node.id.str()}, {"defined_at", node.defined_at}});
  }
  publish(next);
  return {};
}

Result<Node> Registry::add(Node node) {
  const std::lock_guard lock(mutex_);
  const auto now = clock_.wall();
  node.source = NodeSource::operator_command;
  node.defined_at.clear();
  node.created_at = node.updated_at = now;
  node.trusted_since.reset();
  node.last_seen.reset();
  if (node.metadata.contains(std::string(disabled_by)))
    return fail(Code::bad_request,
                described(node) + ": the metadata key " + std::string(disabled_by) + " is the gateway's own");
  if (!node.enabled) disable(node, by_operator);
  if (auto form = check_form(node); !form) return fail(form.error());
  set_trust(node, node.trust_level, now);
  auto nodes = stored();
  if (!nodes) return fail(nodes.error());
  if (const auto other = nodes->find(node.id); other != nodes->end())
    return fail(Code::conflict,
                described(other->second) + " exists already; see `fedgate nodes show " + node.id.str() + "`");
  Names names(own_id_);
  for (const auto& [id, other] : *nodes) (void)names.claim(other);
  if (auto claimed = names.claim(node); !claimed) return fail(claimed.error());
  if (auto written = put(*nodes, node); !written) return fail(written.error());
  publish(*nodes);
  log_.info("a node was added", {{"node", node.id.str()}, {"trust_level", to_string(node.trust_level)}});
  return node;
}

Result<Node> Registry::change(std::string_view id_or_alias, const NodeChange& change) {
  const std::lock_guard lock(mutex_);
  auto nodes = stored();
  if (!nodes) return fail(nodes.error());
  std::vector<Node> rows;
  for (const auto& [id, row] : *nodes) rows.push_back(row);
  const NodeTable current(std::move(rows));
  const auto* found = current.find_named(id_or_alias);
  if (found == nullptr)
    return fail(Code::node_not_found, "no node " + std::string(id_or_alias) + "; see `fedgate nodes list`");
  Node node = *found;
  const auto conflict = [&](const std::string& why) { return fail(Code::conflict, described(node) + ": " + why); };
  const auto now = clock_.wall();
  if (change.trust_level) {
    if (node.trust_level == TrustLevel::revoked && *change.trust_level != TrustLevel::revoked && !change.reinstate)
      return conflict("it is revoked; only `fedgate trust approve --reinstate` lifts that");
    set_trust(node, *change.trust_level, now);
  }
  if (change.rate_limit_per_hour && change.rate_limit_per_hour != node.rate_limit_per_hour) {
    if (node.source == NodeSource::configuration)
      return conflict("its rate limit is the configuration's: change it there and reload");
    node.rate_limit_per_hour = change.rate_limit_per_hour;
  }
  if (change.enabled == true && !node.enabled) {
    if (node.source == NodeSource::configuration && who_disabled(node) == by_configuration)
      return conflict("it is disabled in the configuration: set enabled there and reload");
    Names names(own_id_);
    for (const auto& [id, other] : *nodes)
      if (other.enabled) (void)names.claim(other);
    if (auto claimed = names.claim(node); !claimed) return fail(claimed.error());
    enable(node);
  } else if (change.enabled == false) {
    disable(node, by_operator);
  }
  // Not for other changes: whatever a row holds, it can be disabled and revoked.
  if (change.enabled == true || change.trust_level == TrustLevel::trusted)
    if (auto form = check_form(node); !form) return fail(form.error());
  if (node == *found) return node;
  node.updated_at = now;
  if (auto written = put(*nodes, node); !written) return fail(written.error());
  publish(*nodes);
  log_.info("a node was changed",
            {{"node", node.id.str()}, {"enabled", node.enabled}, {"trust_level", to_string(node.trust_level)}});
  return node;
}

Result<void> Registry::remove(std::string_view id_or_alias) {
  const std::lock_guard lock(mutex_);
  auto nodes = stored();
  if (!nodes) return fail(nodes.error());
  std::vector<Node> rows;
  for (const auto& [id, row] : *nodes) rows.push_back(row);
  const NodeTable current(std::move(rows));
  const auto* node = current.find_named(id_or_alias);
  if (node == nullptr)
    return fail(Code::node_not_found, "no node " + std::string(id_or_alias) + "; see `fedgate nodes list`");
  if (node->source == NodeSource::configuration)
    return fail(Code::conflict, "node " + node->id.str() + " is defined in " + node->defined_at +
                                    ": remove it there and reload, or `fedgate nodes disable` it");
  if (node->trust_level == TrustLevel::revoked)
    return fail(Code::conflict,
                described(*node) + ": it is revoked, and without its row that would be forgotten; it stays");
  if (auto removed = store_.remove_node(node->id); !removed)
    return fail(removed.error().in("removing " + described(*node)));
  nodes->erase(node->id);
  publish(*nodes);
  log_.info("a node was removed", {{"node", node->id.str()}});
  return {};
}

}  // namespace fedgate::nodes
