// SPDX-License-Identifier: Apache-2.0
#include "api/answers.h"

#include <nlohmann/json.hpp>

#include "fedgate/result.h"
#include "wire/call.h"

namespace fedgate::api {

void answer_json(net::Response& response, std::uint16_t status, const nlohmann::json& body) {
  response.status = status;
  response.headers.add("Content-Type", "application/json");
  response.body = body.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

void answer_text(net::Response& response, std::uint16_t status, std::string body) {
  response.status = status;
  response.headers.add("Content-Type", "text/plain; charset=utf-8");
  response.body = std::move(body);
}

void answer_problem(net::Response& response, const Error& error, Reader reader) {
  response.status = error.info().http_status;
  response.headers.add("Content-Type", "application/problem+json");
  wire::Problem problem;
  problem.code = error.code;
  if (reader == Reader::own) problem.detail = error.detail;
  response.body = wire::problem_body(problem);
}

void answer_wrong_method(net::Response& response, std::string_view allowed) {
  response.headers.add("Allow", allowed);
  answer_problem(response, Error(Code::method_not_allowed, "allowed here: " + std::string(allowed)), Reader::own);
}

Result<void> demand_json(const net::Request& request) {
  const auto type = request.headers.find("Content-Type");
  if (type) {
    auto name = type->substr(0, type->find(';'));
    while (!name.empty() && name.back() == ' ') name.remove_suffix(1);
    if (name == "application/json") return {};
  }
  return fail(Code::unsupported_media_type, "send the body with Content-Type: application/json");
}

Result<void> refuse_browsers(const net::Request& request) {
  if (!request.headers.find("Origin")) return {};
  return fail(Code::forbidden, "requests from browsers (with an Origin header) are not allowed on this listener");
}

}  // namespace fedgate::api
