// SPDX-License-Identifier: Apache-2.0
//
// Promise: a restart keeps nodes and trail; operators' commands take effect at once, in every worker, and stay.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <unistd.h>

#include <filesystem>

#include "support/eventually.h"
#include "support/federation.h"

namespace fedgate {
namespace {

using test::call_of;

TEST(RestartKeeps, NodesAndTrailAreThereAfterARestart) {
  test::Federation orgs(2);
  orgs.start();
  const auto before = orgs.a().invoke(orgs.client, call_of('b', "order"));
  ASSERT_EQ(before.status, 200);
  orgs.a().stop();
  orgs.b().stop();
  orgs.b().start();
  orgs.a().start();
  EXPECT_EQ(orgs.a().trail(before.correlation_id()).size(), 2U);
  const auto after = orgs.a().invoke(orgs.client, call_of('b', "order"));
  ASSERT_EQ(after.status, 200) << after.text;
  // The log goes on where it ended.
  EXPECT_GT(orgs.a().trail(after.correlation_id()).at(0).index, orgs.a().trail(before.correlation_id()).at(1).index);
}

TEST(RestartKeeps, NodeCommandsWorkOverTheAdminSocket) {
  test::Federation orgs(2);
  orgs.a().settings.threads = 2;
  orgs.start();
  auto& a = orgs.a();
  auto list = a.operate(orgs.client, "GET", "/api/v2/federation/nodes");
  ASSERT_EQ(list.status, 200) << list.text << list.problem;
  ASSERT_EQ(list.body["nodes"].size(), 1U);
  EXPECT_EQ(list.body["nodes"][0]["node_id"], "orgb.example");
  EXPECT_EQ(list.body["nodes"][0]["reads"][0], "inventory-b/lookup");
  const auto disabled = a.operate(orgs.client, "PATCH", "/api/v2/federation/nodes/orgb.example", {{"enabled", false}});
  ASSERT_EQ(disabled.status, 200) << disabled.text;
  EXPECT_EQ(disabled.body["stored"], true);
  EXPECT_EQ(disabled.body["recorded"], true);
  EXPECT_FALSE(disabled.body.contains("note"));
  EXPECT_EQ(a.operate(orgs.client, "PATCH", "/api/v2/federation/nodes/orgb.example",
                      {{"enabled", false}, {"rate_limit_per_hour", 5}})
                .status,
            400);
  for (int i = 0; i < 6; ++i) {
    test::TestClient other;
    EXPECT_EQ(a.invoke(other, call_of('b', "lookup")).code(), "node_not_trusted");
  }
  a.stop();
  a.start();
  EXPECT_EQ(a.invoke(orgs.client, call_of('b', "lookup")).code(), "node_not_trusted");
  ASSERT_EQ(a.operate(orgs.client, "DELETE", "/api/v2/federation/nodes/orgb.example").status, 200);
  EXPECT_EQ(a.operate(orgs.client, "GET", "/api/v2/federation/nodes/orgb.example").status, 404);
  EXPECT_EQ(a.invoke(orgs.client, call_of('b', "lookup")).code(), "resource_not_found");
  // Operators' acts are in the trail, with who.
  store::AuditQuery query;
  query.event_type = "configuration_changed";
  const auto acts = a.trail(query);
  ASSERT_EQ(acts.size(), 2U);
  EXPECT_EQ(acts[0].action, "node_remove");
  EXPECT_EQ(acts[1].action, "node_disable");
  EXPECT_EQ(acts[0].principal, "uid:" + std::to_string(geteuid()));
}

TEST(RestartKeeps, WhatAnOperatorGivesIsOnRecordBeforeItAndAfterIt) {
  test::Federation orgs(2);
  orgs.start();
  auto& a = orgs.a();
  const nlohmann::json node{{"node_id", "orgc.example"},
                            {"alias", "orgc"},
                            {"endpoints", {"https://127.0.0.1:1"}},
                            {"trust_anchors", {orgs.b().ca.certificate_pem}},
                            {"trusted", true}};
  ASSERT_EQ(a.operate(orgs.client, "POST", "/api/v2/federation/nodes", node).status, 201);
  ASSERT_EQ(a.operate(orgs.client, "POST", "/api/v2/federation/nodes", node).status, 409);
  ASSERT_EQ(a.operate(orgs.client, "PATCH", "/api/v2/federation/nodes/orgc", {{"rate_limit_per_hour", 7}}).status, 200);
  store::AuditQuery query;
  query.oldest_first = true;
  std::vector<std::string> acts;
  for (const auto& row : a.trail(query))
    acts.push_back(row.event_type + " " + row.action + " " + row.target_node + " " + row.phase + " " + row.outcome);
  EXPECT_THAT(acts, ::testing::ElementsAre("federation_node_trusted node_add orgc.example intent ",
                                           "federation_node_trusted node_add orgc.example outcome succeeded",
                                           "federation_node_trusted node_add orgc.example intent ",
                                           "federation_node_trusted node_add orgc.example outcome failed",
                                           "configuration_changed node_change orgc.example intent ",
                                           "configuration_changed node_change orgc.example outcome succeeded"));
}

TEST(RestartKeeps, AnOperatorWhoHangsUpIsOnRecordAllTheSame) {
  test::Federation orgs(2);
  orgs.start();
  auto& a = orgs.a();
  test::TestClient leaving;
  // From before the command is read until after it is done, however busy the machine is.
  for (int i = 0; i < 12; ++i) {
    net::Request request;
    request.method = "POST";
    request.target = "/api/v2/federation/nodes";
    request.headers.add("Content-Type", "application/json");
    request.body = nlohmann::json{{"node_id", "n" + std::to_string(i) + ".example"},
                                  {"endpoints", {"https://127.0.0.1:1"}},
                                  {"trust_anchors", {orgs.b().ca.certificate_pem}}}
                       .dump();
    leaving.send_and_leave(a.admin(), request,
                           [moment = std::chrono::steady_clock::now() + std::chrono::microseconds(100 << i)] {
                             return std::chrono::steady_clock::now() >= moment;
                           });
  }
  store::AuditQuery query;
  query.event_type = "configuration_changed";
  query.outcome = "succeeded";
  EXPECT_TRUE(test::eventually([&] {
    // Everything but orgb.example, which the test itself let in.
    return a.trail(query).size() == a.gateway->registry().table().load()->all().size() - 1;
  })) << a.trail(query).size()
      << " records of " << a.gateway->registry().table().load()->all().size() - 1 << " nodes";
  EXPECT_FALSE(a.trail(query).empty());
}

TEST(RestartKeeps, ARevocationAlthoughTheDatabaseIsFromABackup) {
  test::Federation orgs(2);
  orgs.start();
  auto& b = orgs.b();
  b.stop();
  const auto database = b.settings.store.url.substr(std::string("sqlite:").size());
  std::filesystem::copy_file(database, database + ".backup");
  b.start();
  ASSERT_EQ(orgs.a().invoke(orgs.client, call_of('b', "lookup")).status, 200);
  ASSERT_TRUE(b.gateway->registry().narrow("orga.example", {.level = TrustLevel::revoked}));
  EXPECT_EQ(orgs.a().invoke(orgs.client, call_of('b', "lookup")).status, 502);
  b.stop();
  for (const auto* more : {"", "-wal", "-shm"}) std::filesystem::remove(database + more);
  std::filesystem::copy_file(database + ".backup", database);
  b.start();
  EXPECT_EQ(orgs.a().invoke(orgs.client, call_of('b', "lookup")).status, 502);
  EXPECT_EQ(b.operate(orgs.client, "GET", "/api/v2/federation/nodes/orga.example").body["trust_level"], "revoked");
}

TEST(RestartKeeps, AuditIsFoundByItsFiltersAndPages) {
  test::Federation orgs(2);
  orgs.start();
  for (int i = 0; i < 5; ++i) ASSERT_EQ(orgs.a().invoke(orgs.client, call_of('b', "lookup")).status, 200);
  ASSERT_EQ(orgs.a().invoke(orgs.client, call_of('b', "secret")).status, 403);
  auto page = orgs.a().operate(orgs.client, "GET", "/api/v2/audit/events?principal=alice%40orga.example&limit=2");
  ASSERT_EQ(page.status, 200) << page.text;
  std::size_t seen = page.body["events"].size();
  EXPECT_EQ(seen, 2U);
  EXPECT_EQ(page.body["events"][0]["code"], "policy_denied") << "newest first";
  while (!page.body["next_cursor"].is_null()) {
    page = orgs.a().operate(orgs.client, "GET",
                            "/api/v2/audit/events?principal=alice%40orga.example&limit=2&cursor=" +
                                page.body["next_cursor"].get<std::string>());
    ASSERT_EQ(page.status, 200);
    seen += page.body["events"].size();
  }
  EXPECT_EQ(seen, 6U);
  EXPECT_EQ(orgs.a().operate(orgs.client, "GET", "/api/v2/audit/events?decision=deny").body["events"].size(), 1U);
  EXPECT_EQ(orgs.a().operate(orgs.client, "GET", "/api/v2/audit/events?peer=nobody.example").body["events"].size(), 0U);
  EXPECT_EQ(orgs.a().operate(orgs.client, "GET", "/api/v2/audit/events?from=yesterday").status, 400);
}

TEST(RestartKeeps, StatusMetricsAndProbesAnswer) {
  test::Federation orgs(2);
  orgs.start();
  ASSERT_EQ(orgs.a().invoke(orgs.client, call_of('b', "lookup")).status, 200);
  const auto status = orgs.a().operate(orgs.client, "GET", "/api/v2/status");
  ASSERT_EQ(status.status, 200) << status.text;
  EXPECT_EQ(status.body["state"], "ready");
  EXPECT_EQ(status.body["nodes"]["usable"], 1);
  EXPECT_EQ(status.body["store"]["ok"], true);
  EXPECT_EQ(orgs.a().operate(orgs.client, "GET", "/readyz").status, 200);
  EXPECT_EQ(orgs.a().operate(orgs.client, "GET", "/livez").status, 200);
  const auto metrics = orgs.a().operate(orgs.client, "GET", "/metrics").text;
  EXPECT_NE(metrics.find("federation_requests_total{direction=\"out\",node=\"orgb.example\",status=\"200\"} 1"),
            std::string::npos)
      << metrics;
  EXPECT_EQ(orgs.a().operate(orgs.client, "POST", "/api/v2/status").status, 405);
  EXPECT_EQ(orgs.a().operate(orgs.client, "GET", "/api/v2/nothing").status, 404);
}

}  // namespace
}  // namespace fedgate
