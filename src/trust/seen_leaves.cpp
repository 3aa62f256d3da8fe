// SPDX-License-Identifier: Apache-2.0
#include "trust/seen_leaves.h"

#include <algorithm>

#include "trust/openssl.h"

namespace fedgate::trust {

void SeenLeaves::saw(const NodeId& node, const X509* leaf) {
  const auto ends = wall_time(X509_get0_notAfter(leaf));
  if (!ends) return;
  const std::lock_guard lock(mutex_);
  auto& known = seen_[node];
  if (known.ends == *ends) return;  // the usual case: it has come again
  known = {.subject = shown(subject_of(leaf)), .ends = *ends};
}

std::vector<Expiring> SeenLeaves::expiring(std::span<const Node> nodes) const {
  std::vector<Expiring> things;
  const std::lock_guard lock(mutex_);
  for (const auto& node : nodes) {
    if (!node.usable()) continue;
    if (const auto known = seen_.find(node.id); known != seen_.end())
      things.push_back({Expiring::Kind::peer_certificate, node.id.str(), "its certificate " + known->second.subject,
                        known->second.ends});
  }
  return things;
}

void SeenLeaves::keep_only(std::span<const Node> nodes) {
  const std::lock_guard lock(mutex_);
  std::erase_if(seen_, [&](const auto& entry) {
    return std::ranges::none_of(nodes, [&](const Node& node) { return node.usable() && node.id == entry.first; });
  });
}

}  // namespace fedgate::trust
