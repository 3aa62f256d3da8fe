// SPDX-License-Identifier: Apache-2.0
#include "api/signing_api.h"

#include <nlohmann/json.hpp>

#include "base/json.h"
#include "base/utf8.h"
#include "trust/operators.h"

namespace fedgate::api {

namespace {

constexpr std::string_view new_log_path = "/api/v2/audit/new-log";
constexpr std::string_view rotate_path = "/api/v2/audit/rotate-key";
constexpr std::size_t longest_reason = 256;  // what a leaf holds

Result<std::string> reason_in(const net::Request& request) {
  if (auto ok = demand_json(request); !ok) return fail(ok.error());
  const auto body = json::parse(request.body);
  if (!body) return fail(body.error());
  if (!body->is_object() || body->size() != 1 || !body->contains("reason") || !(*body)["reason"].is_string())
    return fail(Code::bad_request, "the body is {\"reason\": \"...\"}, and nothing else");
  auto reason = (*body)["reason"].get<std::string>();
  if (reason.empty() || reason.size() > longest_reason)
    return fail(Code::bad_request,
                "a reason has 1 to 256 bytes: it is the first that anybody who checks the new log will read");
  return reason;
}

}  // namespace

bool SigningApi::serves(std::string_view path) { return path == new_log_path || path == rotate_path; }

Task<Result<void>> SigningApi::serve(const Operator& who, const net::Request& request, net::Response& response) {
  if (request.method != "POST") {
    answer_wrong_method(response, "POST");
    co_return Result<void>{};
  }
  if (!trust::may(who, Role::trust_admin))
    co_return fail(Code::forbidden, "this needs the role " + std::string(to_string(Role::trust_admin)) + ", " +
                                        who.name + " has " + std::string(to_string(who.role)));
  if (request.path() == new_log_path) co_return co_await new_log(who, request, response);
  co_return co_await rotate(who, response);
}

Task<Result<void>> SigningApi::new_log(const Operator& who, const net::Request& request, net::Response& response) {
  auto reason = reason_in(request);
  if (!reason) co_return fail(reason.error());
  auto intent =
      co_await parts_.acts.begin({.who = who.name, .action = "audit_new_log", .subject = {}, .reason = *reason});
  if (!intent) co_return fail(intent.error());
  auto number = co_await parts_.pool.run([&] { return parts_.new_log(who.name, *reason); });
  Result<void> done;
  if (!number) done = fail(number.error());
  auto ended = co_await parts_.acts.end(std::move(*intent), std::move(done));
  if (!number) co_return fail(number.error());
  if (!ended) co_return fail(ended.error().in("it is asked for, but how that ended could not be recorded"));
  answer_json(response, 200,
              {{"generation", *number},
               {"next",
                "you: restart the gateway, the new log begins then; after that the operators of the nodes that "
                "trust this one approve it (`fedgate trust show` there says so)"}});
  co_return Result<void>{};
}

Task<Result<void>> SigningApi::rotate(const Operator& who, net::Response& response) {
  auto intent = co_await parts_.acts.begin({.who = who.name, .action = "audit_rotate_key", .subject = {}});
  if (!intent) co_return fail(intent.error());
  auto key = co_await parts_.pool.run([&] { return parts_.rotate(who.name); });
  Result<void> done;
  if (!key) done = fail(key.error());
  auto ended = co_await parts_.acts.end(std::move(*intent), std::move(done));
  if (!key) co_return fail(key.error());
  if (!ended) co_return fail(ended.error().in("the key is another, but how that ended could not be recorded"));
  answer_json(
      response, 200,
      {{"key", *key}, {"next", "nobody: the log names the key, both have signed, and our bundle tells the others"}});
  co_return Result<void>{};
}

}  // namespace fedgate::api
