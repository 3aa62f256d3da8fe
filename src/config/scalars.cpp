// SPDX-License-Identifier: Apache-2.0
#include "config/scalars.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <numeric>
#include <optional>
#include <vector>

#include "config/loader.h"

namespace fedgate::config {
namespace {

struct Unit {
  std::string_view name;
  std::uint64_t factor;
};
constexpr std::array durations{Unit{"ms", 1}, Unit{"s", 1000}, Unit{"m", 60'000}, Unit{"h", 3'600'000},
                               Unit{"d", 86'400'000}};
constexpr std::array sizes{Unit{"B", 1}, Unit{"KiB", 1ULL << 10}, Unit{"MiB", 1ULL << 20}, Unit{"GiB", 1ULL << 30},
                           Unit{"TiB", 1ULL << 40}};
constexpr std::array rates{Unit{"/h", 1}, Unit{"/m", 60}, Unit{"/s", 3600}};

std::optional<std::uint64_t> parse_with_unit(std::string_view text, std::span<const Unit> units, std::uint64_t most) {
  const auto digits = text.find_first_not_of("0123456789");
  if (digits == std::string_view::npos) return std::nullopt;
  const auto number = parse_whole_number(text.substr(0, digits));
  if (!number) return std::nullopt;
  for (const auto& unit : units) {
    if (unit.name != text.substr(digits)) continue;
    if (*number > most / unit.factor) return std::nullopt;
    return *number * unit.factor;
  }
  return std::nullopt;
}

std::string text_with_unit(std::uint64_t value, std::span<const Unit> units) {
  auto best = units.front();
  for (const auto& unit : units) {
    if (value >= unit.factor && value % unit.factor == 0) best = unit;
  }
  return std::to_string(value / best.factor) + std::string(best.name);
}

/// Exactly `count` digits at the front of `text`, which is shortened by them.
std::optional<int> digits(std::string_view& text, std::size_t count) {
  if (text.size() < count) return std::nullopt;
  int value = 0;
  for (const char c : text.substr(0, count)) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + (c - '0');
  }
  text.remove_prefix(count);
  return value;
}

bool take(std::string_view& text, char expected) {
  if (text.empty() || text.front() != expected) return false;
  text.remove_prefix(1);
  return true;
}

std::optional<WallTime> take_date(std::string_view& text) {
  const auto year = digits(text, 4);
  if (!year || !take(text, '-')) return std::nullopt;
  const auto month = digits(text, 2);
  if (!month || !take(text, '-')) return std::nullopt;
  const auto day = digits(text, 2);
  if (!day) return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year(*year), std::chrono::month(static_cast<unsigned>(*month)),
                                         std::chrono::day(static_cast<unsigned>(*day))};
  if (!date.ok()) return std::nullopt;
  return WallTime(std::chrono::sys_days(date));
}

std::optional<std::chrono::microseconds> take_time_of_day(std::string_view& text) {
  const auto hour = digits(text, 2);
  if (!hour || *hour > 23 || !take(text, ':')) return std::nullopt;
  const auto minute = digits(text, 2);
  if (!minute || *minute > 59 || !take(text, ':')) return std::nullopt;
  const auto second = digits(text, 2);
  if (!second || *second > 59) return std::nullopt;
  std::chrono::microseconds out =
      std::chrono::hours(*hour) + std::chrono::minutes(*minute) + std::chrono::seconds(*second);
  if (take(text, '.')) {
    const auto end = std::min(text.find_first_not_of("0123456789"), text.size());
    if (end == 0) return std::nullopt;
    int factor = 100'000;
    for (const char c : text.substr(0, end)) {
      out += std::chrono::microseconds((c - '0') * factor);
      factor /= 10;
    }
    text.remove_prefix(end);
  }
  return out;
}

std::optional<std::chrono::minutes> take_offset(std::string_view& text) {
  if (take(text, 'Z')) return std::chrono::minutes(0);
  const bool behind = !text.empty() && text.front() == '-';
  if (!take(text, '+') && !take(text, '-')) return std::nullopt;
  const auto hour = digits(text, 2);
  if (!hour || *hour > 23 || !take(text, ':')) return std::nullopt;
  const auto minute = digits(text, 2);
  if (!minute || *minute > 59) return std::nullopt;
  const auto offset = std::chrono::hours(*hour) + std::chrono::minutes(*minute);
  return behind ? -offset : offset;
}

std::optional<WallTime> read_time(std::string_view text) {
  const auto date = take_date(text);
  if (!date || text.empty()) return date;
  if (!take(text, 'T')) return std::nullopt;
  const auto time = take_time_of_day(text);
  if (!time) return std::nullopt;
  const auto offset = take_offset(text);
  if (!offset || !text.empty()) return std::nullopt;
  return *date + *time - *offset;
}

}  // namespace

