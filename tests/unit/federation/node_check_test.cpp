// SPDX-License-Identifier: Apache-2.0
#include "federation/node_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace fedgate::federation {
namespace {

using namespace std::chrono_literals;

constexpr WallTime noon{std::chrono::seconds(1'795'442'400)};

TEST(ClockDifference, KnowsNoMoreThanADateAndARoundTripTell) {
  // The same moment: their second began when ours did, and lasts as long.
  auto found = clock_difference(noon, noon, noon + 1s);
  EXPECT_EQ(found.ahead, 0s);
  EXPECT_EQ(found.give_or_take, 1s);
  found = clock_difference(noon + 600s, noon, noon + 100ms);
  EXPECT_EQ(found.ahead, 600s + 450ms);
  EXPECT_EQ(found.give_or_take, 550ms);
  found = clock_difference(noon - 600s, noon, noon);
  EXPECT_EQ(found.ahead, -600s + 500ms);
}

CheckReport report_of(std::vector<CheckStep> steps) {
  CheckReport report;
  report.node = *NodeId::parse("orgb.example");
  report.at = noon;
  report.own = {.id = *NodeId::parse("orga.example"),
                .endpoint = "https://gate.orga.example:8443",
                .anchors = {"aa"},
                .issuer = "CN=CA",
                .certificate = "bb",
                .pin = "cc"};
  report.steps = std::move(steps);
  return report;
}

CheckStep step(const char* endpoint, CheckState state, const char* detail, const char* plea) {
  return {.name = "tcp", .endpoint = endpoint, .state = state, .detail = detail, .plea = plea, .took = {}};
}

TEST(CheckMessage, IsOneSentenceWithAllThatTheyNeed) {
  const auto report = report_of({step("", CheckState::good, "configured", ""),
                                 step("https://one", CheckState::failed, "no connection", "open the door"),
                                 step("https://one", CheckState::skipped, "not tried", ""),
                                 step("https://two", CheckState::failed, "no connection", "open the door"),
                                 step("https://two", CheckState::warning, "late", "set the clock")});
  EXPECT_FALSE(report.good());
  EXPECT_EQ(check_message(report),
            "To the administrators of orgb.example: our gateway orga.example (endpoint https://gate.orga.example:8443, "
            "CA certificate SHA-256 aa, certificate SHA-256 bb, pin cc) checked yours on 2026-11-23T14:00:00Z and "
            "found that at https://one no connection; at https://two no connection; at https://two late; please open "
            "the door, and set the clock.");
}

TEST(CheckMessage, AsksNothingOfThemWhereTheFaultIsOurs) {
  const auto report = report_of({step("", CheckState::failed, "orgb.example: trusted, disabled", "")});
  EXPECT_THAT(check_message(report),
              ::testing::EndsWith("found a fault of ours, not of yours: orgb.example: trusted, disabled."));
}

TEST(CheckReport, AWarningIsNoFailure) {
  EXPECT_TRUE(report_of({step("", CheckState::warning, "ends soon", "")}).good());
  EXPECT_TRUE(report_of({}).good());
}

}  // namespace
}  // namespace fedgate::federation
