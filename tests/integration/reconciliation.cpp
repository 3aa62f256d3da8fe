// SPDX-License-Identifier: Apache-2.0
//
// Promise: two trails are compared call by call, whatever happened to the calls; who tampers with one is found out.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/json.h"
#include "support/command_line.h"
#include "support/eventually.h"

namespace fedgate {
namespace {

using test::call_of;
using test::eventually;
using test::run_at;
using testing::HasSubstr;
using testing::Not;

class Reconciling : public ::testing::Test {
 protected:
  void begin(federation::ReconciliationPace pace = {.interval = std::chrono::milliseconds(0),
                                                    .settling = std::chrono::milliseconds(0)}) {
    for (auto* one : {&orgs.a(), &orgs.b()}) {
      one->environment.reconciliation = pace;
      // Our own watch over the database would find it first, and stop shipping.
      one->environment.compare_database_each = std::chrono::hours(1);
    }
    orgs.start();
  }
  std::string call(const std::string& capability) {
    auto id = orgs.a().invoke(orgs.client, call_of('b', capability)).correlation_id();
    EXPECT_FALSE(id.empty());
    return id;
  }
  void tamper(test::Organisation& at, const std::string& sql, const std::string& id) {
    ASSERT_FALSE(at.trail(id).empty());
    const auto done = at.gateway->store().transact("tampering", [&](store::Transaction& open) -> Result<void> {
      return open.run(sql, std::vector<store::Parameter>{id}) == 1 ? Result<void>()
                                                                   : fail(Code::internal, "nothing to tamper with");
    });
    ASSERT_TRUE(done) << done.error().detail;
  }
  nlohmann::json reconciled(const test::Organisation& at, int status) {
    const auto ran =
        run_at(at, {"audit", "reconcile", &at == &orgs.a() ? "orgb" : "orga", "--from", "1h", "--output", "json"});
    EXPECT_EQ(ran.status, status) << ran.out << ran.err;
    auto json = json::parse(ran.out);
    return json ? *json : nlohmann::json();
  }
  static std::vector<store::AuditRow> alarms(const test::Organisation& at) {
    store::AuditQuery query;
    query.event_type = "security_violation";
    auto rows = at.trail(query);
    std::erase_if(rows, [](const store::AuditRow& row) { return row.action != "reconcile"; });
    return rows;
  }
  test::Federation orgs{2};
};

TEST_F(Reconciling, HonestTrailsAgreeWhateverHappenedToTheCalls) {
  begin();
  for (const char* capability : {"lookup", "order", "forbidden", "secret", "nothing-like-it", "slow"}) call(capability);
  (void)orgs.b().invoke(orgs.client, call_of('a', "order"));
  orgs.b().stop();
  call("order");  // never arrives
  orgs.b().start();
  for (auto* at : {&orgs.a(), &orgs.b()}) {
    const auto report = reconciled(*at, 0);
    EXPECT_EQ(report["state"], "done");
    EXPECT_EQ(report["agree"], true) << report.dump(1);
    // All but the one that a denied itself; the one that never arrived is in a's trail, and needs none in b's.
    EXPECT_EQ(report["counts"]["calls"], 7) << report.dump(1);
    EXPECT_TRUE(report["findings"].empty());
    EXPECT_TRUE(alarms(*at).empty());
  }
  EXPECT_THAT(orgs.a().gateway->metrics().text(),
              HasSubstr("federation_audit_mismatches{kind=\"differs\",node=\"orgb.example\"} 0"));
}

TEST_F(Reconciling, EveryKindOfMismatchIsCountedNamedAndAlarmedOnce) {
  begin();
  call("lookup");
  const auto changed = call("order"), lost = call("lookup"), kept_secret = call("lookup");
  tamper(orgs.b(), "UPDATE audit_events SET resource = 'other' WHERE phase = 'outcome' AND correlation_id = $1",
         changed);
  tamper(orgs.b(), "DELETE FROM audit_events WHERE correlation_id = $1", lost);
  tamper(orgs.a(), "DELETE FROM audit_events WHERE correlation_id = $1", kept_secret);

  const auto report = reconciled(orgs.a(), 1);
  const auto& counts = report["counts"];
  EXPECT_EQ(counts["calls"], 4) << report.dump(1);
  EXPECT_EQ(counts["agree"], 1);
  EXPECT_EQ(counts["differing"], 1);
  EXPECT_EQ(counts["missing_there"], 1);
  EXPECT_EQ(counts["missing_here"], 1);
  std::map<std::string, std::string> found;
  for (const auto& finding : report["findings"]) found[finding["correlation_id"]] = finding["standing"];
  EXPECT_EQ(found, (std::map<std::string, std::string>{
                       {changed, "differs"}, {lost, "missing_there"}, {kept_secret, "missing_here"}}));
  const auto raised = alarms(orgs.a());
  ASSERT_EQ(raised.size(), 1U);
  EXPECT_EQ(raised[0].source_node, "orgb.example");
  EXPECT_THAT(raised[0].reason, HasSubstr("4 calls: 1 differs, 1 missing_here, 1 missing_there"));
  const auto metrics = orgs.a().gateway->metrics().text();
  for (const char* kind : {"differs", "missing_here", "missing_there"})
    EXPECT_THAT(metrics,
                HasSubstr("federation_audit_mismatches{kind=\"" + std::string(kind) + "\",node=\"orgb.example\"} 1"));
  EXPECT_THAT(orgs.a().operate(orgs.client, "GET", "/api/v2/status").text, HasSubstr("do not agree"));
  const auto shown = run_at(orgs.a(), {"audit", "reconcile", "orgb.example"});
  EXPECT_EQ(shown.status, 1);
  EXPECT_THAT(shown.out, HasSubstr("here inventory-b, there other"));
}

TEST_F(Reconciling, ManyCallsAreComparedPageByPage) {
  begin();
  constexpr int calls = 130;  // two records each at both sides: three pages
  for (int i = 0; i < calls; ++i) call("order");
  const auto report = reconciled(orgs.a(), 0);
  EXPECT_EQ(report["counts"]["calls"], calls);
  EXPECT_EQ(report["counts"]["agree"], calls);
}

TEST_F(Reconciling, ANodeThatIsAwayIsNoAgreement) {
  begin();
  call("order");
  orgs.b().stop();
  const auto report = reconciled(orgs.a(), 1);
  EXPECT_EQ(report["state"], "failed");
  EXPECT_EQ(report["agree"], false);
  EXPECT_NE(report["problem"], "");
  EXPECT_TRUE(alarms(orgs.a()).empty());
  const auto nobody = run_at(orgs.a(), {"audit", "reconcile", "nobody.example"});
  EXPECT_EQ(nobody.status, 1);
  EXPECT_THAT(nobody.err, HasSubstr("no node nobody.example"));
}

TEST_F(Reconciling, WhatMayStillRunIsNoMismatch) {
  begin({.interval = std::chrono::milliseconds(0), .settling = std::chrono::minutes(15)});
  const auto young = call("lookup");
  tamper(orgs.b(), "DELETE FROM audit_events WHERE correlation_id = $1", young);
  const auto report = reconciled(orgs.a(), 0);
  EXPECT_EQ(report["counts"]["pending"], 1) << report.dump(1);
}

TEST_F(Reconciling, TheTimerFindsItToo) {
  // No run looks at a call before it is this old; until then there is time to tamper.
  begin({.interval = std::chrono::milliseconds(200), .settling = std::chrono::seconds(8)});
  const auto lost = call("lookup");
  // Were its record the last in B's database, B would see that it is gone when it goes on shipping, stop, and say that
  // its answers are not whole.
  call("lookup");
  tamper(orgs.b(), "DELETE FROM audit_events WHERE correlation_id = $1", lost);
  ASSERT_TRUE(eventually([&] { return !alarms(orgs.a()).empty(); }, std::chrono::seconds(30)));
  EXPECT_THAT(alarms(orgs.a())[0].reason, HasSubstr("1 missing_there"));
  // Each run goes on where the one before it ended.
  const auto again = [&] {
    return orgs.a().operate(orgs.client, "GET", "/api/v2/audit/reconcile/orgb").body["counts"]["calls"] == 0;
  };
  EXPECT_TRUE(eventually(again, std::chrono::seconds(30)));
  EXPECT_EQ(alarms(orgs.a()).size(), 1U);
}

}  // namespace
}  // namespace fedgate