Result<std::uint64_t> parse_whole_number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || problem != std::errc{} || end != text.data() + text.size()) {
    return fail(Code::invalid_configuration, "`" + shorten(text) + "` is not a whole number");
  }
  if (text.size() > 1 && text.front() == '0') {
    return fail(Code::invalid_configuration, "`" + shorten(text) +
                                                 "` has a leading zero: YAML readers disagree whether 010 is 8 or 10; "
                                                 "write the number without it");
  }
  return value;
}

Result<std::chrono::milliseconds> parse_duration(std::string_view text) {
  const auto value =
      parse_with_unit(text, durations, static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()));
  if (value) return std::chrono::milliseconds(static_cast<std::int64_t>(*value));
  return fail(
      Code::invalid_configuration,
      "`" + shorten(text) + "` is not a duration: write a whole number and its unit, as in 250ms, 5s, 5m, 1h, 400d");
}

Result<std::uint64_t> parse_size(std::string_view text) {
  const auto value = parse_with_unit(text, sizes, std::numeric_limits<std::uint64_t>::max());
  if (value) return *value;
  return fail(
      Code::invalid_configuration,
      "`" + shorten(text) + "` is not a size: write a whole number and its unit, as in 512B, 64KiB, 1MiB, 10GiB");
}

Result<std::uint64_t> parse_rate_per_hour(std::string_view text) {
  const auto value = parse_with_unit(text, rates, std::numeric_limits<std::uint64_t>::max());
  if (value) return *value;
  return fail(Code::invalid_configuration,
              "`" + shorten(text) + "` is not a rate: write a whole number per unit, as in 6000/h, 100/m, 10/s");
}

Result<WallTime> parse_time(std::string_view text) {
  if (const auto time = read_time(text)) return *time;
  return fail(Code::invalid_configuration,
              "`" + shorten(text) + "` is not a date or time: write 2027-01-31 or 2027-01-31T12:00:00Z");
}

std::string duration_text(std::chrono::milliseconds duration) {
  if (duration.count() == 0) return "0s";
  return text_with_unit(static_cast<std::uint64_t>(duration.count()), durations);
}

std::string size_text(std::uint64_t size) { return text_with_unit(size, sizes); }

std::string date_text(WallTime time) {
  const std::chrono::year_month_day date(std::chrono::floor<std::chrono::days>(time));
  const auto two = [](unsigned n) { return (n < 10 ? "0" : "") + std::to_string(n); };
  return std::to_string(static_cast<int>(date.year())) + "-" + two(static_cast<unsigned>(date.month())) + "-" +
         two(static_cast<unsigned>(date.day()));
}

std::size_t first_invalid_utf8(std::string_view text) {
  const auto byte = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U; };
  std::size_t i = 0;
  while (i < text.size()) {
    const unsigned lead = byte(i);
    if (lead < 0x80) {
      ++i;
      continue;
    }
    const std::size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
    if (lead < 0xC2 || lead > 0xF4) return i;
    for (std::size_t k = 1; k < length; ++k) {
      if ((byte(i + k) & 0xC0) != 0x80) return i;
    }
    const unsigned next = byte(i + 1);
    const bool overlong = (lead == 0xE0 && next < 0xA0) || (lead == 0xF0 && next < 0x90);
    const bool beyond = (lead == 0xED && next > 0x9F) || (lead == 0xF4 && next > 0x8F);
    if (overlong || beyond) return i;
    i += length;
  }
  return text.size();
}

std::size_t count_characters(std::string_view utf8) {
  return static_cast<std::size_t>(
      std::ranges::count_if(utf8, [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

std::string shorten(std::string_view text) {
  std::string out;
  std::size_t taken = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if ((c & 0xC0) != 0x80 && ++taken > 60) return out + "…";
    out += c < 0x20 || c == 0x7F ? '?' : text[i];
  }
  return out;
}

std::string_view nearest(std::string_view word, std::span<const std::string> candidates) {
  if (word.size() > 64) return {};
  std::string_view best;
  std::size_t best_distance = std::max<std::size_t>(1, std::min<std::size_t>(word.size() / 3, 3)) + 1;
  for (const auto& candidate : candidates) {
    std::vector<std::size_t> row(candidate.size() + 1);
    std::iota(row.begin(), row.end(), 0U);
    for (std::size_t i = 1; i <= word.size(); ++i) {
      std::size_t diagonal = std::exchange(row[0], i);
      for (std::size_t j = 1; j <= candidate.size(); ++j) {
        const auto replaced = diagonal + (word[i - 1] == candidate[j - 1] ? 0U : 1U);
        diagonal = row[j];
        row[j] = std::min({row[j] + 1, row[j - 1] + 1, replaced});
      }
    }
    if (row.back() < best_distance) {
      best_distance = row.back();
      best = candidate;
    }
  }
  return best;
}

std::string listed(std::span<const std::string> words) {
  std::string out;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (i > 0) out += i + 1 == words.size() ? " and " : ", ";
    out += words[i];
  }
  return out;
}

}  // namespace fedgate::config
