// SPDX-License-Identifier: Apache-2.0
//
// The RFC 6962 tree over the journal's leaves, kept as hashes on disk (tiles of 256: C2SP tlog-tiles' shape) so that
// appending and proving are O(log n), a start reads a few tiles instead of the log, and proofs outlive pruned leaves.
// The hashes can always be made again from the leaves: what stands here is checked against signed heads, never trusted
// more. One thread appends (the journal's writer); any thread may ask for heads and proofs of what was appended, and
// blocks on the disk for them. docs/decisions/0011 says why it lies on the disk as it does.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "audit/disk.h"
#include "fedgate/checkpoint.h"
#include "fedgate/result.h"

namespace fedgate::audit {

class MerkleTree {
 public:
  /// Opens or creates under `directory`; what was appended but not synced, or is damaged, is missing: size() says what
  /// is there, and the opener appends the rest from the journal. Blocking.
  static Result<std::unique_ptr<MerkleTree>> open(Disk& disk, const std::string& directory);
  ~MerkleTree();

  /// Leaf hashes from size() on. The appending thread's; never touches the disk: memory holds what is not synced.
  void append(std::span<const Sha256> leaf_hashes);
  /// On stable storage when it returns; after an error nothing is lost and the next one tries again. Any thread; may
  /// run beside append().
  Result<TreeHead> sync();
  /// Forgets what stands at and after `size`, on stable storage. Before anybody else uses the tree.
  Result<void> truncate(std::uint64_t size);

  [[nodiscard]] std::uint64_t size() const;
  [[nodiscard]] TreeHead head() const;         ///< of everything appended
  [[nodiscard]] std::uint64_t synced() const;  ///< leaves below it are on stable storage

  // Code::bad_request where size or index do not fit; Code::io_error, also where a proof that was made does not prove
  // what it should, because hashes on the disk are damaged.
  Result<TreeHead> head_at(std::uint64_t size) const;
  Result<Sha256> leaf_hash_at(std::uint64_t index) const;
  /// Those of [from, from + count).
  Result<std::vector<Sha256>> leaf_hashes(std::uint64_t from, std::uint64_t count) const;
  Result<ProofPath> inclusion(std::uint64_t index, std::uint64_t size) const;
  Result<ProofPath> consistency(std::uint64_t from, std::uint64_t to) const;

 private:
  struct State;
  explicit MerkleTree(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace fedgate::audit
