// SPDX-License-Identifier: Apache-2.0
//
// Promise: an outage of the database neither fails a call nor loses or doubles a record.
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "support/eventually.h"
#include "support/federation.h"
#include "support/postgres_server.h"

namespace fedgate {
namespace {

using test::call_of;
using test::PostgresServer;

class DatabaseOutage : public ::testing::Test {
 protected:
  void SetUp() override {
    if (const auto why = PostgresServer::unavailable(); !why.empty()) GTEST_SKIP() << why;
    for (auto* one : {&orgs.a(), &orgs.b()}) one->settings.store.url = PostgresServer::shared().new_database();
    orgs.start();
  }
  /// Records of one database, as PostgreSQL itself counts them.
  static std::int64_t count(const test::Organisation& at, const std::string& sql) {
    pqxx::connection connection(at.settings.store.url);
    return pqxx::nontransaction(connection).exec(sql)[0][0].as<std::int64_t>();
  }
  static void expect_each_call_once(const test::Organisation& at, std::int64_t calls) {
    EXPECT_EQ(count(at, "SELECT count(DISTINCT correlation_id) FROM audit_events"), calls) << at.id.str();
    EXPECT_EQ(count(at, "SELECT count(*) FROM audit_events"), 2 * calls) << at.id.str();
    EXPECT_EQ(count(at,
                    "SELECT count(*) FROM (SELECT correlation_id FROM audit_events GROUP BY correlation_id HAVING "
                    "count(*) FILTER (WHERE phase = 'intent') = 1 AND "
                    "count(*) FILTER (WHERE phase = 'outcome' AND outcome = 'succeeded') = 1) AS whole"),
              calls)
        << at.id.str();
    // The log has no gap: what the journal holds is what the database holds.
    EXPECT_EQ(count(at, "SELECT max(log_index) + 1 FROM audit_events"), 2 * calls) << at.id.str();
  }
  static bool catches_up(const test::Organisation& at) {
    return at.gateway->shipper().wait_for(at.gateway->journal().state().durable, std::chrono::seconds(40));
  }
  [[nodiscard]] nlohmann::json status_of(const test::Organisation& at) {
    return at.operate(orgs.client, "GET", "/api/v2/status").body;
  }
  test::Federation orgs{2};
};

TEST_F(DatabaseOutage, CallsGoOnAndEveryRecordArrivesOnce) {
  auto& postgres = PostgresServer::shared();
  ASSERT_EQ(status_of(orgs.a())["store"]["ok"], true);

  // Calls before, through and after the outage, without a pause: some record is on its way at each of its ends.
  std::atomic<bool> enough{false};
  std::atomic<int> calls{0};
  std::atomic<int> failed{0};
  std::thread caller([&] {
    test::TestClient client;
    while (!enough) {
      if (orgs.a().invoke(client, call_of('b', "order")).status != 200) ++failed;
      ++calls;
    }
  });
  const auto more_calls = [&](int wanted) {
    const int enough_then = calls + wanted;
    EXPECT_TRUE(test::eventually([&] { return calls >= enough_then; }, std::chrono::seconds(60)));
  };
  more_calls(30);
  postgres.stop();
  more_calls(30);
  for (const auto* one : {&orgs.a(), &orgs.b()}) {
    const auto status = status_of(*one);
    EXPECT_EQ(status["store"]["ok"], false) << status;
    EXPECT_EQ(status["state"], "ready");
    EXPECT_NE(status["attention"].dump().find("the database cannot be reached"), std::string::npos) << status;
    EXPECT_GT(status["audit"]["backlog"], 0);
  }
  postgres.start();
  more_calls(30);
  enough = true;
  caller.join();

  EXPECT_EQ(failed, 0);
  for (const auto* one : {&orgs.a(), &orgs.b()}) {
    ASSERT_TRUE(catches_up(*one)) << one->id.str();
    expect_each_call_once(*one, calls);
    EXPECT_EQ(status_of(*one)["store"]["ok"], true);
  }
}

TEST_F(DatabaseOutage, ANodeIsCutOffAtOnceAndTheDatabaseHearsOfItLater) {
  auto& postgres = PostgresServer::shared();
  auto& b = orgs.b();
  b.environment.reload_source = [&b] {
    return config::Loaded{
        .settings = std::make_shared<const config::Settings>(b.settings), .findings = {}, .admin_address = ""};
  };
  b.stop();
  b.start();
  ASSERT_EQ(orgs.a().invoke(orgs.client, call_of('b', "order")).status, 200);
  postgres.stop();
  const auto node_a = "/api/v2/federation/nodes/orga.example";
  const auto disabled = b.operate(orgs.client, "PATCH", node_a, {{"enabled", false}});
  EXPECT_EQ(disabled.status, 200) << disabled.text;
  EXPECT_EQ(disabled.body["enabled"], false);
  EXPECT_EQ(disabled.body["stored"], false);
  EXPECT_EQ(disabled.body["recorded"], true);
  EXPECT_NE(disabled.body["note"].dump().find("not stored yet"), std::string::npos) << disabled.text;
  const auto expect_cut_off = [&] {
    const auto answer = orgs.a().invoke(orgs.client, call_of('b', "order"));
    EXPECT_EQ(answer.status, 502) << answer.text;
  };
  expect_cut_off();
  EXPECT_NE(status_of(b)["attention"].dump().find("orga.example"), std::string::npos);
  // Nothing lets it in again by accident.
  EXPECT_EQ(b.operate(orgs.client, "PATCH", node_a, {{"enabled", true}}).code(), "store_unavailable");
  EXPECT_EQ(b.operate(orgs.client, "POST", "/api/v2/reload", nlohmann::json::object()).status, 422);
  expect_cut_off();
  postgres.start();
  EXPECT_TRUE(test::eventually([&] { return b.gateway->registry().waiting().empty(); }, std::chrono::seconds(40)));
  expect_cut_off();
  b.stop();
  b.start();
  expect_cut_off();
  EXPECT_EQ(b.operate(orgs.client, "PATCH", node_a, {{"enabled", true}}).status, 200);
  EXPECT_EQ(orgs.a().invoke(orgs.client, call_of('b', "order")).status, 200);
}

TEST_F(DatabaseOutage, ARestartOfTheGatewayDuringItLosesNothing) {
  auto& postgres = PostgresServer::shared();
  postgres.stop();
  for (int i = 0; i < 5; ++i) ASSERT_EQ(orgs.a().invoke(orgs.client, call_of('b', "order")).status, 200);
  orgs.a().stop();
  postgres.start();
  orgs.a().start();
  for (int i = 0; i < 5; ++i) ASSERT_EQ(orgs.a().invoke(orgs.client, call_of('b', "order")).status, 200);
  for (const auto* one : {&orgs.a(), &orgs.b()}) {
    ASSERT_TRUE(catches_up(*one)) << one->id.str();
    expect_each_call_once(*one, 10);
  }
}

}  // namespace
}  // namespace fedgate
