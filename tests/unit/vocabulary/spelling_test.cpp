// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "fedgate/audit_event.h"
#include "fedgate/node.h"
#include "fedgate/principal.h"

namespace fedgate {
namespace {

TEST(Spelling, TrustLevelsComeBack) {
  EXPECT_EQ(to_string(TrustLevel::revoked), "revoked");
  for (const TrustLevel level :
       {TrustLevel::untrusted, TrustLevel::pending, TrustLevel::trusted, TrustLevel::revoked}) {
    EXPECT_EQ(trust_level_from(to_string(level)).value(), level);
  }
  for (const auto* text : {"", "Trusted", "trusted ", "allowed"}) {
    const auto level = trust_level_from(text);
    ASSERT_FALSE(level.has_value()) << text;
    EXPECT_EQ(level.error().code, Code::bad_request);
  }
}

TEST(Spelling, WhatTheTrailAndScriptsRead) {
  EXPECT_EQ(to_string(Role::trust_admin), "trust-admin");
  EXPECT_EQ(to_string(Role::operator_role), "operator");
  EXPECT_EQ(to_string(Direction::in), "in");
  EXPECT_EQ(to_string(Direction::out), "out");
  EXPECT_EQ(to_string(Access::read), "read");
  EXPECT_EQ(to_string(Access::write), "write");
  EXPECT_EQ(to_string(DecidedBy::upstream), "upstream");
  EXPECT_EQ(to_string(Effect::not_sent), "not_sent");
  EXPECT_EQ(to_string(Phase::intent), "intent");
  EXPECT_EQ(to_string(EventType::cross_org_request_denied), "cross_org_request_denied");
  EXPECT_EQ(to_string(EventType::security_violation), "security_violation");
}

TEST(Node, OnlyTrustedAndEnabledIsUsable) {
  Node node;
  for (const TrustLevel level :
       {TrustLevel::untrusted, TrustLevel::pending, TrustLevel::trusted, TrustLevel::revoked}) {
    node.trust_level = level;
    EXPECT_EQ(node.usable(), level == TrustLevel::trusted);
  }
  node.trust_level = TrustLevel::trusted;
  node.enabled = false;
  EXPECT_FALSE(node.usable());
}

}  // namespace
}  // namespace fedgate
