// SPDX-License-Identifier: Apache-2.0
#include "api/trust_api.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "api/rotation_api.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/time_text.h"
#include "trust/operators.h"
#include "wire/bundle_text.h"

namespace fedgate::api {

using Json = nlohmann::json;

namespace {

constexpr std::string_view list_path = "/api/v2/federation/trust";
constexpr std::string_view nodes_path = "/api/v2/federation/nodes/";
constexpr std::string_view trust_part = "/trust/";
constexpr std::array<std::string_view, 7> actions{"request", "accept", "approve", "revoke",
                                                  "cancel",  "verify", "invite"};
constexpr std::chrono::seconds default_lifetime = std::chrono::hours(24 * 14);
constexpr std::chrono::seconds longest_lifetime = std::chrono::hours(24 * 90);

struct Target {
  NodeId node;
  std::string action;
};

Result<Target> target_of(std::string_view path) {
  const auto rest = path.substr(nodes_path.size());
  const auto at = rest.find(trust_part);
  auto node = NodeId::parse(rest.substr(0, at));
  if (!node) return fail(node.error());
  const auto action = rest.substr(at + trust_part.size());
  if (std::ranges::find(actions, action) == actions.end())
    return fail(Code::not_found, "actions are request, accept, approve, revoke, cancel, verify and invite");
  return Target{std::move(*node), std::string(action)};
}

/// The body's members are texts and flags that the action knows, and no others.
Result<void> only(const Json& body, std::initializer_list<std::string_view> known) {
  for (const auto& [key, value] : body.items())
    if (std::ranges::find(known, key) == known.end())
      return fail(Code::bad_request, "unknown member \"" + key.substr(0, 64) + "\"");
  return {};
}

Result<std::string> text_in(const Json& body, const char* key, std::size_t longest = 4096) {
  const auto found = body.find(key);
  if (found == body.end()) return std::string();
  if (found->is_string() && found->get_ref<const std::string&>().size() <= longest) return found->get<std::string>();
  return fail(Code::bad_request, "member \"" + std::string(key) + "\" must be a text");
}

Json candidate_view(const Candidate& candidate, const std::string& fingerprint) {
  Json view = {{"how", to_string(candidate.how)},
               {"asked", to_string(candidate.asked)},
               {"fingerprint", fingerprint},
               {"bundle_sha256", to_hex(candidate.bundle.sha256)},
               {"certificate_sha256", to_hex(candidate.leaf_sha256)},
               {"key_sha256", to_hex(candidate.leaf_key)},
               {"remote", candidate.remote},
               {"received_at", utc_text(candidate.received_at)},
               {"kept_until", utc_text(candidate.received_at + candidates_kept)},
               {"level_there", candidate.level_there ? Json(to_string(*candidate.level_there)) : Json(nullptr)}};
  if (const auto bundle = wire::parse_bundle(candidate.bundle.text)) {
    auto domains = Json::array();
    for (const auto& domain : bundle->value.principal_domains) domains.push_back(domain.str());
    view["endpoints"] = bundle->value.endpoints;
    view["principal_domains"] = std::move(domains);
    auto anchors = Json::array();
    for (const auto& anchor : bundle->value.anchors)
      if (const auto hash = trust::pem_sha256(anchor)) anchors.push_back(to_hex(*hash));
    view["anchors_sha256"] = std::move(anchors);
    view["pins"] = bundle->value.pins;
  }
  return view;
}

Json invite_view(const Invite& invite) {
  return {{"id", invite.id},
          {"node_id", invite.node.str()},
          {"anchor_sha256", invite.anchor ? Json(to_hex(*invite.anchor)) : Json(nullptr)},
          {"created_at", utc_text(invite.created_at)},
          {"created_by", invite.created_by},
          {"expires_at", utc_text(invite.expires_at)},
          {"used_at", invite.used_at ? Json(utc_text(*invite.used_at)) : Json(nullptr)},
          {"used_by_key", invite.used_by_key ? Json(to_hex(*invite.used_by_key)) : Json(nullptr)}};
}

}  // namespace

Json relationship_view(const federation::Relationship& relationship) {
  Json view = {{"node_id", relationship.node.str()},
               {"trust_level", to_string(relationship.level)},
               {"enabled", relationship.enabled},
               {"next", relationship.next},
               {"candidates", Json::array()},
               {"invites", Json::array()},
               {"verification", nullptr}};
  for (std::size_t i = 0; i < relationship.candidates.size(); ++i)
    view["candidates"].push_back(candidate_view(relationship.candidates[i], relationship.fingerprints[i]));
  for (const auto& invite : relationship.invites) view["invites"].push_back(invite_view(invite));
  if (relationship.row && relationship.row->trusted_since)
    view["trusted_since"] = utc_text(*relationship.row->trusted_since);
  if (relationship.verification)
    view["verification"] = {
        {"at", utc_text(relationship.verification->at)},
        {"good", relationship.verification->good},
        {"detail", relationship.verification->detail},
        {"since",
         relationship.verification->since ? Json(utc_text(*relationship.verification->since)) : Json(nullptr)}};
  return view;
}

bool TrustApi::serves(std::string_view path) {
  return path == list_path || path.starts_with(std::string(list_path) + "/") ||
         (path.starts_with(nodes_path) && path.find(trust_part) != std::string_view::npos);
}

Task<Result<void>> TrustApi::serve(const Operator& who, const net::Request& request, net::Response& response) {
  const bool reads = request.path().starts_with(list_path);
  if (request.method != (reads ? "GET" : "POST")) {
    answer_wrong_method(response, reads ? "GET" : "POST");
    co_return Result<void>{};
  }
  const Role needed = reads ? Role::viewer : Role::trust_admin;
  if (!trust::may(who, needed))
    co_return fail(Code::forbidden, "this needs the role " + std::string(to_string(needed)) + ", " + who.name +
                                        " has " + std::string(to_string(who.role)));
  if (reads) co_return co_await read(request.path(), response);
  auto target = target_of(request.path());
  if (!target) co_return fail(target.error());
  auto body = request.body.empty() ? Result<Json>(Json::object()) : json::parse(request.body);
  if (!request.body.empty())
    if (auto ok = demand_json(request); !ok) co_return ok;
  if (!body) co_return fail(body.error());
  if (!body->is_object()) co_return fail(Code::bad_request, "the body must be an object");
  auto done = co_await act(who.name, std::move(target->node), std::move(target->action), std::move(*body));
  if (!done) co_return fail(done.error());
  answer_json(response, 200, *done);
  co_return Result<void>{};
}

Task<Result<void>> TrustApi::read(std::string_view path, net::Response& response) {
  if (path == list_path) {
    auto all = co_await parts_.desk.list();
    if (!all) co_return fail(all.error());
    auto list = Json::array();
    for (const auto& one : *all) {
      list.push_back(relationship_view(one));
      describe_bundle(list.back(), parts_.exchange.state(one.node));
    }
    answer_json(response, 200, {{"nodes", std::move(list)}});
    co_return Result<void>{};
  }
  auto node = NodeId::parse(path.substr(list_path.size() + 1));
  if (!node) co_return fail(node.error());
  auto one = co_await parts_.desk.show(std::move(*node));
  if (!one) co_return fail(one.error());
  auto view = relationship_view(*one);
  if (one->row) view["expiry"] = parts_.expiry(*one->row);
  describe_bundle(view, parts_.exchange.state(one->node));
  answer_json(response, 200, view);
  co_return Result<void>{};
}

Task<Result<Json>> TrustApi::act(std::string who, NodeId node, std::string action, Json body) {
  if (action == "invite") co_return co_await invite(std::move(who), std::move(node), std::move(body));
  if (action == "revoke") co_return co_await revoke(std::move(who), std::move(node), std::move(body));
  const auto known = action == "approve"   ? only(body, {"fingerprint", "reinstate"})
                     : action == "request" ? only(body, {"url"})
                     : action == "accept"  ? only(body, {"token"})
                                           : only(body, {});
  if (!known) co_return fail(known.error());
  const auto fingerprint = text_in(body, "fingerprint");
  const auto url = text_in(body, "url");
  const auto token = text_in(body, "token");
  const auto reinstate = body.value("reinstate", Json(false));
  if (!fingerprint) co_return fail(fingerprint.error());
  if (!url) co_return fail(url.error());
  if (!token) co_return fail(token.error());
  if (!reinstate.is_boolean()) co_return fail(Code::bad_request, "member \"reinstate\" must be true or false");
  Result<federation::Relationship> done = fail(Code::not_found, "no such action");
  if (action == "request") {
    done = co_await parts_.desk.request(parts_.worker, who, *url, node);
  } else if (action == "accept") {
    done = co_await parts_.desk.accept(parts_.worker, who, *token);
  } else if (action == "approve") {
    done = co_await parts_.desk.approve(who, node, *fingerprint, reinstate.get<bool>());
  } else if (action == "cancel") {
    done = co_await parts_.desk.cancel(who, node);
  } else if (action == "verify") {
    done = co_await parts_.desk.verify(parts_.peers, node);
  }
  if (!done) co_return fail(done.error());
  co_return relationship_view(*done);
}

Task<Result<Json>> TrustApi::invite(std::string who, NodeId node, Json body) {
  if (auto ok = only(body, {"anchor_sha256", "expires_seconds"}); !ok) co_return fail(ok.error());
  const auto anchor_text = text_in(body, "anchor_sha256");
  if (!anchor_text) co_return fail(anchor_text.error());
  std::optional<Sha256> anchor;
  if (!anchor_text->empty()) {
    const auto parsed = sha256_from_hex(*anchor_text);
    if (!parsed) co_return fail(parsed.error());
    anchor = *parsed;
  }
  auto lifetime = default_lifetime;
  if (const auto wanted = body.find("expires_seconds"); wanted != body.end()) {
    if (!wanted->is_number_unsigned() || wanted->get<std::uint64_t>() < 60 ||
        wanted->get<std::uint64_t>() > static_cast<std::uint64_t>(longest_lifetime.count()))
      co_return fail(Code::bad_request, "an invite lives from a minute to 90 days");
    lifetime = std::chrono::seconds(wanted->get<std::int64_t>());
  }
  auto made = co_await parts_.desk.invite(std::move(who), node, anchor, lifetime);
  if (!made) co_return fail(made.error());
  auto view = invite_view(made->invite);
  view["token"] = made->token;
  view["next"] = "operator of " + node.str() + ": `fedgate trust accept` with this token";
  co_return view;
}

Task<Result<Json>> TrustApi::revoke(std::string who, NodeId node, Json body) {
  if (auto ok = only(body, {"reason"}); !ok) co_return fail(ok.error());
  const auto reason = text_in(body, "reason", 200);
  if (!reason) co_return fail(reason.error());
  if (reason->empty()) co_return fail(Code::bad_request, "say why: the trail keeps it (\"reason\", up to 200 bytes)");
  auto done = co_await parts_.narrow(node.str(), {.level = TrustLevel::revoked},
                                     {.type = EventType::federation_node_revoked,
                                      .who = who,
                                      .action = "trust_revoke",
                                      .subject = node.str(),
                                      .reason = *reason});
  if (!done) co_return fail(done.error());
  (*done)["next"] = "nobody; `fedgate trust approve " + node.str() + " --reinstate` lifts the revocation";
  co_return std::move(*done);
}

}  // namespace fedgate::api
