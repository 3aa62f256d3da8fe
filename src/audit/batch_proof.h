// SPDX-License-Identifier: Apache-2.0
//
// That several leaves stand in one RFC 6962 tree, in one proof: calls come in rows, so the ways of their leaves to the
// root share nearly everything. A verifier rebuilds the root from the leaves' hashes, which the prover states, and
// compares it with a signed one; then it compares the hashes with those it was told when the calls were made, so one
// false answer does not hide what is wrong with the others. Pure functions, any thread; proving reads the tree's disk.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "audit/merkle_tree.h"
#include "fedgate/checkpoint.h"
#include "fedgate/result.h"

namespace fedgate::audit {

/// Indexes: ascending, each once, below `size`; at least one.
Result<BatchProof> prove_batch(const MerkleTree& tree, std::span<const std::uint64_t> indexes, std::uint64_t size);
bool proves_batch(const BatchProof& proof, std::span<const std::uint64_t> indexes, const TreeHead& head);
/// The way of one of them to the root (RFC 9162 section 2.1.3), out of a proof that proves.
std::optional<ProofPath> path_in(const BatchProof& proof, std::span<const std::uint64_t> indexes, std::uint64_t size,
                                 std::uint64_t index);

}  // namespace fedgate::audit
