// SPDX-License-Identifier: Apache-2.0
#include "api/peers_api.h"

#include <nlohmann/json.hpp>

namespace fedgate::api {

PeersApi::PeersApi(About about, federation::Inbound& inbound, const Snapshot<nodes::NodeTable>& nodes,
                   std::function<bool()> draining)
    : about_(std::move(about)), inbound_(inbound), nodes_(nodes), draining_(std::move(draining)) {}

Task<> PeersApi::handle(const net::Connection& connection, net::Request& request, net::Response& response) {
  if (!connection.peer) {
    response.close = true;
    answer_problem(response, Error(Code::unauthenticated, "no certificate"), Reader::stranger);
    co_return;
  }
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
  if (node == nullptr || !node->usable()) {
    response.close = true;
    answer_problem(response, Error(Code::node_not_trusted, ""), Reader::stranger);
  } else if (path == "/api/v2/health" && request.method == "GET") {
    answer_json(response, 200,
                {{"status", draining_() ? "draining" : "healthy"},
                 {"node_id", about_.node_id.str()},
                 {"version", about_.version}});
  } else if (path == "/api/v2/federation/info" && request.method == "GET") {
    answer_json(response, 200,
                {{"node_id", about_.node_id.str()},
                 {"name", about_.name},
                 {"version", about_.version},
                 {"you", connection.peer->node.str()}});
  } else {
    answer_problem(response, Error(Code::not_found, ""), Reader::stranger);
  }
}

}  // namespace fedgate::api
