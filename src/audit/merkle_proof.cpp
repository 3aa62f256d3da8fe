// SPDX-License-Identifier: Apache-2.0
#include "audit/merkle_proof.h"

#include <algorithm>
#include <bit>

#include "base/hash.h"

namespace fedgate::audit {
namespace {

/// Where the path stands: the node on the way up, and the last one of its level.
struct Climb {
  std::uint64_t node, last;

  [[nodiscard]] bool at_top() const { return last == 0; }
  [[nodiscard]] bool sibling_is_left() const { return (node & 1) != 0 || node == last; }
  /// A node without a sibling is its own parent: up to where it has one.
  void skip_levels_without_sibling() {
    while ((node & 1) == 0 && node != 0) up();
  }
  void up() {
    node >>= 1;
    last >>= 1;
  }
};

}  // namespace

Sha256 node_hash(const Sha256& left, const Sha256& right) {
  std::array<char, 1 + 2 * sizeof(Sha256)> node;
  node[0] = 1;
  std::ranges::copy(left, node.begin() + 1);
  std::ranges::copy(right, node.begin() + 1 + sizeof(Sha256));
  return sha256({node.data(), node.size()});
}

Sha256 empty_root() { return sha256({}); }

bool proves_inclusion(const Sha256& leaf_hash, std::uint64_t index, const TreeHead& head,
                      std::span<const Sha256> path) {
  if (index >= head.size) return false;
  Climb climb{index, head.size - 1};
  auto root = leaf_hash;
  for (const auto& sibling : path) {
    if (climb.at_top()) return false;
    if (climb.sibling_is_left()) {
      root = node_hash(sibling, root);
      climb.skip_levels_without_sibling();
    } else {
      root = node_hash(root, sibling);
    }
    climb.up();
  }
  return climb.at_top() && root == head.root;
}

bool proves_consistency(const TreeHead& earlier, const TreeHead& later, std::span<const Sha256> path) {
  if (earlier.size > later.size) return false;
  if (earlier.size == later.size) return path.empty() && earlier.root == later.root;
  if (earlier.size == 0) return path.empty() && earlier.root == empty_root();
  // Where the earlier tree is one whole subtree of the later one, its root begins the path and is left out.
  auto begin = earlier.root;
  if (!std::has_single_bit(earlier.size)) {
    if (path.empty()) return false;
    begin = path.front();
    path = path.subspan(1);
  }
  Climb climb{earlier.size - 1, later.size - 1};
  while ((climb.node & 1) != 0) climb.up();
  auto earlier_root = begin;
  auto later_root = begin;
  for (const auto& sibling : path) {
    if (climb.at_top()) return false;
    if (climb.sibling_is_left()) {
      earlier_root = node_hash(sibling, earlier_root);
      later_root = node_hash(sibling, later_root);
      climb.skip_levels_without_sibling();
    } else {
      later_root = node_hash(later_root, sibling);
    }
    climb.up();
  }
  return climb.at_top() && earlier_root == earlier.root && later_root == later.root;
}

}  // namespace fedgate::audit
