// SPDX-License-Identifier: Apache-2.0
#include "federation/peer_client.h"

#include <algorithm>
#include <charconv>

#include "base/hash.h"
#include "net/address.h"
#include "wire/witness_text.h"

namespace fedgate::federation {

namespace {
constexpr std::size_t most_destinations = 1024;
}  // namespace

PeerClient::PeerClient(Worker& worker, net::ClientLimits limits, std::function<std::shared_ptr<net::TlsContext>()> tls,
                       const log::Logger& log, Metrics& metrics)
    : worker_(worker),
      tls_(std::move(tls)),
      client_(worker, limits, log, metrics),
      parser_(json::Limits{limits.body, 64}) {}

Result<std::shared_ptr<const net::Destination>> PeerClient::destination(const Route& route) {
  auto tls = tls_();
  if (!tls) return fail(Code::peer_unreachable, "this gateway has no usable certificate");
  // Endpoints are few and change rarely: what was parsed once is kept as long as the TLS context is.
  if (destinations_.size() > most_destinations) destinations_.clear();
  auto& known = destinations_[route.endpoint];
  if (!known || known->server_name != route.node.view() || known->tls != tls) {
    auto made = make_destination(route);
    if (!made) return fail(made.error());
    // What was opened with an earlier certificate of ours is not taken again, and grows old in its pool: it would be
    // cut when that certificate expires.
    made->pool_key += ' ' + std::to_string(std::hash<std::string>{}(tls->options().certificate_pem));
    made->tls = std::move(tls);
    known = std::make_shared<const net::Destination>(std::move(*made));
  }
  return known;
}

Result<net::Destination> PeerClient::make_destination(const Route& route) {
  auto url = net::parse_url(route.endpoint);
  if (!url || url->scheme != "https") {
    return fail(Code::peer_unreachable,
                "the endpoint " + route.endpoint + " of " + route.node.str() + " is not an https URL");
  }
  net::Destination to;
  to.pool_key = route.node.str() + ' ' + route.endpoint;
  to.host = url->host;
  to.port = url->port;
  // The endpoint's host name is an address, not the identity: Host and SNI are the node's own name.
  to.host_header = route.node.str();
  to.server_name = route.node.str();
  return to;
}

Task<PeerClient::Reply> PeerClient::invoke(const Route& route, const Invocation& invocation,
                                           std::string_view call_nonce, const std::optional<LeafReference>& intent,
                                           std::string_view own_head) {
  Reply reply;
  auto to = destination(route);
  if (!to) {
    reply.answer = fail(to.error());
    co_return reply;
  }
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(invocation.deadline - worker_.wheel().now());
  if (left.count() <= 0) {
    reply.answer = fail(Code::deadline_exceeded, "the deadline passed before the call was sent");
    co_return reply;
  }
  net::Request request;
  request.method = "POST";
  request.target = "/api/v2/federation/invoke";
  request.body = wire::peer_invoke_body(invocation);
  request.headers.add("Content-Type", "application/json");
  request.headers.add(wire::header::correlation_id, invocation.correlation_id.str());
  request.headers.add(wire::header::deadline_ms, std::to_string(left.count()));
  request.headers.add(wire::header::via, wire::via_header(invocation.via));
  request.headers.add(wire::header::call_nonce, to_base64url(call_nonce));
  if (intent) request.headers.add(wire::header::audit_leaf, wire::leaf_header(*intent));
  if (!own_head.empty()) request.headers.add(wire::header::checkpoint, own_head);
  if (!invocation.idempotency_key.empty())
    request.headers.add(wire::header::idempotency_key, invocation.idempotency_key);
  if (!invocation.traceparent.empty()) request.headers.add(wire::header::traceparent, invocation.traceparent);

  net::Exchange exchange = co_await client_.send(**to, request, invocation.deadline);
  reply.sent = exchange.sent;
  reply.peer = exchange.peer;
  if (!exchange.response) {
    reply.answer = fail(exchange.response.error().in(route.node.str() + " at " + route.endpoint));
  } else {
    read(*exchange.response, route.node, reply);
  }
  co_return reply;
}

Task<Result<net::Response>> PeerClient::ask(const Route& route, net::Request request, SteadyTime deadline) {
  auto to = destination(route);
  if (!to) co_return fail(to.error());
  net::Exchange exchange = co_await client_.send(**to, request, deadline);
  if (!exchange.response) co_return fail(exchange.response.error().in(route.node.str() + " at " + route.endpoint));
  co_return std::move(*exchange.response);
}

Task<Result<PeerClient::Introduced>> PeerClient::ask_anew(const Route& route, net::Request request,
                                                          SteadyTime deadline) {
  auto pooled = destination(route);
  if (!pooled) co_return fail(pooled.error());
  net::Destination alone = **pooled;
  alone.pool_key += " anew";
  request.keep_alive = false;
  net::Exchange exchange = co_await client_.send(alone, request, deadline);
  if (!exchange.response) co_return fail(exchange.response.error().in(route.node.str() + " at " + route.endpoint));
  if (!exchange.peer) co_return fail(Code::internal, "an answer from nobody");
  co_return Introduced{std::move(*exchange.response), std::move(*exchange.peer)};
}

void PeerClient::read(const net::Response& response, const NodeId& node, Reply& reply) {
  reply.bytes = response.body.size();
  reply.answer = wire::parse_peer_answer(parser_, response.body);
  if (reply.answer && reply.answer->success != (response.status == 200)) {
    reply.answer =
        fail(Code::peer_protocol_error, "status " + std::to_string(response.status) + " contradicts its body");
  }
  if (!reply.answer) {
    reply.answer = fail(reply.answer.error().in(node.str() + " answered " + std::to_string(response.status)));
  }
  if (const auto timing = response.headers.find(wire::header::server_timing)) {
    reply.timing = wire::parse_timing_header(*timing);
  }
  if (const auto leaf = response.headers.find(wire::header::audit_leaf)) {
    auto parsed = wire::parse_leaf_header(*leaf);
    // A log belongs to exactly one node; a leaf in somebody else's log proves nothing.
    if (parsed && parsed->log.starts_with(node.str() + "/")) reply.leaf = std::move(*parsed);
  }
  if (const auto head = response.headers.find(wire::header::checkpoint)) {
    auto parsed = wire::parse_head_header(*head);
    if (parsed && parsed->log.starts_with(node.str() + "/")) reply.head = std::move(*parsed);
  }
  if (const auto after = response.headers.find("Retry-After")) {
    std::uint32_t seconds = 0;
    std::from_chars(after->data(), after->data() + after->size(), seconds);
    reply.retry_after = std::chrono::seconds(std::min(seconds, 86'400U));
  }
}

std::size_t PeerClient::purge(const NodeId& node, const net::Ticket& held) {
  std::erase_if(destinations_, [&](const auto& one) { return one.second->server_name == node.view(); });
  return client_.purge(node.str() + ' ', held);
}

}  // namespace fedgate::federation
