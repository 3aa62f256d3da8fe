// SPDX-License-Identifier: Apache-2.0
//
// All that gateways which trust each other do about each other's logs: witness and be witnessed, prove and have
// proven, alarms. One object, owned by the composition root; run() on worker 0.
#pragma once

#include <string>
#include <vector>

#include "base/deadline.h"
#include "base/entropy.h"
#include "base/task.h"
#include "federation/audit_surroundings.h"
#include "federation/entanglement.h"
#include "federation/peer_client.h"
#include "federation/receipts.h"
#include "federation/witness.h"
#include "federation/witnessing.h"

namespace fedgate::federation {

class AuditExchange {
 public:
  static constexpr std::size_t lanes = 4;  ///< nodes that are met at a time

  AuditExchange(const AuditSurroundings& around, const Entropy& entropy, AuditPace pace)
      : witness(around),
        witnessing(around, pace),
        entanglement(around, pace),
        receipts(around),
        around_(around),
        entropy_(entropy),
        pace_(pace) {}

  Witness witness;
  Witnessing witnessing;
  Entanglement entanglement;
  Receipts receipts;

  /// Meets every node of this lane in turn, until it is cancelled.
  Task<> run(DeadlineWheel& wheel, PeerClient& peers, std::size_t lane);
  /// A node has called us. Any thread.
  void contact(const NodeId& node);
  [[nodiscard]] AuditAlarms& alarms() const { return around_.alarms; }
  /// For `status`: what an operator should know. Any thread, does not block.
  [[nodiscard]] std::vector<std::string> attention() const;

 private:
  Task<> round(PeerClient& peers, std::size_t lane);
  Result<void> look();

  AuditSurroundings around_;
  const Entropy& entropy_;
  const AuditPace pace_;
  std::string trouble_;  // of look(), logged already
  SteadyTime look_again_{};
};

}  // namespace fedgate::federation
