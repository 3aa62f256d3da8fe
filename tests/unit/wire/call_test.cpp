// SPDX-License-Identifier: Apache-2.0
#include "wire/call.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/hash.h"

namespace fedgate::wire {
namespace {

TEST(ClientInvoke, TakesWhatItKnowsAndKeepsArgumentsAsTheyAre) {
  json::Parser parser;
  const auto body =
      parse_client_invoke(parser, R"({"resource_id":"inventory","capability_id":"lookup","principal_id":null,
    "arguments":{ "a" : 1.0e2 },"target_node_id":"orgb.example"})");
  ASSERT_TRUE(body) << body.error().detail;
  EXPECT_EQ(body->resource.view(), "inventory");
  EXPECT_EQ(body->arguments, R"({ "a" : 1.0e2 })");
  EXPECT_EQ(body->context, "{}");
  EXPECT_EQ(body->target_node->view(), "orgb.example");
  EXPECT_FALSE(body->principal);
}

TEST(ClientInvoke, EveryWrongShapeIsNamed) {
  json::Parser parser;
  const std::pair<const char*, const char*> cases[] = {
      {R"({"capability_id":"x"})", "\"resource_id\" is missing"},
      {R"({"resource_id":"x"})", "\"capability_id\" is missing"},
      {R"({"resource_id":1,"capability_id":"x"})", "\"resource_id\" must be a string"},
      {R"({"resource_id":"x","capability_id":"y","arguments":[]})", "\"arguments\" must be an object"},
      {R"({"resource_id":"x","capability_id":"y","context":"z"})", "\"context\" must be an object"},
      {R"({"resource_id":"x","capability_id":"y","source_node":"orga.example"})", "unknown member \"source_node\""},
      {R"({"resource_id":"x","capability_id":"y","principal_id":"nobody"})", "principal_id"},
      {R"({"resource_id":"a b","capability_id":"y"})", "resource_id"},
  };
  for (const auto& [text, what] : cases) {
    const auto body = parse_client_invoke(parser, text);
    ASSERT_FALSE(body) << text;
    EXPECT_NE(body.error().detail.find(what), std::string::npos) << text << " → " << body.error().detail;
  }
}

TEST(PeerInvoke, RoundTripsThroughOurOwnWriter) {
  Invocation invocation;
  invocation.origin = *NodeId::parse("orga.example");
  invocation.target = *NodeId::parse("orgb.example");
  invocation.resource = *ResourceId::parse("mcp://orgb.example/x");
  invocation.capability = *CapabilityId::parse("lookup");
  invocation.principal = *PrincipalId::parse("alice@orga.example");
  invocation.actor = *PrincipalId::parse("agent@orga.example");
  invocation.groups = {"dev", "a \"quoted\" one"};
  invocation.arguments = R"({"x":[1,2]})";
  invocation.attempt = 3;
  json::Parser parser;
  const auto body = parse_peer_invoke(parser, peer_invoke_body(invocation));
  ASSERT_TRUE(body) << body.error().detail;
  EXPECT_EQ(body->source_node, invocation.origin);
  EXPECT_EQ(body->target_node, invocation.target);
  EXPECT_EQ(body->resource, invocation.resource);
  EXPECT_EQ(body->principal, invocation.principal);
  EXPECT_EQ(body->actor, invocation.actor);
  EXPECT_EQ(body->groups, invocation.groups);
  EXPECT_EQ(body->arguments, invocation.arguments);
  EXPECT_EQ(body->attempt, 3U);
}

TEST(PeerInvoke, IgnoresWhatANewerPeerAddsButNotWrongTypes) {
  json::Parser parser;
  const std::string base = R"("resource_id":"x","capability_id":"y")";
  EXPECT_TRUE(parse_peer_invoke(parser, "{" + base + R"(,"something_new":{"a":[1]}})"));
  EXPECT_FALSE(parse_peer_invoke(parser, "{" + base + R"(,"groups":"dev"})"));
  EXPECT_FALSE(parse_peer_invoke(parser, "{" + base + R"(,"groups":[1]})"));
  EXPECT_FALSE(parse_peer_invoke(parser, "{" + base + R"(,"attempt":0})"));
  EXPECT_FALSE(parse_peer_invoke(parser, "{" + base + R"(,"attempt":1.5})"));
  EXPECT_FALSE(parse_peer_invoke(parser, "{" + base + R"(,"attempt":-1})"));
}

TEST(Answers, AreJsonWithSarksMembers) {
  InvokeAnswer answer;
  answer.node = *NodeId::parse("orgb.example");
  answer.resource = *ResourceId::parse("inventory");
  answer.correlation_id = "id";
  answer.result = R"({"a":1})";
  answer.duration = std::chrono::microseconds(1'234'500);
  answer.timing.upstream = std::chrono::microseconds(45);
  answer.receipt = LeafReference{"orgb.example/fedgate/log/a/1", 7, sha256("x")};
  const auto body = json::parse(answer_body(answer));
  ASSERT_TRUE(body) << answer_body(answer);
  EXPECT_EQ((*body)["success"], true);
  EXPECT_EQ((*body)["result"]["a"], 1);
  EXPECT_TRUE((*body)["error"].is_null());
  EXPECT_EQ((*body)["duration_ms"], 1234.5);
  EXPECT_EQ((*body)["metadata"]["timing"]["upstream"], 0.045);
  EXPECT_EQ((*body)["metadata"]["receipt"]["index"], 7);
}

TEST(Answers, AProblemIsRfc9457AndSarkAtOnce) {
  const auto body = json::parse(problem_body({.code = Code::rate_limited,
                                              .detail = "too \"many\"\n",
                                              .node_id = "orgb.example",
                                              .resource_id = "inventory",
                                              .correlation_id = "id",
                                              .decided_by = DecidedBy::target,
                                              .effect = Effect::not_sent,
                                              .timing = {},
                                              .receipt = {}}));
  ASSERT_TRUE(body);
  EXPECT_EQ((*body)["status"], 429);
  EXPECT_EQ((*body)["code"], "rate_limited");
  EXPECT_EQ((*body)["success"], false);
  EXPECT_EQ((*body)["detail"], "too \"many\"\n");
  EXPECT_EQ((*body)["error"], (*body)["detail"]);
  EXPECT_EQ((*body)["decided_by"], "target");
  EXPECT_EQ((*body)["outcome"], "not_sent");
  EXPECT_EQ((*body)["retryable"], true);
  EXPECT_EQ((*body)["audit_correlation_id"], "id");
}

TEST(LeafHeader, RoundTripsAndRefusesGarbage) {
  const LeafReference leaf{"orga.example/fedgate/log/a/1", 12345, sha256("leaf")};
  const auto back = parse_leaf_header(leaf_header(leaf));
  ASSERT_TRUE(back);
  EXPECT_EQ(back->log, leaf.log);
  EXPECT_EQ(back->index, leaf.index);
  EXPECT_EQ(back->hash, leaf.hash);
  const std::string hex(64, 'a');
  for (const std::string& bad : std::vector<std::string>{"", ";1;" + hex, "log;;" + hex, "log;-1;" + hex, "log;1;abc",
                                                         "log;1", "lo g;1;" + hex, "log;99999999999999999999;" + hex,
                                                         "log;1x;" + hex, std::string(600, 'l') + ";1;" + hex}) {
    EXPECT_FALSE(parse_leaf_header(bad)) << bad;
  }
}

TEST(ViaHeader, IsBounded) {
  EXPECT_EQ(parse_via_header("a.example, b.example")->size(), 2U);
  EXPECT_TRUE(parse_via_header("")->empty());
  EXPECT_FALSE(parse_via_header("not a node"));
  EXPECT_FALSE(parse_via_header("a.example,,b.example"));
  std::string many = "a.example";
  for (int i = 0; i < 9; ++i) many += ",a.example";
  EXPECT_EQ(parse_via_header(many).error().code, Code::loop_detected);
}

TEST(TimingHeader, RoundTripsAndBelievesNoNonsense) {
  Timing timing;
  timing.target = std::chrono::microseconds(1'002'003);
  timing.upstream = std::chrono::microseconds(999);
  const auto back = parse_timing_header(timing_header(timing));
  EXPECT_EQ(back.target, timing.target);
  EXPECT_EQ(back.upstream, timing.upstream);
  for (const char* bad : {"", "target;dur=-5", "target;dur=nan", "target;dur=1e300", "target;dur=", "target;dur=inf"}) {
    EXPECT_EQ(parse_timing_header(bad).target.count(), 0) << bad;
  }
}

TEST(ResultValue, JsonStaysWhatIsNotIsWrappedAndBrokenJsonIsRefused) {
  json::Parser parser;
  EXPECT_EQ(*result_value(parser, "application/json; charset=utf-8", " {\"a\":1} "), " {\"a\":1} ");
  EXPECT_EQ(*result_value(parser, "application/vnd.x+json", "[1]"), "[1]");
  EXPECT_EQ(*result_value(parser, "application/json", ""), "null");
  EXPECT_EQ(*result_value(parser, "image/png", "\x01\x02"), R"({"content_type":"image/png","body_base64":"AQI="})");
  EXPECT_EQ(result_value(parser, "application/json", "{broken").error().code, Code::upstream_protocol_error);
}

TEST(SmallHeaders, AreStrict) {
  EXPECT_TRUE(parse_idempotency_key("order-1"));
  for (const std::string& bad : {std::string(), std::string("a b"), std::string("a\"b"), std::string(129, 'a')})
    EXPECT_FALSE(parse_idempotency_key(bad));
  const std::string trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
  EXPECT_EQ(parse_traceparent(trace), trace);
  for (const std::string& bad : {std::string("garbage"), "01" + trace.substr(2), trace + "0",
                                 "00-4BF92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01" + std::string()}) {
    EXPECT_EQ(parse_traceparent(bad), "") << bad;
  }
}

}  // namespace
}  // namespace fedgate::wire
