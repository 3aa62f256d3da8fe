// SPDX-License-Identifier: Apache-2.0
//
// The hashing of RFC 6962 section 2.1 once more, written apart from the writer's: a fault in that one must not hide
// itself here. The tree is streamed, leaf after leaf, and keeps only the roots of its full subtrees, so that a log of
// any length needs a few kilobytes. A value for one thread; the functions for any.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "fedgate/checkpoint.h"

namespace fedgate::verify {

/// SHA-256(0x00 ‖ leaf) and SHA-256(0x01 ‖ left ‖ right).
Sha256 hash_of_leaf(std::string_view leaf);
Sha256 hash_of_pair(const Sha256& left, const Sha256& right);

class StreamedTree {
 public:
  void add(const Sha256& leaf_hash);
  [[nodiscard]] std::uint64_t size() const { return size_; }
  [[nodiscard]] Sha256 root() const;

 private:
  std::uint64_t size_ = 0;
  std::vector<Sha256> full_;  // roots of the full subtrees, the largest first: one for each bit of size_ that is set
};

/// RFC 9162 section 2.1.3.2.
bool stands_in(const TreeHead& head, std::uint64_t index, const Sha256& leaf_hash, std::span<const Sha256> path);
/// RFC 9162 section 2.1.4.2: whether `later` begins with all of `earlier`.
bool extends(const TreeHead& later, const TreeHead& earlier, std::span<const Sha256> path);

}  // namespace fedgate::verify
