// SPDX-License-Identifier: Apache-2.0
//
// We witness the logs of those we trust (C2SP tlog-witness), and show our own: checkpoints and proofs for those who
// hold us to them. A head is cosigned only if it continues the one before, and only after that is written down by
// compare-and-swap. What a peer can make us do is bounded: one request at a time, so many a minute, each of bounded
// size. One object, owned by the composition root; coroutines run on their caller's worker, the work on the pool.
#pragma once

#include <string>

#include "base/task.h"
#include "federation/audit_surroundings.h"
#include "federation/peer_turns.h"
#include "wire/witness_text.h"

namespace fedgate::federation {

class Witness {
 public:
  static constexpr unsigned checkpoints_a_minute = 60;
  static constexpr unsigned questions_a_minute = 120;

  explicit Witness(AuditSurroundings around);

  /// An answer of C2SP tlog-witness: 200, 400, 403, 404, 409, 422.
  struct Answer {
    std::uint16_t status = 200;
    std::string_view content_type = wire::content_type::plain;
    std::string body;
  };
  /// Errors: Code::rate_limited, Code::store_unavailable, Code::overloaded.
  Task<Result<Answer>> add_checkpoint(NodeId peer, std::string body);
  /// The newest checkpoint of a log of ours (empty: the present one), with the cosignatures that we have, or of a log
  /// of the peer itself, as we cosigned it. Code::not_found.
  Task<Result<std::string>> checkpoint(NodeId peer, std::string log);
  /// wire::proof_answer_body() about our present log. Code::bad_request, Code::not_found.
  Task<Result<std::string>> proof(NodeId peer, std::string query);

 private:
  Result<Answer> judge(const NodeId& peer, const std::string& body);
  Result<Answer> cosign(const NodeId& peer, const wire::AddCheckpoint& submitted, const wire::Note& note);
  void note_own_cosignature(const NodeId& peer, const wire::AddCheckpoint& submitted, const wire::Note& note,
                            std::uint64_t remembered);
  Result<std::string> shown(const NodeId& peer, const std::string& log);
  Result<std::string> prove(const wire::ProofRequest& request);

  AuditSurroundings around_;
  store::AuditLogRecords records_;
  PeerTurns checkpoints_;
  PeerTurns questions_;
};

/// The note with the signatures that are good by one of these keys, and no others: what is kept has a known size.
wire::Note trimmed(const wire::Note& note, const std::vector<wire::VerifierKey>& keys);
/// Whether `log` is, by its name, one of this node's.
bool is_log_of(std::string_view log, const NodeId& node);
/// Whether two heads that one log has signed can be told to contradict each other at once.
bool contradict(const TreeHead& one, const TreeHead& other);
/// For operators: which two heads.
std::string both_heads(const TreeHead& one, const TreeHead& other);

}  // namespace fedgate::federation
