// SPDX-License-Identifier: Apache-2.0
//
// What gateways that trust each other say when an anchor rotates: a bundle as its node serves it, and the
// acknowledgement that somebody has taken it into use. trust/rotation.h judges them, wire/rotation_text.h reads and
// writes them. Plain values, any thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "fedgate/bundle.h"
#include "fedgate/clock.h"
#include "fedgate/id.h"

namespace fedgate {

/// Made for one reader, over a nonce of its own.
struct ServedBundle {
  StatedBundle bundle;
  std::string chain;  ///< PEM: the leaf that signs, then its intermediates
  /// PEM: a new anchor's name and key, signed by the key of the anchor before it.
  std::vector<std::string> cross_certificates;
  std::string signature;  ///< raw bytes
};

struct Acknowledgement {
  NodeId node;  ///< who acknowledges
  std::uint64_t seq = 0;
  Sha256 bundle{};
  WallTime time{};
  std::string leaf;       ///< PEM
  std::string signature;  ///< raw bytes
  bool operator==(const Acknowledgement&) const = default;
};

/// Bounds: of the cross certificates beside a bundle, and of one node's anchors in the registry.
inline constexpr std::size_t most_cross_certificates = 8;
inline constexpr std::size_t most_anchors_a_node = 16;

}  // namespace fedgate
