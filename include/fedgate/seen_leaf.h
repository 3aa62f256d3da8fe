// SPDX-License-Identifier: Apache-2.0
//
// When the certificate ends that a node presented last, at one end of a connection: nobody can look that up, it has to
// be seen. Plain value, any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "fedgate/clock.h"
#include "fedgate/id.h"

namespace fedgate {

/// A node may have one certificate for either.
enum class ShownBy : std::uint8_t { client, server };
inline std::string_view to_string(ShownBy end) { return end == ShownBy::client ? "client" : "server"; }

struct SeenLeaf {
  NodeId node;
  ShownBy shown_by = ShownBy::client;
  std::string subject;  ///< for people
  WallTime ends{};
  bool operator==(const SeenLeaf&) const = default;
};

}  // namespace fedgate
