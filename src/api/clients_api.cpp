// SPDX-License-Identifier: Apache-2.0
#include "api/clients_api.h"

#include <nlohmann/json.hpp>

namespace fedgate::api {

ClientsApi::ClientsApi(NodeId own_id, const Snapshot<trust::ClientTokens>& tokens, federation::Outbound& outbound,
                       const Clock& clock, const log::Logger& log)
    : own_id_(std::move(own_id)), tokens_(tokens), outbound_(outbound), clock_(clock), log_(log) {}

Task<> ClientsApi::handle(const net::Connection& connection, net::Request& request, net::Response& response) {
  if (auto ok = refuse_browsers(request); !ok) {
    answer_problem(response, ok.error(), Reader::own);
    co_return;
  }
  auto caller = tokens_.get()->authenticate(request.headers.find("Authorization"), clock_.wall());
  if (!caller) {
    log_.info("client not authenticated", {{"remote", connection.remote}, {"detail", caller.error().detail}});
    response.headers.add("WWW-Authenticate", "Bearer realm=\"fedgate\"");
    answer_problem(response, caller.error(), Reader::stranger);
    co_return;
  }
  const auto path = request.path();
  if (path == "/api/v2/federation/invoke") {
    if (request.method != "POST") {
      answer_wrong_method(response, "POST");
    } else if (auto ok = demand_json(request); !ok) {
      answer_problem(response, ok.error(), Reader::own);
    } else {
      co_await outbound_.invoke(*caller, request, response);
    }
  } else if (path == "/api/v2/whoami") {
    if (request.method != "GET") {
      answer_wrong_method(response, "GET");
    } else {
      whoami(*caller, response);
    }
  } else {
    answer_problem(response, Error(Code::not_found, "no such path on the clients listener"), Reader::own);
  }
}

void ClientsApi::whoami(const Caller& caller, net::Response& response) const {
  nlohmann::json body{{"node_id", own_id_.str()},
                      {"principal_id", caller.principal.str()},
                      {"groups", caller.groups},
                      {"may_act_for", nlohmann::json::array()},
                      {"credential_id", caller.credential_id}};
  for (const PrincipalId& other : caller.may_act_for) body["may_act_for"].push_back(other.str());
  answer_json(response, 200, body);
}

}  // namespace fedgate::api
