// SPDX-License-Identifier: Apache-2.0
//
// Bundle ↔ canonical JSON (RFC 8785), and its hash. A bundle of version 1 has exactly the members of protocol.md
// section 2: one that we do not know is refused, because an operator would approve it unseen. Pure functions.
#pragma once

#include <string_view>

#include "base/json.h"
#include "fedgate/bundle.h"
#include "fedgate/result.h"

namespace fedgate::wire {

/// Longest canonical text that is read or made.
inline constexpr std::size_t longest_bundle = 24 * std::size_t{1024};
inline constexpr std::size_t most_bundle_keys = 16;

/// Code::bad_request where the value does not keep to the bounds that parse_bundle() demands.
Result<StatedBundle> state_bundle(const Bundle& bundle);
/// `text`: a JSON object. Form and bounds only; certificates are trust's business.
Result<StatedBundle> parse_bundle(std::string_view text);

}  // namespace fedgate::wire
