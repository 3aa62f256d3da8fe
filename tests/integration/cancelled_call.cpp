// SPDX-License-Identifier: Apache-2.0
//
// Promise: a call whose client leaves, at whatever moment, is stopped as far as it can be and recorded on every
// side that it reached.
#include <gtest/gtest.h>

#include <set>

#include "support/eventually.h"
#include "support/federation.h"

namespace fedgate {
namespace {

using test::call_of;

/// Every call in the trail that has an intent or an outcome, with how many of each.
struct Tally {
  int intents = 0;
  int outcomes = 0;
  std::string outcome;
};

std::map<std::string, Tally> tally(const test::Organisation& at) {
  std::map<std::string, Tally> calls;
  store::AuditQuery query;
  query.limit = 1000;
  for (const auto& row : at.trail(query)) {
    if (row.correlation_id.empty()) continue;
    Tally& one = calls[row.correlation_id];
    if (row.phase == "intent") ++one.intents;
    if (row.phase == "outcome") {
      ++one.outcomes;
      one.outcome = row.outcome;
    }
  }
  return calls;
}

TEST(CancelledCall, TheTargetStopsWhenTheOriginsClientIsGoneAndBothSidesRecordIt) {
  test::Federation orgs(2, [](net::Request& request, net::Response& response, DeadlineWheel& wheel) -> Task<> {
    if (request.target == "/slow") co_await sleep_until(wheel, wheel.now() + std::chrono::seconds(60));
    response.body = "{}";
    response.headers.add("Content-Type", "application/json");
  });
  orgs.start();
  test::TestClient leaving;
  leaving.send_and_leave(orgs.a().clients(), orgs.a().invoke_request(call_of('b', "slow")),
                         [&] { return orgs.b().upstream->seen().size() == 1; });
  EXPECT_TRUE(orgs.b().upstream->wait_for_abandoned(1));
  EXPECT_TRUE(
      test::eventually([&] { return tally(orgs.a()).size() == 1 && tally(orgs.a()).begin()->second.outcomes == 1; }));
  EXPECT_TRUE(
      test::eventually([&] { return tally(orgs.b()).size() == 1 && tally(orgs.b()).begin()->second.outcomes == 1; }));
  const auto at_a = tally(orgs.a());
  const auto at_b = tally(orgs.b());
  EXPECT_EQ(at_a.begin()->first, at_b.begin()->first);
  EXPECT_EQ(at_a.begin()->second.outcome, "unknown");
  EXPECT_EQ(at_b.begin()->second.outcome, "unknown");
  EXPECT_EQ(orgs.a().trail(at_a.begin()->first).back().error_code, "cancelled");
}

// The moments between which a call is cancelled are its awaits; leaving after every so many microseconds of its
// life meets them all over the repetitions.
TEST(CancelledCall, WheneverTheClientLeavesEachIntentGetsExactlyOneOutcome) {
  test::Federation orgs(2);
  orgs.start();
  ASSERT_EQ(orgs.a().invoke(orgs.client, call_of('b', "order")).status, 200);  // connections are there
  test::TestClient leaving;
  int left = 0;
  for (int step = 0; step < 120; ++step) {
    const auto moment = std::chrono::steady_clock::now() + std::chrono::microseconds(step * 40);
    leaving.send_and_leave(orgs.a().clients(), orgs.a().invoke_request(call_of('b', "order")),
                           [&] { return std::chrono::steady_clock::now() >= moment; });
    ++left;
  }
  const auto settled = [&](const test::Organisation& at) {
    for (const auto& [id, one] : tally(at)) {
      if (one.outcomes != 1 || one.intents > 1) return false;
    }
    return true;
  };
  EXPECT_TRUE(test::eventually([&] { return settled(orgs.a()) && settled(orgs.b()); }));
  const auto at_a = tally(orgs.a());
  const auto at_b = tally(orgs.b());
  for (const auto& [id, one] : at_b) {
    ASSERT_TRUE(at_a.contains(id)) << "the target knows a call that its origin does not: " << id;
    // What the origin says did not happen, did not happen.
    if (one.outcome == "succeeded") EXPECT_NE(at_a.at(id).outcome, "not_sent") << id;
    if (one.outcome == "succeeded") EXPECT_NE(at_a.at(id).outcome, "failed") << id;
  }
  // Every request that the service saw stands in the target's trail.
  for (const auto& request : orgs.b().upstream->seen()) {
    EXPECT_TRUE(at_b.contains(std::string(*request.headers.find("Fedgate-Correlation-Id"))));
  }
  EXPECT_EQ(left, 120);
  EXPECT_EQ(orgs.a().invoke(orgs.client, call_of('b', "order")).status, 200);
}

}  // namespace
}  // namespace fedgate
