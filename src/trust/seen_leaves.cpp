// SPDX-License-Identifier: Apache-2.0
#include "trust/seen_leaves.h"

#include <algorithm>
#include <utility>

#include "trust/openssl.h"

namespace fedgate::trust {

void SeenLeaves::saw(const NodeId& node, Presented presented, const X509* leaf) {
  const auto ends = wall_time(X509_get0_notAfter(leaf));
  if (!ends) return;
  const auto end = presented == Presented::by_client ? ShownBy::client : ShownBy::server;
  const std::lock_guard lock(mutex_);
  auto& known = seen_[{node, end}];
  if (known.ends == *ends) return;  // the usual case: it has come again
  known = {.subject = described(leaf), .ends = *ends, .is_news = true};
}

void SeenLeaves::restore(std::span<const SeenLeaf> leaves) {
  const std::lock_guard lock(mutex_);
  for (const auto& leaf : leaves)
    seen_.try_emplace(Key{leaf.node, leaf.shown_by}, Seen{.subject = leaf.subject, .ends = leaf.ends});
}

std::vector<SeenLeaf> SeenLeaves::take_news() {
  std::vector<SeenLeaf> news;
  const std::lock_guard lock(mutex_);
  for (auto& [key, known] : seen_)
    if (std::exchange(known.is_news, false)) news.push_back({key.first, key.second, known.subject, known.ends});
  return news;
}

void SeenLeaves::put_back(std::span<const SeenLeaf> leaves) {
  const std::lock_guard lock(mutex_);
  for (const auto& leaf : leaves)
    if (const auto known = seen_.find({leaf.node, leaf.shown_by}); known != seen_.end()) known->second.is_news = true;
}

std::vector<Expiring> SeenLeaves::expiring(std::span<const Node> nodes) const {
  std::vector<Expiring> things;
  const std::lock_guard lock(mutex_);
  for (const auto& node : nodes) {
    if (!node.usable()) continue;
    for (const auto end : {ShownBy::client, ShownBy::server}) {
      const auto known = seen_.find({node.id, end});
      if (known == seen_.end()) continue;
      Expiring thing{Expiring::Kind::peer_certificate, node.id.str(), "its certificate " + known->second.subject,
                     known->second.ends};
      if (std::ranges::find(things, thing) == things.end()) things.push_back(std::move(thing));
    }
  }
  return things;
}

void SeenLeaves::keep_only(std::span<const Node> nodes) {
  const std::lock_guard lock(mutex_);
  std::erase_if(seen_, [&](const auto& entry) {
    return std::ranges::none_of(nodes, [&](const Node& node) { return node.usable() && node.id == entry.first.first; });
  });
}

}  // namespace fedgate::trust
