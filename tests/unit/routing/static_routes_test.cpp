// SPDX-License-Identifier: Apache-2.0
#include "routing/static_routes.h"

#include <gtest/gtest.h>

namespace fedgate::routing {
namespace {

Node node(const std::string& name, std::vector<std::string> resources = {}, TrustLevel level = TrustLevel::trusted,
          bool enabled = true) {
  Node made;
  made.id = NodeId::parse(name).value();
  made.endpoints = {"https://gate." + name + ":8443", "https://second." + name + ":8443"};
  for (const auto& resource : resources) made.resources.push_back(ResourceId::parse(resource).value());
  made.trust_level = level;
  made.enabled = enabled;
  return made;
}

Invocation call(const std::string& resource, const std::string& target = {}) {
  Invocation made;
  made.resource = ResourceId::parse(resource).value();
  made.capability = CapabilityId::parse("lookup").value();
  if (!target.empty()) made.target = NodeId::parse(target).value();
  return made;
}

void expect_error(const Result<Route>& route, Code code, std::string_view part) {
  ASSERT_FALSE(route.has_value()) << route->node.str();
  EXPECT_EQ(route.error().code, code);
  EXPECT_NE(route.error().detail.find(part), std::string::npos) << route.error().detail;
}

TEST(StaticRoutes, ATargetIsTakenEvenIfItDoesNotListTheResource) {
  const StaticRoutes routes(std::vector{node("orgb.example"), node("orgc.example", {"inventory"})});
  const auto route = routes.choose(call("inventory", "orgb.example"));
  ASSERT_TRUE(route.has_value()) << route.error().detail;
  EXPECT_EQ(route->node.str(), "orgb.example");
  EXPECT_EQ(route->endpoint, "https://gate.orgb.example:8443");
  EXPECT_FALSE(route->why.empty());
}

TEST(StaticRoutes, WithoutATargetTheFirstUsableHolderById) {
  const StaticRoutes routes(std::vector{node("orgd.example", {"inventory"}), node("orgc.example", {"inventory"}),
                                        node("orgb.example", {"inventory"}, TrustLevel::trusted, false),
                                        node("orga.example", {"inventory"}, TrustLevel::pending),
                                        node("aaa.example", {"other"})});
  EXPECT_EQ(routes.choose(call("inventory"))->node.str(), "orgc.example");
}

TEST(StaticRoutes, UnknownNodeAndUnknownResource) {
  const StaticRoutes routes(std::vector{node("orgb.example", {"inventory"})});
  expect_error(routes.choose(call("inventory", "orgz.example")), Code::node_not_found, "orgz.example");
  expect_error(routes.choose(call("nothing")), Code::resource_not_found, "nothing");
  expect_error(StaticRoutes({}).choose(call("inventory")), Code::resource_not_found, "inventory");
}

TEST(StaticRoutes, WhatIsNotUsableSaysWhichCommandChangesIt) {
  auto silent = node("silent.example");
  silent.endpoints.clear();
  const StaticRoutes routes(std::vector{
      node("off.example", {"a"}, TrustLevel::trusted, false), node("pending.example", {"b"}, TrustLevel::pending),
      node("untrusted.example", {}, TrustLevel::untrusted), node("revoked.example", {}, TrustLevel::revoked), silent});
  expect_error(routes.choose(call("a", "off.example")), Code::node_not_trusted, "fedgate nodes enable off.example");
  expect_error(routes.choose(call("a")), Code::node_not_trusted, "fedgate nodes enable off.example");
  expect_error(routes.choose(call("b")), Code::node_not_trusted, "fedgate trust approve pending.example");
  expect_error(routes.choose(call("b", "untrusted.example")), Code::node_not_trusted,
               "fedgate trust approve untrusted.example");
  expect_error(routes.choose(call("b", "revoked.example")), Code::node_not_trusted, "--reinstate");
  expect_error(routes.choose(call("b", "silent.example")), Code::peer_unreachable, "no endpoint");
}

TEST(StaticRoutes, AccessIsReadOnlyWhereTheNodeSaysSo) {
  auto b = node("orgb.example", {"inventory"});
  b.reads = {"inventory/lookup", "inventory/list"};
  const StaticRoutes routes(std::vector{b, node("orgc.example")});
  EXPECT_EQ(routes.choose(call("inventory"))->access, Access::read);
  EXPECT_EQ(routes.choose(call("orders", "orgb.example"))->access, Access::write);
  EXPECT_EQ(routes.choose(call("inventory", "orgc.example"))->access, Access::write);
  auto update = call("inventory");
  update.capability = CapabilityId::parse("update").value();
  EXPECT_EQ(routes.choose(update)->access, Access::write);
}

TEST(StaticRoutes, AnEntryOfReadsMeansOneCapabilityOnly) {
  auto b = node("orgb.example", {"mcp://orgb.example/notes", "mcp://orgb.example"});
  b.reads = {"mcp://orgb.example/notes/list"};
  const StaticRoutes routes(std::vector{b});
  auto list = call("mcp://orgb.example/notes");
  list.capability = CapabilityId::parse("list").value();
  EXPECT_EQ(routes.choose(list)->access, Access::read);
  auto other = call("mcp://orgb.example");
  other.capability = CapabilityId::parse("notes/list").value();
  EXPECT_EQ(routes.choose(other)->access, Access::write);
}

TEST(StaticRoutes, RowsAreOrderedAndSayWhyNot) {
  const StaticRoutes routes(std::vector{node("orgc.example", {"orders", "inventory", "inventory"}),
                                        node("orgb.example", {"inventory"}, TrustLevel::revoked)});
  const auto rows = routes.rows();
  ASSERT_EQ(rows.size(), 3U);
  EXPECT_EQ(rows[0].resource.str() + " " + rows[0].node.str(), "inventory orgb.example");
  EXPECT_EQ(rows[1].resource.str() + " " + rows[1].node.str(), "inventory orgc.example");
  EXPECT_EQ(rows[2].resource.str() + " " + rows[2].node.str(), "orders orgc.example");
  EXPECT_FALSE(rows[0].usable);
  EXPECT_NE(rows[0].why_not.find("revoked"), std::string::npos);
  EXPECT_TRUE(rows[1].usable);
  EXPECT_TRUE(rows[1].why_not.empty());
  EXPECT_EQ(rows[1].endpoint, "https://gate.orgc.example:8443");
}

}  // namespace
}  // namespace fedgate::routing
