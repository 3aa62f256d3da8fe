// SPDX-License-Identifier: Apache-2.0
//
// Promise: what an operator takes away on one replica is gone on all of them within two seconds, and at once where the
// database can say so.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <iostream>

#include "net/address.h"
#include "support/eventually.h"
#include "support/federation.h"
#include "support/open_connections.h"
#include "support/postgres_server.h"

namespace fedgate::test {
namespace {

using std::chrono::steady_clock;
using testing::HasSubstr;

// By the promise 2 s; what is asserted allows for a busy machine.
constexpr auto bound = std::chrono::seconds(2) + std::chrono::seconds(sanitized ? 8 : 2);

class Replicas : public testing::Test {
 protected:
  // The second organisation becomes a replica of the first, the third is the peer of both.
  Federation organisations{3};
  Organisation& a = organisations[0];
  Organisation& b = organisations[1];
  Organisation& peer = organisations[2];
  // One each: they have one name.
  TestClient client_of_a, client_of_b;
  std::string url;

  void SetUp() override {
    if (const auto why = PostgresServer::unavailable(); !why.empty()) GTEST_SKIP() << why;
    url = PostgresServer::shared().new_database();
    b.id = a.id;
    b.ca = a.ca;
    b.leaf = a.leaf;
    const auto own = b.settings;
    b.settings = a.settings;
    b.settings.node.replica = "b";
    b.settings.admin = own.admin;
    b.settings.audit.journal = own.audit.journal;
    b.settings.log = own.log;
    for (auto* one : {&a, &b}) {
      one->settings.store.url = url;
      one->start();
    }
    peer.start();
    // Without an address: a connection of their own to it would be cut off, and counted, with those of this test.
    auto known = peer.as_node();
    known.endpoints.clear();
    a.trust_node(known);
    ASSERT_TRUE(eventually([&] { return level_at_b() == "trusted"; })) << "the other replica has heard of it";
  }
  std::string level_at_b() {
    return b.operate(client_of_b, "GET", "/api/v2/federation/nodes/" + peer.id.str())
        .body.value("trust_level", "unknown");
  }
  std::unique_ptr<OpenConnections> connections_to(const Organisation& to) {
    const auto address = net::parse_address(to.gateway->peers_address()).value();
    auto made = std::make_unique<OpenConnections>(peer.leaf, to.id.str(), address.port);
    made->open(20);
    return made;
  }
  [[nodiscard]] std::int64_t count(const std::string& what) const {
    return PostgresServer::shared()
        .execute("SELECT count(" + what + ") FROM pg_stat_activity WHERE datname = '" + database() +
                 "' AND application_name = 'fedgate listener'")[0][0]
        .as<std::int64_t>();
  }
  [[nodiscard]] std::string database() const {
    const auto from = url.find("@/") + 2;
    return url.substr(from, url.find('?') - from);
  }
  /// Revokes on a and says how long b's connections lived.
  double seconds_to_cut_off(const std::string& how) {
    auto at_a = connections_to(a);
    auto at_b = connections_to(b);
    const auto begun = steady_clock::now();
    const auto revoked = a.operate(client_of_a, "POST", "/api/v2/federation/nodes/" + peer.id.str() + "/trust/revoke",
                                   {{"reason", "theft"}});
    EXPECT_EQ(revoked.status, 200) << revoked.text;
    EXPECT_EQ(revoked.body["stored"], true) << revoked.text;
    EXPECT_EQ(revoked.body["cut_off"]["connections"], 20) << "its own";
    const auto last = at_b->all_closed(std::chrono::seconds(30));
    EXPECT_TRUE(last);
    EXPECT_EQ(at_a->closed(), at_a->size());
    if (!last) return 30;
    const double seconds = std::chrono::duration<double>(*last - begun).count();
    std::cout << "from the command on one replica to the last connection closed on the other, " << how << ": "
              << seconds << " s\n";
    EXPECT_FALSE(at_b->lets_in());
    EXPECT_EQ(level_at_b(), "revoked");
    return seconds;
  }
  void expect_recorded_at_b() {
    store::AuditQuery query;
    query.event_type = "federation_node_revoked";
    ASSERT_TRUE(eventually([&] { return b.trail(query).size() == 2; }));
    for (const auto& row : b.trail(query)) {
      if (row.log.find("/log/a/") != std::string::npos) continue;
      EXPECT_EQ(row.principal, "another replica");
      EXPECT_THAT(row.reason, HasSubstr("20 connections closed"));
      EXPECT_GT(row.duration_us, 0);
    }
  }
};

TEST_F(Replicas, ARevocationIsHeardOfAtOnce) {
  ASSERT_TRUE(eventually([&] { return count("*") == 2; })) << "both listen";
  EXPECT_LT(seconds_to_cut_off("by LISTEN"), std::chrono::duration<double>(bound).count());
  expect_recorded_at_b();
}

TEST_F(Replicas, ARevocationIsFoundWithoutListening) {
  ASSERT_TRUE(eventually([&] { return count("*") == 2; }));
  const auto& server = PostgresServer::shared();
  // Connections that there are stay, new ones are refused: nobody can listen again.
  server.execute("UPDATE pg_database SET datallowconn = false WHERE datname = '" + database() + "'");
  EXPECT_EQ(count("pg_terminate_backend(pid)"), 2);
  ASSERT_TRUE(eventually([&] { return count("*") == 0; }));
  EXPECT_LT(seconds_to_cut_off("by looking alone"), std::chrono::duration<double>(bound).count());
  EXPECT_EQ(count("*"), 0);
  server.execute("UPDATE pg_database SET datallowconn = true WHERE datname = '" + database() + "'");
  EXPECT_TRUE(eventually([&] { return count("*") == 2; }, std::chrono::seconds(30))) << "they listen again";
  expect_recorded_at_b();
}

TEST_F(Replicas, AReinstatementIsFoundToo) {
  seconds_to_cut_off("by LISTEN");
  const auto approved = a.operate(client_of_a, "POST", "/api/v2/federation/nodes/" + peer.id.str() + "/trust/approve",
                                  {{"reinstate", true}});
  ASSERT_EQ(approved.status, 200) << approved.text;
  EXPECT_TRUE(eventually([&] { return level_at_b() == "trusted"; }));
  EXPECT_TRUE(connections_to(b)->answers());
}

}  // namespace
}  // namespace fedgate::test
