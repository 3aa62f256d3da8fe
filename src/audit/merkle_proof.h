// SPDX-License-Identifier: Apache-2.0
//
// Judging proofs about RFC 6962 trees that other people show us: RFC 9162 section 2.1.3.2 and 2.1.4.2. Pure functions,
// any thread. (Making proofs: audit/merkle_tree.h.)
#pragma once

#include <span>

#include "fedgate/checkpoint.h"

namespace fedgate::audit {

/// SHA-256(0x01 ‖ left ‖ right).
Sha256 node_hash(const Sha256& left, const Sha256& right);
/// SHA-256 of nothing.
Sha256 empty_root();

bool proves_inclusion(const Sha256& leaf_hash, std::uint64_t index, const TreeHead& head, std::span<const Sha256> path);
/// Whether the tree of `later` begins with that of `earlier`. earlier.size 0: the path must be empty.
bool proves_consistency(const TreeHead& earlier, const TreeHead& later, std::span<const Sha256> path);

}  // namespace fedgate::audit
