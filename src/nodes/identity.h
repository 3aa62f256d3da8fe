// SPDX-License-Identifier: Apache-2.0
//
// What must hold of a node before the registry takes it: its own form, and that it claims no name of another. A
// name that two nodes shared would let one speak for the other's people. Plain values, any thread.
#pragma once

#include <span>
#include <string>
#include <unordered_map>

#include "fedgate/node.h"
#include "fedgate/result.h"

namespace fedgate::nodes {

/// "node orgb.example (/etc/fedgate/fedgate.yaml:12)"
std::string described(const Node& node);

/// Endpoints, alias, pins, reads; an anchor where it is trusted. Code::bad_request.
Result<void> check_form(const Node& node);

/// Who has which id, alias and principal domain.
class Names {
 public:
  /// Ours are taken.
  Names(const NodeId& own_id, std::span<const Domain> own_domains);
  /// Code::conflict where something is claimed already; then nothing of `node` is.
  Result<void> claim(const Node& node);

 private:
  std::unordered_map<std::string, std::string> names_;    // id or alias → whose
  std::unordered_map<std::string, std::string> domains_;  // principal domain → whose
};

}  // namespace fedgate::nodes
