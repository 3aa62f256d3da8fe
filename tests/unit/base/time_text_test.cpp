// SPDX-License-Identifier: Apache-2.0
#include "base/time_text.h"

#include <gtest/gtest.h>

namespace fedgate {
namespace {

TEST(TimeText, OneTextForOneMoment) {
  const WallTime moment(std::chrono::seconds(1'795'442'400));
  EXPECT_EQ(utc_text(moment), "2026-11-23T14:00:00Z");
  EXPECT_EQ(utc_text(moment + std::chrono::microseconds(999'999)), "2026-11-23T14:00:00Z");
  EXPECT_EQ(parse_utc_text("2026-11-23T14:00:00Z").value(), moment);
  EXPECT_EQ(parse_utc_text("2028-02-29T23:59:59Z").value() + std::chrono::seconds(1),
            parse_utc_text("2028-03-01T00:00:00Z").value());
  EXPECT_EQ(utc_text(WallTime::max()).substr(0, 5), "9999-");
  EXPECT_EQ(utc_text(WallTime::min()).substr(0, 5), "0000-");
}

TEST(TimeText, NothingElseIsATime) {
  for (const auto* text :
       {"", "2026-11-23", "2026-11-23T14:00:00", "2026-11-23T14:00:00+00:00", "2026-11-23T14:00:00.5Z",
        "2026-11-23t14:00:00Z", "2026-11-23 14:00:00Z", "2026-02-30T14:00:00Z", "2026-13-01T14:00:00Z",
        "2026-00-01T14:00:00Z", "2026-11-23T24:00:00Z", "2026-11-23T14:60:00Z", "2026-11-23T14:00:60Z",
        "+026-11-23T14:00:00Z", "2026-11-23T14:00:00Z "})
    EXPECT_FALSE(parse_utc_text(text)) << text;
}

}  // namespace
}  // namespace fedgate
