// SPDX-License-Identifier: Apache-2.0
#include "federation/inbound.h"

#include <algorithm>
#include <charconv>

#include "adapters/http_adapter.h"
#include "base/hash.h"
#include "fedgate/levels.h"
#include "wire/call.h"
#include "wire/witness_text.h"

namespace fedgate::federation {

namespace {

/// Keeps an answer whole, up to a bound.
class WholeReply final : public adapters::ReplySink {
 public:
  explicit WholeReply(std::size_t bound) : bound_(bound) {}
  Task<Result<void>> begin(std::string_view content_type) override {
    content_type_ = content_type;
    co_return Result<void>{};
  }
  Task<Result<void>> data(std::string_view bytes) override {
    if (body_.size() + bytes.size() > bound_) {
      co_return fail(Code::response_too_large,
                     "the service's answer is larger than limits.body (" + std::to_string(bound_) + " bytes)");
    }
    body_.append(bytes);
    co_return Result<void>{};
  }
  [[nodiscard]] const std::string& content_type() const { return content_type_; }
  std::string take() { return std::move(body_); }

 private:
  std::size_t bound_;
  std::string content_type_;
  std::string body_;
};

Result<std::chrono::milliseconds> deadline_of(const net::Request& request, std::chrono::milliseconds longest) {
  const auto header = request.headers.find(wire::header::deadline_ms);
  if (!header) return longest;
  std::uint64_t left = 0;
  const char* end = header->data() + header->size();
  const auto [at, problem] = std::from_chars(header->data(), end, left);
  if (problem != std::errc{} || at != end) return fail(Code::bad_request, "Fedgate-Deadline-Ms is not a number");
  return std::chrono::milliseconds(std::min<std::uint64_t>(left, static_cast<std::uint64_t>(longest.count())));
}

constexpr std::size_t most_hops = 4;

}  // namespace

/// The adapters made for one resource table; a call keeps the ones it started with.
struct Inbound::Adapters {
  std::shared_ptr<const adapters::ResourceTable> table;
  std::unordered_map<ResourceId, std::unique_ptr<adapters::Adapter>> by_resource;
};

Inbound::Inbound(const Surroundings& around, net::HttpClient& upstreams)
    : around_(around),
      upstreams_(upstreams),
      options_(around.options),
      nodes_(around.nodes),
      rules_(around.rules),
      resources_(around.resources),
      own_head_(around.own_head),
      metrics_(around.metrics) {}

Inbound::~Inbound() = default;

std::shared_ptr<Inbound::Adapters> Inbound::current_adapters() {
  const auto& table = resources_.get();
  if (adapters_ && adapters_->table == table) return adapters_;
  auto fresh = std::make_shared<Adapters>();
  fresh->table = table;
  for (const adapters::Resource& resource : table->all()) {
    auto made = adapters::HttpAdapter::make(resource, upstreams_, around_.clock);
    if (made) {
      fresh->by_resource.emplace(resource.id, std::move(*made));
    } else {
      around_.log.error("resource not usable", {{"resource", resource.id.view()}, {"detail", made.error().detail}});
    }
  }
  adapters_ = std::move(fresh);
  return adapters_;
}

Task<> Inbound::invoke(const PeerIdentity& peer, const net::Request& request, net::Response& response) {
  Call call = open(peer, request);
  const auto nodes = nodes_.get();
  const Node* node = nodes->find(peer.node);
  if (node == nullptr || !may(*node, Act::call_us)) {
    // Trust is checked on every request: a connection may be older than a revocation.
    call.refuse(Error(Code::node_not_trusted, peer.node.str() + " is not trusted or not enabled any more"),
                DecidedBy::target);
    response.close = true;
  } else {
    try {
      co_await carry(call, *node, request);
    } catch (const boost::system::system_error& error) {
      if (error.code() != asio::error::operation_aborted) throw;
      const Node* now = nodes_.get()->find(peer.node);
      const bool cut_off = now == nullptr || !may(*now, Act::call_us);
      call.outcome.error =
          cut_off
              ? Error(Code::node_not_trusted, peer.node.str() + " was cut off while its call was under way")
              : Error(Code::cancelled, peer.node.str() + " gave up: it closed the connection or its deadline passed");
      call.outcome.decided_by = cut_off ? DecidedBy::target : DecidedBy::origin;
    } catch (const std::exception& error) {
      call.fail_unexpectedly(error);
    }
  }
  co_await shielded();
  co_await record(call);
  answer(call, response);
}

Call Inbound::open(const PeerIdentity& peer, const net::Request& request) const {
  Call call;
  Invocation& invocation = call.invocation;
  invocation.direction = Direction::in;
  invocation.origin = peer.node;
  invocation.target = around_.own_id;
  call.peer_key = to_hex(peer.public_key);
  invocation.received = around_.clock.steady();
  invocation.deadline = invocation.received;
  invocation.request_bytes = request.body.size();
  return call;
}

Result<void> Inbound::read_headers(Call& call, const net::Request& request) {
  Invocation& invocation = call.invocation;
  const auto id = request.headers.find(wire::header::correlation_id);
  if (!id) return fail(Code::bad_request, "the header Fedgate-Correlation-Id is missing");
  auto correlation = CorrelationId::parse(*id);
  if (!correlation) return fail(correlation.error());
  invocation.correlation_id = *correlation;
  auto left = deadline_of(request, options_.get()->timeout);
  if (!left) return fail(left.error());
  invocation.deadline = invocation.received + *left;
  if (left->count() == 0) return fail(Code::deadline_exceeded, "no time was left when the call arrived");
  if (const auto nonce = request.headers.find(wire::header::call_nonce)) {
    auto bytes = from_base64url(*nonce);
    if (!bytes || bytes->size() < 16 || bytes->size() > 64) {
      return fail(Code::bad_request, "Fedgate-Call-Nonce is not 16 to 64 bytes of base64url");
    }
    call.call_nonce = std::move(*bytes);
  }
  if (const auto via = request.headers.find(wire::header::via)) {
    auto nodes = wire::parse_via_header(*via);
    if (!nodes) return fail(nodes.error());
    const bool loop = std::find(nodes->begin(), nodes->end(), around_.own_id) != nodes->end();
    if (loop || nodes->size() > most_hops) return fail(Code::loop_detected, "Fedgate-Via: " + std::string(*via));
    invocation.via = std::move(*nodes);
  }
  if (const auto leaf = request.headers.find(wire::header::audit_leaf)) {
    auto parsed = wire::parse_leaf_header(*leaf);
    if (!parsed) return fail(parsed.error());
    if (!parsed->log.starts_with(invocation.origin.str() + "/")) {
      return fail(Code::identity_mismatch, "the audit leaf is in a log of another node: " + parsed->log);
    }
    call.outcome.counterparty = std::move(*parsed);
  }
  if (const auto head = request.headers.find(wire::header::checkpoint)) {
    auto parsed = wire::parse_head_header(*head);
    if (!parsed) return fail(parsed.error());
    // A hint: one of somebody else's log says nothing.
    if (parsed->log.starts_with(invocation.origin.str() + "/")) call.seen_checkpoint = std::move(*parsed);
  }
  if (request.headers.find(wire::header::idempotency_key)) {
    return fail(Code::bad_request, "Idempotency-Key is not supported yet");
  }
  if (const auto trace = request.headers.find(wire::header::traceparent)) {
    invocation.traceparent = wire::parse_traceparent(*trace);
  }
  return {};
}

Result<void> Inbound::read_body(Call& call, const Node& node, const net::Request& request) {
  Invocation& invocation = call.invocation;
  const auto& options = options_.get();
  parser_.set_limits({options->body, options->json_depth});
  auto body = wire::parse_peer_invoke(parser_, request.body);
  if (!body) return fail(body.error());
  invocation.attempt = body->attempt;
  invocation.resource = std::move(body->resource);
  invocation.capability = std::move(body->capability);
  invocation.arguments = std::move(body->arguments);
  invocation.context = std::move(body->context);
  invocation.groups = std::move(body->groups);
  invocation.actor = std::move(body->actor);
  if (body->source_node != invocation.origin) {
    return fail(Code::identity_mismatch, "the body's source_node is not the certificate's " + invocation.origin.str());
  }
  if (body->target_node && *body->target_node != around_.own_id) {
    return fail(Code::identity_mismatch,
                "the call is meant for " + body->target_node->str() + ", we are " + around_.own_id.str());
  }
  if (!body->principal) return fail(Code::bad_request, "member \"principal_id\" is missing");
  invocation.principal = std::move(*body->principal);
  const auto vouched = [&](const PrincipalId& principal) {
    const auto domain = domain_of(principal);
    return std::any_of(node.principal_domains.begin(), node.principal_domains.end(),
                       [&](const Domain& own) { return own.view() == domain; });
  };
  const auto ours = [&](const PrincipalId& principal) {
    return std::ranges::any_of(options->principal_domains,
                               [&](const Domain& own) { return own.view() == domain_of(principal); });
  };
  if (ours(invocation.principal) || (invocation.actor && ours(*invocation.actor))) {
    return fail(Code::identity_mismatch, node.id.str() + " may not vouch for our own " + invocation.principal.str());
  }
  if (!vouched(invocation.principal) || (invocation.actor && !vouched(*invocation.actor))) {
    return fail(Code::identity_mismatch, node.id.str() + " may not vouch for " + invocation.principal.str() +
                                             "; its principal_domains say for whom it may");
  }
  seal(call, parser_);
  return around_.seen.remember(invocation.origin, invocation.correlation_id, invocation.attempt);
}

Task<> Inbound::carry(Call& call, const Node& node, const net::Request& request) {
  auto permit = around_.inbound_limits.admit(node.id, node.rate_limit_per_hour);
  Result<void> readable = read_headers(call, request);
  // A refused call costs no more than its headers, and may come again under the same id.
  if (!permit) {
    call.limit = permit.error().limit;
    call.retry_after = permit.error().retry_after;
    call.refuse(permit.error().error, DecidedBy::target);
    around_.metrics.rate_limit_hits(node.id.str(), permit.error().limit).Increment();
    co_return;
  }
  if (readable) readable = read_body(call, node, request);
  if (!readable) {
    call.refuse(readable.error(), DecidedBy::target);
    co_return;
  }
  auto adapters = current_adapters();
  const Invocation& invocation = call.invocation;
  const auto found = adapters->table->find(invocation.resource, invocation.capability);
  if (found.capability != nullptr) call.access = found.capability->access;
  const auto& rules = rules_.get();
  const WallTime now = around_.clock.wall();
  if (found.resource == nullptr || !rules->visible(node.id, invocation.resource, now)) {
    call.refuse(Error(Code::resource_not_found, found.resource == nullptr ? "no resource " + invocation.resource.str()
                                                                          : "no rule lets " + node.id.str() + " see " +
                                                                                invocation.resource.str()),
                DecidedBy::target);
    co_return;
  }
  call.decision = rules->decide(invocation, node.id, call.access, now);
  if (!call.decision->allowed()) {
    call.refuse(Error(Code::policy_denied, call.decision->reason), DecidedBy::target);
    co_return;
  }
  if (found.capability == nullptr) {
    call.decision.reset();
    call.refuse(Error(Code::capability_not_found,
                      invocation.resource.str() + " has no capability " + invocation.capability.str()),
                DecidedBy::target);
    co_return;
  }
  co_await act(call, std::move(adapters), found);
}

Task<> Inbound::act(Call& call, std::shared_ptr<Adapters> adapters, const adapters::ResourceTable::Found& found) {
  const auto adapter = adapters->by_resource.find(found.resource->id);
  if (adapter == adapters->by_resource.end()) {
    call.outcome.error =
        Error(Code::upstream_unreachable, "resource " + found.resource->id.str() + " has no usable adapter");
    call.outcome.decided_by = DecidedBy::target;
    co_return;
  }
  call.protocol = adapter->second->protocol();
  if (call.access == Access::write) {
    auto intent = co_await around_.journal.append(audit_event(call, Phase::intent, around_.clock.wall()));
    if (!intent) {
      call.outcome.error = intent.error();
      call.outcome.decided_by = DecidedBy::target;
      co_return;
    }
  }
  // From here a cancellation leaves it open whether the service acted.
  call.outcome.effect = Effect::unknown;
  auto counterparty_leaf = std::move(call.outcome.counterparty);
  WholeReply reply(options_.get()->body);
  Outcome outcome;
  try {
    outcome = co_await adapter->second->invoke(call.invocation, reply);
  } catch (...) {
    call.outcome.counterparty = std::move(counterparty_leaf);
    throw;
  }
  outcome.counterparty = std::move(counterparty_leaf);
  call.outcome = std::move(outcome);
  if (!call.outcome.ok()) co_return;
  auto value = wire::result_value(parser_, reply.content_type(), reply.take());
  if (value) {
    call.result = std::move(*value);
    call.outcome.response_bytes = call.result.size();
  } else {
    // It acted, and we cannot say with what result.
    call.outcome.error = value.error();
    call.outcome.effect = Effect::unknown;
    call.outcome.decided_by = DecidedBy::upstream;
  }
}

Task<> Inbound::record(Call& call) {
  const auto total =
      std::chrono::duration_cast<std::chrono::microseconds>(around_.clock.steady() - call.invocation.received);
  call.outcome.timing.target = total;
  metrics_.count(call, total, true);
  if (!call.protocol.empty()) {
    around_.metrics.invocations(call.protocol, call.outcome.ok() ? "succeeded" : "failed").Increment();
  }
  if (around_.floods.takes(call)) co_return;
  auto durable = co_await around_.journal.append(audit_event(call, Phase::outcome, around_.clock.wall()));
  if (durable) {
    call.receipt = std::move(*durable);
    co_return;
  }
  around_.log.error("outcome not recorded",
                    {{"correlation_id", call.invocation.correlation_id.str()}, {"problem", durable.error().detail}});
  around_.metrics.audit_refusals().Increment();
  call.outcome.error = durable.error();
  call.outcome.decided_by = DecidedBy::target;
  if (call.outcome.effect == Effect::succeeded) call.outcome.effect = Effect::unknown;
}

void Inbound::answer(Call& call, net::Response& response) {
  const Invocation& invocation = call.invocation;
  const std::string id = invocation.correlation_id.str();
  response.headers.add(wire::header::correlation_id, id);
  response.headers.add(wire::header::server_timing, wire::timing_header(call.outcome.timing));
  if (call.receipt) response.headers.add(wire::header::audit_leaf, wire::leaf_header(*call.receipt));
  if (const auto& head = own_head_.get(); !head->empty()) response.headers.add(wire::header::checkpoint, *head);
  if (call.outcome.ok()) {
    wire::InvokeAnswer answer;
    answer.node = around_.own_id;
    answer.resource = invocation.resource;
    answer.correlation_id = id;
    answer.result = std::move(call.result);
    answer.timing = call.outcome.timing;
    answer.duration = call.outcome.timing.target;
    answer.receipt = call.receipt;
    response.status = 200;
    response.headers.add("Content-Type", "application/json");
    response.body = wire::answer_body(answer);
    return;
  }
  const Error& error = *call.outcome.error;
  // No detail, no rule, no words of the service: those stay with us.
  wire::Problem problem{.code = error.code,
                        .detail = {},
                        .node_id = around_.own_id.str(),
                        .resource_id = invocation.resource.str(),
                        .correlation_id = id,
                        .decided_by = call.outcome.decided_by,
                        .effect = call.outcome.effect,
                        .timing = std::nullopt,
                        .receipt = call.receipt};
  response.status = error.info().http_status;
  response.headers.add("Content-Type", "application/problem+json");
  if (call.retry_after.count() > 0) response.headers.add("Retry-After", std::to_string(call.retry_after.count()));
  response.body = wire::problem_body(problem);
  around_.log.info("call refused or failed", {{"correlation_id", id},
                                              {"direction", "in"},
                                              {"code", error.info().wire_name},
                                              {"origin", invocation.origin.view()},
                                              {"resource", invocation.resource.view()},
                                              {"detail", error.detail}});
}

}  // namespace fedgate::federation
