// SPDX-License-Identifier: Apache-2.0
//
// Whether both sides believe each other, tried on an ordinary connection before the first call (protocol.md section
// 2): who was verified, since when, and who must act where it failed. Trust that begins, in whichever way, is not
// verified yet; anchors that rotate later change nothing about it. Tried in the background, a few nodes at a time, and
// by a call that finds its target unverified (verifier.h). One object, owned by the composition root; any thread, but
// for the coroutines, which run on their caller's worker.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_set>
#include <vector>

#include "base/deadline.h"
#include "base/entropy.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/snapshot.h"
#include "base/task.h"
#include "federation/own_trust.h"
#include "federation/peer_client.h"
#include "nodes/node_table.h"

namespace fedgate::federation {

/// How an ordinary connection to a node went, and what the node said of us there.
struct Verification {
  WallTime at{};
  bool good = false;
  Code code = Code::internal;  ///< why not
  std::string detail{};        ///< for the operator
  /// Of the first good one since trust began, or since the node last refused us. None: calls wait for one.
  std::optional<WallTime> since{};
};

struct VerificationPace {
  std::chrono::milliseconds first{1'000};     ///< after trust has begun
  std::chrono::milliseconds again{1'000};     ///< after one that failed; twice as long after each further one
  std::chrono::milliseconds longest{60'000};  ///< of those pauses
  std::chrono::milliseconds good{300'000};    ///< after a good one: is it still so?
};

class Verifications {
 public:
  static constexpr std::size_t lanes = 4;  ///< nodes that are tried at a time
  static constexpr std::chrono::seconds patience{5};

  struct Parts {
    const Snapshot<nodes::NodeTable>& nodes;
    const Snapshot<OwnTrust>& own;
    const Clock& clock;
    const Entropy& entropy;
    const log::Logger& log;
    Metrics& metrics;
    VerificationPace pace;
  };
  explicit Verifications(Parts parts);

  /// Of each publication of the registry, before calls can follow it.
  void nodes_changed(const nodes::NodeTable& before, const nodes::NodeTable& after);
  /// Tries this node within moments: an operator has just decided.
  void soon(const NodeId& node);

  /// `its_own`: a connection for this alone, closed after it; else one that a call may take over.
  enum class Connection : std::uint8_t { its_own, pooled };
  /// Once, now. Code::node_not_found, node_not_trusted; Code::conflict where it has no endpoint. What it finds is
  /// remembered.
  Task<Result<Verification>> verify(PeerClient& peers, NodeId node, Connection over, SteadyTime deadline);
  /// Those of this lane whose turn it is, until it is cancelled. On worker 0.
  Task<> run(DeadlineWheel& wheel, PeerClient& peers, std::size_t lane);

  using Verified = std::unordered_set<NodeId>;
  /// Whose calls need not wait.
  [[nodiscard]] const Snapshot<Verified>& verified() const { return verified_; }
  [[nodiscard]] std::optional<Verification> of(const NodeId& node) const;
  /// For `status`: who must act where it failed.
  [[nodiscard]] std::vector<std::string> attention() const;

 private:
  struct Entry {
    std::uint64_t beginning = 0;  // of trust: which one was tried
    std::optional<Verification> last{};
    std::optional<WallTime> since{};
    SteadyTime next{};
    unsigned setbacks = 0;
  };
  Verification judge(const Result<net::Response>& answer, const OwnTrust& before) const;
  [[nodiscard]] std::optional<NodeId> due(std::size_t lane, SteadyTime now);
  void postpone(const NodeId& node);
  Verification remember(const NodeId& node, std::uint64_t beginning, Verification seen);
  void begin(const NodeId& node);
  [[nodiscard]] std::chrono::milliseconds about(std::chrono::milliseconds pause) const;
  void publish();

  Parts parts_;
  Snapshot<Verified> verified_;
  mutable std::mutex mutex_;  // guards what follows
  std::uint64_t beginnings_ = 0;
  std::map<NodeId, Entry> entries_;  // trusted and enabled nodes
};

/// Who must act next about a node that is trusted and enabled, and how.
std::string next_of_trusted(const Node& node, const std::optional<Verification>& seen);

}  // namespace fedgate::federation
