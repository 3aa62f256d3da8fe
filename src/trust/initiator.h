// SPDX-License-Identifier: Apache-2.0
//
// The asking side of one enrolment (protocol.md section 2): begin(), check() the answer, store the candidate, prove(),
// conclude(). An operator started it, with a URL or an invite's token. One object a dialogue, used by one thread. No
// I/O.
#pragma once

#include <optional>
#include <span>

#include "base/entropy.h"
#include "fedgate/clock.h"
#include "fedgate/node.h"
#include "fedgate/result.h"
#include "fedgate/trust_messages.h"
#include "trust/enrolment.h"
#include "trust/invite.h"

namespace fedgate::trust {

class Initiator {
 public:
  /// `token`: none for a request. `expected`: whom the operator means; empty where only a URL is known. What is passed
  /// outlives the object.
  Initiator(const OwnParty& own, const std::optional<InviteToken>& token, NodeId expected, std::span<const Node> nodes,
            const Clock& clock, const Entropy& entropy);

  /// Code::bad_request where the token is not for us, is our own, or has expired.
  Result<ChallengeRequest> begin();
  /// Whether who answered is who its bundle says, and whom the token or the operator means. The candidate is to be
  /// stored before we go on. `link` outlives the object. Code::identity_mismatch.
  Result<Candidate> check(const ChallengeAnswer& answer, const EnrolmentLink& link);
  Result<TrustRequest> prove();
  /// The candidate as it stands now. Code::identity_mismatch where the answer proves nothing.
  Result<Candidate> conclude(const TrustAnswer& answer);
  /// Whether the operator's token has decided for our side: the candidate is to be installed, trusted.
  [[nodiscard]] bool decided() const;

 private:
  const OwnParty& own_;
  const std::optional<InviteToken>& token_;
  NodeId expected_;
  std::span<const Node> nodes_;
  const Clock& clock_;
  const Entropy& entropy_;
  ChallengeRequest request_;
  const EnrolmentLink* link_ = nullptr;
  ProofInput input_;
  Candidate candidate_;
};

}  // namespace fedgate::trust
