// SPDX-License-Identifier: Apache-2.0
//
// Texts of single values: instants, sizes and durations as people write them, and the small string functions that
// messages need. Pure functions, any thread. (parse_duration, parse_size and parse_rate_per_hour: loader.h.)
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "fedgate/clock.h"
#include "fedgate/result.h"

namespace fedgate::config {

/// `2027-01-31` (the beginning of that day, UTC) or RFC 3339, `2027-01-31T12:00:00Z`.
Result<WallTime> parse_time(std::string_view text);
/// Decimal digits without sign and leading zeros, within 64 bits.
Result<std::uint64_t> parse_whole_number(std::string_view text);

/// As configuration would write them: `90s`, `64KiB`.
std::string duration_text(std::chrono::milliseconds duration);
std::string size_text(std::uint64_t size);
std::string date_text(WallTime time);

/// Position of the first byte that is not part of well-formed UTF-8; text.size() where all is well.
std::size_t first_invalid_utf8(std::string_view text);
std::size_t count_characters(std::string_view utf8);
/// At most 60 characters of it, for messages.
std::string shorten(std::string_view text);
/// The candidate that a mistyped `word` most likely means; empty where none is near.
std::string_view nearest(std::string_view word, std::span<const std::string> candidates);
/// `a, b and c`
std::string listed(std::span<const std::string> words);

}  // namespace fedgate::config
