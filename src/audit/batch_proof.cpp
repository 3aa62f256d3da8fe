// SPDX-License-Identifier: Apache-2.0
#include "audit/batch_proof.h"

#include <algorithm>
#include <bit>
#include <map>
#include <utility>

#include "audit/merkle_proof.h"

namespace fedgate::audit {
namespace {

using Indexes = std::span<const std::uint64_t>;

/// Where the tree over leaves [begin, end) parts: RFC 9162 section 2.1.1.
std::uint64_t split(std::uint64_t begin, std::uint64_t end) { return begin + std::bit_floor(end - begin - 1); }

std::pair<Indexes, Indexes> parted(Indexes indexes, std::uint64_t at) {
  const auto left = static_cast<std::size_t>(std::ranges::lower_bound(indexes, at) - indexes.begin());
  return {indexes.first(left), indexes.subspan(left)};
}

bool fits(Indexes indexes, std::uint64_t size) {
  return !indexes.empty() && indexes.back() < size &&
         std::ranges::adjacent_find(indexes, std::ranges::greater_equal{}) == indexes.end();
}

/// Rebuilds hashes from below; each leaf and node is taken once, in order.
class Rebuilding {
 public:
  Rebuilding(const BatchProof& proof, std::optional<std::uint64_t> followed) : proof_(proof), followed_(followed) {}

  Sha256 hash(std::uint64_t begin, std::uint64_t end, Indexes indexes) {
    if (indexes.empty()) return take(proof_.nodes, node_);
    if (end - begin == 1) return take(proof_.leaves, leaf_);
    const auto middle = split(begin, end);
    const auto [before, after] = parted(indexes, middle);
    const auto left = hash(begin, middle, before);
    const auto right = hash(middle, end, after);
    if (followed_ && *followed_ >= begin && *followed_ < end) path_.push_back(*followed_ < middle ? right : left);
    return node_hash(left, right);
  }
  /// Everything was there, and nothing is left.
  [[nodiscard]] bool exact() const { return !short_ && leaf_ == proof_.leaves.size() && node_ == proof_.nodes.size(); }
  ProofPath path() { return std::move(path_); }

 private:
  Sha256 take(const std::vector<Sha256>& from, std::size_t& at) {
    if (at < from.size()) return from[at++];
    short_ = true;
    return {};
  }

  const BatchProof& proof_;
  std::optional<std::uint64_t> followed_;
  std::size_t leaf_ = 0, node_ = 0;
  bool short_ = false;
  ProofPath path_;
};

/// Collects the nodes that a verifier cannot rebuild. An inclusion proof of a leaf has all those beside its way; it is
/// asked for only where one of them is needed and not known from a neighbour's.
class Proving {
 public:
  Proving(const MerkleTree& tree, Indexes indexes, std::uint64_t size) : tree_(tree), indexes_(indexes), size_(size) {}

  Result<BatchProof> run() {
    BatchProof proof;
    for (const auto index : indexes_) {
      auto leaf = tree_.leaf_hash_at(index);
      if (!leaf) return fail(leaf.error());
      proof.leaves.push_back(*leaf);
    }
    if (auto done = collect(0, size_, indexes_, proof); !done) return fail(done.error());
    return proof;
  }

 private:
  using Place = std::pair<std::uint64_t, std::uint64_t>;

  Result<void> collect(std::uint64_t begin, std::uint64_t end, Indexes inside, BatchProof& proof) {
    if (end - begin == 1) return {};
    const auto middle = split(begin, end);
    const auto [before, after] = parted(inside, middle);
    for (const auto& [from, to, part, beside] :
         {Half{begin, middle, before, after}, Half{middle, end, after, before}}) {
      if (!part.empty()) {
        if (auto done = collect(from, to, part, proof); !done) return done;
        continue;
      }
      auto node = node_at(from, to, beside.front());
      if (!node) return fail(node.error());
      proof.nodes.push_back(*node);
    }
    return {};
  }
  struct Half {
    std::uint64_t from, to;
    Indexes part, beside;
  };

  /// The hash over leaves [begin, end), beside the way of `neighbour`.
  Result<Sha256> node_at(std::uint64_t begin, std::uint64_t end, std::uint64_t neighbour) {
    if (end - begin == 1) return tree_.leaf_hash_at(begin);
    if (const auto known = known_.find({begin, end}); known != known_.end()) return known->second;
    const auto path = tree_.inclusion(neighbour, size_);
    if (!path) return fail(path.error());
    auto from = path->rbegin();
    for (std::uint64_t low = 0, high = size_; high - low > 1 && from != path->rend(); ++from) {
      const auto middle = split(low, high);
      const bool left = neighbour < middle;
      known_[left ? Place{middle, high} : Place{low, middle}] = *from;
      (left ? high : low) = middle;
    }
    const auto found = known_.find({begin, end});
    if (found == known_.end()) return fail(Code::internal, "an inclusion proof without the node that it must have");
    return found->second;
  }

  const MerkleTree& tree_;
  Indexes indexes_;
  std::uint64_t size_;
  std::map<Place, Sha256> known_;
};

}  // namespace

Result<BatchProof> prove_batch(const MerkleTree& tree, Indexes indexes, std::uint64_t size) {
  if (!fits(indexes, size) || size > tree.size())
    return fail(Code::bad_request, "the leaves do not stand within the first " + std::to_string(size) +
                                       " of a log of " + std::to_string(tree.size()));
  return Proving(tree, indexes, size).run();
}

bool proves_batch(const BatchProof& proof, Indexes indexes, const TreeHead& head) {
  if (!fits(indexes, head.size) || proof.leaves.size() != indexes.size()) return false;
  Rebuilding rebuilding(proof, std::nullopt);
  return rebuilding.hash(0, head.size, indexes) == head.root && rebuilding.exact();
}

std::optional<ProofPath> path_in(const BatchProof& proof, Indexes indexes, std::uint64_t size, std::uint64_t index) {
  if (!fits(indexes, size) || !std::ranges::binary_search(indexes, index)) return std::nullopt;
  Rebuilding rebuilding(proof, index);
  (void)rebuilding.hash(0, size, indexes);
  if (!rebuilding.exact()) return std::nullopt;
  return rebuilding.path();
}

}  // namespace fedgate::audit
