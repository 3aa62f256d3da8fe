// SPDX-License-Identifier: Apache-2.0
#include "nodes/node_table.h"

#include <algorithm>

namespace fedgate::nodes {

NodeTable::NodeTable(std::vector<Node> nodes) : nodes_(std::move(nodes)) {
  std::ranges::sort(nodes_, {}, &Node::id);
  for (std::size_t i = 0; i < nodes_.size(); ++i) by_name_.emplace(nodes_[i].id.str(), i);
  // Ids before aliases, and what is enabled before what is not: a retired node may share a name with its successor.
  for (const bool enabled : {true, false})
    for (std::size_t i = 0; i < nodes_.size(); ++i)
      if (nodes_[i].enabled == enabled && !nodes_[i].alias.empty()) by_name_.emplace(nodes_[i].alias, i);
}

const Node* NodeTable::find(const NodeId& id) const {
  const auto found = by_name_.find(id.str());
  return found != by_name_.end() && nodes_[found->second].id == id ? &nodes_[found->second] : nullptr;
}

const Node* NodeTable::find_named(std::string_view id_or_alias) const {
  const auto found = by_name_.find(std::string(id_or_alias));
  return found == by_name_.end() ? nullptr : &nodes_[found->second];
}

}  // namespace fedgate::nodes
