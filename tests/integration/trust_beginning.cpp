// SPDX-License-Identifier: Apache-2.0
//
// Promise: trust begins in three ways, each by both organisations' will, and in no other; what is half finished
// survives a restart on both sides, and both say who must act next.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/hash.h"
#include "net/address.h"
#include "net/enrolment_connection.h"
#include "support/eventually.h"
#include "support/federation.h"

namespace fedgate::test {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr const char* nodes = "/api/v2/federation/nodes/";

class TrustBeginning : public testing::Test {
 protected:
  Federation federation{2};
  Organisation& a = federation.a();
  Organisation& b = federation.b();
  TestClient& client = federation.client;

  void start(Enrolment of_b = Enrolment::invites) {
    b.settings.trust.enrolment = of_b;
    a.start();
    b.start();
  }
  Answer act(Organisation& who, const Organisation& about, const std::string& action,
             const json& body = json::object()) {
    return who.operate(client, "POST", nodes + about.id.str() + "/trust/" + action, body);
  }
  json show(Organisation& who, const Organisation& about) {
    return who.operate(client, "GET", "/api/v2/federation/trust/" + about.id.str()).body;
  }
  std::string level(Organisation& who, const Organisation& about) {
    const auto shown = show(who, about);
    return shown.is_object() && shown.contains("trust_level") ? shown["trust_level"].get<std::string>() : "unknown";
  }
  std::string fingerprint(Organisation& who, const Organisation& about) {
    const auto shown = show(who, about);
    return shown["candidates"].at(0)["fingerprint"].get<std::string>();
  }
  static std::string url(const Organisation& of) { return "https://" + of.gateway->peers_address(); }
  static std::string anchor_of(const Organisation& org) {
    return to_hex(trust::certificate_facts(org.ca.certificate_pem).value().sha256);
  }
  std::string invite(Organisation& from, const Organisation& whom, const json& body = json::object()) {
    const auto made = act(from, whom, "invite", body);
    EXPECT_EQ(made.status, 200) << made.text;
    return made.body.value("token", "");
  }
  std::uint16_t call(Organisation& from, const Organisation& to) {
    json body = call_of(to.id.str()[3], "lookup");
    body["target_node_id"] = to.id.str();
    return from.invoke(client, body).status;
  }
  std::vector<store::AuditRow> events(const Organisation& of, const std::string& type) {
    store::AuditQuery query;
    query.event_type = type;
    return of.trail(query);
  }
  bool verified(Organisation& who, const Organisation& about) {
    return eventually([&] {
      const auto shown = show(who, about)["verification"];
      return shown.is_object() && shown["good"] == true;
    });
  }
};

TEST_F(TrustBeginning, ByARequestThatBothOperatorsApprove) {
  start(Enrolment::open);
  const auto asked = act(a, b, "request", {{"url", url(b)}});
  ASSERT_EQ(asked.status, 200) << asked.text;
  EXPECT_EQ(asked.body["trust_level"], "pending");
  EXPECT_THAT(asked.body["next"].get<std::string>(), HasSubstr("compare the fingerprint"));
  ASSERT_EQ(level(b, a), "pending");
  const auto pair = fingerprint(a, b);
  EXPECT_EQ(pair, fingerprint(b, a)) << "what the operators read to each other";
  EXPECT_EQ(show(a, b)["candidates"][0]["asked"], "outgoing");
  EXPECT_EQ(show(b, a)["candidates"][0]["asked"], "incoming");
  EXPECT_THAT(a.operate(client, "GET", "/api/v2/status").body["attention"].dump(),
              HasSubstr("trust with orgb.example"));
  EXPECT_EQ(b.operate(client, "GET", "/api/v2/federation/nodes").body["nodes"].size(), 0U) << "a candidate is no node";
  EXPECT_NE(call(a, b), 200);

  auto wrong = pair;
  wrong[0] = wrong[0] == 'A' ? 'B' : 'A';
  EXPECT_EQ(act(b, a, "approve", {{"fingerprint", wrong}}).status, 409);
  EXPECT_EQ(act(b, a, "approve", {{"fingerprint", pair.substr(0, 19)}}).status, 400);
  EXPECT_EQ(act(b, a, "approve").status, 400);
  EXPECT_EQ(level(b, a), "pending");

  EXPECT_EQ(act(a, b, "approve", {{"fingerprint", pair}}).body["trust_level"], "trusted");
  EXPECT_NE(call(a, b), 200) << "one side is not both";
  ASSERT_EQ(act(b, a, "approve", {{"fingerprint", pair}}).status, 200);
  EXPECT_EQ(call(a, b), 200);
  EXPECT_EQ(call(b, a), 200);
  EXPECT_TRUE(verified(b, a));
  EXPECT_EQ(act(a, b, "verify").body["verification"]["good"], true);
  EXPECT_THAT(show(a, b)["next"].get<std::string>(), HasSubstr("nobody"));
  for (auto* org : {&a, &b}) {
    const auto trusted = events(*org, "federation_node_trusted");
    ASSERT_FALSE(trusted.empty());
    EXPECT_THAT(trusted.front().principal, HasSubstr("uid:"));
    EXPECT_THAT(trusted.front().reason + trusted.back().reason, HasSubstr(pair));
  }
}

TEST_F(TrustBeginning, ByAnInviteThatNamesTheCa) {
  start();
  const auto token = invite(b, a, {{"anchor_sha256", anchor_of(a)}});
  EXPECT_THAT(show(b, a)["next"].get<std::string>(), HasSubstr("operator of orga.example"));
  const auto accepted = act(a, b, "accept", {{"token", token}});
  ASSERT_EQ(accepted.status, 200) << accepted.text;
  EXPECT_EQ(accepted.body["trust_level"], "trusted");
  EXPECT_EQ(level(b, a), "trusted");
  EXPECT_EQ(call(a, b), 200);
  EXPECT_EQ(call(b, a), 200);
  EXPECT_TRUE(verified(a, b));
  EXPECT_TRUE(verified(b, a));
  EXPECT_EQ(events(b, "federation_node_trusted").empty(), false);
  EXPECT_EQ(act(a, b, "accept", {{"token", token}}).status, 200) << "the same once more";
  EXPECT_EQ(call(a, b), 200);
}

TEST_F(TrustBeginning, ByAnInviteWithoutTheCaTheInviterApproves) {
  start();
  ASSERT_EQ(act(a, b, "accept", {{"token", invite(b, a)}}).status, 200);
  EXPECT_EQ(level(a, b), "trusted");
  EXPECT_EQ(level(b, a), "pending");
  EXPECT_NE(call(a, b), 200);
  ASSERT_EQ(act(b, a, "approve", {{"fingerprint", fingerprint(b, a)}}).status, 200);
  EXPECT_EQ(call(a, b), 200);
  EXPECT_EQ(call(b, a), 200);
}

TEST_F(TrustBeginning, ByConfigurationAndThenVerified) {
  start();
  a.trust_node(b.as_node());
  EXPECT_EQ(act(a, b, "verify").body["verification"]["good"], false) << "the other side does not know us";
  EXPECT_THAT(show(a, b)["next"].get<std::string>(), HasSubstr("operator of orgb.example"));
  b.trust_node(a.as_node());
  EXPECT_EQ(act(a, b, "verify").body["verification"]["good"], true);
  EXPECT_EQ(act(b, a, "verify").body["verification"]["good"], true);
}

TEST_F(TrustBeginning, WhoMayNotAsk) {
  start(Enrolment::closed);
  EXPECT_EQ(act(b, a, "invite").status, 409);
  EXPECT_NE(act(a, b, "request", {{"url", url(b)}}).status, 200);
  EXPECT_EQ(level(b, a), "unknown");
  b.stop();
  b.settings.trust.enrolment = Enrolment::invites;
  b.start();
  EXPECT_NE(act(a, b, "request", {{"url", url(b)}}).status, 200) << "no invite is open";
  const auto token = invite(b, a);
  const auto uninvited = act(a, b, "request", {{"url", url(b)}});
  EXPECT_EQ(uninvited.code(), "peer_refused") << uninvited.text;
  EXPECT_THAT(events(b, "security_violation").at(0).reason, HasSubstr("without an invite"));
  ASSERT_EQ(act(b, a, "cancel").status, 200);
  EXPECT_NE(act(a, b, "accept", {{"token", token}}).status, 200) << "cancelled";
  EXPECT_EQ(level(b, a), "unknown");
  EXPECT_EQ(b.operate(client, "GET", "/api/v2/federation/nodes").body["nodes"].size(), 0U);
}

TEST_F(TrustBeginning, AStolenInvite) {
  Federation elsewhere{1};
  Organisation& thief = elsewhere.a();  // calls itself orga.example, with a CA of its own
  start();
  thief.start();
  // Connections are pooled by organisation's name: the thief needs a client of its own.
  const auto steal = [&](const std::string& token) {
    return thief.operate(elsewhere.client, "POST", nodes + b.id.str() + "/trust/accept", {{"token", token}});
  };
  const auto named = invite(b, a, {{"anchor_sha256", anchor_of(a)}});
  const auto refused = steal(named);
  EXPECT_EQ(refused.code(), "peer_refused") << refused.text;
  EXPECT_THAT(events(b, "security_violation").at(0).reason, HasSubstr("none of the bundle's anchors"));
  EXPECT_EQ(show(b, a)["candidates"], json::array());
  const auto rightful = act(a, b, "accept", {{"token", named}});
  ASSERT_EQ(rightful.status, 200) << "the thief has not used it up: " << rightful.text;
  EXPECT_EQ(level(b, a), "trusted");
  EXPECT_EQ(call(a, b), 200);

  // The other way round, and without the CA's hash: the thief leaves a candidate and comes no further.
  ASSERT_EQ(b.operate(client, "DELETE", nodes + a.id.str()).status, 200);
  ASSERT_EQ(a.operate(client, "DELETE", nodes + b.id.str()).status, 200);
  const auto plain = invite(b, a);
  ASSERT_EQ(steal(plain).status, 200);
  EXPECT_EQ(level(b, a), "pending");
  json stolen_call = call_of('b', "lookup");
  stolen_call["target_node_id"] = b.id.str();
  EXPECT_NE(thief.invoke(elsewhere.client, stolen_call).status, 200);
  const auto late = act(a, b, "accept", {{"token", plain}});
  EXPECT_EQ(late.code(), "peer_refused") << "the rightful one finds it used";
  EXPECT_THAT(events(b, "security_violation").at(0).reason, HasSubstr("used already, by another key"));
  EXPECT_NE(fingerprint(a, b), fingerprint(b, a)) << "the operators would see it";
}

TEST_F(TrustBeginning, WhatIsHalfFinishedSurvivesARestartOfBoth) {
  start(Enrolment::open);
  ASSERT_EQ(act(a, b, "request", {{"url", url(b)}}).status, 200);
  const auto pair = fingerprint(a, b);
  const auto token = invite(a, b);
  for (auto* org : {&a, &b}) org->stop();
  for (auto* org : {&a, &b}) org->start();
  EXPECT_EQ(level(a, b), "pending");
  EXPECT_EQ(level(b, a), "pending");
  EXPECT_EQ(show(a, b)["invites"].size(), 1U);
  EXPECT_THAT(show(b, a)["next"].get<std::string>(), HasSubstr("trust approve orga.example"));
  ASSERT_EQ(act(b, a, "approve", {{"fingerprint", pair}}).status, 200);
  b.stop();
  b.start();
  ASSERT_EQ(act(a, b, "approve", {{"fingerprint", pair}}).status, 200);
  EXPECT_EQ(call(a, b), 200);
  EXPECT_EQ(call(b, a), 200);
}

TEST_F(TrustBeginning, ARevokedNodeComesBackOnlyByReinstatement) {
  start();
  ASSERT_EQ(act(a, b, "accept", {{"token", invite(b, a, {{"anchor_sha256", anchor_of(a)}})}}).status, 200);
  ASSERT_EQ(call(a, b), 200);
  EXPECT_EQ(act(b, a, "revoke").status, 400) << "no reason given";
  ASSERT_EQ(act(b, a, "revoke", {{"reason", "contract ended"}}).status, 200);
  EXPECT_EQ(level(b, a), "revoked");
  EXPECT_NE(call(a, b), 200);
  const auto revoked = events(b, "federation_node_revoked");
  ASSERT_EQ(revoked.size(), 1U);
  EXPECT_THAT(revoked[0].reason, HasSubstr("contract ended"));
  // An invite, which only an operator makes, lets it ask, and decides nothing.
  ASSERT_EQ(a.operate(client, "DELETE", nodes + b.id.str()).status, 200);
  ASSERT_EQ(act(a, b, "accept", {{"token", invite(b, a, {{"anchor_sha256", anchor_of(a)}})}}).status, 200);
  EXPECT_EQ(level(b, a), "revoked");
  EXPECT_NE(call(a, b), 200);
  const auto pair = fingerprint(b, a);
  EXPECT_EQ(act(b, a, "approve", {{"fingerprint", pair}}).status, 409);
  ASSERT_EQ(act(b, a, "approve", {{"fingerprint", pair}, {"reinstate", true}}).status, 200);
  EXPECT_EQ(call(a, b), 200);
}

/// Whatever a stranger says out of turn is a 403 without a reason, the end of the connection, and a record with one.
TEST_F(TrustBeginning, AStrangerWhoDoesNotKeepToTheDialogue) {
  start(Enrolment::open);
  const auto tls = net::EnrolmentConnection::make_tls(a.leaf.certificate_pem, a.leaf.key_pem).value();
  const auto address = net::parse_address(b.gateway->peers_address()).value();
  const net::Destination to{.pool_key = {},
                            .host = address.host,
                            .port = address.port,
                            .host_header = "orgb.example",
                            .tls = tls,
                            .server_name = "orgb.example"};
  struct Said {
    std::string method, path, body;
  };
  const std::string good =
      R"({"node_id":"orga.example","purpose":"request","client_nonce":")" + std::string(43, 'A') + "\"}";
  const auto paths =
      std::pair<std::string, std::string>{"/api/v2/federation/trust/challenge", "/api/v2/federation/trust"};
  const auto statuses = [&](std::vector<Said> said) {
    std::vector<int> got;
    client.worker().run_and_wait([&]() -> Task<> {
      Worker& worker = client.worker();
      const auto deadline = worker.wheel().now() + std::chrono::seconds(10);
      auto connection = co_await net::EnrolmentConnection::open(worker, to, deadline);
      if (!connection) co_return;
      for (const auto& one : said) {
        net::Request request;
        request.method = one.method;
        request.target = one.path;
        request.headers.add("Content-Type", "application/json");
        request.body = one.body;
        auto answer = co_await connection->send(request, deadline);
        got.push_back(answer ? answer->status : 0);
        if (answer && answer->status != 200) {
          EXPECT_EQ(answer->body.find("orga"), std::string::npos) << answer->body;
        }
      }
    });
    return got;
  };
  using testing::ElementsAre;
  const auto last_reason = [&] { return events(b, "security_violation").at(0).reason; };
  EXPECT_THAT(statuses({{"POST", paths.first, good}, {"POST", paths.first, good}, {"POST", paths.first, good}}),
              ElementsAre(200, 403, 0));
  EXPECT_THAT(last_reason(), HasSubstr("second challenge"));
  EXPECT_THAT(statuses({{"POST", paths.second, "{}"}, {"POST", paths.first, good}}), ElementsAre(403, 0));
  EXPECT_THAT(last_reason(), HasSubstr("no challenge was asked for"));
  EXPECT_THAT(statuses({{"POST", paths.first, "garbage"}}), ElementsAre(403));
  EXPECT_THAT(statuses({{"GET", "/api/v2/health", ""}}), ElementsAre(403));
  EXPECT_THAT(last_reason(), HasSubstr("/api/v2/health"));
  EXPECT_THAT(
      statuses({{"POST", paths.first, good}, {"POST", paths.second, R"({"node_id":1})"}, {"POST", paths.second, "{}"}}),
      ElementsAre(200, 403, 0));
  EXPECT_EQ(events(b, "security_violation").size(), 5U);
  EXPECT_EQ(level(b, a), "unknown");
}

}  // namespace
}  // namespace fedgate::test
