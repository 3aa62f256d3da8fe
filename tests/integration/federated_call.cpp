// SPDX-License-Identifier: Apache-2.0
//
// Promise: a call crosses two organisations, and both remember it.
#include <gtest/gtest.h>

#include "base/hash.h"
#include "support/eventually.h"
#include "support/fake_clock.h"
#include "support/federation.h"

namespace fedgate {
namespace {

using test::call_of;

const store::AuditRow& outcome_of(const std::vector<store::AuditRow>& trail) {
  for (const auto& row : trail) {
    if (row.phase == "outcome") return row;
  }
  throw std::runtime_error("no outcome in the trail");
}

nlohmann::json leaf_of(const store::AuditRow& row) { return *json::parse(row.leaf); }

TEST(FederatedCall, AReadIsAnsweredAndBothSidesHaveItsOutcome) {
  test::Federation orgs(2);
  orgs.start();
  const auto answer = orgs.a().invoke(orgs.client, call_of('b', "lookup", {{"sku", "A 1/é"}, {"page", 2}}));
  ASSERT_EQ(answer.status, 200) << answer.text << answer.problem;
  EXPECT_EQ(answer.body["success"], true);
  EXPECT_EQ(answer.body["node_id"], "orgb.example");
  EXPECT_EQ(answer.body["resource_id"], "inventory-b");
  EXPECT_EQ(answer.body["result"]["method"], "GET");
  EXPECT_EQ(answer.body["result"]["target"], "/items/A%201%2F%C3%A9?page=2");
  EXPECT_EQ(answer.body["audit_correlation_id"], answer.correlation_id());
  EXPECT_TRUE(answer.body["metadata"]["timing"].contains("network"));

  const auto at_a = orgs.a().trail(answer.correlation_id());
  const auto at_b = orgs.b().trail(answer.correlation_id());
  ASSERT_EQ(at_a.size(), 1U);
  ASSERT_EQ(at_b.size(), 1U);
  EXPECT_EQ(at_a[0].outcome, "succeeded");
  EXPECT_EQ(at_b[0].outcome, "succeeded");
  EXPECT_EQ(at_a[0].principal, "alice@orga.example");
  EXPECT_EQ(at_b[0].principal, "alice@orga.example");
  EXPECT_EQ(at_a[0].policy_id, "all-out");
  EXPECT_EQ(at_b[0].policy_id, "all-in");
  // The origin's record names the target's leaf, and that leaf is really there.
  EXPECT_EQ(leaf_of(at_a[0])["counterparty"]["hash"], to_hex(audit::leaf_hash(at_b[0].leaf)));
  EXPECT_EQ(leaf_of(at_a[0])["counterparty"]["index"], at_b[0].index);
  EXPECT_EQ(leaf_of(at_a[0])["call_hash"], leaf_of(at_b[0])["call_hash"]);
  EXPECT_EQ(answer.body["metadata"]["receipt"]["leaf_hash"], to_hex(audit::leaf_hash(at_a[0].leaf)));
}

TEST(FederatedCall, AWriteHasIntentsBeforeOutcomesAndEachSideHoldsTheOthersLeaf) {
  test::Federation orgs(2);
  orgs.start();
  const auto answer = orgs.a().invoke(orgs.client, call_of('b', "order", {{"sku", "A-1"}, {"count", 3}}));
  ASSERT_EQ(answer.status, 200) << answer.text << answer.problem;
  EXPECT_EQ(*json::parse(answer.body["result"]["body"].get<std::string>()),
            (nlohmann::json{{"sku", "A-1"}, {"count", 3}}));
  const auto at_a = orgs.a().trail(answer.correlation_id());
  const auto at_b = orgs.b().trail(answer.correlation_id());
  ASSERT_EQ(at_a.size(), 2U);
  ASSERT_EQ(at_b.size(), 2U);
  EXPECT_EQ(at_a[0].phase, "intent");
  EXPECT_EQ(at_a[1].phase, "outcome");
  EXPECT_EQ(at_b[0].phase, "intent");
  EXPECT_EQ(at_b[1].phase, "outcome");
  EXPECT_EQ(leaf_of(at_b[0])["counterparty"]["hash"], to_hex(audit::leaf_hash(at_a[0].leaf)));
  EXPECT_EQ(leaf_of(at_a[1])["counterparty"]["hash"], to_hex(audit::leaf_hash(at_b[1].leaf)));
}

TEST(FederatedCall, PayloadsPassByteForByte) {
  const std::string odd = R"({ "n": 1.50e+02, "big":12345678901234567 ,"u":"\u00e9\/", "z":[ ] })";
  test::Federation orgs(2, [&](net::Request&, net::Response& response, DeadlineWheel&) -> Task<> {
    response.headers.add("Content-Type", "application/json; charset=utf-8");
    response.body = odd;
    co_return;
  });
  orgs.start();
  const std::string arguments = R"({"sku":"A-1","x": 1.50e+02 ,"y":"\u00e9"})";
  const auto answer = orgs.a().invoke(
      orgs.client,
      nlohmann::json(R"({"resource_id":"inventory-b","capability_id":"order","arguments":)" + arguments + "}"));
  ASSERT_EQ(answer.status, 200) << answer.text;
  EXPECT_NE(answer.text.find("\"result\":" + odd + ","), std::string::npos) << answer.text;
  EXPECT_NE(orgs.b().upstream->seen().at(0).body.find("\"x\":1.50e+02"), std::string::npos)
      << orgs.b().upstream->seen().at(0).body;
}

TEST(FederatedCall, AnAnswerThatIsNotJsonIsWrapped) {
  test::Federation orgs(2, [](net::Request&, net::Response& response, DeadlineWheel&) -> Task<> {
    response.headers.add("Content-Type", "text/plain");
    response.body = "hello";
    co_return;
  });
  orgs.start();
  const auto answer = orgs.a().invoke(orgs.client, call_of('b', "lookup"));
  ASSERT_EQ(answer.status, 200) << answer.text;
  EXPECT_EQ(answer.body["result"], (nlohmann::json{{"content_type", "text/plain"}, {"body_base64", "aGVsbG8="}}));
}

TEST(FederatedCall, TheServiceLearnsWhoAsksAndNothingOfTheCallersHeaders) {
  test::Federation orgs(2);
  orgs.start();
  const std::string trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
  const auto answer =
      orgs.a().invoke(orgs.client, call_of('b', "lookup"), {{"traceparent", trace}, {"X-Private", "secret"}});
  ASSERT_EQ(answer.status, 200);
  const auto seen = orgs.b().upstream->seen().at(0);
  EXPECT_EQ(seen.headers.find("traceparent"), trace);
  EXPECT_EQ(seen.headers.find("Fedgate-Correlation-Id"), answer.correlation_id());
  EXPECT_EQ(seen.headers.find("Fedgate-Principal"), "alice@orga.example");
  EXPECT_FALSE(seen.headers.find("X-Private"));
  EXPECT_FALSE(seen.headers.find("Authorization"));
}

TEST(FederatedCall, TheServicesRefusalAndFailureKeepTheirMeaning) {
  std::atomic<int> status = 404;
  test::Federation orgs(2, [&](net::Request&, net::Response& response, DeadlineWheel&) -> Task<> {
    response.status = static_cast<std::uint16_t>(status.load());
    response.headers.add("Content-Type", "text/plain");
    response.body = "internal words of the service";
    co_return;
  });
  orgs.start();
  auto answer = orgs.a().invoke(orgs.client, call_of('b', "lookup"));
  EXPECT_EQ(answer.status, 422);
  EXPECT_EQ(answer.code(), "upstream_rejected");
  EXPECT_EQ(answer.body["decided_by"], "upstream");
  EXPECT_EQ(answer.text.find("internal words"), std::string::npos);
  status = 500;
  answer = orgs.a().invoke(orgs.client, call_of('b', "order"));
  EXPECT_EQ(answer.status, 502);
  EXPECT_EQ(answer.code(), "upstream_failed");
  EXPECT_EQ(outcome_of(orgs.b().trail(answer.correlation_id())).outcome, "failed");
  EXPECT_EQ(outcome_of(orgs.a().trail(answer.correlation_id())).outcome, "failed");
}

TEST(FederatedCall, ADeadlineTravelsAndIsKept) {
  test::Federation orgs(2, [](net::Request&, net::Response&, DeadlineWheel& wheel) -> Task<> {
    co_await sleep_until(wheel, wheel.now() + std::chrono::seconds(30));
  });
  orgs.start();
  const auto before = std::chrono::steady_clock::now();
  const auto answer = orgs.a().invoke(orgs.client, call_of('b', "order"), {{"Request-Timeout", "0.4"}});
  EXPECT_LT(std::chrono::steady_clock::now() - before, std::chrono::seconds(5));
  EXPECT_EQ(answer.status, 504) << answer.text;
  EXPECT_EQ(answer.body["outcome"], "unknown");
  // The target stops when nobody waits any more, and both sides say so.
  EXPECT_TRUE(orgs.b().upstream->wait_for_abandoned(1));
  ASSERT_TRUE(test::eventually([&] { return orgs.b().trail(answer.correlation_id()).size() == 2; }));
  EXPECT_EQ(outcome_of(orgs.b().trail(answer.correlation_id())).outcome, "unknown");
  EXPECT_EQ(outcome_of(orgs.a().trail(answer.correlation_id())).outcome, "unknown");
}

TEST(FederatedCall, SeveralWorkersServeCallsBothWays) {
  test::Federation orgs(2);
  orgs.a().settings.threads = 2;
  orgs.b().settings.threads = 3;
  orgs.start();
  for (int i = 0; i < 20; ++i) {
    test::TestClient other;  // a new connection each time: the listener spreads them
    EXPECT_EQ(orgs.a().invoke(other, call_of('b', "order")).status, 200);
    EXPECT_EQ(orgs.b().invoke(other, call_of('a', "lookup")).status, 200);
  }
}

TEST(FederatedCall, AnActorSpeaksForAPrincipalOnlyWhereAllowed) {
  test::Federation orgs(2);
  orgs.start();
  auto body = call_of('b', "lookup");
  body["principal_id"] = "bob@orga.example";
  auto answer = orgs.a().invoke(orgs.client, body);
  ASSERT_EQ(answer.status, 200) << answer.text;
  EXPECT_EQ(orgs.b().trail(answer.correlation_id()).at(0).principal, "bob@orga.example");
  EXPECT_EQ(orgs.b().trail(answer.correlation_id()).at(0).actor, "alice@orga.example");
  body["principal_id"] = "carol@orga.example";
  answer = orgs.a().invoke(orgs.client, body);
  EXPECT_EQ(answer.status, 403);
  EXPECT_EQ(answer.code(), "principal_mismatch");
  EXPECT_EQ(answer.body["decided_by"], "origin");
  EXPECT_EQ(orgs.a().trail(answer.correlation_id()).at(0).event_type, "cross_org_request_denied");
  EXPECT_TRUE(orgs.b().trail(answer.correlation_id()).empty());
}

TEST(FederatedCall, TheRateOfANodeIsLimited) {
  test::Federation orgs(2);
  orgs.b().settings.node_limits = {.rate_per_hour = 10, .burst = 3, .concurrency_per_peer = 10};
  orgs.start();
  for (int i = 0; i < 3; ++i) EXPECT_EQ(orgs.a().invoke(orgs.client, call_of('b', "lookup")).status, 200);
  const auto answer = orgs.a().invoke(orgs.client, call_of('b', "lookup"));
  EXPECT_EQ(answer.status, 429);
  EXPECT_EQ(answer.code(), "rate_limited");
  EXPECT_EQ(answer.body["decided_by"], "target");
  EXPECT_FALSE(answer.header("Retry-After").empty());
  EXPECT_EQ(orgs.b().upstream->seen().size(), 3U);
  // A flood does not fill the trail: refusals are summed up.
  EXPECT_EQ(orgs.a().invoke(orgs.client, call_of('b', "lookup")).status, 429);
  EXPECT_TRUE(orgs.b().trail(answer.correlation_id()).empty());
  orgs.b().stop();
  orgs.b().start();
  store::AuditQuery denied;
  denied.event_type = "cross_org_request_denied";
  const auto summary = orgs.b().trail(denied);
  ASSERT_EQ(summary.size(), 1U);
  EXPECT_EQ(summary[0].reason, "2 calls refused by rate_limit_per_hour");
}

TEST(FederatedCall, WhatTheOriginsOwnLimitsRefuseIsSummedUpOnceAMinute) {
  test::FakeClock clock;
  test::Federation orgs(2, {}, clock);
  orgs.a().settings.node_limits = {.rate_per_hour = 1, .burst = 1, .concurrency_per_peer = 10};
  orgs.start();
  EXPECT_EQ(orgs.a().invoke(orgs.client, call_of('b', "lookup")).status, 200);
  for (int i = 0; i < 3; ++i) {
    const auto answer = orgs.a().invoke(orgs.client, call_of('b', "order"));
    EXPECT_EQ(answer.code(), "rate_limited");
    EXPECT_EQ(answer.body["decided_by"], "origin");
    EXPECT_EQ(answer.body["outcome"], "not_sent");
    EXPECT_TRUE(orgs.a().trail(answer.correlation_id()).empty());
  }
  EXPECT_EQ(orgs.b().upstream->seen().size(), 1U);
  store::AuditQuery denied;
  denied.event_type = "cross_org_request_denied";
  EXPECT_TRUE(orgs.a().trail(denied).empty()) << "not before the minute is over";
  clock.advance(std::chrono::seconds(61));
  EXPECT_TRUE(test::eventually([&] { return !orgs.a().trail(denied).empty(); }));
  const auto summary = orgs.a().trail(denied);
  ASSERT_EQ(summary.size(), 1U);
  EXPECT_EQ(summary[0].reason, "3 calls refused by rate_limit_per_hour");
  EXPECT_EQ(summary[0].action, "refused_calls");
  EXPECT_EQ(summary[0].error_code, "rate_limited");
  EXPECT_EQ(summary[0].source_node, "orga.example");
  EXPECT_EQ(summary[0].target_node, "orgb.example");
  EXPECT_TRUE(orgs.b().trail(denied).empty()) << "the other side never heard of them";
}

}  // namespace
}  // namespace fedgate
