// SPDX-License-Identifier: Apache-2.0
//
// We have our log witnessed: each new checkpoint goes to every trusted peer that states a witness key, and its
// cosignature is kept beside it. A peer that is away is asked again with growing pauses, for days if need be, and at
// once when it calls. What a peer says against our log is a claim until it shows our own signature. One object, owned
// by the composition root; coroutines on worker 0, the work on the pool.
#pragma once

#include <atomic>
#include <chrono>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/deadline.h"
#include "base/task.h"
#include "federation/audit_surroundings.h"
#include "federation/peer_client.h"
#include "wire/witness_text.h"

namespace fedgate::federation {

struct AuditPace {
  std::chrono::milliseconds interval{2'000};              ///< between two looks at what is to be done
  std::chrono::milliseconds longest_pause{300'000};       ///< between two questions to a node that is away
  std::chrono::milliseconds stale_after{600'000};         ///< a peer that answers and does not cosign for so long
  std::chrono::milliseconds look_at_logs{60'000};         ///< whether a peer's logs are still there and no fork
  std::chrono::milliseconds look_for_checkpoint{15'000};  ///< that covers a leaf: most come to be witnessed before
  std::chrono::milliseconds prove_within{60'000};         ///< of contact; beyond it a receipt is missing
  std::chrono::milliseconds give_up_after{std::chrono::hours(72)};   ///< on proofs of a node that does not answer
  std::chrono::milliseconds ask_again_after{std::chrono::hours(1)};  ///< for a receipt that is missing
};

/// How one node's witness and our log stand.
struct WitnessState {
  std::uint64_t cosigned = 0;  ///< of our present log, by it
  std::optional<WallTime> at;  ///< when it did so last, since the start
  std::string problem;         ///< empty: none
};

class Witnessing {
 public:
  Witnessing(AuditSurroundings around, AuditPace pace);

  /// Shows the node our newest checkpoint, if it is time. On worker 0; one call at a time a node.
  Task<> meet(PeerClient& peers, Node node);
  /// The node has called us: it need not be waited for. Any thread; costs nothing while nobody is away.
  void contact(const NodeId& node);
  /// What is recorded of our log: how far it is cosigned. Blocking.
  Result<void> look();

  [[nodiscard]] WitnessState state(const NodeId& node) const;
  [[nodiscard]] std::uint64_t cosigned() const { return cosigned_; }

 private:
  struct Contact {
    bool loaded = false;
    std::uint64_t size = 0;  // the newest it has cosigned
    std::optional<WallTime> at;
    std::optional<SteadyTime> owing;  // since when it answers and has not cosigned what it was shown
    SteadyTime next{};
    unsigned setbacks = 0;
    bool away = false;
    std::string problem;
  };
  enum class Step : std::uint8_t { done, again, refused, away };
  struct Shown {
    std::uint64_t old_size = 0;
    Checkpoint checkpoint;
  };

  Task<Step> show(PeerClient& peers, const Node& node, const wire::VerifierKey& key, Shown& what);
  Task<> confront(PeerClient& peers, const Node& node);
  Result<std::string> body_of(const Shown& what);
  Result<void> keep(const Node& node, const wire::VerifierKey& key, const Checkpoint& checkpoint,
                    const std::string& lines);
  Result<std::uint64_t> load(const NodeId& node);
  Result<std::optional<Checkpoint>> cosigned_before(const NodeId& node);
  Task<> finish(const Node& node, Step how, const Checkpoint& latest, std::string problem);

  AuditSurroundings around_;
  const AuditPace pace_;
  store::AuditLogRecords records_;
  std::atomic<std::uint64_t> cosigned_{0};
  std::atomic<unsigned> away_{0};
  mutable std::mutex mutex_;
  std::map<NodeId, Contact> contacts_;
};

Route audit_route(const Node& node);  ///< its first endpoint

}  // namespace fedgate::federation
