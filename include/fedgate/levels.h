// SPDX-License-Identifier: Apache-2.0
//
// What each trust level may do: the one table, read wherever a request or a connection is admitted, and printed in
// docs/trust.md. Disabling a node takes all of it away and leaves the level as it is. Constants, any thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "fedgate/node.h"

namespace fedgate {

enum class Act : std::uint8_t {
  ask,       ///< ask to be trusted, on the enrolment ALPN: leaves a candidate, changes nothing
  connect,   ///< complete a handshake on the peers listener, be connected to, exchange bundles and health
  call_us,   ///< call what we share
  be_called  ///< receive our callers' calls
};

struct Allowed {
  TrustLevel level;
  bool ask, connect, call_us, be_called;
};

/// In the order of TrustLevel. A revoked node may not even ask; an invite, which only an operator makes, lets it.
inline constexpr std::array<Allowed, 4> trust_levels{{
    {TrustLevel::untrusted, true, false, false, false},
    {TrustLevel::pending, true, false, false, false},
    {TrustLevel::trusted, true, true, true, true},
    {TrustLevel::revoked, false, false, false, false},
}};

constexpr bool may(TrustLevel level, Act act) {
  const Allowed& row = trust_levels.at(static_cast<std::size_t>(level));
  switch (act) {
    case Act::ask:
      return row.ask;
    case Act::connect:
      return row.connect;
    case Act::call_us:
      return row.call_us;
    case Act::be_called:
      return row.be_called;
  }
  return false;
}

inline bool may(const Node& node, Act act) { return node.enabled && may(node.trust_level, act); }

}  // namespace fedgate
