// SPDX-License-Identifier: Apache-2.0
//
// RFC 6962 section 2.1 written down word for word, over all leaves at once: what the real tree is compared with.
#pragma once

#include <bit>
#include <span>
#include <string>
#include <vector>

#include "base/hash.h"
#include "fedgate/checkpoint.h"

namespace fedgate::audit::naive {

inline Sha256 node(const Sha256& left, const Sha256& right) {
  std::string bytes(1, '\1');
  for (const auto* half : {&left, &right}) bytes.append(reinterpret_cast<const char*>(half->data()), half->size());
  return sha256(bytes);
}

using Leaves = std::span<const Sha256>;

inline std::size_t split(std::size_t size) { return std::bit_floor(size - 1); }

inline Sha256 root(Leaves leaves) {
  if (leaves.empty()) return sha256("");
  if (leaves.size() == 1) return leaves[0];
  const auto k = split(leaves.size());
  return node(root(leaves.first(k)), root(leaves.subspan(k)));
}

inline ProofPath path(std::size_t m, Leaves leaves) {
  if (leaves.size() <= 1) return {};
  const auto k = split(leaves.size());
  auto proof = m < k ? path(m, leaves.first(k)) : path(m - k, leaves.subspan(k));
  proof.push_back(m < k ? root(leaves.subspan(k)) : root(leaves.first(k)));
  return proof;
}

inline ProofPath subproof(std::size_t m, Leaves leaves, bool known) {
  if (m == leaves.size()) return known ? ProofPath() : ProofPath{root(leaves)};
  const auto k = split(leaves.size());
  auto proof = m <= k ? subproof(m, leaves.first(k), known) : subproof(m - k, leaves.subspan(k), false);
  proof.push_back(m <= k ? root(leaves.subspan(k)) : root(leaves.first(k)));
  return proof;
}

inline ProofPath consistency(std::size_t m, Leaves leaves) {
  return m == 0 || m == leaves.size() ? ProofPath() : subproof(m, leaves, true);
}

inline Sha256 some_leaf(std::uint64_t number) { return sha256("leaf " + std::to_string(number)); }
inline std::vector<Sha256> some_leaves(std::uint64_t count) {
  std::vector<Sha256> leaves;
  for (std::uint64_t i = 0; i < count; ++i) leaves.push_back(some_leaf(i));
  return leaves;
}

}  // namespace fedgate::audit::naive
