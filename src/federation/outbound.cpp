// SPDX-License-Identifier: Apache-2.0
#include "federation/outbound.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "base/hash.h"
#include "fedgate/levels.h"
#include "wire/call.h"

namespace fedgate::federation {

namespace {

/// `Request-Timeout: 2.5`: seconds, may only shorten what configuration allows.
Result<std::chrono::milliseconds> timeout_of(const net::Request& request, std::chrono::milliseconds longest) {
  const auto header = request.headers.find(wire::header::request_timeout);
  if (!header) return longest;
  double seconds = 0;
  const char* end = header->data() + header->size();
  const auto [at, problem] = std::from_chars(header->data(), end, seconds);
  if (problem != std::errc{} || at != end || !std::isfinite(seconds) || seconds <= 0) {
    return fail(Code::bad_request, "Request-Timeout must be a number of seconds above 0");
  }
  return std::chrono::milliseconds(
      static_cast<std::int64_t>(std::min(seconds * 1000.0, static_cast<double>(longest.count()))));
}

}  // namespace

Outbound::Outbound(const Surroundings& around, PeerClient& peers, Verifier& verifier)
    : around_(around),
      peers_(peers),
      verifier_(verifier),
      options_(around.options),
      nodes_(around.nodes),
      routes_(around.routes),
      rules_(around.rules),
      own_head_(around.own_head),
      metrics_(around.metrics) {}

Task<> Outbound::invoke(const Caller& caller, const net::Request& request, net::Response& response) {
  Call call = open(caller, request);
  try {
    co_await carry(call, caller, request);
  } catch (const boost::system::system_error& error) {
    if (error.code() != asio::error::operation_aborted) throw;
    call.outcome.error = Error(Code::cancelled, "the client closed its connection");
    call.outcome.decided_by = DecidedBy::origin;
  } catch (const std::exception& error) {
    call.fail_unexpectedly(error);
  }
  co_await shielded();
  co_await record(call);
  answer(call, response);
}

Call Outbound::open(const Caller& caller, const net::Request& request) const {
  Call call;
  std::array<std::uint8_t, 10> id{};
  around_.entropy.fill(id);
  Invocation& invocation = call.invocation;
  invocation.correlation_id = CorrelationId::make(around_.clock.wall(), id);
  invocation.direction = Direction::out;
  invocation.origin = around_.own_id;
  invocation.principal = caller.principal;
  invocation.groups = caller.groups;
  invocation.credential_id = caller.credential_id;
  invocation.via.push_back(around_.own_id);
  invocation.received = around_.clock.steady();
  invocation.deadline = invocation.received;
  invocation.request_bytes = request.body.size();
  return call;
}

Result<void> Outbound::read(Call& call, const Caller& caller, const net::Request& request) {
  const auto options = options_.get();
  Invocation& invocation = call.invocation;
  parser_.set_limits({options->body, options->json_depth});
  auto timeout = timeout_of(request, options->timeout);
  if (!timeout) return fail(timeout.error());
  invocation.deadline = invocation.received + *timeout;
  auto body = wire::parse_client_invoke(parser_, request.body);
  if (!body) return fail(body.error());
  invocation.resource = std::move(body->resource);
  invocation.capability = std::move(body->capability);
  invocation.arguments = std::move(body->arguments);
  invocation.context = std::move(body->context);
  if (body->target_node) invocation.target = std::move(*body->target_node);
  if (request.headers.find(wire::header::idempotency_key)) {
    // Whoever sends one will repeat the call and rely on it.
    return fail(Code::bad_request,
                "Idempotency-Key is not supported yet: repeated calls would act twice; leave it out");
  }
  if (const auto trace = request.headers.find(wire::header::traceparent)) {
    invocation.traceparent = wire::parse_traceparent(*trace);
  }
  if (body->principal && *body->principal != caller.principal) {
    const auto& allowed = caller.may_act_for;
    if (std::find(allowed.begin(), allowed.end(), *body->principal) == allowed.end()) {
      return fail(Code::principal_mismatch, "the token of " + caller.principal.str() + " may not act for " +
                                                body->principal->str() +
                                                "; its entry under clients: has no such may_act_for");
    }
    // The token's groups are those of its own principal, not of the one it acts for.
    invocation.groups.clear();
    invocation.actor = caller.principal;
    invocation.principal = std::move(*body->principal);
  }
  return {};
}

// A rule names nodes, so the route is chosen before policy decides.
Task<> Outbound::carry(Call& call, const Caller& caller, const net::Request& request) {
  if (auto readable = read(call, caller, request); !readable) {
    call.refuse(readable.error(), DecidedBy::origin);
    co_return;
  }
  auto route = routes_.get()->choose(call.invocation);
  if (!route) {
    call.refuse(route.error(), DecidedBy::origin);
    co_return;
  }
  call.invocation.target = route->node;
  call.access = route->access;
  call.call_nonce = around_.salts.call_nonce(call.invocation.principal.view(), call.invocation.correlation_id,
                                             call.invocation.attempt);
  seal(call, parser_);
  const auto nodes = nodes_.get();
  const Node* node = nodes->find(route->node);
  auto permit = around_.outbound_limits.admit(route->node, node == nullptr ? std::nullopt : node->rate_limit_per_hour);
  if (!permit) {
    call.limit = permit.error().limit;
    call.retry_after = permit.error().retry_after;
    call.refuse(permit.error().error, DecidedBy::origin);
    around_.metrics.rate_limit_hits(route->node.str(), permit.error().limit).Increment();
    co_return;
  }
  call.decision = rules_.get()->decide(call.invocation, route->node, call.access, around_.clock.wall());
  if (!call.decision->allowed()) {
    call.refuse(Error(Code::policy_denied, call.decision->reason), DecidedBy::origin);
    co_return;
  }
  co_await send(call, *route);
}

Task<> Outbound::send(Call& call, const Route& route) {
  std::optional<LeafReference> intent;
  if (call.access == Access::write) {
    auto durable = co_await around_.journal.append(audit_event(call, Phase::intent, around_.clock.wall()));
    if (!durable) {
      call.outcome.error = durable.error();
      call.outcome.decided_by = DecidedBy::origin;
      co_return;
    }
    intent = std::move(*durable);
  }
  // The first call finds out whether the two gateways believe each other at all: nothing of it is sent before.
  if (!verifier_.verified(route.node)) {
    auto settled = co_await verifier_.settle(route.node, call.invocation.deadline);
    if (!settled) {
      call.outcome.error = why_no_answer(route.node, settled.error());
      call.outcome.decided_by = DecidedBy::origin;
      co_return;
    }
  }
  // From here a cancellation leaves it open whether the target acted.
  call.outcome.effect = Effect::unknown;
  const SteadyTime sent_at = around_.clock.steady();
  const auto own_head = own_head_.get();
  PeerClient::Reply reply = co_await peers_.invoke(route, call.invocation, call.call_nonce, intent, *own_head);
  const auto round_trip = std::chrono::duration_cast<std::chrono::microseconds>(around_.clock.steady() - sent_at);
  call.outcome.timing.target = std::min(reply.timing.target, round_trip);
  call.outcome.timing.upstream = std::min(reply.timing.upstream, call.outcome.timing.target);
  call.outcome.timing.network = round_trip - call.outcome.timing.target;
  call.outcome.counterparty = std::move(reply.leaf);
  call.seen_checkpoint = std::move(reply.head);
  call.outcome.response_bytes = reply.bytes;
  call.retry_after = reply.retry_after;
  if (reply.peer) call.peer_key = to_hex(reply.peer->public_key);
  if (!reply.answer) {
    // With TLS 1.3 a refused certificate is heard of only after the request was written, and never read.
    const bool refused = reply.answer.error().code == Code::peer_refused;
    call.outcome.effect = reply.sent == net::Sent::nothing ? Effect::not_sent
                          : refused                        ? Effect::failed
                                                           : Effect::unknown;
    call.outcome.error = why_no_answer(route.node, reply.answer.error());
    call.outcome.decided_by = DecidedBy::origin;
  } else if (reply.answer->success) {
    call.outcome.effect = Effect::succeeded;
    call.result = std::move(reply.answer->result);
  } else {
    call.outcome.effect = reply.answer->effect;
    call.outcome.error =
        Error(*reply.answer->code, route.node.str() + ": " + std::string(code_info(*reply.answer->code).title));
    call.outcome.decided_by = reply.answer->decided_by;
  }
}

// A connection that was cut is a symptom; where the node was cut off meanwhile, that is the reason.
Error Outbound::why_no_answer(const NodeId& target, const Error& seen) {
  const auto nodes = nodes_.get();
  const Node* node = nodes->find(target);
  if (node != nullptr && may(*node, Act::be_called)) return seen;
  const std::string what = node == nullptr                            ? "removed"
                           : node->trust_level == TrustLevel::revoked ? "revoked"
                                                                      : "disabled";
  return {Code::node_not_trusted, target.str() + " was " + what + " while the call was under way: " + seen.detail};
}

Task<> Outbound::record(Call& call) {
  const auto total =
      std::chrono::duration_cast<std::chrono::microseconds>(around_.clock.steady() - call.invocation.received);
  Timing& timing = call.outcome.timing;
  timing.origin = std::max(std::chrono::microseconds{0}, total - timing.network - timing.target);
  metrics_.count(call, total, nodes_.get()->find(call.invocation.target) != nullptr);
  if (around_.floods.takes(call)) co_return;
  auto durable = co_await around_.journal.append(audit_event(call, Phase::outcome, around_.clock.wall()));
  if (durable) {
    call.receipt = std::move(*durable);
    co_return;
  }
  // No answer leaves without a record: what the target did is in its own trail, and our intent is in ours.
  around_.log.error("outcome not recorded",
                    {{"correlation_id", call.invocation.correlation_id.str()}, {"problem", durable.error().detail}});
  around_.metrics.audit_refusals().Increment();
  call.outcome.error = durable.error();
  call.outcome.decided_by = DecidedBy::origin;
  if (call.outcome.effect == Effect::succeeded) call.outcome.effect = Effect::unknown;
}

void Outbound::answer(Call& call, net::Response& response) {
  const Invocation& invocation = call.invocation;
  const std::string id = invocation.correlation_id.str();
  response.headers.add(wire::header::correlation_id, id);
  if (call.outcome.ok()) {
    wire::InvokeAnswer answer;
    answer.node = invocation.target;
    answer.resource = invocation.resource;
    answer.correlation_id = id;
    answer.result = std::move(call.result);
    answer.timing = call.outcome.timing;
    answer.duration = answer.timing.origin + answer.timing.network + answer.timing.target;
    answer.receipt = call.receipt;
    response.status = 200;
    response.headers.add("Content-Type", "application/json");
    response.body = wire::answer_body(answer);
    return;
  }
  const Error& error = *call.outcome.error;
  wire::Problem problem{.code = error.code,
                        .detail = error.detail,
                        .node_id = invocation.target.str(),
                        .resource_id = invocation.resource.str(),
                        .correlation_id = id,
                        .decided_by = call.outcome.decided_by,
                        .effect = call.outcome.effect,
                        .timing = call.outcome.timing,
                        .receipt = call.receipt};
  response.status = error.info().http_status;
  response.headers.add("Content-Type", "application/problem+json");
  if (call.retry_after.count() > 0) response.headers.add("Retry-After", std::to_string(call.retry_after.count()));
  response.body = wire::problem_body(problem);
  around_.log.info("call refused or failed", {{"correlation_id", id},
                                              {"direction", "out"},
                                              {"code", error.info().wire_name},
                                              {"target", invocation.target.view()},
                                              {"resource", invocation.resource.view()},
                                              {"detail", error.detail}});
}

}  // namespace fedgate::federation
