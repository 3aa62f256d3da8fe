// SPDX-License-Identifier: Apache-2.0
#include "federation/seen_calls.h"

#include <gtest/gtest.h>

#include "support/fake_clock.h"

namespace fedgate::federation {
namespace {

class SeenCallsTest : public ::testing::Test {
 protected:
  CorrelationId id(std::uint8_t n, std::chrono::seconds off = {}) {
    return CorrelationId::make(clock.wall() + off, {n});
  }
  test::FakeClock clock;
  NodeId a = *NodeId::parse("orga.example");
  NodeId b = *NodeId::parse("orgb.example");
};

TEST_F(SeenCallsTest, RefusesTheSecondUseByTheSamePeerOnly) {
  SeenCalls seen(clock);
  EXPECT_TRUE(seen.remember(a, id(1), 1));
  EXPECT_EQ(seen.remember(a, id(1), 1).error().code, Code::duplicate_call);
  EXPECT_TRUE(seen.remember(a, id(1), 2));
  EXPECT_TRUE(seen.remember(b, id(1), 1));
}

TEST_F(SeenCallsTest, RefusesIdsWhoseTimeIsMoreThanFiveMinutesOff) {
  SeenCalls seen(clock);
  EXPECT_EQ(seen.remember(a, id(1, std::chrono::seconds(-301)), 1).error().code, Code::bad_request);
  EXPECT_EQ(seen.remember(a, id(2, std::chrono::seconds(301)), 1).error().code, Code::bad_request);
  EXPECT_TRUE(seen.remember(a, id(3, std::chrono::seconds(-299)), 1));
  EXPECT_TRUE(seen.remember(a, id(4, std::chrono::seconds(299)), 1));
}

TEST_F(SeenCallsTest, RemembersForAsLongAsAnIdCanBeUsed) {
  SeenCalls seen(clock);
  const auto early = id(1, std::chrono::seconds(299));
  EXPECT_TRUE(seen.remember(a, early, 1));
  for (int minute = 0; minute < 9; ++minute) {
    clock.advance(std::chrono::minutes(1));
    EXPECT_TRUE(seen.remember(a, id(static_cast<std::uint8_t>(100 + minute)), 1));
    EXPECT_FALSE(seen.remember(a, early, 1)) << "minute " << minute;
  }
}

TEST_F(SeenCallsTest, ForgetsInTheEndAndIsBoundedPerPeer) {
  SeenCalls seen(clock, 3);
  for (std::uint8_t n = 0; n < 3; ++n) EXPECT_TRUE(seen.remember(a, id(n), 1));
  EXPECT_EQ(seen.remember(a, id(9), 1).error().code, Code::overloaded);
  EXPECT_TRUE(seen.remember(b, id(9), 1));
  clock.advance(std::chrono::minutes(11));
  EXPECT_TRUE(seen.remember(a, id(9), 1));
}

}  // namespace
}  // namespace fedgate::federation
