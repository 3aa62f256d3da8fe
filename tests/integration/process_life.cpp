// SPDX-License-Identifier: Apache-2.0
//
// Promise: somebody who follows the README by hand gets a call across, with the program alone; it says what is
// wrong where it is wrong, and its exit statuses tell scripts which kind of wrong it is.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/daemon.h"

namespace fedgate {
namespace {

using ::testing::HasSubstr;

std::string correlation_id_in(const std::string& text) {
  const std::string label = "correlation id ";
  const auto at = text.find(label);
  return at == std::string::npos ? "" : text.substr(at + label.size(), 36);
}

TEST(ProcessLife, ANewcomersTwoGatewaysCarryACallAndBothRememberIt) {
  test::Partners orgs(FEDGATE_BINARY, {});
  for (const auto* one : {&orgs.a, &orgs.b}) {
    const auto check = one->fedgate({"check"});
    EXPECT_EQ(check.status, 0) << check.err;
    EXPECT_THAT(check.out, HasSubstr("is valid: node " + one->id() + ", 1 peer"));
  }
  orgs.start();

  const auto status = orgs.a.fedgate({"status"});
  EXPECT_EQ(status.status, 0) << status.err;
  EXPECT_THAT(status.out, HasSubstr("orga.example"));
  EXPECT_THAT(status.out, HasSubstr("ready, up "));
  EXPECT_THAT(status.out, HasSubstr("1 usable of 1"));
  EXPECT_THAT(status.out, HasSubstr("127.0.0.1:" + std::to_string(orgs.a.clients_port())));
  EXPECT_THAT(status.out, HasSubstr("Nothing needs attention."));
  const auto nodes = orgs.a.fedgate({"nodes", "list"});
  EXPECT_EQ(nodes.status, 0) << nodes.err;
  EXPECT_THAT(nodes.out, HasSubstr("orgb.example"));

  const std::string token_file = orgs.a.path("alice.token");
  const auto call =
      orgs.a.fedgate({"invoke", "inventory", "order", "--args", R"({"sku":"A-1"})", "--token-file", token_file});
  ASSERT_EQ(call.status, 0) << call.err;
  const auto result = nlohmann::json::parse(call.out);
  EXPECT_EQ(result["target"], "/orders");
  EXPECT_EQ(result["body"], R"({"sku":"A-1"})");
  const auto id = correlation_id_in(call.err);
  ASSERT_EQ(id.size(), 36U) << call.err;

  for (const auto* one : {&orgs.a, &orgs.b}) {
    const auto list = one->fedgate({"audit", "list", "--principal", "alice@orga.example"});
    EXPECT_EQ(list.status, 0) << list.err;
    EXPECT_THAT(list.out, HasSubstr(id));
    const auto show = one->fedgate({"audit", "show", id});
    EXPECT_EQ(show.status, 0) << show.err;
    EXPECT_THAT(show.out, HasSubstr("succeeded"));
  }
  const auto at_a = orgs.a.trail(id);
  const auto at_b = orgs.b.trail(id);
  ASSERT_EQ(at_a.size(), 2U);
  ASSERT_EQ(at_b.size(), 2U);
  EXPECT_EQ(at_a[0]["phase"], "intent");
  EXPECT_EQ(at_a[1]["outcome"], "succeeded");
  // Each side's record names the other's by its hash.
  EXPECT_EQ(at_b[0]["counterparty"]["hash"], at_a[0]["leaf_hash"]);
  EXPECT_EQ(at_a[1]["counterparty"]["hash"], at_b[1]["leaf_hash"]);

  EXPECT_EQ(orgs.a.stop(), 0) << orgs.a.log();
  EXPECT_EQ(orgs.b.stop(), 0) << orgs.b.log();
}

TEST(ProcessLife, ARefusedCallExits1AndNamesItsCode) {
  test::Partners orgs(FEDGATE_BINARY, {});
  orgs.start();
  const auto call = orgs.a.fedgate({"invoke", "inventory", "fly", "--token-file", orgs.a.path("alice.token")});
  EXPECT_EQ(call.status, 1);
  EXPECT_EQ(call.out, "");
  EXPECT_THAT(call.err, HasSubstr("capability_not_found"));
  EXPECT_THAT(call.err, HasSubstr("decided by"));
}

TEST(ProcessLife, ABrokenConfigurationExits2WithEveryFindingAtItsPlace) {
  test::Partners orgs(FEDGATE_BINARY, {});
  orgs.a.write("conf.d/20-broken.yaml", "polices: {}\nlimits:\n  body: much\n");
  for (const char* verb : {"check", "serve"}) {
    const auto told = orgs.a.fedgate({verb});
    EXPECT_EQ(told.status, 2) << verb << told.err;
    EXPECT_THAT(told.err, HasSubstr(orgs.a.path("conf.d/20-broken.yaml:1:1: "))) << verb;
    EXPECT_THAT(told.err, HasSubstr(orgs.a.path("conf.d/20-broken.yaml:3:9: "))) << verb;
  }
}

TEST(ProcessLife, VerbsExit3WhereNoDaemonAnswers) {
  test::Partners orgs(FEDGATE_BINARY, {});
  const auto status = orgs.a.fedgate({"status"});
  EXPECT_EQ(status.status, 3);
  EXPECT_THAT(status.err, HasSubstr(orgs.a.path("admin.sock")));
  const auto call = orgs.a.fedgate({"invoke", "inventory", "lookup", "--token-file", orgs.a.path("alice.token")});
  EXPECT_EQ(call.status, 3);
  EXPECT_THAT(call.err, HasSubstr(std::to_string(orgs.a.clients_port())));
}

TEST(ProcessLife, ASecondDaemonOnTheSameStateIsRefusedAndTheFirstGoesOn) {
  test::Partners orgs(FEDGATE_BINARY, {});
  orgs.start();
  const auto second = orgs.b.fedgate({"serve"});
  EXPECT_EQ(second.status, 1);
  EXPECT_THAT(second.err, HasSubstr("cannot start"));
  EXPECT_THAT(second.err, HasSubstr(orgs.b.path("state/journal")));
  EXPECT_THAT(second.err, HasSubstr("another fedgate process uses this directory"));
  EXPECT_EQ(orgs.a.invoke(orgs.client, test::inventory_call("order")).status, 200);
}

}  // namespace
}  // namespace fedgate
