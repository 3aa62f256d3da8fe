// SPDX-License-Identifier: Apache-2.0
#include "api/witness_api.h"

#include <string>

namespace fedgate::api {

namespace {

constexpr std::string_view add_checkpoint_path = "/api/v2/federation/audit/add-checkpoint";
constexpr std::string_view checkpoint_path = "/api/v2/federation/audit/checkpoint";
constexpr std::string_view proof_path = "/api/v2/federation/audit/proof";

void refuse(net::Response& response, const Error& error) {
  if (error.code == Code::rate_limited) response.headers.add("Retry-After", "5");
  answer_problem(response, error, Reader::stranger);
}

}  // namespace

bool WitnessApi::serves(std::string_view path) {
  return path == add_checkpoint_path || path == checkpoint_path || path == proof_path;
}

Task<> WitnessApi::serve(const NodeId& peer, net::Request& request, net::Response& response) {
  const bool adds = request.path() == add_checkpoint_path;
  const std::string_view method = adds ? "POST" : "GET";
  if (request.method != method) co_return answer_wrong_method(response, method);
  if (adds) {
    auto answer = co_await exchange_.witness.add_checkpoint(peer, std::move(request.body));
    if (!answer) co_return refuse(response, answer.error());
    response.status = answer->status;
    response.headers.add("Content-Type", answer->content_type);
    response.body = std::move(answer->body);
    co_return;
  }
  Result<std::string> body;
  if (request.path() == checkpoint_path) {
    auto log = net::query_value(request.query(), "log").value_or(std::string());
    body = co_await exchange_.witness.checkpoint(peer, std::move(log));
  } else {
    body = co_await exchange_.witness.proof(peer, std::string(request.query()));
  }
  if (!body) co_return refuse(response, body.error());
  response.headers.add("Content-Type", wire::content_type::plain);
  response.body = std::move(*body);
}

}  // namespace fedgate::api
