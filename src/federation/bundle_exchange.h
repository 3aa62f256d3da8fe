// SPDX-License-Identifier: Apache-2.0
//
// Keeps anchors known while they rotate (protocol.md section 3): announces and retires ours, shows our bundle to those
// we trust and takes their acknowledgements; asks them for their newest bundle, lets trust/rotation.h judge it, puts
// new anchors beside the old ones, and acknowledges. What nobody has vouched for waits for an operator. One object,
// owned by the composition root; coroutines run on their caller's worker, storage work and judgements on the pool.
#pragma once

#include <chrono>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/deadline.h"
#include "base/task.h"
#include "federation/peer_client.h"
#include "federation/peer_log_keys.h"
#include "federation/trust_surroundings.h"
#include "fedgate/rotation.h"
#include "store/rotation_records.h"
#include "store/trust_records.h"
#include "trust/rotation_rules.h"
#include "wire/rotation_text.h"

namespace fedgate::federation {

struct ExchangePace {
  std::chrono::milliseconds interval{10'000};  ///< between two questions to one node, more or less
  /// A bundle is acknowledged no earlier than this after it was stored: other replicas load it meanwhile.
  std::chrono::milliseconds settling{5'000};
};

/// How far one node and we have come with each other's bundles.
struct BundleState {
  std::optional<wire::BundleMark> known;  ///< its newest that counts here
  std::uint64_t offered = 0;              ///< what it says its newest is; 0: it has not been asked yet
  bool acknowledged = false;              ///< we have told it that `known` counts here
  std::uint64_t acknowledged_by_it = 0;   ///< of ours; 0: none
  bool current = false;                   ///< that is our newest
  std::string fingerprint;                ///< of our newest and `known`; empty where one of them is not known
  std::string waits;                      ///< who must act before its newest counts; empty: nobody
};

class BundleExchange {
 public:
  static constexpr std::size_t lanes = 4;  ///< nodes that are asked at a time

  struct Parts : TrustSurroundings {
    PeerLogKeys& log_keys;  ///< kept as the bundles that count say
    ExchangePace pace;
  };
  explicit BundleExchange(Parts parts);

  // What operators ask for. `who` is the operator's name.
  struct Rotation {
    StatedBundle bundle;                   ///< ours, as it is published now
    std::vector<std::string> uncertified;  ///< SHA-256 of new anchors without a cross certificate
    std::vector<NodeId> waiting;           ///< trusted, enabled, and without an acknowledgement of it
    std::vector<NodeId> left_behind;       ///< of a retirement that was forced
  };
  /// Publishes our anchors, endpoints and domains as the configuration has them, with these cross certificates (PEM).
  Task<Result<Rotation>> announce(std::string who, std::string cross_certificates);
  /// Takes an anchor out of our bundle. Code::conflict names those who have not acknowledged the present one.
  enum class Force : std::uint8_t { no, yes };
  Task<Result<Rotation>> retire(std::string who, Sha256 anchor, Force force);

  // For the peers listener.
  /// Our newest bundle; nothing before there is one. Any thread.
  [[nodiscard]] std::optional<wire::BundleMark> published() const;
  /// The witness key in it.
  [[nodiscard]] std::optional<std::string> own_witness_key() const;
  /// The answer to `trust/bundle`.
  Task<Result<std::string>> serve(NodeId reader, std::string nonce);
  /// Takes what a peer has sent to `trust/ack`.
  Task<Result<void>> acknowledged(PeerIdentity peer, std::string body);

  // For operators' views. Any thread.
  [[nodiscard]] BundleState state(const NodeId& node) const;
  [[nodiscard]] std::vector<std::string> attention() const;

  /// Reads what is recorded: other replicas and operators change it too. Blocking.
  Result<void> look();
  /// Our next bundle where the keys that sign our log are not in it. Nothing else in it changes; what else the
  /// configuration says waits for announce(). Blocking.
  Result<void> state_log_keys();
  /// Asks every node of this lane in turn, until it is cancelled. On worker 0.
  Task<> run(DeadlineWheel& wheel, PeerClient& peers, std::size_t lane);

 private:
  /// What is recorded, at one moment.
  struct Seen {
    std::optional<StatedBundle> own;
    std::vector<std::string> cross_certificates;
    std::map<NodeId, store::BundleHead> heads;
    std::map<NodeId, Acknowledgement> ours, theirs;
  };
  /// What is remembered of one node between two questions.
  struct Contact {
    std::uint64_t offered = 0;
    unsigned setbacks = 0;
    SteadyTime next{};
    std::string waits;
    std::optional<Sha256> candidate;
    std::optional<SteadyTime> recorded_at;  // a violation
    SteadyTime window{};                    // of its own questions
    unsigned asked = 0;
  };
  struct Fetched {
    ServedBundle served;
    PeerIdentity peer;
    Bytes32 nonce{};
  };

  Task<> round(DeadlineWheel& wheel, PeerClient& peers, std::size_t lane);
  Task<> meet(PeerClient& peers, Node node);
  Task<> take(PeerClient& peers, Node node);
  Task<Result<Fetched>> fetch(PeerClient& peers, const Node& node);
  Result<trust::BundleJudgement> judge(const Node& node, const Fetched& fetched);
  Result<void> install(const Node& node, const trust::BundleJudgement& judgement, const StatedBundle& bundle);
  Result<void> store(const Node& node, const trust::BundleJudgement& judgement, const StatedBundle& bundle);
  Result<void> leave_to_operator(const Node& node, const Fetched& fetched);
  Task<Result<void>> acknowledge(PeerClient& peers, const Node& node, const store::BundleHead& head);
  Task<> record_violation(NodeId node, Error why);
  [[nodiscard]] bool may_ask(const NodeId& node);
  void remember(const NodeId& node, std::uint64_t offered, std::string waits, bool setback);
  [[nodiscard]] std::vector<NodeId> without_acknowledgement(const Seen& seen) const;
  Result<Rotation> rotation(const Seen& seen) const;
  Result<std::vector<store::CrossCertificate>> read_crosses(const std::string& who, const std::string& pem) const;
  Result<void> read_log_keys(const std::map<NodeId, store::BundleHead>& heads);
  Result<Rotation> announce_blocking(const std::vector<store::CrossCertificate>& crosses);
  Result<void> check_retirable(const Sha256& anchor, const StatedBundle& bundle) const;

  Parts parts_;
  store::TrustRecords records_;
  store::RotationRecords rotations_;
  std::mutex looking_;  // one at a time, so that nobody publishes what is older than what was read before
  Snapshot<Seen> seen_;
  mutable std::mutex mutex_;  // guards what follows
  std::map<NodeId, Contact> contacts_;
};

}  // namespace fedgate::federation
