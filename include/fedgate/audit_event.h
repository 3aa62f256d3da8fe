// SPDX-License-Identifier: Apache-2.0
//
// One record for the audit log before it has a place in it. protocol.md section 5 names the fields of a
// leaf; audit/leaf.h turns this value into one. No payloads, ever.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "fedgate/checkpoint.h"
#include "fedgate/clock.h"
#include "fedgate/decision.h"
#include "fedgate/id.h"
#include "fedgate/invocation.h"
#include "fedgate/outcome.h"

namespace fedgate {

enum class EventType : std::uint8_t {
  cross_org_request,
  cross_org_request_denied,
  cross_org_authorization,
  cross_org_authorization_denied,
  capability_invocation,
  federation_node_trusted,
  federation_node_revoked,
  configuration_changed,
  security_violation,
};
std::string_view to_string(EventType type);

enum class Phase : std::uint8_t { intent, outcome, event };
std::string_view to_string(Phase phase);

struct AuditEvent {
  EventType type = EventType::cross_org_request;
  Phase phase = Phase::event;
  WallTime time{};
  std::optional<CorrelationId> correlation_id;  ///< none: an event that belongs to no call
  std::uint32_t attempt = 0;
  std::string origin;  ///< node ids, empty where unknown
  std::string target;
  std::string peer_key;   ///< hex SHA-256 of the counterparty's public key, empty where none was seen
  std::string principal;  ///< an operator's name for operators' acts
  std::string actor;
  std::string credential_id;
  std::string resource;
  std::string resource_protocol;  ///< http, mcp, grpc
  std::string capability;
  std::string action;  ///< invoke, authorize, or what an operator did
  std::optional<Access> access;
  std::optional<Decision> decision;
  std::optional<Effect> effect;  ///< phase outcome only
  std::string error_code;        ///< wire name, empty on success
  std::string reason;            ///< for operators; bounded to 256 bytes in the leaf
  std::uint64_t request_bytes = 0;
  std::uint64_t response_bytes = 0;
  std::chrono::microseconds duration{};
  std::chrono::microseconds upstream{};
  std::string call_hash;                      ///< hex, protocol.md section 5; empty where there is no call
  std::optional<LeafReference> counterparty;  ///< the other side's leaf for this call, as it stated it
  /// The newest checkpoint of the other side's log, as it mentioned it; of the log that `counterparty` names, if any.
  std::optional<MentionedHead> counterparty_checkpoint;
};

}  // namespace fedgate
