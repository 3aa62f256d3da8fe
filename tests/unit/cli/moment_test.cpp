// SPDX-License-Identifier: Apache-2.0
#include "cli/moment.h"

#include <gtest/gtest.h>

namespace fedgate::cli {
namespace {

using namespace std::chrono_literals;

constexpr WallTime now{std::chrono::seconds(1'795'171'800)};  // 2026-11-20T10:50:00Z

TEST(Moment, IsWrittenInUtc) {
  EXPECT_EQ(to_rfc3339(now), "2026-11-20T10:50:00Z");
  EXPECT_EQ(to_rfc3339(WallTime{}), "1970-01-01T00:00:00Z");
  EXPECT_EQ(to_rfc3339(now + 999ms), "2026-11-20T10:50:00Z");
}

TEST(Moment, IsReadAsDateTimeOrAge) {
  EXPECT_EQ(moment_from("2026-11-19", now), "2026-11-19T00:00:00Z");
  EXPECT_EQ(moment_from("2026-11-19T01:02:03Z", now), "2026-11-19T01:02:03Z");
  EXPECT_EQ(moment_from("2026-11-19T01:02:03.123456Z", now), "2026-11-19T01:02:03.123456Z");
  EXPECT_EQ(moment_from("15m", now), "2026-11-20T10:35:00Z");
  EXPECT_EQ(moment_from("2d", now), "2026-11-18T10:50:00Z");
}

TEST(Moment, RefusesAnythingElse) {
  for (const char* text :
       {"", "yesterday", "2026-11", "2026-11-19T01:02:03", "2026-11-19T01:02:03.Z", "2026-11-19T01:02:03+01:00",
        "2026-11-19T01:02:03.1234567Z", "2026-11-19 01:02:03Z", "15", "-5m"}) {
    const auto moment = moment_from(text, now);
    ASSERT_FALSE(moment) << text;
    EXPECT_EQ(moment.error().code, Code::usage);
  }
}

TEST(Moment, IsSpokenInItsTwoLargestUnits) {
  EXPECT_EQ(spoken(8s), "8 s");
  EXPECT_EQ(spoken(725s), "12 min 5 s");
  EXPECT_EQ(spoken(2h + 3min), "2 h 3 min");
  EXPECT_EQ(spoken(76h), "3 d 4 h");
  EXPECT_EQ(spoken(-5s), "0 s");
  EXPECT_EQ(milliseconds_text(850us), "0.8 ms");
  EXPECT_EQ(milliseconds_text(12'345us), "12.3 ms");
  EXPECT_EQ(milliseconds_text(1'234'567us), "1234 ms");
}

}  // namespace
}  // namespace fedgate::cli
