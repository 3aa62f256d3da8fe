// SPDX-License-Identifier: Apache-2.0
//
// What gateways say to each other about their logs: add-checkpoint's body (C2SP tlog-witness), requests for proofs and
// their answers, the header Fedgate-Checkpoint, and receipts as C2SP tlog-proof. All of it comes from others: strict
// and bounded. Pure functions, any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "fedgate/checkpoint.h"
#include "fedgate/result.h"
#include "wire/signed_note.h"

namespace fedgate::wire {

inline constexpr std::size_t most_proof_lines = 63;        ///< of one path: C2SP tlog-witness
inline constexpr std::size_t most_indexes = 1024;          ///< of one request for proofs
inline constexpr std::uint64_t largest_tree = 1ULL << 53;  ///< what JCS carries exactly
inline constexpr std::size_t longest_add_checkpoint = note_max_bytes + 4096;

namespace content_type {
inline constexpr std::string_view plain = "text/plain; charset=utf-8";
inline constexpr std::string_view tree_size = "text/x.tlog.size";
}  // namespace content_type

/// `old N`, proof lines, an empty line, the checkpoint.
struct AddCheckpoint {
  std::uint64_t old_size = 0;
  ProofPath proof;
  Checkpoint checkpoint;
};
std::string add_checkpoint_body(const AddCheckpoint& request);
/// Code::bad_request, Code::payload_too_large.
Result<AddCheckpoint> parse_add_checkpoint(std::string_view body);
/// A number and a line feed: what a witness answers beside 409.
Result<std::uint64_t> parse_tree_size(std::string_view body);

/// A signature line, with its LF.
std::string signature_line(const NoteSignature& signature);
/// A note of this text and these signatures.
std::string note_of(std::string_view text, const std::vector<NoteSignature>& signatures);

/// For GET …/audit/proof: whether the leaves at these indexes stand in the tree of `size`, and whether that tree
/// continues the one of size `from`.
struct ProofRequest {
  std::string log;
  std::uint64_t size = 0;
  std::vector<std::uint64_t> indexes{};  ///< ascending, each once, below size; may be empty
  std::uint64_t from = 0;                ///< 0: not asked
};
/// The query, without `?`. Indexes are the first one and then the gaps: `leaves=1000,2,2,7`.
std::string proof_query(const ProofRequest& request);
Result<ProofRequest> parse_proof_query(std::string_view query);

/// The hashes of the leaves that were asked for and of those nodes that lead from them to the root (audit/
/// batch_proof.h), and the path from `from` to size.
struct ProofAnswer {
  BatchProof batch;
  ProofPath consistency;
};
/// Three blocks of base64 lines, each ended by an empty line.
std::string proof_answer_body(const ProofAnswer& answer);
/// Only as many hashes as a request of so many indexes can need. Code::peer_protocol_error.
Result<ProofAnswer> parse_proof_answer(std::string_view body, std::size_t indexes);

/// A batch proof and the indexes it is of as one text, to be kept: first index and gaps, a space, base64 of the two
/// counts and the hashes.
struct KeptProof {
  std::vector<std::uint64_t> indexes;
  BatchProof batch;
};
std::string kept_proof_text(const KeptProof& proof);
/// Code::store_unavailable.
Result<KeptProof> parse_kept_proof(std::string_view text);

/// `origin;size;root`: a log's newest head, as its owner mentions it beside a call. Unsigned.
std::string head_header(std::string_view log, const TreeHead& head);
Result<MentionedHead> parse_head_header(std::string_view text);

/// C2SP tlog-proof, what an outsider verifies; `extra` holds the leaf, empty: without.
std::string tlog_proof(std::uint64_t index, const ProofPath& path, const Checkpoint& checkpoint,
                       std::string_view extra);

}  // namespace fedgate::wire
