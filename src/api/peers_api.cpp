// SPDX-License-Identifier: Apache-2.0
#include "api/peers_api.h"

#include <nlohmann/json.hpp>

#include "base/hash.h"
#include "fedgate/levels.h"

namespace fedgate::api {

PeersApi::PeersApi(About about, federation::Inbound& inbound, federation::BundleExchange& exchange,
                   federation::Trail& trail, federation::AuditExchange& audit, const Snapshot<nodes::NodeTable>& nodes,
                   std::function<bool()> draining)
    : about_(std::move(about)),
      inbound_(inbound),
      exchange_(exchange),
      trail_(trail),
      witness_(audit),
      nodes_(nodes),
      draining_(std::move(draining)) {}

Task<> PeersApi::serve_bundle(const PeerIdentity& peer, const net::Request& request, net::Response& response) {
  auto nonce = net::query_value(request.query(), "nonce").value_or(std::string());
  auto body = co_await exchange_.serve(peer.node, std::move(nonce));
  if (!body) co_return answer_problem(response, body.error(), Reader::stranger);
  response.headers.add("Content-Type", "application/json");
  response.body = std::move(*body);
}

Task<> PeersApi::tell_of_calls(const PeerIdentity& peer, net::Request& request, net::Response& response) {
  if (auto json = demand_json(request); !json) co_return answer_problem(response, json.error(), Reader::stranger);
  auto body = co_await trail_.answer(peer.node, std::move(request.body));
  if (!body) {
    if (body.error().code == Code::rate_limited) response.headers.add("Retry-After", "1");
    co_return answer_problem(response, body.error(), Reader::stranger);
  }
  response.headers.add("Content-Type", "application/json");
  response.body = std::move(*body);
}

Task<> PeersApi::take_acknowledgement(const PeerIdentity& peer, net::Request& request, net::Response& response) {
  auto done = demand_json(request);
  if (done) done = co_await exchange_.acknowledged(peer, std::move(request.body));
  if (!done) co_return answer_problem(response, done.error(), Reader::stranger);
  answer_json(response, 200, {{"success", true}});
}

Task<> PeersApi::handle(const net::Connection& connection, net::Request& request, net::Response& response) {
  if (!connection.peer) {
    response.close = true;
    answer_problem(response, Error(Code::unauthenticated, "no certificate"), Reader::stranger);
    co_return;
  }
  witness_.contact(connection.peer->node);
  const auto path = request.path();
  if (path == "/api/v2/federation/invoke") {
    if (request.method != "POST") {
      answer_wrong_method(response, "POST");
    } else if (auto ok = demand_json(request); !ok) {
      answer_problem(response, ok.error(), Reader::stranger);
    } else {
      co_await inbound_.invoke(*connection.peer, request, response);
    }
    co_return;
  }
  // Trust is checked on every request, not only when the connection began.
  const Node* node = nodes_.get()->find(connection.peer->node);
  if (node == nullptr || !may(*node, Act::connect)) {
    response.close = true;
    answer_problem(response, Error(Code::node_not_trusted, ""), Reader::stranger);
  } else if (path == "/api/v2/health" && request.method == "GET") {
    nlohmann::json health = {{"status", draining_() ? "draining" : "healthy"},
                             {"node_id", about_.node_id.str()},
                             {"version", about_.version}};
    if (const auto bundle = exchange_.published()) {
      health["bundle_seq"] = bundle->seq;
      health["bundle_sha256"] = to_hex(bundle->sha256);
    }
    answer_json(response, 200, health);
  } else if (path == "/api/v2/federation/info" && request.method == "GET") {
    answer_json(response, 200,
                {{"node_id", about_.node_id.str()},
                 {"name", about_.name},
                 {"version", about_.version},
                 {"you", connection.peer->node.str()}});
  } else if (path == "/api/v2/federation/trust/bundle" && request.method == "GET") {
    co_await serve_bundle(*connection.peer, request, response);
  } else if (path == "/api/v2/federation/trust/ack" && request.method == "POST") {
    co_await take_acknowledgement(*connection.peer, request, response);
  } else if (WitnessApi::serves(path)) {
    co_await witness_.serve(connection.peer->node, request, response);
  } else if (path == "/api/v2/federation/audit/query" && request.method == "POST") {
    co_await tell_of_calls(*connection.peer, request, response);
  } else if (path == "/api/v2/federation/verify" && request.method == "POST") {
    // What we see of the other side, so that its operator need not guess.
    answer_json(response, 200,
                {{"success", true},
                 {"node_id", about_.node_id.str()},
                 {"you", connection.peer->node.str()},
                 {"trust_level", to_string(node->trust_level)},
                 {"certificate_info",
                  {{"sha256", to_hex(connection.peer->certificate)},
                   {"public_key_sha256", to_hex(connection.peer->public_key)}}}});
  } else {
    answer_problem(response, Error(Code::not_found, ""), Reader::stranger);
  }
}

}  // namespace fedgate::api
