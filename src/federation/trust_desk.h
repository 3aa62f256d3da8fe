// SPDX-License-Identifier: Apache-2.0
//
// Where trust is begun and decided: what operators ask for (invite, request, accept, approve, cancel, verify), what
// strangers leave behind, and who must act next. Decisions go through the registry and into the trail; until then a
// candidate is a record and nothing more. One object, owned by the composition root; coroutines run on their caller's
// worker, storage work on the pool.
#pragma once

#include <atomic>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/deadline.h"
#include "base/task.h"
#include "federation/trust_surroundings.h"
#include "federation/verifications.h"
#include "store/trust_records.h"
#include "trust/invite.h"

namespace fedgate::federation {

/// All there is to know about the trust between us and one node.
struct Relationship {
  NodeId node;
  TrustLevel level = TrustLevel::untrusted;  ///< pending: no decision, but a candidate
  bool enabled = true;
  std::optional<Node> row;
  std::vector<Candidate> candidates;  ///< newest first
  std::vector<std::string> fingerprints;
  std::vector<Invite> invites;
  std::optional<Verification> verification;
  std::string next;  ///< who must act next, and how
};

class TrustDesk {
 public:
  struct Parts : TrustSurroundings {
    Verifications& verifications;
    /// How many strangers found the door closed or the room full since the last question.
    std::function<std::size_t()> turned_away;
  };
  explicit TrustDesk(Parts parts);

  // What operators ask for. `who` is the operator's name.
  struct MadeInvite {
    std::string token;  ///< secret, shown once
    Invite invite;
  };
  Task<Result<MadeInvite>> invite(std::string who, NodeId node, std::optional<Sha256> anchor,
                                  std::chrono::seconds lifetime);
  /// Asks the gateway at `url` to trust us; `node`: whom we expect there.
  Task<Result<Relationship>> request(Worker& worker, std::string who, std::string url, NodeId node);
  /// Uses an invite's token.
  Task<Result<Relationship>> accept(Worker& worker, std::string who, std::string token);
  /// Installs the candidate with this fingerprint, trusted. Empty, with `reinstate`: what is installed already counts
  /// again.
  Task<Result<Relationship>> approve(std::string who, NodeId node, std::string fingerprint, bool reinstate);
  /// Forgets invites and candidates of the node; its level stays.
  Task<Result<Relationship>> cancel(std::string who, NodeId node);
  /// Opens an ordinary connection and asks what the node sees of us.
  Task<Result<Relationship>> verify(PeerClient& peers, NodeId node);

  Task<Result<std::vector<Relationship>>> list();
  Task<Result<Relationship>> show(NodeId node);
  /// For `status`: what waits for this organisation's operators. As of the last look; does not block.
  [[nodiscard]] std::vector<std::string> attention() const;

  // For the enrolment listener.
  /// May strangers ask now? Any thread, does not block.
  [[nodiscard]] bool open() const;
  /// Looks at invites and candidates again: other replicas change them too. Blocking.
  Result<void> look();
  /// look() again and again, until it is cancelled; once a minute, one record of how many strangers were turned away.
  Task<> keep_looking(DeadlineWheel& wheel);
  /// Stores what a stranger left; where an invite has decided, installs it. The level that it has with us now.
  Task<Result<TrustLevel>> admit(Candidate candidate, bool decided, bool known);
  /// A refusal that belongs into the trail.
  Task<> record_refusal(std::string node, std::string remote, Error why);

  [[nodiscard]] const Parts& parts() const { return parts_; }

 private:
  struct Records {
    std::vector<Invite> invites;
    std::vector<Candidate> candidates;
  };
  Result<Records> records();
  [[nodiscard]] std::vector<Relationship> relationships(const Records& records) const;
  void remember(const Records& records);
  Task<Result<Relationship>> ask(Worker& worker, std::string who, std::string url, NodeId expected,
                                 std::optional<trust::InviteToken> token);
  Task<Result<void>> install(std::string who, std::string reason, Candidate candidate, bool reinstate);
  Task<Result<void>> store(Candidate candidate);
  Task<> summarise_turned_away();

  Parts parts_;
  store::TrustRecords records_;
  std::atomic<WallTime::rep> invites_until_{0};
  mutable std::mutex mutex_;  // guards what follows
  std::vector<std::string> attention_;
};

}  // namespace fedgate::federation
