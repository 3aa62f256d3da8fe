// SPDX-License-Identifier: Apache-2.0
#include "api/audit_views.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/hash.h"

namespace fedgate::api {
namespace {

using testing::HasSubstr;

nodes::NodeTable some_nodes() {
  Node node;
  node.id = NodeId::parse("orgb.example").value();
  node.alias = "orgb";
  return nodes::NodeTable({node});
}

Result<store::AuditQuery> read(const std::string& query) { return audit_query_from(query, some_nodes()); }

store::AuditRow some_row() {
  store::AuditRow row;
  row.log = "orga.example/fedgate/log/a/1";
  row.index = 42;
  row.timestamp = WallTime(std::chrono::microseconds(1'795'442'400'123'456));
  return row;
}

TEST(AuditQuery, ReadsEveryFilter) {
  const auto query = read(
      "principal=alice%40orga.example&organisation=orga.example&peer=orgb&resource=mcp%3A%2F%2Fb%2Fx&capability=lookup&"
      "correlation_id=019a9f5c-7c00-7000-8000-000000000001&type=cross_org_request_denied&outcome=not_sent&decision="
      "deny&"
      "credential=token%3Aalice&code=policy_denied&from=2026-01-01&to=2026-01-02T00:00:00Z&limit=7&order=oldest");
  ASSERT_TRUE(query) << query.error().detail;
  EXPECT_EQ(query->principal, "alice@orga.example");
  EXPECT_EQ(query->organisation, "orga.example");
  EXPECT_EQ(query->peer, "orgb.example") << "an alias is the node";
  EXPECT_EQ(query->resource, "mcp://b/x");
  EXPECT_EQ(query->capability, "lookup");
  EXPECT_EQ(query->correlation_id, "019a9f5c-7c00-7000-8000-000000000001");
  EXPECT_EQ(query->event_type, "cross_org_request_denied");
  EXPECT_EQ(query->outcome, "not_sent");
  EXPECT_EQ(query->decision, "deny");
  EXPECT_EQ(query->credential, "token:alice");
  EXPECT_EQ(query->error_code, "policy_denied");
  EXPECT_EQ(*query->to - *query->from, std::chrono::hours(24));
  EXPECT_EQ(query->limit, 7U);
  EXPECT_TRUE(query->oldest_first);
  EXPECT_EQ(read("")->limit, 100U);
}

TEST(AuditQuery, AWrongValueIsRefusedByName) {
  for (const auto& [bad, why] :
       std::vector<std::pair<std::string, std::string>>{{"limit=0", "1 to 1000"},
                                                        {"limit=1001", "1 to 1000"},
                                                        {"limit=x", "1 to 1000"},
                                                        {"from=yesterday", "from"},
                                                        {"from=2026-01-02&to=2026-01-01", "later than from"},
                                                        {"principal=a%1Bb", "principal"},
                                                        {"principal=a%E2%80%AEb", "control"},
                                                        {"principal=" + std::string(321, 'p'), "320"},
                                                        {"organisation=no_domain", "organisation"},
                                                        {"peer=somebody", "peer"},
                                                        {"resource=a%20b", "resource"},
                                                        {"capability=%22", "capability"},
                                                        {"correlation_id=1", "correlation_id"},
                                                        {"type=cross_org", "cross_org_request, "},
                                                        {"outcome=success", "succeeded, failed, not_sent, unknown"},
                                                        {"decision=maybe", "allow, deny"},
                                                        {"code=Nope", "policy_denied"},
                                                        {"order=random", "newest, oldest"},
                                                        {"principle=x", "no filter \"principle\""},
                                                        {"limit=5&limit=6", "twice"},
                                                        {"peer=%", "badly escaped"},
                                                        {std::string(5000, 'x'), "4096"}}) {
    const auto query = read(bad);
    ASSERT_FALSE(query) << bad;
    EXPECT_EQ(query.error().code, Code::bad_request) << bad;
    EXPECT_THAT(query.error().detail, HasSubstr(why)) << bad;
  }
}

TEST(AuditQuery, TakesItsOwnCursorsAndNoOthers) {
  const auto row = some_row();
  for (const bool oldest : {false, true}) {
    store::AuditQuery asked;
    asked.oldest_first = oldest;
    const auto cursor = cursor_of(row, asked);
    const std::string order = oldest ? "&order=oldest" : "";
    const auto query = read("cursor=" + cursor + order);
    ASSERT_TRUE(query) << query.error().detail;
    EXPECT_EQ(query->before->index, 42U);
    EXPECT_EQ(query->before->log, row.log);
    EXPECT_EQ(query->before->timestamp, row.timestamp);
    EXPECT_FALSE(read("cursor=" + cursor + (oldest ? "" : "&order=oldest"))) << "of the other order";
  }
  for (const std::string& text :
       {std::string("e1 newest 5 42"), std::string("e1 newest 5 42 "), std::string("e2 newest 5 42 l"),
        std::string("e1 newest 5x 42 l"), std::string("e1 newest 5 -1 l"),
        std::string("e1 newest 5 9007199254740992 l"), std::string("e1 newest 9223372036854775807 1 l"),
        std::string("e1 newest -1 1 l"), std::string("e1 newest 5 42 a\x1b"), std::string("e1 newest 5 42 l\0", 17),
        "e1 newest 5 42 " + std::string(321, 'l')})
    EXPECT_FALSE(read("cursor=" + to_base64url(text))) << text;
  for (const char* bad : {"cursor=%21", "cursor=AAAA", "cursor=e1"}) EXPECT_FALSE(read(bad)) << bad;
  EXPECT_FALSE(read("cursor=" + std::string(1000, 'A')));
}

TEST(AuditView, OursAndTheirsHaveTheSameNames) {
  auto row = some_row();
  row.correlation_id = "019a9f5c-7c00-7000-8000-000000000001";
  row.phase = "outcome";
  row.policy_id = "secret-rule";
  const auto ours = audit_view(row);
  const auto record = federation::trail_record(row);
  ASSERT_TRUE(record) << record.error().detail;
  const auto theirs = audit_view(*record);
  for (const auto& [key, value] : theirs.items()) {
    if (key == "call_hash") continue;
    EXPECT_TRUE(ours.contains(key)) << key;
    EXPECT_EQ(ours.value(key, nlohmann::json()), value) << key;
  }
  EXPECT_FALSE(theirs.contains("rule"));
}

}  // namespace
}  // namespace fedgate::api
