// SPDX-License-Identifier: Apache-2.0
//
// What can be said of an audit log from outside: tree heads (RFC 6962 section 2.1), checkpoints (C2SP
// tlog-checkpoint: a signed note over origin, size and root), proofs and receipts. Plain values, any thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "fedgate/id.h"

namespace fedgate {

/// The root over the first `size` leaves. Size 0: SHA-256 of nothing.
struct TreeHead {
  std::uint64_t size = 0;
  Sha256 root{};
  bool operator==(const TreeHead&) const = default;
};

struct Checkpoint {
  std::string origin;  ///< the log's name, `orga.example/fedgate/log/a/1`
  TreeHead head;
  std::string note;  ///< the signed note, verbatim, with every signature line that came with it
  bool operator==(const Checkpoint&) const = default;
};

/// The newest head of its log as somebody mentions it beside a call: unsigned, a hint that is recorded.
struct MentionedHead {
  std::string log;
  TreeHead head;
  bool operator==(const MentionedHead&) const = default;
};

/// RFC 9162 section 2.1.3 and 2.1.4, lowest first.
using ProofPath = std::vector<Sha256>;

/// That several leaves stand in one tree: their hashes by ascending index, and of the nodes beside their ways to the
/// root those that do not follow from them, from left to right.
struct BatchProof {
  std::vector<Sha256> leaves;
  std::vector<Sha256> nodes;
  bool operator==(const BatchProof&) const = default;
};

/// One leaf, that it stands in its log, and who says so: all that an outsider needs (with the log's vkey).
struct Receipt {
  std::string leaf;  ///< JCS, verbatim
  std::uint64_t index = 0;
  ProofPath path;         ///< from the leaf to checkpoint.head.root
  Checkpoint checkpoint;  ///< as a rule with cosignatures
};

}  // namespace fedgate
