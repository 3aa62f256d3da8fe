// SPDX-License-Identifier: Apache-2.0
#include "config/scalars.h"

#include <gtest/gtest.h>

#include "config/loader.h"

namespace fedgate::config {
namespace {

using namespace std::chrono_literals;

TEST(Scalars, Durations) {
  EXPECT_EQ(parse_duration("250ms").value(), 250ms);
  EXPECT_EQ(parse_duration("5s").value(), 5s);
  EXPECT_EQ(parse_duration("5m").value(), 5min);
  EXPECT_EQ(parse_duration("1h").value(), 1h);
  EXPECT_EQ(parse_duration("400d").value(), 24h * 400);
  EXPECT_EQ(parse_duration("0s").value(), 0s);
  for (const auto* bad : {"", "5", "s", "-5s", "+5s", "5 s", "5S", "1.5s", "05s", "5s ", "99999999999999999999s",
                          "9223372036854775807d", "5sec"}) {
    EXPECT_FALSE(parse_duration(bad)) << bad;
  }
  EXPECT_EQ(parse_duration("five").error().detail,
            "`five` is not a duration: write a whole number and its unit, as in 250ms, 5s, 5m, 1h, 400d");
}

TEST(Scalars, Sizes) {
  EXPECT_EQ(parse_size("512B").value(), 512U);
  EXPECT_EQ(parse_size("64KiB").value(), 65536U);
  EXPECT_EQ(parse_size("1MiB").value(), 1048576U);
  EXPECT_EQ(parse_size("10GiB").value(), 10ULL << 30);
  for (const auto* bad : {"", "64", "64KB", "64kib", "1.5MiB", "-1B", "010B", "18446744073709551615KiB"})
    EXPECT_FALSE(parse_size(bad)) << bad;
}

TEST(Scalars, Rates) {
  EXPECT_EQ(parse_rate_per_hour("6000/h").value(), 6000U);
  EXPECT_EQ(parse_rate_per_hour("100/m").value(), 6000U);
  EXPECT_EQ(parse_rate_per_hour("10/s").value(), 36000U);
  for (const auto* bad : {"", "6000", "/h", "6000/d", "6000/hour", "-1/h", "18446744073709551615/s"})
    EXPECT_FALSE(parse_rate_per_hour(bad)) << bad;
}

TEST(Scalars, Times) {
  const auto day = parse_time("2027-01-31").value();
  EXPECT_EQ(day.time_since_epoch(), std::chrono::seconds(1801353600));
  EXPECT_EQ(parse_time("2027-01-31T00:00:00Z").value(), day);
  EXPECT_EQ(parse_time("2027-01-31T02:00:00+02:00").value(), day);
  EXPECT_EQ(parse_time("2027-01-30T23:30:00-00:30").value(), day);
  EXPECT_EQ(parse_time("2027-01-31T00:00:00.5Z").value(), day + 500ms);
  EXPECT_TRUE(parse_time("2028-02-29"));
  for (const auto* bad : {"", "2027", "2027-1-31", "2027-02-29", "2027-13-01", "2027-00-10", "2027-01-31 00:00:00Z",
                          "2027-01-31T24:00:00Z", "2027-01-31T00:00:00", "2027-01-31T00:00Z", "2027-01-31Z",
                          "2027-01-31T00:00:00Zx", "tomorrow"}) {
    EXPECT_FALSE(parse_time(bad)) << bad;
  }
  EXPECT_EQ(date_text(day), "2027-01-31");
}

TEST(Scalars, TextsOfValues) {
  EXPECT_EQ(duration_text(30s), "30s");
  EXPECT_EQ(duration_text(90s), "90s");
  EXPECT_EQ(duration_text(10min), "10m");
  EXPECT_EQ(duration_text(250ms), "250ms");
  EXPECT_EQ(size_text(16384), "16KiB");
  EXPECT_EQ(size_text(1000), "1000B");
}

TEST(Scalars, Utf8) {
  const auto good = [](std::string_view text) { return first_invalid_utf8(text) == text.size(); };
  EXPECT_TRUE(good("aü€\xF0\x9F\x98\x80"));
  for (const std::string_view bad :
       {"\x80", "\xC0\xAF", "\xE0\x80\xAF", "\xED\xA0\x80", "\xF4\x90\x80\x80", "\xF0\x9F\x98", "\xC3", "\xFF"})
    EXPECT_FALSE(good(bad));
  EXPECT_EQ(first_invalid_utf8("ab\xFF"), 2U);
}

TEST(Scalars, NearestIsNearOrNothing) {
  const std::vector<std::string> keys{"timeout", "threads", "resources"};
  EXPECT_EQ(nearest("timout", keys), "timeout");
  EXPECT_EQ(nearest("thread", keys), "threads");
  EXPECT_EQ(nearest("recources", keys), "resources");
  EXPECT_EQ(nearest("banana", keys), "");
  EXPECT_EQ(nearest("", keys), "");
}

}  // namespace
}  // namespace fedgate::config
