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
