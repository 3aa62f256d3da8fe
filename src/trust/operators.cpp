// SPDX-License-Identifier: Apache-2.0
#include "trust/operators.h"

#include <algorithm>
#include <optional>
#include <utility>

namespace fedgate::trust {

Operators::Operators(std::uint32_t own_uid, std::vector<OperatorEntry> entries)
    : own_uid_(own_uid), entries_(std::move(entries)) {}

Result<Operator> Operators::authenticate(std::uint32_t uid, std::uint32_t gid) const {
  std::string name = "uid:" + std::to_string(uid);
  if (uid == 0 || uid == own_uid_) return Operator{std::move(name), Role::trust_admin};
  std::optional<Role> highest;
  for (const auto& entry : entries_) {
    if (entry.id != (entry.by == OperatorEntry::By::uid ? uid : gid)) continue;
    highest = highest ? std::max(*highest, entry.role) : entry.role;
  }
  if (highest) return Operator{std::move(name), *highest};
  return fail(Code::forbidden, "neither uid " + std::to_string(uid) + " nor gid " + std::to_string(gid) +
                                   " has a role; give it one under listen.admin.operators");
}

bool may(const Operator& who, Role needed) { return who.role >= needed; }

}  // namespace fedgate::trust
