// SPDX-License-Identifier: Apache-2.0
//
// Moments as gateways write them to each other: RFC 3339 in UTC, whole seconds, one text for one moment. Pure
// functions, any thread.
#pragma once

#include <string>
#include <string_view>

#include "fedgate/clock.h"
#include "fedgate/result.h"

namespace fedgate {

/// `2026-11-20T09:30:00Z`. Years 0000 to 9999; what is beyond becomes the nearest of them.
std::string utc_text(WallTime time);
/// That form only. Code::bad_request.
Result<WallTime> parse_utc_text(std::string_view text);
/// The same with microseconds: `2026-11-20T09:30:00.123456Z`.
std::string precise_utc_text(WallTime time);
Result<WallTime> parse_precise_utc_text(std::string_view text);

}  // namespace fedgate
