// SPDX-License-Identifier: Apache-2.0
//
// When the certificates end that peers presented last: nobody can look that up, they have to be seen. Bounded by the
// nodes that there are; forgotten at a restart, and learned again at the next handshake. Any thread.
#pragma once

#include <openssl/types.h>

#include <map>
#include <mutex>
#include <span>
#include <vector>

#include "fedgate/node.h"
#include "trust/expiry.h"

namespace fedgate::trust {

class SeenLeaves {
 public:
  /// A leaf that was judged to be this node's.
  void saw(const NodeId& node, const X509* leaf);
  /// Of those among `nodes` that are trusted and enabled.
  [[nodiscard]] std::vector<Expiring> expiring(std::span<const Node> nodes) const;
  /// Forgets all others.
  void keep_only(std::span<const Node> nodes);

 private:
  struct Seen {
    std::string subject;
    WallTime ends{};
  };
  mutable std::mutex mutex_;
  std::map<NodeId, Seen> seen_;
};

}  // namespace fedgate::trust
