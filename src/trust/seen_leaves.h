// SPDX-License-Identifier: Apache-2.0
//
// When the certificates end that peers presented last: nobody can look that up, they have to be seen. Bounded by the
// nodes that there are; whoever owns it keeps them through a restart. Any thread.
#pragma once

#include <openssl/types.h>

#include <map>
#include <mutex>
#include <span>
#include <utility>
#include <vector>

#include "fedgate/node.h"
#include "fedgate/seen_leaf.h"
#include "trust/expiry.h"
#include "trust/leaf_rules.h"

namespace fedgate::trust {

class SeenLeaves {
 public:
  /// A leaf that was judged to be this node's.
  void saw(const NodeId& node, Presented presented, const X509* leaf);
  /// What was seen before the last restart; what has been seen since stays.
  void restore(std::span<const SeenLeaf> leaves);
  /// Those that are news since the last question.
  [[nodiscard]] std::vector<SeenLeaf> take_news();
  /// They could not be kept: they are news again.
  void put_back(std::span<const SeenLeaf> leaves);
  /// Of those among `nodes` that are trusted and enabled.
  [[nodiscard]] std::vector<Expiring> expiring(std::span<const Node> nodes) const;
  /// Forgets all others.
  void keep_only(std::span<const Node> nodes);

 private:
  struct Seen {
    std::string subject;
    WallTime ends{};
    bool is_news = false;
  };
  using Key = std::pair<NodeId, ShownBy>;
  mutable std::mutex mutex_;
  std::map<Key, Seen> seen_;
};

}  // namespace fedgate::trust
