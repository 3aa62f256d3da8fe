// SPDX-License-Identifier: Apache-2.0
//
// How enumerators are spelled in JSON, YAML, SQL, metrics and the audit log. One spelling everywhere.
#include <string>
#include <string_view>

#include "fedgate/audit_event.h"
#include "fedgate/decision.h"
#include "fedgate/invocation.h"
#include "fedgate/node.h"
#include "fedgate/outcome.h"
#include "fedgate/principal.h"

namespace fedgate {

std::string_view to_string(TrustLevel level) {
  switch (level) {
    case TrustLevel::untrusted:
      return "untrusted";
    case TrustLevel::pending:
      return "pending";
    case TrustLevel::trusted:
      return "trusted";
    case TrustLevel::revoked:
      return "revoked";
  }
  return "untrusted";
}

Result<TrustLevel> trust_level_from(std::string_view text) {
  for (const TrustLevel level :
       {TrustLevel::untrusted, TrustLevel::pending, TrustLevel::trusted, TrustLevel::revoked}) {
    if (to_string(level) == text) return level;
  }
  return fail(Code::bad_request,
              "a trust level is untrusted, pending, trusted or revoked, not '" + std::string(text.substr(0, 32)) + "'");
}

std::string_view to_string(NodeSource source) {
  switch (source) {
    case NodeSource::configuration:
      return "configuration";
    case NodeSource::operator_command:
      return "operator";
  }
  return "operator";
}

std::string_view to_string(Role role) {
  switch (role) {
    case Role::viewer:
      return "viewer";
    case Role::auditor:
      return "auditor";
    case Role::operator_role:
      return "operator";
    case Role::trust_admin:
      return "trust-admin";
  }
  return "viewer";
}

std::string_view to_string(Direction direction) {
  switch (direction) {
    case Direction::in:
      return "in";
    case Direction::out:
      return "out";
  }
  return "in";
}

std::string_view to_string(Access access) {
  switch (access) {
    case Access::read:
      return "read";
    case Access::write:
      return "write";
  }
  return "write";
}

std::string_view to_string(DecidedBy who) {
  switch (who) {
    case DecidedBy::none:
      return "none";
    case DecidedBy::origin:
      return "origin";
    case DecidedBy::target:
      return "target";
    case DecidedBy::upstream:
      return "upstream";
  }
  return "none";
}

std::string_view to_string(Effect effect) {
  switch (effect) {
    case Effect::succeeded:
      return "succeeded";
    case Effect::failed:
      return "failed";
    case Effect::not_sent:
      return "not_sent";
    case Effect::unknown:
      return "unknown";
  }
  return "unknown";
}

std::string_view to_string(EventType type) {
  switch (type) {
    case EventType::cross_org_request:
      return "cross_org_request";
    case EventType::cross_org_request_denied:
      return "cross_org_request_denied";
    case EventType::cross_org_authorization:
      return "cross_org_authorization";
    case EventType::cross_org_authorization_denied:
      return "cross_org_authorization_denied";
    case EventType::capability_invocation:
      return "capability_invocation";
    case EventType::federation_node_trusted:
      return "federation_node_trusted";
    case EventType::federation_node_revoked:
      return "federation_node_revoked";
    case EventType::configuration_changed:
      return "configuration_changed";
    case EventType::security_violation:
      return "security_violation";
  }
  return "security_violation";
}

std::string_view to_string(Phase phase) {
  switch (phase) {
    case Phase::intent:
      return "intent";
    case Phase::outcome:
      return "outcome";
    case Phase::event:
      return "event";
  }
  return "event";
}

}  // namespace fedgate
