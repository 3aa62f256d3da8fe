// SPDX-License-Identifier: Apache-2.0
//
// `nodes check NODE`: why can the two gateways not talk, and who has to do what? It goes the way of a call, step by
// step, on connections of its own: name, TCP, both certificates, a request, the clocks, what the other side sees of us;
// each step with its own deadline, every endpoint. It changes nothing and believes nobody: a server that we refuse
// gets no request. Owned by the composition root, on worker 0.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/snapshot.h"
#include "base/task.h"
#include "base/worker.h"
#include "federation/own_trust.h"
#include "fedgate/node.h"
#include "nodes/node_table.h"
#include "trust/peer_verifier.h"

namespace fedgate::federation {

enum class CheckState : std::uint8_t { good, warning, failed, skipped };
std::string_view to_string(CheckState state);

struct CheckStep {
  std::string name;      ///< configuration, our_certificate, dns, tcp, tls, tls_theirs, health, clock, seen
  std::string endpoint;  ///< empty: about the node, not one of its endpoints
  CheckState state = CheckState::skipped;
  std::string detail;  ///< what was found; where it failed, what to try
  std::string plea;    ///< what the other organisation's administrators should do; empty: nothing
  std::chrono::microseconds took{};
};

/// What the other side's administrators must know of us to compare.
struct OwnFace {
  NodeId id;
  std::string endpoint;
  std::vector<std::string> anchors;  ///< SHA-256, hex
  std::string issuer;                ///< of the certificate that we call with
  std::string certificate;           ///< its SHA-256, hex
  std::string pin;                   ///< SHA-256 of its public key, hex
};

struct CheckReport {
  NodeId node;
  WallTime at{};
  OwnFace own;
  std::vector<CheckStep> steps;
  std::string message;  ///< the one sentence to send to the other side's administrators
  [[nodiscard]] bool good() const;
};

/// One sentence from all that failed, or warned, and whom we are.
std::string check_message(const CheckReport& report);

struct ClockDifference {
  std::chrono::microseconds ahead{};  ///< theirs before ours; negative: behind
  std::chrono::microseconds give_or_take{};
};
/// From the Date of an answer, which is cut to the second, and our own clock before and after the exchange.
ClockDifference clock_difference(WallTime date, WallTime asked, WallTime answered);

class NodeCheck {
 public:
  static constexpr std::size_t most_at_once = 4;
  static constexpr std::chrono::seconds step_time{4};
  static constexpr std::chrono::seconds whole_time{24};  ///< an operator's command waits 30 seconds
  static constexpr std::chrono::minutes clock_warning{1};
  static constexpr std::chrono::minutes clock_bound{5};  ///< beyond it calls are refused

  struct Parts {
    Worker& worker;
    const Snapshot<nodes::NodeTable>& nodes;
    const Snapshot<OwnTrust>& own;
    const Snapshot<trust::PeerVerifier>& verifier;
    /// How long before its end a certificate is worth a warning.
    std::function<std::chrono::seconds()> warn_before;
  };
  explicit NodeCheck(Parts parts) : parts_(std::move(parts)) {}

  /// Code::node_not_found, overloaded.
  Task<Result<CheckReport>> run(std::string id_or_alias);

 private:
  Parts parts_;
  std::size_t running_ = 0;
};

}  // namespace fedgate::federation
