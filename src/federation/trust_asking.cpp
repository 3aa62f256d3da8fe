// SPDX-License-Identifier: Apache-2.0
//
// The asking side of an enrolment: one connection, two requests, everything judged by trust/initiator.h.
#include <set>

#include "base/json.h"
#include "federation/trust_desk.h"
#include "net/address.h"
#include "net/enrolment_connection.h"
#include "trust/initiator.h"
#include "wire/bundle_text.h"
#include "wire/trust_dialogue.h"

namespace fedgate::federation {

namespace {

constexpr std::chrono::seconds dialogue_time{10};
constexpr const char* challenge_path = "/api/v2/federation/trust/challenge";
constexpr const char* trust_path = "/api/v2/federation/trust";

Task<Result<std::string>> post(net::EnrolmentConnection& connection, const char* path, std::string body,
                               SteadyTime deadline) {
  net::Request request;
  request.method = "POST";
  request.target = path;
  request.headers.add("Content-Type", "application/json");
  request.body = std::move(body);
  auto answer = co_await connection.send(request, deadline);
  if (!answer) co_return fail(answer.error());
  if (answer->status == 200) co_return std::move(answer->body);
  co_return fail(Code::peer_refused, "the other gateway refuses (" + std::to_string(answer->status) +
                                         "); it tells its own operator why: ask them to look into their log, whether "
                                         "the invite is open, or whether trust.enrolment lets us ask");
}

/// Whether nothing is left to decide: the node is trusted already, by the very anchors that the bundle names.
bool holds_already(const Node* row, const Candidate& candidate) {
  if (row == nullptr || row->trust_level != TrustLevel::trusted) return false;
  const auto bundle = wire::parse_bundle(candidate.bundle.text);
  if (!bundle) return false;
  const auto digests = [](const std::vector<std::string>& anchors) {
    std::set<Sha256> all;
    for (const auto& pem : anchors)
      if (const auto digest = trust::pem_sha256(pem)) all.insert(*digest);
    return all;
  };
  return digests(bundle->value.anchors) == digests(row->trust_anchors);
}

Result<net::Destination> destination_of(const std::string& url, const NodeId& expected, const OwnTrust& own) {
  const auto parsed = net::parse_url(url);
  if (!parsed || parsed->scheme != "https" || !parsed->path.empty())
    return fail(Code::bad_request, "\"" + url.substr(0, 100) + "\": write https://host:port, nothing else");
  auto tls = net::EnrolmentConnection::make_tls(own.client_certificate, own.client_key);
  if (!tls) return fail(tls.error().in("our own certificate"));
  net::Destination to;
  to.host = parsed->host;
  to.port = parsed->port;
  to.host_header = to.server_name = expected.str();
  to.tls = std::move(*tls);
  return to;
}

}  // namespace

Task<Result<Relationship>> TrustDesk::request(Worker& worker, std::string who, std::string url, NodeId node) {
  co_return co_await ask(worker, std::move(who), std::move(url), std::move(node), std::nullopt);
}

Task<Result<Relationship>> TrustDesk::accept(Worker& worker, std::string who, std::string token) {
  auto parsed = trust::parse_token(token);
  if (!parsed) co_return fail(parsed.error());
  const auto url = parsed->endpoint;
  const auto node = parsed->node;
  co_return co_await ask(worker, std::move(who), url, node, std::move(*parsed));
}

Task<Result<Relationship>> TrustDesk::ask(Worker& worker, std::string who, std::string url, NodeId expected,
                                          std::optional<trust::InviteToken> token) {
  const auto own = parts_.own.load();
  const auto deadline = worker.wheel().now() + dialogue_time;
  auto bundle = co_await parts_.pool.run([&] { return own_bundle(records_, *own, parts_.clock.wall()); });
  if (!bundle) co_return fail(bundle.error());
  const auto table = parts_.registry.table().load();
  const auto us = as_client(*own, std::move(*bundle));
  trust::Initiator initiator(us, token, expected, table->all(), parts_.clock, parts_.entropy);
  const auto begun = initiator.begin();
  if (!begun) co_return fail(begun.error());
  (void)co_await parts_.acts.note(
      {.who = who, .action = token ? "trust_accept" : "trust_request", .subject = expected.str(), .reason = url});
  auto to = destination_of(url, expected, *own);
  if (!to) co_return fail(to.error());
  auto connection = co_await net::EnrolmentConnection::open(worker, *to, deadline);
  if (!connection) co_return fail(connection.error().in(url));
  const auto link = trust::enrolment_link(connection->server(), url);
  if (!link) co_return fail(link.error());

  // 1 and 2: the challenge, and who gives it. What does not hold is a violation: the trail shall know.
  json::Parser parser;
  auto challenge_body = co_await post(*connection, challenge_path, wire::challenge_request_body(*begun), deadline);
  if (!challenge_body) co_return fail(challenge_body.error().in(url));
  auto challenge = wire::parse_challenge_answer(parser, *challenge_body);
  auto checked = challenge ? initiator.check(*challenge, *link) : Result<Candidate>(fail(challenge.error()));
  if (!checked) {
    co_await record_refusal(expected.str(), url, checked.error());
    co_return fail(checked.error());
  }
  auto pending = co_await store(*checked);
  if (!pending) co_return fail(pending.error());
  // 3 and 4: our proof and theirs.
  auto proof = initiator.prove();
  if (!proof) co_return fail(proof.error());
  auto answer_body = co_await post(*connection, trust_path, wire::trust_request_body(*proof), deadline);
  if (!answer_body) co_return fail(answer_body.error().in(url));
  auto answer = wire::parse_trust_answer(parser, *answer_body);
  auto concluded = answer ? initiator.conclude(*answer) : Result<Candidate>(fail(answer.error()));
  if (!concluded) {
    co_await record_refusal(expected.str(), url, concluded.error());
    co_return fail(concluded.error());
  }
  connection->close();
  auto stored = co_await store(*concluded);
  if (!stored) co_return fail(stored.error());
  if (initiator.decided()) {
    auto installed = co_await install(who, "invite " + token->id + " of " + concluded->node.str(), *concluded, false);
    if (!installed) co_return fail(installed.error());
  } else if (holds_already(table->find(concluded->node), *concluded)) {
    auto forgotten = co_await parts_.pool.run([&]() -> Result<void> {
      if (auto removed = records_.remove_candidates(concluded->node); !removed) return fail(removed.error());
      return look();
    });
    if (!forgotten) co_return fail(forgotten.error());
    parts_.verifications.soon(concluded->node);
  } else {
    parts_.metrics.trust_establishment("pending").Increment();
  }
  co_return co_await show(concluded->node);
}

}  // namespace fedgate::federation
