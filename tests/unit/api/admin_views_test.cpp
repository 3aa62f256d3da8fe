// SPDX-License-Identifier: Apache-2.0
#include "api/admin_views.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/hash.h"

namespace fedgate::api {
namespace {

TEST(Rfc3339, RoundTripsAndRefusesWhatIsNoTime) {
  const WallTime time{std::chrono::microseconds(1'795'442'400'123'456)};
  EXPECT_EQ(rfc3339(time), "2026-11-23T14:00:00.123456Z");
  EXPECT_EQ(*parse_rfc3339(rfc3339(time)), time);
  EXPECT_EQ(*parse_rfc3339("2026-11-23T14:00:00Z"), WallTime(std::chrono::seconds(1'795'442'400)));
  EXPECT_EQ(rfc3339(*parse_rfc3339("2026-11-23")), "2026-11-23T00:00:00.000000Z");
  EXPECT_EQ(*parse_rfc3339("2026-11-23T14:00:00.5Z"), WallTime(std::chrono::milliseconds(1'795'442'400'500)));
  for (const char* bad :
       {"", "today", "2026-13-01", "2026-1-1", "2026-11-23T14:00:00", "2026-11-23T25:00:00Z", "2026-11-23T14:00:00.Z",
        "2026-11-23T14:00:00.1234567Z", "2026-11-23T14:00:00+01:00", "-026-11-23"}) {
    EXPECT_FALSE(parse_rfc3339(bad)) << bad;
  }
}

TEST(AuditQuery, ReadsFiltersLimitsAndItsOwnCursors) {
  auto query = audit_query_from("principal=alice%40orga.example&limit=7&from=2026-01-01&type=cross_org_request");
  ASSERT_TRUE(query) << query.error().detail;
  EXPECT_EQ(query->principal, "alice@orga.example");
  EXPECT_EQ(query->limit, 7U);
  EXPECT_EQ(query->event_type, "cross_org_request");
  EXPECT_TRUE(query->from);
  store::AuditRow row;
  row.log = "orga.example/fedgate/log/a/1";
  row.index = 42;
  row.timestamp = WallTime(std::chrono::microseconds(99));
  query = audit_query_from("cursor=" + cursor_of(row));
  ASSERT_TRUE(query);
  EXPECT_EQ(query->before->index, 42U);
  EXPECT_EQ(query->before->log, row.log);
  for (const char* bad : {"limit=0", "limit=1001", "limit=x", "from=yesterday", "cursor=%21", "cursor=AAAA"}) {
    EXPECT_FALSE(audit_query_from(bad)) << bad;
  }
}

TEST(NodeFrom, IsStrictAboutMembersAndTypes) {
  const nlohmann::json good{{"node_id", "orgb.example"},
                            {"endpoints", {"https://gate.orgb.example:8443"}},
                            {"trusted", true},
                            {"rate_limit_per_hour", 10U}};
  const auto node = node_from(good);
  ASSERT_TRUE(node) << node.error().detail;
  EXPECT_EQ(node->trust_level, TrustLevel::trusted);
  EXPECT_EQ(node->principal_domains.at(0).view(), "orgb.example");
  for (const auto& [key, value] : std::vector<std::pair<std::string, nlohmann::json>>{{"node_id", 1},
                                                                                      {"node_id", "no"},
                                                                                      {"endpoints", "x"},
                                                                                      {"endpoints", {1}},
                                                                                      {"rate_limit_per_hour", -1},
                                                                                      {"rate_limit_per_hour", 0},
                                                                                      {"unknown", 1}}) {
    auto bad = good;
    bad[key] = value;
    EXPECT_FALSE(node_from(bad)) << key << value;
  }
  EXPECT_FALSE(node_from(nlohmann::json::array()));
}

}  // namespace
}  // namespace fedgate::api
