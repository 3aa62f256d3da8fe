// SPDX-License-Identifier: Apache-2.0
//
// The answering side of one enrolment (protocol.md section 2), step by step: challenge(), then trust(), then answer().
// One object a connection, used by one thread. No I/O: the caller looks up the invite before, stores the admission
// between trust() and answer(), and writes refusals to the trail. A request changes no level and no anchor; what it may
// lead to is in the Admission.
#pragma once

#include <optional>
#include <span>
#include <string>

#include "base/entropy.h"
#include "fedgate/clock.h"
#include "fedgate/node.h"
#include "fedgate/result.h"
#include "fedgate/trust_messages.h"
#include "trust/enrolment.h"

namespace fedgate::trust {

/// How long a challenge may be answered.
inline constexpr std::chrono::seconds challenge_time{60};

struct Admission {
  Candidate candidate;
  CertificateInfo certificate;
  /// An invite that names the CA has decided already: install the candidate, trusted.
  bool decided = false;
  /// The node is trusted already, with these very anchors: the same dialogue once more.
  bool known = false;
  ProofInput input;
};

class Responder {
 public:
  /// What is passed outlives the object.
  Responder(const OwnParty& own, const EnrolmentLink& link, std::span<const Node> nodes, const Clock& clock,
            const Entropy& entropy);

  /// `invite`: the one with request.invite_id, where there is one. Once a connection. Code::forbidden.
  Result<ChallengeAnswer> challenge(const ChallengeRequest& request, Enrolment mode,
                                    const std::optional<Invite>& invite);
  /// `invite`: as it is now. Answers the challenge, once, whatever comes of it. Code::identity_mismatch where something
  /// is not what it claims to be; Code::forbidden where it may not.
  Result<Admission> trust(const TrustRequest& request, const std::optional<Invite>& invite);
  /// After the admission was stored: our own proof.
  Result<TrustAnswer> answer(const Admission& admission, TrustLevel level, std::string message) const;

 private:
  [[nodiscard]] Result<void> check_challenge(const TrustRequest& request,
                                             const std::optional<Bytes32>& challenge) const;
  [[nodiscard]] Result<ProofInput> check_proofs(const TrustRequest& request, const std::optional<Invite>& invite,
                                                const PeerIdentity& peer, const Bytes32& challenge) const;
  [[nodiscard]] const Node* known(const NodeId& id) const;

  const OwnParty& own_;
  const EnrolmentLink& link_;
  std::span<const Node> nodes_;
  const Clock& clock_;
  const Entropy& entropy_;
  std::optional<ChallengeRequest> asked_;
  std::optional<Bytes32> challenge_;  // none: not asked for, or used
  SteadyTime answer_until_{};
};

}  // namespace fedgate::trust
