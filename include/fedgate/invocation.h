// SPDX-License-Identifier: Apache-2.0
//
// One call of one capability, the same value on both sides. `arguments` and `context` are validated JSON
// texts that are passed on byte for byte, never rebuilt. Plain value, owned by the call's coroutine.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "fedgate/clock.h"
#include "fedgate/id.h"

namespace fedgate {

enum class Direction : std::uint8_t { in, out };
std::string_view to_string(Direction direction);

/// Whether a capability has effects. `write` is the default: the intent is made durable before it acts.
enum class Access : std::uint8_t { read, write };
std::string_view to_string(Access access);

struct Invocation {
  CorrelationId correlation_id;
  std::uint32_t attempt = 1;
  Direction direction = Direction::out;
  NodeId origin;
  NodeId target;  ///< empty until a route is chosen
  PrincipalId principal;
  std::optional<PrincipalId> actor;  ///< who speaks for the principal, when another
  std::vector<std::string> groups;   ///< the principal's groups; a claim by the peer when direction is in
  std::string credential_id;         ///< of the caller (out) or the hex SHA-256 of the peer's key (in)
  ResourceId resource;
  CapabilityId capability;
  std::string arguments = "{}";  ///< a JSON object
  std::string context = "{}";    ///< a JSON object; data, never trusted
  std::string idempotency_key;   ///< empty: none
  std::string traceparent;       ///< W3C Trace Context, empty: none
  std::vector<NodeId> via;       ///< nodes passed so far
  SteadyTime deadline{};
  SteadyTime received{};  ///< when its request had been read, for durations
  std::uint64_t request_bytes = 0;
};

}  // namespace fedgate
