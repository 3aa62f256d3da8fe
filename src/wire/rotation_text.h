// SPDX-License-Identifier: Apache-2.0
//
// `trust/bundle`'s answer and `trust/ack`'s body ↔ values. Certificates are PEM, signatures base64, hashes hexadecimal,
// times RFC 3339 in UTC. Members that are not known are ignored; those that are known are strict. Pure functions.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/json.h"
#include "fedgate/result.h"
#include "fedgate/rotation.h"

namespace fedgate::wire {

/// Longest of each: a bundle, with its chain and its cross certificates; an acknowledgement.
inline constexpr std::size_t longest_served_bundle = 96 * std::size_t{1024};
inline constexpr std::size_t longest_acknowledgement = 12 * std::size_t{1024};

std::string served_bundle_body(const ServedBundle& served);
Result<ServedBundle> parse_served_bundle(std::string_view body);

std::string acknowledgement_body(const Acknowledgement& acknowledgement);
Result<Acknowledgement> parse_acknowledgement(std::string_view body);

/// What `health` says of a node's newest bundle.
struct BundleMark {
  std::uint64_t seq = 0;
  Sha256 sha256{};
  bool operator==(const BundleMark&) const = default;
};
/// Nothing where the answer names none. Code::peer_protocol_error.
Result<std::optional<BundleMark>> parse_health(std::string_view body);

}  // namespace fedgate::wire
