// SPDX-License-Identifier: Apache-2.0
#include "api/rotation_api.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/hash.h"
#include "base/json.h"
#include "trust/enrolment.h"
#include "trust/operators.h"

namespace fedgate::api {

using Json = nlohmann::json;

namespace {

constexpr std::string_view announce_path = "/api/v2/federation/trust/announce";
constexpr std::string_view retire_path = "/api/v2/federation/trust/retire";

Json names(const std::vector<NodeId>& nodes) {
  auto list = Json::array();
  for (const auto& node : nodes) list.push_back(node.str());
  return list;
}

std::string next_of(const federation::BundleExchange::Rotation& rotation) {
  if (!rotation.left_behind.empty())
    return "you: take the anchor out of trust.anchors; those left behind enrol again (`fedgate trust invite`)";
  if (!rotation.uncertified.empty())
    return "operators of " + std::to_string(rotation.waiting.size()) +
           " other nodes: no cross certificate speaks for the new anchor, so each compares the fingerprint and "
           "approves";
  if (!rotation.waiting.empty())
    return "nobody: the nodes that wait fetch it by themselves; `fedgate trust announce` again shows who is left";
  return "nobody: everybody has it";
}

Json rotation_view(const federation::BundleExchange::Rotation& rotation) {
  auto anchors = Json::array();
  for (const auto& pem : rotation.bundle.value.anchors)
    if (const auto hash = trust::pem_sha256(pem)) anchors.push_back(to_hex(*hash));
  return {{"seq", rotation.bundle.value.seq},
          {"bundle_sha256", to_hex(rotation.bundle.sha256)},
          {"anchors_sha256", std::move(anchors)},
          {"uncertified_sha256", rotation.uncertified},
          {"waiting", names(rotation.waiting)},
          {"left_behind", names(rotation.left_behind)},
          {"next", next_of(rotation)}};
}

Result<std::string> text_in(const Json& body, const char* key) {
  const auto found = body.find(key);
  if (found == body.end()) return std::string();
  if (found->is_string()) return found->get<std::string>();
  return fail(Code::bad_request, "member \"" + std::string(key) + "\" must be a text");
}

Result<void> only(const Json& body, std::initializer_list<std::string_view> known) {
  for (const auto& [key, value] : body.items())
    if (std::ranges::find(known, key) == known.end())
      return fail(Code::bad_request, "unknown member \"" + key.substr(0, 64) + "\"");
  return {};
}

}  // namespace

bool RotationApi::serves(std::string_view path) { return path == announce_path || path == retire_path; }

Task<Result<void>> RotationApi::serve(const Operator& who, const net::Request& request, net::Response& response) {
  if (request.method != "POST") {
    answer_wrong_method(response, "POST");
    co_return Result<void>{};
  }
  if (!trust::may(who, Role::trust_admin))
    co_return fail(Code::forbidden, "this needs the role " + std::string(to_string(Role::trust_admin)) + ", " +
                                        who.name + " has " + std::string(to_string(who.role)));
  auto body = request.body.empty() ? Result<Json>(Json::object()) : json::parse(request.body);
  if (!request.body.empty())
    if (auto ok = demand_json(request); !ok) co_return ok;
  if (!body) co_return fail(body.error());
  if (!body->is_object()) co_return fail(Code::bad_request, "the body must be an object");
  const bool announces = request.path() == announce_path;
  if (auto ok = announces ? only(*body, {"cross_certificates"}) : only(*body, {"anchor_sha256", "force"}); !ok)
    co_return ok;
  Result<federation::BundleExchange::Rotation> done = fail(Code::internal, "nothing was done");
  if (announces) {
    const auto crosses = text_in(*body, "cross_certificates");
    if (!crosses) co_return fail(crosses.error());
    done = co_await exchange_.announce(who.name, *crosses);
  } else {
    const auto text = text_in(*body, "anchor_sha256");
    const auto anchor = text ? sha256_from_hex(*text) : Result<Sha256>(fail(text.error()));
    if (!anchor) co_return fail(Code::bad_request, "anchor_sha256: " + anchor.error().detail);
    const auto force = body->value("force", Json(false));
    if (!force.is_boolean()) co_return fail(Code::bad_request, "member \"force\" must be true or false");
    using Force = federation::BundleExchange::Force;
    done = co_await exchange_.retire(who.name, *anchor, force.get<bool>() ? Force::yes : Force::no);
  }
  if (!done) co_return fail(done.error());
  answer_json(response, 200, rotation_view(*done));
  co_return Result<void>{};
}

void describe_bundle(Json& view, const federation::BundleState& state) {
  Json bundle = {
      {"offered_seq", state.offered == 0 ? Json(nullptr) : Json(state.offered)},
      {"known_seq", nullptr},
      {"known_sha256", nullptr},
      {"acknowledged_by_us", state.acknowledged},
      {"acknowledged_by_it_seq", state.acknowledged_by_it == 0 ? Json(nullptr) : Json(state.acknowledged_by_it)},
      {"acknowledged_by_it", state.current},
      {"fingerprint", state.fingerprint}};
  if (state.known) {
    bundle["known_seq"] = state.known->seq;
    bundle["known_sha256"] = to_hex(state.known->sha256);
  }
  view["bundle"] = std::move(bundle);
  if (!state.waits.empty()) view["next"] = state.waits;
}

}  // namespace fedgate::api
