// SPDX-License-Identifier: Apache-2.0
//
// Times as people write and read them. Pure functions.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "fedgate/clock.h"
#include "fedgate/result.h"

namespace fedgate::cli {

/// `2026-11-20T09:30:00Z`, RFC 3339 in UTC, whole seconds.
std::string to_rfc3339(WallTime time);
/// What an audit query wants: a duration before `now` (`15m`, `2d`) or a date (`2026-11-20`) becomes RFC 3339; an
/// RFC 3339 time in UTC, microseconds at most, stays as it is. Code::usage.
Result<std::string> moment_from(std::string_view text, WallTime now);
/// A date (`2026-11-20`) or any RFC 3339 time, with its offset from UTC and its fractions of a second. Code::usage.
Result<WallTime> instant_from(std::string_view text);
/// `3 d 4 h`, `12 min 5 s`, `8 s`: the two largest units.
std::string spoken(std::chrono::seconds duration);
/// `0.8 ms`, `1234 ms`.
std::string milliseconds_text(std::chrono::microseconds duration);

}  // namespace fedgate::cli
