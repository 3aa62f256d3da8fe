// SPDX-License-Identifier: Apache-2.0
//
// The built-in policy engine: an ordered list of rules, first match wins, no match denies (product.md section
// 5). Both sides run it: `out` before a call leaves, `in` before it acts. Immutable, any thread.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "fedgate/clock.h"
#include "fedgate/decision.h"
#include "fedgate/invocation.h"
#include "policy/glob.h"

namespace fedgate::policy {

struct Rule {
  std::string id;
  Direction direction = Direction::in;
  Verdict effect = Verdict::deny;
  /// Each list: empty matches everything; `*` stands for any run of characters. All given lists must match.
  std::vector<std::string> nodes;  ///< the counterparty
  std::vector<std::string> principals;
  std::vector<std::string> groups;  ///< the principal is in one of these
  std::vector<std::string> resources;
  std::vector<std::string> capabilities;
  std::optional<Access> access;   ///< read: matches reads only; write or absent: both
  std::optional<WallTime> until;  ///< the rule is over from this instant on
  std::string defined_at;         ///< `file:line`
};

/// `*` any run of characters, everything else literal. Linear time, whatever the pattern.
bool glob_match(std::string_view pattern, std::string_view text);

class Rules {
 public:
  explicit Rules(std::vector<Rule> rules);
  /// `counterparty` is the target for out, the origin for in.
  [[nodiscard]] Decision decide(const Invocation& invocation, const NodeId& counterparty, Access access,
                                WallTime now) const;
  /// Whether any `in` rule lets this node have anything of this resource: what it may not see is answered like
  /// what does not exist.
  [[nodiscard]] bool visible(const NodeId& counterparty, const ResourceId& resource, WallTime now) const;
  [[nodiscard]] std::size_t size() const { return rules_.size(); }

 private:
  struct Compiled {
    explicit Compiled(const Rule& rule);
    [[nodiscard]] bool matches(const Invocation& invocation, const NodeId& counterparty, Access wanted,
                               WallTime now) const;

    Direction direction;
    bool reads_only;
    WallTime until;                                                        // WallTime::max(): never over
    std::vector<Glob> nodes, principals, groups, resources, capabilities;  // empty: everything
    Decision decision;                                                     // what it answers when it matches
  };
  std::vector<Compiled> rules_;
};

}  // namespace fedgate::policy
