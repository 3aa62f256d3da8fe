// SPDX-License-Identifier: Apache-2.0
#include "federation/call.h"

#include <utility>

#include "audit/leaf.h"

namespace fedgate::federation {

void Call::refuse(Error error, DecidedBy who) {
  if (!decision) decision = Decision{Verdict::deny, {}, error.detail};
  outcome.error = std::move(error);
  outcome.effect = Effect::not_sent;
  outcome.decided_by = who;
}

void Call::fail_unexpectedly(const std::exception& error) {
  outcome.error = Error(Code::internal, std::string("bug: ") + error.what());
  outcome.decided_by = invocation.direction == Direction::out ? DecidedBy::origin : DecidedBy::target;
}

const NodeId& counterparty(const Call& call) {
  return call.invocation.direction == Direction::out ? call.invocation.target : call.invocation.origin;
}

void seal(Call& call, json::Parser& parser) {
  auto canonical = parser.canonical(call.invocation.arguments);
  if (!canonical) return;  // not valid JSON: refused elsewhere, and then there is no call to hash
  call.call_hash = audit::call_hash(call.call_nonce, call.invocation, *canonical);
}

namespace {
EventType type_of(const Call& call) {
  const bool denied = call.decision && !call.decision->allowed();
  if (denied) return EventType::cross_org_request_denied;
  return call.invocation.direction == Direction::in ? EventType::capability_invocation : EventType::cross_org_request;
}
}  // namespace

AuditEvent audit_event(const Call& call, Phase phase, WallTime now) {
  const Invocation& invocation = call.invocation;
  AuditEvent event;
  event.type = type_of(call);
  event.phase = phase;
  event.time = now;
  event.correlation_id = invocation.correlation_id;
  event.attempt = invocation.attempt;
  event.origin = invocation.origin.str();
  event.target = invocation.target.str();
  event.peer_key = call.peer_key;
  event.principal = invocation.principal.str();
  if (invocation.actor) event.actor = invocation.actor->str();
  event.credential_id = invocation.credential_id;
  event.resource = invocation.resource.str();
  event.resource_protocol = call.protocol;
  event.capability = invocation.capability.str();
  event.action = "invoke";
  event.access = call.access;
  event.decision = call.decision;
  event.request_bytes = invocation.request_bytes;
  event.call_hash = call.call_hash;
  event.counterparty = call.outcome.counterparty;
  event.counterparty_checkpoint = call.seen_checkpoint;
  if (phase == Phase::outcome) {
    event.effect = call.outcome.effect;
    if (call.outcome.error) {
      event.error_code = call.outcome.error->info().wire_name;
      event.reason = call.outcome.error->detail;
    }
    event.response_bytes = call.outcome.response_bytes;
    event.duration = call.outcome.timing.origin + call.outcome.timing.network + call.outcome.timing.target;
    event.upstream = call.outcome.timing.upstream;
  }
  return event;
}

void CallMetrics::count(const Call& call, std::chrono::microseconds duration, bool node_known) {
  // Labels stay bounded: only nodes of the registry have series of their own.
  const std::string& node = node_known ? counterparty(call).str() : std::string("none");
  const auto way = static_cast<std::size_t>(call.invocation.direction);
  const auto direction = to_string(call.invocation.direction);
  PerNode& handles = nodes_[node];
  if (handles.duration == nullptr) handles.duration = &metrics_.request_duration(node);
  handles.duration->Observe(std::chrono::duration<double>(duration).count());
  if (call.outcome.ok()) {
    auto*& succeeded = handles.succeeded[way];
    if (succeeded == nullptr) succeeded = &metrics_.requests(node, direction, "200");
    succeeded->Increment();
    return;
  }
  const CodeInfo& info = call.outcome.error->info();
  metrics_.requests(node, direction, std::to_string(info.http_status)).Increment();
  if (call.decision && !call.decision->allowed()) {
    metrics_.denials(node, to_string(call.outcome.decided_by), info.wire_name).Increment();
  } else {
    metrics_.errors(info.wire_name).Increment();
  }
}

}  // namespace fedgate::federation
