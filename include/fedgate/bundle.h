// SPDX-License-Identifier: Apache-2.0
//
// A node's bundle: what another organisation is asked to believe of it, known by the SHA-256 of its canonical JSON
// (wire/bundle_text.h). Nothing in a bundle counts before an operator, an invite or a configured anchor has said so.
// Plain values, any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "fedgate/clock.h"
#include "fedgate/id.h"

namespace fedgate {

struct Bundle {
  std::uint32_t version = 1;  ///< `v`
  NodeId node;
  std::uint64_t seq = 1;
  std::optional<Sha256> previous;  ///< hash of the bundle with seq - 1; none for the first
  std::vector<std::string> endpoints;
  std::vector<Domain> principal_domains;
  std::vector<std::string> anchors;  ///< PEM, one CA certificate each
  std::vector<std::string> pins;     ///< SPKI SHA-256, lower-case hex
  std::vector<std::string> log_vkeys;
  std::string witness_vkey;
  bool operator==(const Bundle&) const = default;
};

/// A bundle as its node stated it. The text is what is hashed, stored and passed on; the value is what it says.
struct StatedBundle {
  Bundle value;
  std::string text;  ///< canonical JSON (RFC 8785)
  Sha256 sha256{};
  bool operator==(const StatedBundle&) const = default;
};

}  // namespace fedgate
