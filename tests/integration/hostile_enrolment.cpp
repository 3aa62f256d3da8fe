// SPDX-License-Identifier: Apache-2.0
//
// Promise: a stranger who wants to begin trust, and a partner who has begun it, gain nothing by not keeping to the
// dialogue: what is replayed, reflected, relayed, confused, late, endless or said twice is refused, without a reason
// for them and with one in our trail; nobody's level or anchors change by it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "base/hash.h"
#include "support/eventually.h"
#include "support/fake_clock.h"
#include "support/federation.h"
#include "support/stranger.h"

namespace fedgate::test {
namespace {

using nlohmann::json;
using testing::AnyOf;
using testing::HasSubstr;
using testing::Not;

class HostileEnrolment : public testing::Test {
 protected:
  FakeClock clock;
  Federation federation{3, {}, clock};
  Organisation& a = federation[0];
  Organisation& b = federation[1];
  Organisation& c = federation[2];
  TestClient& client = federation.client;

  void start(Enrolment mode = Enrolment::open) {
    b.settings.trust.enrolment = mode;
    b.start();
  }
  /// Ten strangers a minute are let in, and the last one's place is free when its connection has ended.
  std::unique_ptr<Stranger> connect(const Claimant& who, const std::string& from = "127.0.0.1") {
    clock.advance(std::chrono::seconds(7));
    std::unique_ptr<Stranger> made;
    EXPECT_TRUE(eventually([&] {
      made = std::make_unique<Stranger>(who.leaf, b, from);
      return made->open();
    })) << "no place for a stranger";
    return made;
  }
  Answer act(const std::string& about, const std::string& action, const json& body = json::object()) {
    return b.operate(client, "POST", "/api/v2/federation/nodes/" + about + "/trust/" + action, body);
  }
  json show(const std::string& about) { return b.operate(client, "GET", "/api/v2/federation/trust/" + about).body; }
  std::string level(const std::string& about) { return show(about).value("trust_level", "unknown"); }
  std::size_t candidates(const std::string& about) {
    const auto shown = show(about);
    return shown.contains("candidates") ? shown["candidates"].size() : 0;
  }
  trust::InviteToken invite(const std::string& whom, const json& body = json::object()) {
    const auto made = act(whom, "invite", body);
    EXPECT_EQ(made.status, 200) << made.text;
    return trust::parse_token(made.body.value("token", "")).value();
  }
  std::vector<store::AuditRow> violations() const {
    store::AuditQuery query;
    query.event_type = "security_violation";
    return b.trail(query);
  }
  std::string last_violation() const {
    const auto all = violations();
    return all.empty() ? "" : all.front().reason;
  }
  static std::string anchor_of(const Claimant& of) {
    return to_hex(trust::certificate_facts(of.ca.certificate_pem).value().sha256);
  }
};

TEST_F(HostileEnrolment, AnHonestStrangerOfTheTestsOwnIsHeard) {
  start();
  const Claimant honest("honest.example", clock);
  const auto over = connect(honest);
  Asking asking(honest, *over, b, clock);
  EXPECT_EQ(asking.whole(), 200) << last_violation();
  EXPECT_EQ(level("honest.example"), "pending");
  EXPECT_TRUE(over->closed()) << "one dialogue a connection";
}

TEST_F(HostileEnrolment, AProofServesItsOwnConnectionOnly) {
  start();
  const Claimant who("orgx.example", clock);
  TrustRequest captured;
  std::string servers_proof;
  {
    const auto over = connect(who);
    Asking first(who, *over, b, clock);
    ASSERT_EQ(first.challenge(), 200);
    captured = first.proof();
  }
  {  // replayed as it was
    const auto over = connect(who);
    Asking again(who, *over, b, clock);
    ASSERT_EQ(again.challenge(), 200);
    EXPECT_EQ(again.trust(captured), 403);
    EXPECT_THAT(over->body, Not(HasSubstr("challenge")));
    EXPECT_THAT(last_violation(), HasSubstr("the challenge is not the one that was given here"));
  }
  {  // without asking for a challenge
    const auto over = connect(who);
    EXPECT_EQ(over->post(Stranger::trust_path, wire::trust_request_body(captured)), 403);
    EXPECT_THAT(last_violation(), HasSubstr("no challenge was asked for on this connection"));
  }
  {  // with the challenge of this connection
    const auto over = connect(who);
    Asking again(who, *over, b, clock);
    ASSERT_EQ(again.challenge(), 200);
    auto mended = captured;
    mended.challenge = again.answer.challenge;
    EXPECT_EQ(again.trust(mended), 403);
    EXPECT_THAT(last_violation(), HasSubstr("orgx.example"));
  }
  {  // made for another connection that is open: everything is right but the exporter
    const auto over = connect(who);
    Asking relayed(who, *over, b, clock);
    ASSERT_EQ(relayed.challenge(), 200);
    relayed.link.channel.exporter.fill(7);
    EXPECT_EQ(relayed.trust(relayed.proof()), 403);
    EXPECT_THAT(last_violation(), HasSubstr("proof"));
  }
  {  // twice on one connection
    const auto over = connect(who);
    Asking asking(who, *over, b, clock);
    ASSERT_EQ(asking.challenge(), 200);
    const auto proof = asking.proof();
    EXPECT_EQ(asking.trust(proof), 200) << last_violation();
    fedgate::json::Parser parser;
    servers_proof = wire::parse_trust_answer(parser, over->body).value().challenge_response;
    EXPECT_EQ(asking.trust(proof), 0);
  }
  {  // what the server has proven of itself, given back to it
    const auto over = connect(who);
    Asking asking(who, *over, b, clock);
    ASSERT_EQ(asking.challenge(), 200);
    auto reflected = asking.proof();
    reflected.proof = servers_proof;
    EXPECT_EQ(asking.trust(reflected), 403);
    EXPECT_THAT(last_violation(), HasSubstr("proof"));
  }
  EXPECT_EQ(candidates("orgx.example"), 1U) << "that of the one good dialogue";
  EXPECT_EQ(violations().size(), 5U);
}

TEST_F(HostileEnrolment, AChallengeIsLateAfterAMinuteAndTheConnectionBeforeThat) {
  start();
  const Claimant who("orgx.example", clock);
  const auto over = connect(who);
  Asking asking(who, *over, b, clock);
  ASSERT_EQ(asking.challenge(), 200);
  const auto proof = asking.proof();
  clock.advance(std::chrono::seconds(11));
  EXPECT_TRUE(over->closed());
  EXPECT_EQ(candidates("orgx.example"), 0U);
  const auto next = connect(who);
  EXPECT_EQ(next->post(Stranger::trust_path, wire::trust_request_body(proof)), 403);
}

TEST_F(HostileEnrolment, ABundleIsItsOwnersAndNobodyElses) {
  start();
  c.start();
  b.trust_node(c.as_node());
  const Claimant who("orgx.example", clock);
  const auto refused = [&](const Claimant& claimant, const std::function<void(TrustRequest&)>& spoil) {
    const auto over = connect(claimant);
    Asking asking(claimant, *over, b, clock);
    if (asking.challenge() != 200) return last_violation();
    auto request = asking.proof();
    spoil(request);
    EXPECT_EQ(asking.trust(request), 403);
    return last_violation();
  };
  const auto nothing = [](TrustRequest&) {};
  const Claimant other("orgy.example", clock);
  EXPECT_THAT(refused(who, [&](TrustRequest& r) { r.bundle = other.party().bundle; }),
              HasSubstr("shows the bundle of orgy.example"));
  EXPECT_THAT(refused(who, [&](TrustRequest& r) { r.client_cert = other.leaf.certificate_pem; }),
              HasSubstr("client_cert is not the certificate of this connection"));
  EXPECT_THAT(refused(who,
                      [&](TrustRequest& r) {
                        r.node = other.id;
                        r.bundle = other.party().bundle;
                      }),
              HasSubstr("the challenge was given to orgx.example"));
  // Another bundle of its own than the one that the proof names.
  EXPECT_THAT(refused(who,
                      [&](TrustRequest& r) {
                        auto changed = who;
                        changed.bundle.principal_domains.push_back(Domain::parse("bank.example").value());
                        r.bundle = changed.party().bundle;
                      }),
              HasSubstr("proof"));
  auto claimant = who;
  claimant.bundle.anchors.push_back(c.ca.certificate_pem);
  EXPECT_THAT(refused(claimant, nothing), HasSubstr("an anchor of the bundle is orgc.example's too"));
  // A trusted peer's name, with a CA of one's own: at most a candidate, and the peer stays what it is.
  const Claimant impostor("orgc.example", clock);
  {
    const auto over = connect(impostor);
    Asking asking(impostor, *over, b, clock);
    EXPECT_EQ(asking.whole(), 200);
  }
  EXPECT_EQ(level("orgc.example"), "trusted");
  const auto row = b.operate(client, "GET", "/api/v2/federation/nodes/orgc.example").body;
  EXPECT_EQ(row["trust_level"], "trusted");
  EXPECT_EQ(b.gateway->registry().table().load()->find(c.id)->trust_anchors, std::vector{c.ca.certificate_pem});
  // Our own name.
  const Claimant mirror("orgb.example", clock);
  const auto over = connect(mirror);
  EXPECT_EQ(over->post(Stranger::challenge_path, R"({"node_id":"orgb.example","purpose":"request","client_nonce":")" +
                                                     std::string(43, 'A') + "\"}"),
            403);
  EXPECT_THAT(last_violation(), HasSubstr("claims this gateway's own id"));
  EXPECT_EQ(candidates("orgx.example"), 0U);
}

TEST_F(HostileEnrolment, WhatCannotBeReadIsRefusedAndRecordedReadably) {
  start();
  const Claimant who("orgx.example", clock);
  const auto challenge_with = [](const std::string& node_id) {
    return R"({"node_id":)" + node_id + R"(,"purpose":"request","client_nonce":")" + std::string(43, 'A') + "\"}";
  };
  std::vector<std::string> bodies{"",
                                  "{}",
                                  "[]",
                                  "null",
                                  "{",
                                  "\xEF\xBB\xBF{}",
                                  std::string("{}\0", 3),
                                  std::string(20'000, '['),
                                  R"({"a":)" + std::string(9'000, '[') + std::string(9'000, ']') + "}",
                                  R"({"node_id":"orgx.example","node_id":"orgy.example"})",
                                  "\xFF\xFE"};
  for (const auto* id : {R"("ORGX.EXAMPLE")", R"("orgx.example.")", R"("orgх.example")" /* Cyrillic */, R"("")",
                         R"("xn--")", R"("orgx..example")", R"("orgx.example\u0000")", R"("-orgx.example")",
                         R"("127.0.0.1")", R"("*.example")", R"("org\u202ex.example")", R"(["orgx.example"])", "7"})
    bodies.push_back(challenge_with(id));
  bodies.push_back(challenge_with('"' + std::string(300, 'a') + ".example\""));
  // Cut in the middle of a character where it is quoted.
  const std::string member = std::string(63, 'm') + "\xC3\xA9";
  bodies.push_back("{\"" + member + "\":1,\"node_id\":\"\\u00e9\"}");
  for (const auto& body : bodies) {
    const auto over = connect(who);
    EXPECT_EQ(over->post(Stranger::challenge_path, body), 403) << body.substr(0, 100);
    EXPECT_THAT(over->body, Not(HasSubstr("orgx")));
    EXPECT_TRUE(over->closed());
  }
  {  // A bundle with a member that nobody knows, its name cut in the middle of a character.
    const auto over = connect(who);
    Asking asking(who, *over, b, clock);
    ASSERT_EQ(asking.challenge(), 200);
    auto request = asking.proof();
    auto text = request.bundle.text;
    text.insert(1, "\"" + member + "\":1,");
    request.bundle.text = text;
    EXPECT_EQ(asking.trust(request), 403);
    EXPECT_THAT(last_violation(), HasSubstr("unknown member"));
  }
  const auto recorded = violations();
  EXPECT_EQ(recorded.size(), bodies.size() + 1);
  for (const auto& row : recorded) {
    const auto leaf = fedgate::json::parse(row.leaf);
    EXPECT_TRUE(leaf) << row.leaf;
    EXPECT_FALSE(row.reason.empty());
  }
  EXPECT_EQ(b.operate(client, "GET", "/api/v2/federation/trust").body["nodes"].size(), 0U);
}

TEST_F(HostileEnrolment, EndlessRequestsAreCut) {
  start();
  const Claimant who("orgx.example", clock);
  for (const std::string& head :
       {std::string(
            "POST /api/v2/federation/trust/challenge HTTP/1.1\r\nHost: orgb.example\r\nContent-Length: 1000000\r\n"
            "Content-Type: application/json\r\n\r\n"),
        std::string("POST /api/v2/federation/trust/challenge HTTP/1.1\r\nHost: orgb.example\r\nX-Endless: "),
        std::string("POST /api/v2/federation/trust/challenge HTTP/1.1\r\nHost: orgb.example\r\nTransfer-Encoding: "
                    "chunked\r\nContent-Type: application/json\r\n\r\nFFFFF\r\n")}) {
    const auto over = connect(who);
    bool taken = over->write(head);
    for (int i = 0; taken && i < 200; ++i) taken = over->write(std::string(1024, 'x'));
    int answered = 0;
    if (taken) answered = over->read_answer();
    EXPECT_NE(answered, 200);
    EXPECT_TRUE(over->closed());
  }
  // A second request behind the first is not read before the first is answered, and the dialogue has one of each.
  const auto over = connect(who);
  const std::string body =
      R"({"node_id":"orgx.example","purpose":"request","client_nonce":")" + std::string(43, 'A') + "\"}";
  const std::string one =
      "POST /api/v2/federation/trust/challenge HTTP/1.1\r\nHost: orgb.example\r\nContent-Type: "
      "application/json\r\nContent-Length: " +
      std::to_string(body.size()) + "\r\n\r\n" + body;
  ASSERT_TRUE(over->write(one + one));
  EXPECT_EQ(over->read_answer(), 200);
  EXPECT_EQ(candidates("orgx.example"), 0U);
}

/// Who opens connections and says nothing holds a place for ten seconds, and how many found none is one record a
/// minute.
TEST_F(HostileEnrolment, TheSilentLoseTheirPlacesAndThoseTurnedAwayAreOneRecord) {
  start();
  const Claimant who("orgx.example", clock);
  std::vector<std::unique_ptr<Stranger>> silent;
  for (int i = 1; i <= 8; ++i)
    silent.push_back(std::make_unique<Stranger>(who.leaf, b, "127.0.0." + std::to_string(i)));
  for (const auto& one : silent) EXPECT_TRUE(one->open());
  EXPECT_FALSE(Stranger(who.leaf, b, "127.0.0.9").open()) << "the room is full";
  EXPECT_FALSE(Stranger(who.leaf, b, "127.0.0.1").open()) << "one from an address";
  clock.advance(std::chrono::seconds(11));
  for (const auto& one : silent) EXPECT_TRUE(one->closed());
  silent.clear();
  EXPECT_TRUE(eventually([&] { return Stranger(who.leaf, b, "127.0.0.10").open(); })) << "there is room again";
  EXPECT_TRUE(eventually([&] { return Stranger(who.leaf, b, "127.0.0.11").open(); }));
  EXPECT_FALSE(Stranger(who.leaf, b, "127.0.0.12").open()) << "ten in a minute";
  EXPECT_TRUE(violations().empty()) << "not a record each";
  clock.advance(std::chrono::seconds(61));
  ASSERT_TRUE(eventually([&] { return !violations().empty(); }));
  EXPECT_EQ(violations().size(), 1U);
  EXPECT_THAT(last_violation(), testing::MatchesRegex("[0-9]+ connections of strangers were turned away.*"));
  EXPECT_GE(std::atoi(last_violation().c_str()), 3);
  EXPECT_EQ(violations().front().action, "enrol");
  clock.advance(std::chrono::seconds(61));
  const Claimant honest("honest.example", clock);
  const auto over = connect(honest);
  Asking asking(honest, *over, b, clock);
  EXPECT_EQ(asking.whole(), 200);
  EXPECT_EQ(violations().size(), 1U) << "where nobody was turned away nothing is recorded";
}

/// One invite, two keys, at the same moment.
TEST_F(HostileEnrolment, AnInviteServesOneOfTwoThatRaceForIt) {
  start(Enrolment::invites);
  for (int round = 0; round < 3; ++round) {
    const std::string name = "org" + std::to_string(round) + ".example";
    const auto token = invite(name);
    const Claimant one(name, clock), other(name, clock);
    const auto first = connect(one, "127.0.0.1"), second = connect(other, "127.0.0.2");
    Asking by_one(one, *first, b, clock, token), by_other(other, *second, b, clock, token);
    ASSERT_EQ(by_one.challenge(), 200) << last_violation();
    ASSERT_EQ(by_other.challenge(), 200) << last_violation();
    const auto proof = by_one.proof(), other_proof = by_other.proof();
    int status = 0, other_status = 0;
    std::thread racing([&] { status = by_one.trust(proof); });
    other_status = by_other.trust(other_proof);
    racing.join();
    EXPECT_EQ(std::min(status, other_status), 200);
    EXPECT_EQ(std::max(status, other_status), 403);
    EXPECT_EQ(candidates(name), 1U);
    EXPECT_EQ(level(name), "pending");
    EXPECT_EQ(violations().size(), static_cast<std::size_t>(round + 1));
    EXPECT_THAT(last_violation(), AnyOf(HasSubstr("used already, by another key"), HasSubstr("does not serve")));
  }
}

/// Two who claim one name: the operator's fingerprint chooses, and the other gets nothing by having been there.
TEST_F(HostileEnrolment, OfTwoCandidatesTheFingerprintChooses) {
  start();
  const Claimant good("orgx.example", clock), bad("orgx.example", clock);
  for (const auto* one : {&bad, &good, &bad}) {
    const auto over = connect(*one);
    Asking asking(*one, *over, b, clock);
    ASSERT_EQ(asking.whole(), 200) << last_violation();
  }
  ASSERT_EQ(candidates("orgx.example"), 2U);
  std::string fingerprint;
  for (const auto& one : show("orgx.example")["candidates"])
    if (one["anchors_sha256"][0] == anchor_of(good)) fingerprint = one["fingerprint"];
  ASSERT_EQ(act("orgx.example", "approve", {{"fingerprint", fingerprint}}).status, 200);
  EXPECT_EQ(b.gateway->registry().table().load()->find(good.id)->trust_anchors, std::vector{good.ca.certificate_pem});
  EXPECT_EQ(candidates("orgx.example"), 0U);
}

/// CA certificates are public: a newcomer may list one that nobody knows yet, and wait until its owner is a partner.
TEST_F(HostileEnrolment, ACandidateBringsNoAnchorThatHasBecomeAnothersMeanwhile) {
  start();
  c.start();
  Claimant squatter("orgx.example", clock);
  squatter.bundle.anchors.push_back(c.ca.certificate_pem);
  const auto token = invite("orgx.example", {{"anchor_sha256", anchor_of(squatter)}});
  {
    const auto over = connect(squatter);
    Asking asking(squatter, *over, b, clock);
    ASSERT_EQ(asking.whole(), 200) << last_violation();
  }
  const std::string fingerprint = show("orgx.example")["candidates"][0]["fingerprint"];
  // The other way: its dialogue is under way when the partner comes.
  const auto over = connect(squatter);
  Asking asking(squatter, *over, b, clock, token);
  ASSERT_EQ(asking.challenge(), 200) << last_violation();
  const auto proof = asking.proof();
  b.trust_node(c.as_node());
  c.trust_node(b.as_node());
  EXPECT_EQ(asking.trust(proof), 403);
  EXPECT_THAT(last_violation(), HasSubstr("an anchor of the bundle is orgc.example's too"));
  const auto approved = act("orgx.example", "approve", {{"fingerprint", fingerprint}});
  EXPECT_EQ(approved.status, 409) << approved.text;
  EXPECT_EQ(b.gateway->registry().table().load()->find(squatter.id), nullptr);
  json body = call_of('b', "lookup");
  body["target_node_id"] = "orgb.example";
  EXPECT_EQ(c.invoke(client, body).status, 200) << "the partner notices nothing";
}

/// Somebody who is revoked while it enrols gains nothing, whichever comes first.
TEST_F(HostileEnrolment, ARevocationWinsAgainstAnEnrolmentThatIsUnderWay) {
  start();
  const Claimant who("orgx.example", clock);
  const auto token = invite("orgx.example", {{"anchor_sha256", anchor_of(who)}});
  {
    const auto over = connect(who);
    Asking asking(who, *over, b, clock, token);
    ASSERT_EQ(asking.whole(), 200) << last_violation();
  }
  ASSERT_EQ(level("orgx.example"), "trusted");
  const auto again = invite("orgx.example", {{"anchor_sha256", anchor_of(who)}});
  const auto over = connect(who);
  Asking asking(who, *over, b, clock, again);
  ASSERT_EQ(asking.challenge(), 200) << last_violation();
  const auto proof = asking.proof();
  ASSERT_EQ(act("orgx.example", "revoke", {{"reason", "theft"}}).status, 200);
  EXPECT_EQ(asking.trust(proof), 0) << "its connection is cut, too";
  EXPECT_EQ(level("orgx.example"), "revoked");
  // It may not ask by itself any more.
  const auto uninvited = connect(who);
  EXPECT_EQ(Asking(who, *uninvited, b, clock).whole(), 403);
  EXPECT_THAT(last_violation(), HasSubstr("is revoked or disabled and may not ask"));
  // An invite, which only an operator makes, lets it; it decides nothing, though it names the CA.
  const auto invited = connect(who);
  EXPECT_EQ(Asking(who, *invited, b, clock, again).whole(), 200) << last_violation();
  EXPECT_EQ(level("orgx.example"), "revoked");
  EXPECT_EQ(candidates("orgx.example"), 1U);
  EXPECT_EQ(
      act("orgx.example", "approve", {{"fingerprint", show("orgx.example")["candidates"][0]["fingerprint"]}}).status,
      409);
  EXPECT_EQ(level("orgx.example"), "revoked");
}

/// approve and revoke at once: the last word is the revocation's unless the node was not there yet.
TEST_F(HostileEnrolment, ApproveAndRevokeRace) {
  start();
  const Claimant who("orgx.example", clock);
  const auto ask = [&] {
    const auto over = connect(who);
    Asking asking(who, *over, b, clock);
    EXPECT_EQ(asking.whole(), 200) << last_violation();
  };
  ask();
  ASSERT_EQ(
      act("orgx.example", "approve", {{"fingerprint", show("orgx.example")["candidates"][0]["fingerprint"]}}).status,
      200);
  for (int round = 0; round < 5; ++round) {
    auto next = who;
    next.bundle.endpoints = {"https://gate" + std::to_string(round) + ".orgx.example:8443"};
    const auto over = connect(next);
    Asking asking(next, *over, b, clock);
    ASSERT_EQ(asking.whole(), 200) << last_violation();
    const auto shown = show("orgx.example");
    if (shown["candidates"].empty()) break;  // the same anchors: nothing to decide
    const std::string fingerprint = shown["candidates"][0]["fingerprint"];
    TestClient another;
    std::thread approving([&] {
      b.operate(another, "POST", "/api/v2/federation/nodes/orgx.example/trust/approve", {{"fingerprint", fingerprint}});
    });
    const auto revoked = act("orgx.example", "revoke", {{"reason", "theft"}});
    approving.join();
    EXPECT_EQ(revoked.status, 200) << revoked.text;
    EXPECT_EQ(level("orgx.example"), "revoked");
    ASSERT_EQ(act("orgx.example", "approve", {{"reinstate", true}}).status, 200);
  }
  EXPECT_EQ(act("orgx.example", "revoke", {{"reason", "theft"}}).status, 200);
  EXPECT_EQ(level("orgx.example"), "revoked");
  b.stop();
  b.start();
  EXPECT_EQ(level("orgx.example"), "revoked");
}

TEST_F(HostileEnrolment, AStrangerKnownByASpiffeIdIsCutWithItsNode) {
  start();
  const std::string spiffe_id = "spiffe://orgx.example/gateway";
  const Claimant who("orgx.example", clock, spiffe_id);
  Node row;
  row.id = who.id;
  row.spiffe_id = spiffe_id;
  row.trust_anchors = {who.ca.certificate_pem};
  row.principal_domains = who.bundle.principal_domains;
  row.trust_level = TrustLevel::trusted;
  b.trust_node(row);
  const Claimant bystander("orgy.example", clock);
  const auto theirs = connect(who, "127.0.0.1"), others = connect(bystander, "127.0.0.2");
  Asking asking(bystander, *others, b, clock);
  ASSERT_EQ(asking.challenge(), 200);
  const auto revoked = act("orgx.example", "revoke", {{"reason", "theft"}});
  ASSERT_EQ(revoked.status, 200) << revoked.text;
  EXPECT_EQ(revoked.body["cut_off"]["connections"], 1) << revoked.text;
  EXPECT_TRUE(theirs->closed());
  EXPECT_EQ(asking.trust(asking.proof()), 200) << "the other stranger notices nothing";
}

TEST_F(HostileEnrolment, WhatIsHalfSaidDoesNotSurviveARestartAndWhatIsStoredDoes) {
  start(Enrolment::invites);
  const Claimant who("orgx.example", clock);
  const auto token = invite("orgx.example", {{"anchor_sha256", anchor_of(who)}});
  TrustRequest proof;
  {
    const auto over = connect(who);
    Asking asking(who, *over, b, clock, token);
    ASSERT_EQ(asking.challenge(), 200);
    proof = asking.proof();
    b.stop();
    EXPECT_EQ(asking.trust(proof), 0);
  }
  b.start();
  const auto late = connect(who);
  EXPECT_EQ(late->post(Stranger::trust_path, wire::trust_request_body(proof)), 403);
  EXPECT_EQ(level("orgx.example"), "untrusted") << "an invite is there, and nothing else";
  const auto over = connect(who);
  EXPECT_EQ(Asking(who, *over, b, clock, token).whole(), 200) << "the invite was not used up: " << last_violation();
  EXPECT_EQ(level("orgx.example"), "trusted");
  clock.advance(std::chrono::hours(24 * 15));
  const Claimant later("orgx.example", clock);
  EXPECT_FALSE(Stranger(later.leaf, b).open()) << "no invite is open any more";
}

/// Somebody who answers for the gateway that was asked: its own chain is all it can show.
TEST_F(HostileEnrolment, WhoeverStandsBetweenTwoGatewaysIsSeen) {
  start();
  a.start();
  c.settings.trust.enrolment = Enrolment::open;
  c.start();
  const auto asked = a.operate(client, "POST", "/api/v2/federation/nodes/orgb.example/trust/request",
                               {{"url", "https://" + c.gateway->peers_address()}});
  EXPECT_NE(asked.status, 200) << "C does not answer for orgb.example: " << asked.text;
  EXPECT_EQ(a.operate(client, "GET", "/api/v2/federation/trust").body["nodes"].size(), 0U);
  // An invite of B, with C's address in place of B's: the bundle's hash is B's.
  auto token = invite("orga.example");
  token.endpoint = "https://" + c.gateway->peers_address();
  const auto accepted = a.operate(client, "POST", "/api/v2/federation/nodes/orgb.example/trust/accept",
                                  {{"token", trust::token_text(token)}});
  EXPECT_NE(accepted.status, 200);
  EXPECT_EQ(a.operate(client, "GET", "/api/v2/federation/nodes").body["nodes"].size(), 0U);
}

}  // namespace
}  // namespace fedgate::test
