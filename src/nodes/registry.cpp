// SPDX-License-Identifier: Apache-2.0
#include "nodes/registry.h"

#include <algorithm>
#include <utility>

#include "nodes/identity.h"

namespace fedgate::nodes {
namespace {

/// Keys in a node's metadata that are the gateway's own.
constexpr std::string_view own_keys = "fedgate.";

std::unexpected<Error> unknown(std::string_view id_or_alias) {
  return fail(Code::node_not_found, "no node " + std::string(id_or_alias) + "; see `fedgate nodes list`");
}

/// A node of which no more is known than that it was revoked.
Node only_revoked(const NodeId& id, WallTime now) {
  Node node;
  node.id = id;
  node.trust_level = TrustLevel::revoked;
  node.created_at = node.updated_at = now;
  return node;
}

NodeTable table_of(const Rows& rows) {
  std::vector<Node> list;
  list.reserve(rows.size());
  for (const auto& [id, row] : rows) list.push_back(row);
  return NodeTable(std::move(list));
}

Result<void> check_removable(const Node& node) {
  if (node.source == NodeSource::configuration)
    return fail(Code::conflict, "node " + node.id.str() + " is defined in " + node.defined_at +
                                    ": remove it there and reload, or `fedgate nodes disable` it");
  if (node.trust_level == TrustLevel::revoked)
    return fail(Code::conflict,
                described(node) + ": it is revoked, and without its row that would be forgotten; it stays");
  return {};
}

}  // namespace

Registry::Registry(store::Store& store, NodeId own_id, Revocations& revocations, const Clock& clock,
                   const log::Logger& log)
    : store_(store),
      own_id_(std::move(own_id)),
      revocations_(revocations),
      clock_(clock),
      log_(log),
      table_(std::make_shared<const NodeTable>(std::vector<Node>{})),
      waiting_(std::make_shared<const std::vector<NodeId>>()) {}

void Registry::on_change(Listener listener) {
  const std::lock_guard lock(mutex_);
  listeners_.push_back(std::move(listener));
}

std::vector<NodeId> Registry::waiting() const {
  auto nodes = *waiting_.load();
  for (auto& node : revocations_.unsaved())
    if (std::ranges::find(nodes, node) == nodes.end()) nodes.push_back(std::move(node));
  return nodes;
}

Result<std::optional<WallTime>> Registry::birth_of_database() const {
  const auto migrations = store_.migrations();
  if (!migrations) return fail(migrations.error().in("reading the registry of nodes"));
  return migrations->empty() ? std::nullopt : migrations->front().applied_at;
}

// A failover has led to a database that was never ours and is empty. That nobody has removed our nodes is certain: they
// go on, and are written there. (One that is ours and has no nodes any more says that somebody has removed them.)
Result<Rows> Registry::restored() {
  Rows rows;
  {
    const std::lock_guard lock(mutex_);
    rows = rows_;
  }
  for (const auto& [id, node] : rows)
    if (auto written = store_.put_node(node); !written) return fail(written.error().in("writing " + described(node)));
  auto birth = birth_of_database();
  if (!birth) return fail(birth.error());
  born_ = *birth;
  log_.error("the database is another one than before, and empty: the nodes were written to it as they were",
             {{"nodes", rows.size()}});
  return rows;
}

// With mutex_ held. Whatever the rows say, what waits to be stored lies over them.
void Registry::publish(ChangedBy by) {
  std::vector<Node> list;
  list.reserve(rows_.size());
  std::vector<NodeId> waiting;
  for (const auto& [id, row] : rows_) {
    const auto taken = pending_.find(id);
    if (taken == pending_.end()) {
      list.push_back(row);
    } else if (!taken->second.removed) {
      list.push_back(row);
      taken->second.apply(list.back());
    }
  }
  for (const auto& entry : pending_) waiting.push_back(entry.first);
  waiting_.publish(std::make_shared<const std::vector<NodeId>>(std::move(waiting)));
  const auto before = table_.load();
  if (before->all() == list) return;
  const auto after = std::make_shared<const NodeTable>(std::move(list));
  table_.publish(after);
  for (const auto& listener : listeners_) listener(*before, *after, by);
}

void Registry::replace(Rows rows, ChangedBy by) {
  const std::lock_guard lock(mutex_);
  rows_ = std::move(rows);
  publish(by);
}

// A clock that was set back, or another replica's, must not bring what followed one another into the wrong order.
WallTime Registry::later_than_reinstatement(const Node& node) const {
  const auto reinstated = when_reinstated(node);
  return reinstated ? std::max(clock_.wall(), *reinstated + std::chrono::microseconds(1)) : clock_.wall();
}

WallTime Registry::later_than_revocation(const NodeId& id) const {
  const auto all = revocations_.all();
  const auto entry = all.find(id);
  return entry != all.end() ? std::max(clock_.wall(), entry->second + std::chrono::microseconds(1)) : clock_.wall();
}

Result<Node> Registry::narrow(std::string_view id_or_alias, const Narrowing& by) {
  Node node;
  {
    const std::lock_guard lock(mutex_);
    const auto table = table_.load();
    const Node* found = table->find_named(id_or_alias);
    if (found == nullptr) return unknown(id_or_alias);
    node = *found;
    if (by.removed) {
      if (auto removable = check_removable(node); !removable) return fail(removable.error());
    } else {
      by.apply(node);
      if (node == *found) return node;
    }
    if (node.trust_level == TrustLevel::revoked) revocations_.add(node.id, later_than_reinstatement(node));
    pending_[node.id].add(by);
    publish(ChangedBy::us);
  }
  log_.info(by.removed ? "a node is removed" : "a node is narrowed",
            {{"node", node.id.str()}, {"enabled", node.enabled}, {"trust_level", to_string(node.trust_level)}});
  if (auto saved = revocations_.save(); !saved)
    log_.error("a revocation is in force, but not on stable storage yet",
               {{"node", node.id.str()}, {"detail", saved.error().detail}});
  return node;
}

Result<void> Registry::narrow_to(const Configured& configured) {
  const std::lock_guard lock(mutex_);
  const auto table = table_.load();
  Rows rows;
  for (const auto& node : table->all()) rows.emplace(node.id, node);
  const auto next = reconcile(rows, own_id_, configured, clock_.wall());
  if (!next) return fail(next.error());
  for (const auto& [id, node] : rows) {
    const auto lost = narrowing(node, next->at(id));
    if (!lost.empty()) pending_[id].add(lost);
  }
  publish(ChangedBy::us);
  return {};
}

// From here on with storing_ held.

/// By id, our own apart (somebody has changed node.id: it must not be its own peer).
Result<Rows> Registry::stored() {
  auto list = store_.nodes();
  if (!list) return fail(list.error().in("reading the registry of nodes"));
  if (list->empty() && loaded_) {
    const auto birth = birth_of_database();
    if (!birth) return fail(birth.error());
    if (*birth != born_) return restored();
  }
  Rows rows;
  for (auto& row : *list) {
    if (row.id == own_id_) {
      log_.warning("the registry holds this gateway's own id; the row is ignored", {{"node", row.id.str()}});
      continue;
    }
    auto id = row.id;
    rows.emplace(std::move(id), std::move(row));
  }
  return rows;
}

Result<void> Registry::put(Rows& rows, Node node) {
  if (auto written = store_.put_node(node); !written) return fail(written.error().in("writing " + described(node)));
  auto id = node.id;
  rows.insert_or_assign(std::move(id), std::move(node));
  return {};
}

Result<void> Registry::write(Rows& rows, const NodeId& id, const Narrowing& by) {
  const auto row = rows.find(id);
  if (by.removed) {
    // Revoked meanwhile, by another replica: that stays.
    if (row == rows.end() || row->second.trust_level == TrustLevel::revoked) return {};
    if (auto removed = store_.remove_node(id); !removed) return fail(removed.error().in("removing node " + id.str()));
    rows.erase(row);
    return {};
  }
  if (row == rows.end()) return {};
  Node node = row->second;
  by.apply(node);
  if (node == row->second) return {};
  node.updated_at = clock_.wall();
  return put(rows, std::move(node));
}

/// Our own file outlives a database that was restored from a backup; what another replica has revoked goes into it.
Result<void> Registry::keep_revoked(Rows& rows) {
  const auto known = revocations_.all();
  for (const auto& [id, at] : known) {
    const auto row = rows.find(id);
    if (row != rows.end()) {
      if (const auto when = when_reinstated(row->second); when && *when > at) {
        revocations_.lift(id, *when);
        continue;
      }
      if (row->second.trust_level == TrustLevel::revoked) continue;
    }
    const auto now = clock_.wall();
    Node node = row == rows.end() ? only_revoked(id, now) : row->second;
    Narrowing{.level = TrustLevel::revoked}.apply(node);
    node.updated_at = now;
    if (auto written = put(rows, std::move(node)); !written) return written;
    log_.warning("the database did not know that a node is revoked; it does now", {{"node", id.str()}});
  }
  for (const auto& [id, row] : rows)
    if (row.trust_level == TrustLevel::revoked && !known.contains(id)) revocations_.add(id, row.updated_at);
  return {};
}

/// Stores what waits; the rows as they are then.
Result<Rows> Registry::settled() {
  auto rows = stored();
  if (!rows) return rows;
  std::map<NodeId, Narrowing> pending;
  {
    const std::lock_guard lock(mutex_);
    pending = pending_;
  }
  for (const auto& [id, by] : pending) {
    if (auto written = write(*rows, id, by); !written) return fail(written.error());
    const std::lock_guard lock(mutex_);
    const auto row = rows->find(id);
    if (row == rows->end())
      rows_.erase(id);
    else
      rows_.insert_or_assign(id, row->second);
    // More may have been taken away meanwhile; then it is written again.
    if (const auto now = pending_.find(id); now->second == by) pending_.erase(now);
    publish(ChangedBy::others);  // ours is in force already
  }
  if (auto kept = keep_revoked(*rows); !kept) return fail(kept.error());
  return rows;
}

Result<void> Registry::refresh() {
  const std::lock_guard storing(storing_);
  auto rows = settled();
  if (!rows) {
    (void)revocations_.save();
    return fail(rows.error());
  }
  replace(std::move(*rows), ChangedBy::others);
  return revocations_.save();
}

Result<void> Registry::load(const Configured& configured) {
  const std::lock_guard storing(storing_);
  if (loaded_)
    if (auto narrowed = narrow_to(configured); !narrowed) return narrowed;
  auto rows = settled();
  if (!rows) return fail(rows.error());
  if (loaded_) replace(*rows, ChangedBy::others);
  const auto now = clock_.wall();
  auto next = reconcile(*rows, own_id_, configured, now);
  if (!next) return fail(next.error());
  if (auto written = write_changes(*rows, *next, now); !written) return written;
  for (const auto& wanted : configured.nodes) {
    const auto& node = next->at(wanted.id);
    if (node.trust_level == TrustLevel::revoked)
      log_.warning("a configured node stays revoked", {{"node", node.id.str()}, {"defined_at", node.defined_at}});
    else if (wanted.enabled && !node.enabled)
      log_.warning("a configured node stays disabled by an operator",
                   {{"node", node.id.str()}, {"defined_at", node.defined_at}});
  }
  own_domains_.assign(configured.own_domains.begin(), configured.own_domains.end());
  if (!loaded_) {
    auto birth = birth_of_database();
    if (!birth) return fail(birth.error());
    born_ = *birth;
  }
  loaded_ = true;
  replace(std::move(*next), ChangedBy::us);
  // Not a reason to fail: the database has them too, and it is tried again.
  if (auto saved = revocations_.save(); !saved)
    log_.warning("the file of revocations cannot be written", {{"detail", saved.error().detail}});
  return {};
}

Result<void> Registry::write_changes(const Rows& before, Rows& after, WallTime now) {
  for (auto& [id, node] : after) {
    const auto old = before.find(id);
    const bool fresh = old == before.end();
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
  return {};
}

Result<Node> Registry::add(Node node) {
  const std::lock_guard storing(storing_);
  const auto now = clock_.wall();
  node.source = NodeSource::operator_command;
  node.defined_at.clear();
  node.created_at = node.updated_at = now;
  node.trusted_since.reset();
  node.last_seen.reset();
  for (const auto& [key, value] : node.metadata)
    if (key.starts_with(own_keys))
      return fail(Code::bad_request, described(node) + ": the metadata key " + key + " is the gateway's own");
  if (!node.enabled) disable(node, NodeSource::operator_command);
  if (auto form = check_form(node); !form) return fail(form.error());
  set_trust(node, node.trust_level, now);
  auto rows = settled();
  if (!rows) return fail(rows.error());
  replace(*rows, ChangedBy::others);
  if (const auto other = rows->find(node.id); other != rows->end())
    return fail(Code::conflict,
                described(other->second) + " exists already; see `fedgate nodes show " + node.id.str() + "`");
  Names names(own_id_, own_domains_);
  for (const auto& [id, other] : *rows) (void)names.claim(other);
  if (auto claimed = names.claim(node); !claimed) return fail(claimed.error());
  if (auto written = put(*rows, node); !written) return fail(written.error());
  replace(std::move(*rows), ChangedBy::us);
  log_.info("a node was added", {{"node", node.id.str()}, {"trust_level", to_string(node.trust_level)}});
  return node;
}

Result<Node> Registry::changed(const Rows& rows, const Node& row, const NodeChange& change) {
  Node node = row;
  const auto conflict = [&](const std::string& why) { return fail(Code::conflict, described(node) + ": " + why); };
  if (change.trust_level) {
    const bool lift = node.trust_level == TrustLevel::revoked && *change.trust_level != TrustLevel::revoked;
    if (lift && !change.reinstate)
      return conflict("it is revoked; only `fedgate trust approve --reinstate` lifts that");
    if (lift) set_reinstated(node, later_than_revocation(node.id));
    set_trust(node, *change.trust_level, clock_.wall());
    if (narrowing(row, node).level)
      return fail(Code::internal, described(node) + ": a lower trust level is no change that may wait");
  }
  if (change.credentials) {
    if (node.source == NodeSource::configuration)
      return conflict("its anchors and endpoints are the configuration's: change them there and reload");
    node.endpoints = change.credentials->endpoints;
    node.trust_anchors = change.credentials->trust_anchors;
    node.pins = change.credentials->pins;
    node.principal_domains = change.credentials->principal_domains;
  }
  if (change.rate_limit_per_hour && change.rate_limit_per_hour != node.rate_limit_per_hour) {
    if (node.source == NodeSource::configuration)
      return conflict("its rate limit is the configuration's: change it there and reload");
    node.rate_limit_per_hour = change.rate_limit_per_hour;
  }
  if (change.enable && !node.enabled) {
    if (node.source == NodeSource::configuration && who_disabled(node) == NodeSource::configuration)
      return conflict("it is disabled in the configuration: set enabled there and reload");
    enable(node);
  }
  if (node.enabled && (!row.enabled || change.credentials)) {
    Names names(own_id_, own_domains_);
    for (const auto& [id, other] : rows)
      if (other.enabled && id != node.id) (void)names.claim(other);
    if (auto claimed = names.claim(node); !claimed) return fail(claimed.error());
  }
  // Not for other changes: whatever a row holds, its rate can be changed.
  if (change.enable || change.credentials || change.trust_level == TrustLevel::trusted)
    if (auto form = check_form(node); !form) return fail(form.error());
  return node;
}

Result<Node> Registry::change(std::string_view id_or_alias, const NodeChange& change) {
  const std::lock_guard storing(storing_);
  auto rows = settled();
  if (!rows) return fail(rows.error());
  replace(*rows, ChangedBy::others);
  const auto current = table_of(*rows);
  const auto* found = current.find_named(id_or_alias);
  if (found == nullptr) return unknown(id_or_alias);
  auto node = changed(*rows, *found, change);
  if (!node || *node == *found) return node;
  node->updated_at = clock_.wall();
  if (auto written = put(*rows, *node); !written) return fail(written.error());
  if (found->trust_level == TrustLevel::revoked && node->trust_level != TrustLevel::revoked) {
    revocations_.lift(node->id, when_reinstated(*node).value_or(clock_.wall()));
    // The row says that it was reinstated, which outlives the entry in a file that could not be written.
    if (auto saved = revocations_.save(); !saved)
      log_.warning("the file of revocations cannot be written", {{"detail", saved.error().detail}});
  }
  replace(std::move(*rows), ChangedBy::us);
  log_.info("a node was changed",
            {{"node", node->id.str()}, {"enabled", node->enabled}, {"trust_level", to_string(node->trust_level)}});
  return node;
}

}  // namespace fedgate::nodes
