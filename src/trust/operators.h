// SPDX-License-Identifier: Apache-2.0
//
// Who may operate this gateway over the admin socket: SO_PEERCRED's uid and gid → role. Root and the
// daemon's own user are trust admins; other uids and gids only as configured. Immutable, any thread.
#pragma once

#include <cstdint>
#include <vector>

#include "fedgate/principal.h"
#include "fedgate/result.h"

namespace fedgate::trust {

struct OperatorEntry {
  enum class By : std::uint8_t { uid, gid } by = By::uid;
  std::uint32_t id = 0;
  Role role = Role::viewer;
};

class Operators {
 public:
  Operators(std::uint32_t own_uid, std::vector<OperatorEntry> entries);
  /// Code::forbidden when neither uid nor gid has a role. The highest role that applies wins.
  [[nodiscard]] Result<Operator> authenticate(std::uint32_t uid, std::uint32_t gid) const;

 private:
  std::uint32_t own_uid_;
  std::vector<OperatorEntry> entries_;
};

/// viewer < auditor < operator < trust-admin; each includes what stands before it.
[[nodiscard]] bool may(const Operator& who, Role needed);

}  // namespace fedgate::trust
