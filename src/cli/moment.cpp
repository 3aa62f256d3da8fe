// SPDX-License-Identifier: Apache-2.0
#include "cli/moment.h"

#include <fmt/format.h>

#include <algorithm>

#include "config/loader.h"
#include "config/scalars.h"

namespace fedgate::cli {
namespace {

/// `text` has the shape of `form`, where `0` stands for a digit.
bool has_form(std::string_view text, std::string_view form) {
  return text.size() == form.size() && std::equal(text.begin(), text.end(), form.begin(), [](char c, char f) {
           return f == '0' ? c >= '0' && c <= '9' : c == f;
         });
}

bool is_rfc3339(std::string_view text) {
  if (text.size() < 20 || !has_form(text.substr(0, 19), "0000-00-00T00:00:00")) return false;
  text.remove_prefix(19);
  if (text.starts_with('.')) {
    const auto digits = text.find_first_not_of("0123456789", 1);
    if (digits == 1 || digits == std::string_view::npos || digits > 7) return false;
    text.remove_prefix(digits);
  }
  return text == "Z";
}

}  // namespace

std::string to_rfc3339(WallTime time) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(time);
  const auto day = std::chrono::floor<std::chrono::days>(seconds);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(seconds - day);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()), clock.hours().count(),
                     clock.minutes().count(), clock.seconds().count());
}

Result<std::string> moment_from(std::string_view text, WallTime now) {
  if (has_form(text, "0000-00-00")) return std::string(text) + "T00:00:00Z";
  if (is_rfc3339(text)) return std::string(text);
  if (const auto ago = config::parse_duration(text); ago) return to_rfc3339(now - *ago);
  return fail(Code::usage, "`" + std::string(text.substr(0, 64)) +
                               "` is not a time; write 2026-11-20, 2026-11-20T09:30:00Z, or how long ago: 15m, 2h, 7d");
}

Result<WallTime> instant_from(std::string_view text) {
  const auto refuse = [&] {
    return fail(Code::usage, "`" + std::string(text.substr(0, 64)) +
                                 "` is not a time; write 2026-11-20T09:30:00Z, or with an offset, +01:00");
  };
  constexpr std::size_t to_seconds = 19;
  const auto head = text.substr(0, to_seconds);
  if (text.size() == 10) {
    auto day = config::parse_time(text);
    return day ? day : refuse();
  }
  const auto moment = config::parse_time(std::string(head) + "Z");
  if (head.size() != to_seconds || !moment) return refuse();
  auto rest = text.substr(to_seconds);
  WallTime at = *moment;
  if (rest.starts_with('.')) {
    const auto end = std::min(rest.find_first_not_of("0123456789", 1), rest.size());
    if (end == 1) return refuse();
    std::string micros(rest.substr(1, std::min<std::size_t>(end - 1, 6)));
    micros.resize(6, '0');
    at += std::chrono::microseconds(std::stol(micros));
    rest.remove_prefix(end);
  }
  if (rest == "Z" || rest == "z") return at;
  if (!has_form(rest, "+00:00") && !has_form(rest, "-00:00")) return refuse();
  const auto two = [&](std::size_t from) { return (rest[from] - '0') * 10 + (rest[from + 1] - '0'); };
  if (two(1) > 23 || two(4) > 59) return refuse();
  const auto offset = std::chrono::hours(two(1)) + std::chrono::minutes(two(4));
  return rest[0] == '+' ? at - offset : at + offset;
}

std::string spoken(std::chrono::seconds duration) {
  const auto total = std::max<std::int64_t>(duration.count(), 0);
  const auto days = total / 86'400;
  const auto hours = total / 3600 % 24;
  const auto minutes = total / 60 % 60;
  if (days > 0) return fmt::format("{} d {} h", days, hours);
  if (hours > 0) return fmt::format("{} h {} min", hours, minutes);
  if (minutes > 0) return fmt::format("{} min {} s", minutes, total % 60);
  return fmt::format("{} s", total);
}

std::string milliseconds_text(std::chrono::microseconds duration) {
  const auto count = duration.count();
  return count < 100'000 ? fmt::format("{}.{} ms", count / 1000, count % 1000 / 100)
                         : fmt::format("{} ms", count / 1000);
}

}  // namespace fedgate::cli
