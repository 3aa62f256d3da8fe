// SPDX-License-Identifier: Apache-2.0
#include "nodes/changes.h"

#include <algorithm>
#include <charconv>
#include <utility>

namespace fedgate::nodes {
namespace {

constexpr std::string_view by_operator = "operator";
constexpr std::string_view by_configuration = "configuration";

/// How much a level may do.
int rank(TrustLevel level) { return level == TrustLevel::revoked ? -1 : static_cast<int>(level); }

template <class T>
bool contains(const std::vector<T>& list, const T& one) {
  return std::ranges::find(list, one) != list.end();
}

template <class T>
bool contains_all(const std::vector<T>& list, const std::vector<T>& of) {
  return std::ranges::all_of(of, [&](const T& one) { return contains(list, one); });
}

template <class T>
std::vector<T> common(const std::vector<T>& list, const std::vector<T>& allowed) {
  std::vector<T> both;
  std::ranges::copy_if(list, std::back_inserter(both), [&](const T& one) { return contains(allowed, one); });
  return both;
}

template <class T>
void add(std::optional<std::vector<T>>& allowed, const std::optional<std::vector<T>>& other) {
  if (!other) return;
  allowed = allowed ? common(*allowed, *other) : *other;
}

/// No pins: every key that an anchor certifies.
bool fewer_pins(const Node& before, const Node& after) {
  if (after.pins.empty()) return false;
  return before.pins.empty() || !contains_all(after.pins, before.pins);
}

bool fewer_anchors(const Node& before, const Node& after) {
  return !contains_all(after.trust_anchors, before.trust_anchors);
}

}  // namespace

std::optional<NodeSource> who_disabled(const Node& node) {
  if (node.enabled) return std::nullopt;
  const auto entry = node.metadata.find(std::string(disabled_by));
  // Without a mark: somebody wrote it into the database, which is an operator's act too.
  return entry != node.metadata.end() && entry->second == by_configuration ? NodeSource::configuration
                                                                           : NodeSource::operator_command;
}

void enable(Node& node) {
  node.enabled = true;
  node.metadata.erase(std::string(disabled_by));
}

void disable(Node& node, NodeSource by) {
  node.enabled = false;
  node.metadata[std::string(disabled_by)] = by == NodeSource::configuration ? by_configuration : by_operator;
}

void set_trust(Node& node, TrustLevel level, WallTime now) {
  if (level != TrustLevel::trusted)
    node.trusted_since.reset();
  else if (node.trust_level != TrustLevel::trusted || !node.trusted_since)
    node.trusted_since = now;
  node.trust_level = level;
}

void set_reinstated(Node& node, WallTime at) {
  node.metadata[std::string(reinstated_at)] = std::to_string(at.time_since_epoch().count());
}

std::optional<WallTime> when_reinstated(const Node& node) {
  const auto entry = node.metadata.find(std::string(reinstated_at));
  if (entry == node.metadata.end()) return std::nullopt;
  const std::string& text = entry->second;
  std::int64_t micros = 0;
  const auto [end, bad] = std::from_chars(text.data(), text.data() + text.size(), micros);
  if (bad != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return WallTime(std::chrono::microseconds(micros));
}

void Narrowing::add(const Narrowing& other) {
  removed = removed || other.removed;
  if (other.disabled && disabled != NodeSource::operator_command) disabled = other.disabled;
  if (other.level && (!level || rank(*other.level) < rank(*level))) level = other.level;
  nodes::add(anchors, other.anchors);
  nodes::add(pins, other.pins);
  nodes::add(domains, other.domains);
  // Two demands that no key meets.
  if (pins && pins->empty()) {
    pins.reset();
    if (!disabled) disabled = NodeSource::configuration;
  }
}

void Narrowing::apply(Node& node) const {
  if (level && rank(*level) < rank(node.trust_level)) {
    node.trust_level = *level;
    node.trusted_since.reset();
  }
  if (anchors) node.trust_anchors = common(node.trust_anchors, *anchors);
  if (domains) node.principal_domains = common(node.principal_domains, *domains);
  bool no_key_left = false;
  if (pins && node.pins.empty()) {
    node.pins = *pins;
  } else if (pins) {
    auto both = common(node.pins, *pins);
    // An empty list would let every key in.
    no_key_left = both.empty();
    if (!no_key_left) node.pins = std::move(both);
  }
  if (disabled && (node.enabled || disabled == NodeSource::operator_command)) disable(node, *disabled);
  if (no_key_left && node.enabled) disable(node, NodeSource::configuration);
}

Narrowing narrowing(const Node& before, const Node& after) {
  Narrowing lost;
  if (before.enabled && !after.enabled) lost.disabled = who_disabled(after);
  if (rank(after.trust_level) < rank(before.trust_level)) lost.level = after.trust_level;
  if (fewer_anchors(before, after)) lost.anchors = after.trust_anchors;
  if (fewer_pins(before, after)) lost.pins = after.pins;
  if (!contains_all(after.principal_domains, before.principal_domains)) lost.domains = after.principal_domains;
  return lost;
}

std::vector<NodeDifference> differences(const NodeTable& before, const NodeTable& after) {
  std::vector<NodeDifference> found;
  for (const Node& old : before.all())
    if (after.find(old.id) == nullptr) found.push_back({&old, nullptr, old.usable(), false});
  for (const Node& now : after.all()) {
    const Node* old = before.find(now.id);
    if (old != nullptr && *old == now) continue;
    NodeDifference one{.before = old, .after = &now};
    if (old != nullptr && old->usable())
      one.cut_off = !now.usable() || fewer_anchors(*old, now) || fewer_pins(*old, now);
    const bool same = old != nullptr && old->trust_level == now.trust_level &&
                      old->trust_anchors == now.trust_anchors && old->pins == now.pins;
    one.trusted_anew = now.trust_level == TrustLevel::trusted && !same;
    found.push_back(one);
  }
  std::ranges::sort(found, {}, [](const NodeDifference& one) -> const NodeId& {
    return one.after != nullptr ? one.after->id : one.before->id;
  });
  return found;
}

}  // namespace fedgate::nodes
