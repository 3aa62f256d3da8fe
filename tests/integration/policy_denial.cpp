// SPDX-License-Identifier: Apache-2.0
//
// Promise: either organisation's policy can stop a call; both the rule and the refusal are on record, and a
// peer learns no more than that.
#include <gtest/gtest.h>

#include "support/federation.h"

namespace fedgate {
namespace {

using test::call_of;

TEST(PolicyDenial, TheOriginsRuleStopsTheCallBeforeItLeaves) {
  test::Federation orgs(2);
  orgs.start();
  const auto answer = orgs.a().invoke(orgs.client, call_of('b', "secret"));
  EXPECT_EQ(answer.status, 403);
  EXPECT_EQ(answer.code(), "policy_denied");
  EXPECT_EQ(answer.body["decided_by"], "origin");
  EXPECT_EQ(answer.body["outcome"], "not_sent");
  const auto trail = orgs.a().trail(answer.correlation_id());
  ASSERT_EQ(trail.size(), 1U);
  EXPECT_EQ(trail[0].decision, "deny");
  EXPECT_EQ(trail[0].policy_id, "no-secret-out");
  EXPECT_EQ(trail[0].event_type, "cross_org_request_denied");
  EXPECT_TRUE(orgs.b().trail(answer.correlation_id()).empty());
}

TEST(PolicyDenial, TheTargetsRuleStopsTheCallBeforeItActs) {
  test::Federation orgs(2);
  orgs.start();
  const auto answer = orgs.a().invoke(orgs.client, call_of('b', "forbidden"));
  EXPECT_EQ(answer.status, 403);
  EXPECT_EQ(answer.code(), "policy_denied");
  EXPECT_EQ(answer.body["decided_by"], "target");
  EXPECT_TRUE(orgs.b().upstream->seen().empty());
  const auto at_b = orgs.b().trail(answer.correlation_id());
  ASSERT_EQ(at_b.size(), 1U);
  EXPECT_EQ(at_b[0].policy_id, "no-forbidden");
  EXPECT_EQ(at_b[0].decision, "deny");
  // The peer does not learn the rule.
  EXPECT_EQ(answer.text.find("no-forbidden"), std::string::npos);
  const auto at_a = orgs.a().trail(answer.correlation_id());
  EXPECT_EQ(at_a.back().phase, "outcome");
  EXPECT_EQ(at_a.back().error_code, "policy_denied");
}

TEST(PolicyDenial, WithoutAnyRuleEverythingIsDenied) {
  test::Federation orgs(2);
  orgs.a().settings.rules.clear();
  orgs.start();
  const auto answer = orgs.a().invoke(orgs.client, call_of('b', "lookup"));
  EXPECT_EQ(answer.code(), "policy_denied");
  EXPECT_EQ(orgs.a().trail(answer.correlation_id()).at(0).policy_id, "default");
}

TEST(PolicyDenial, WhatAPeerMayNotSeeLooksLikeWhatDoesNotExist) {
  test::Federation orgs(2);
  policy::Rule only_others;
  only_others.id = "others";
  only_others.direction = Direction::in;
  only_others.effect = Verdict::allow;
  only_others.nodes = {"somebody.example"};
  orgs.b().settings.rules = {only_others};
  orgs.start();
  auto hidden = orgs.a().invoke(orgs.client, call_of('b', "lookup"));
  auto body = call_of('b', "lookup");
  body["resource_id"] = "no-such-thing";
  body["target_node_id"] = "orgb.example";
  auto absent = orgs.a().invoke(orgs.client, body);
  EXPECT_EQ(hidden.status, 404);
  EXPECT_EQ(absent.status, 404);
  EXPECT_EQ(hidden.code(), absent.code());
  EXPECT_EQ(hidden.body["detail"], absent.body["detail"]);
  EXPECT_EQ(hidden.body["decided_by"], "target");
  EXPECT_NE(orgs.b().trail(hidden.correlation_id()).at(0).reason, orgs.b().trail(absent.correlation_id()).at(0).reason);
}

TEST(PolicyDenial, AnUnknownResourceWithoutATargetIsAnsweredByTheOrigin) {
  test::Federation orgs(2);
  orgs.start();
  auto body = call_of('b', "lookup");
  body["resource_id"] = "no-such-thing";
  const auto answer = orgs.a().invoke(orgs.client, body);
  EXPECT_EQ(answer.status, 404);
  EXPECT_EQ(answer.code(), "resource_not_found");
  EXPECT_EQ(answer.body["decided_by"], "origin");
  EXPECT_EQ(orgs.a().trail(answer.correlation_id()).at(0).error_code, "resource_not_found");
}

TEST(PolicyDenial, AnUnknownCapabilityOfAVisibleResourceIsNamed) {
  test::Federation orgs(2);
  orgs.start();
  const auto answer = orgs.a().invoke(orgs.client, call_of('b', "no-such-capability"));
  EXPECT_EQ(answer.status, 404);
  EXPECT_EQ(answer.code(), "capability_not_found");
  EXPECT_EQ(answer.body["decided_by"], "target");
}

}  // namespace
}  // namespace fedgate
