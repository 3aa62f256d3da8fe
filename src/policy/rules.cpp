// SPDX-License-Identifier: Apache-2.0
#include "policy/rules.h"

#include <algorithm>

namespace fedgate::policy {

namespace {

/// A list with a lone `*` is the same as none, which costs nothing to match.
std::vector<Glob> compile(const std::vector<std::string>& patterns) {
  std::vector<Glob> globs(patterns.begin(), patterns.end());
  if (std::ranges::any_of(globs, &Glob::matches_anything)) globs.clear();
  return globs;
}

bool any_matches(const std::vector<Glob>& globs, std::string_view text) {
  if (globs.empty()) return true;
  return std::ranges::any_of(globs, [text](const Glob& glob) { return glob.matches(text); });
}

std::string reason_of(const Rule& rule) {
  std::string reason = "rule " + rule.id + (rule.effect == Verdict::allow ? " allows" : " denies");
  if (!rule.defined_at.empty()) reason += " (" + rule.defined_at + ")";
  return reason;
}

Decision no_rule(const Invocation& invocation, const NodeId& counterparty, Access access) {
  const bool out = invocation.direction == Direction::out;
  std::string reason = "no rule allows ";
  reason += invocation.principal.view();
  if (!out) reason.append(" of ").append(counterparty.view());
  reason.append(access == Access::read ? " to read " : " to write ").append(invocation.resource.view());
  reason.append(" ").append(invocation.capability.view());
  if (out) reason.append(" at ").append(counterparty.view());
  reason.append(out ? " (direction: out)" : " (direction: in)");
  return {Verdict::deny, "default", std::move(reason)};
}

}  // namespace

bool glob_match(std::string_view pattern, std::string_view text) { return Glob(pattern).matches(text); }

Rules::Compiled::Compiled(const Rule& rule)
    : direction(rule.direction),
      reads_only(rule.access == Access::read),
      until(rule.until.value_or(WallTime::max())),
      nodes(compile(rule.nodes)),
      principals(compile(rule.principals)),
      resources(compile(rule.resources)),
      capabilities(compile(rule.capabilities)),
      decision{rule.effect, rule.id, reason_of(rule)} {
  // Not compile(): `groups: ["*"]` asks for a principal that is in some group.
  for (const auto& pattern : rule.groups) groups.emplace_back(pattern);
}

bool Rules::Compiled::matches(const Invocation& invocation, const NodeId& counterparty, Access wanted,
                              WallTime now) const {
  if (invocation.direction != direction || (reads_only && wanted != Access::read) || now >= until) return false;
  if (!any_matches(resources, invocation.resource.view()) || !any_matches(capabilities, invocation.capability.view()) ||
      !any_matches(nodes, counterparty.view()) || !any_matches(principals, invocation.principal.view()))
    return false;
  return groups.empty() || std::ranges::any_of(invocation.groups,
                                               [this](const std::string& group) { return any_matches(groups, group); });
}

Rules::Rules(std::vector<Rule> rules) : rules_(rules.begin(), rules.end()) {}

Decision Rules::decide(const Invocation& invocation, const NodeId& counterparty, Access access, WallTime now) const {
  for (const auto& rule : rules_)
    if (rule.matches(invocation, counterparty, access, now)) return rule.decision;
  return no_rule(invocation, counterparty, access);
}

bool Rules::visible(const NodeId& counterparty, const ResourceId& resource, WallTime now) const {
  return std::ranges::any_of(rules_, [&](const Compiled& rule) {
    return rule.direction == Direction::in && rule.decision.allowed() && now < rule.until &&
           any_matches(rule.resources, resource.view()) && any_matches(rule.nodes, counterparty.view());
  });
}

}  // namespace fedgate::policy
