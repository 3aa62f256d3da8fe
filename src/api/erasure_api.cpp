// SPDX-License-Identifier: Apache-2.0
#include "api/erasure_api.h"

#include <nlohmann/json.hpp>

#include "base/json.h"
#include "fedgate/id.h"
#include "trust/operators.h"

namespace fedgate::api {
namespace {

constexpr std::size_t longest_reason = 256;  // what a leaf holds

struct Wish {
  PrincipalId principal;
  std::string reason;
};

Result<Wish> wish_in(const net::Request& request) {
  if (auto ok = demand_json(request); !ok) return fail(ok.error());
  const auto body = json::parse(request.body);
  if (!body) return fail(body.error());
  const auto text = [&](const char* key) {
    const auto found = body->find(key);
    return found != body->end() && found->is_string() ? found->get<std::string>() : std::string();
  };
  if (!body->is_object() || body->size() != 2 || !body->contains("principal") || !body->contains("reason"))
    return fail(Code::bad_request, "the body is {\"principal\": \"...\", \"reason\": \"...\"}, and nothing else");
  auto principal = PrincipalId::parse(text("principal"));
  if (!principal) return fail(principal.error());
  auto reason = text("reason");
  if (reason.empty() || reason.size() > longest_reason) return fail(Code::bad_request, "a reason has 1 to 256 bytes");
  if (reason.find(principal->view()) != std::string::npos)
    return fail(Code::bad_request, "the reason names the principal, and reasons stay in the trail: leave the name out");
  return Wish{std::move(*principal), std::move(reason)};
}

}  // namespace

bool ErasureApi::serves(std::string_view path) { return path == "/api/v2/audit/erase"; }

Task<Result<void>> ErasureApi::serve(const Operator& who, const net::Request& request, net::Response& response) {
  if (request.method != "POST") {
    answer_wrong_method(response, "POST");
    co_return Result<void>{};
  }
  if (!trust::may(who, Role::trust_admin))
    co_return fail(Code::forbidden, "this needs the role " + std::string(to_string(Role::trust_admin)) + ", " +
                                        who.name + " has " + std::string(to_string(who.role)));
  auto wish = wish_in(request);
  if (!wish) co_return fail(wish.error());
  const auto pseudonym = parts_.salts.known_pseudonym(wish->principal.view());
  if (!pseudonym)
    co_return fail(Code::not_found, "nothing is kept of " + wish->principal.str() +
                                        ": it made no call since its salt was erased, or none at all");
  auto intent = co_await parts_.acts.begin(
      {.who = who.name, .action = "audit_erase", .subject = *pseudonym, .reason = wish->reason});
  if (!intent) co_return fail(intent.error());
  auto erased = co_await parts_.pool.run([&] { return parts_.salts.erase(wish->principal.view()); });
  Result<void> done;
  if (!erased) done = fail(erased.error());
  auto ended = co_await parts_.acts.end(std::move(*intent), std::move(done));
  if (!erased) co_return fail(erased.error());
  if (!ended) co_return fail(ended.error().in("it is erased, but that could not be recorded"));
  answer_json(response, 200, {{"erased", *pseudonym}});
  co_return Result<void>{};
}

}  // namespace fedgate::api
