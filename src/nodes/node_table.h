// SPDX-License-Identifier: Apache-2.0
//
// The nodes at one moment, as everybody reads them: immutable, made by the registry. Any thread.
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "fedgate/node.h"

namespace fedgate::nodes {

class NodeTable {
 public:
  explicit NodeTable(std::vector<Node> nodes);
  [[nodiscard]] const Node* find(const NodeId& id) const;
  /// By id or by alias.
  [[nodiscard]] const Node* find_named(std::string_view id_or_alias) const;
  /// Ordered by id.
  [[nodiscard]] const std::vector<Node>& all() const { return nodes_; }

 private:
  std::vector<Node> nodes_;
  std::unordered_map<std::string, std::size_t> by_name_;
};

}  // namespace fedgate::nodes
