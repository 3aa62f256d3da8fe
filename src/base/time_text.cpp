// SPDX-License-Identifier: Apache-2.0
#include "base/time_text.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>

namespace fedgate {

std::string utc_text(WallTime time) {
  using namespace std::chrono;
  constexpr WallTime earliest = sys_days(year(0) / January / 1), latest = sys_days(year(9999) / December / 31);
  time = std::clamp(time, earliest, latest);
  const auto day = floor<days>(time);
  const year_month_day date(day);
  const hh_mm_ss clock(floor<seconds>(time - day));
  std::array<char, 40> text{};
  std::snprintf(text.data(), text.size(), "%04d-%02u-%02uT%02d:%02d:%02dZ", static_cast<int>(date.year()),
                static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                static_cast<int>(clock.hours().count()), static_cast<int>(clock.minutes().count()),
                static_cast<int>(clock.seconds().count()));
  return text.data();
}

Result<WallTime> parse_utc_text(std::string_view text) {
  using namespace std::chrono;
  const auto bad = [] { return fail(Code::bad_request, "a time is written as 2026-11-20T09:30:00Z"); };
  constexpr std::string_view form = "0000-00-00T00:00:00Z";
  if (text.size() != form.size()) return bad();
  for (std::size_t i = 0; i < form.size(); ++i)
    if (form[i] == '0' ? text[i] < '0' || text[i] > '9' : text[i] != form[i]) return bad();
  const auto number = [&](std::size_t at, std::size_t count) {
    int value = 0;
    std::from_chars(text.data() + at, text.data() + at + count, value);
    return value;
  };
  const year_month_day date(year(number(0, 4)), month(static_cast<unsigned>(number(5, 2))),
                            day(static_cast<unsigned>(number(8, 2))));
  const int hour = number(11, 2), minute = number(14, 2), second = number(17, 2);
  if (!date.ok() || hour > 23 || minute > 59 || second > 59) return bad();
  return WallTime(sys_days(date)) + hours(hour) + minutes(minute) + seconds(second);
}

std::string precise_utc_text(WallTime time) {
  auto text = utc_text(time);
  const auto micros = (time - std::chrono::floor<std::chrono::seconds>(time)).count();
  std::array<char, 16> fraction{};
  std::snprintf(fraction.data(), fraction.size(), ".%06dZ", static_cast<int>(micros));
  return text.replace(text.size() - 1, 1, fraction.data());
}

Result<WallTime> parse_precise_utc_text(std::string_view text) {
  constexpr std::size_t size = 27, point = 19;
  std::int64_t micros = 0;
  const auto fraction = text.size() == size ? text.substr(point + 1, 6) : std::string_view();
  const bool digits = !fraction.empty() && std::ranges::all_of(fraction, [](char c) { return c >= '0' && c <= '9'; });
  if (!digits || text[point] != '.' || text.back() != 'Z')
    return fail(Code::bad_request, "a time is written as 2026-11-20T09:30:00.123456Z");
  std::from_chars(fraction.data(), fraction.data() + fraction.size(), micros);
  auto whole = parse_utc_text(std::string(text.substr(0, point)) + "Z");
  if (!whole) return whole;
  return *whole + std::chrono::microseconds(micros);
}

}  // namespace fedgate
