// SPDX-License-Identifier: Apache-2.0
//
// Where a call goes: resource → node and endpoint. Made by routing, used by federation/outbound.
#pragma once

#include <string>

#include "fedgate/id.h"
#include "fedgate/invocation.h"

namespace fedgate {

struct Route {
  NodeId node;
  std::string endpoint;  ///< `https://host:port`
  /// What the holder is known to say of the capability; `write`, the cautious one, where nothing is known.
  Access access = Access::write;
  std::string why;  ///< for operators: what made routing choose it
};

}  // namespace fedgate
