// SPDX-License-Identifier: Apache-2.0
//
// What a call does about a target that nobody has verified yet: it asks the target itself, over the connection that it
// will use, and goes on; calls that come meanwhile wait for the same answer. One per worker, on its thread.
#pragma once

#include <memory>
#include <optional>
#include <unordered_map>

#include "base/bell.h"
#include "base/deadline.h"
#include "base/task.h"
#include "federation/peer_client.h"
#include "federation/verifications.h"

namespace fedgate::federation {

class Verifier {
 public:
  Verifier(Verifications& all, PeerClient& peers, DeadlineWheel& wheel)
      : all_(all), peers_(peers), wheel_(wheel), verified_(all.verified()) {}

  [[nodiscard]] bool verified(const NodeId& node) { return verified_.get()->contains(node); }
  /// Returns when the node is verified; else why it is not, by an attempt that began after this call came, or
  /// Code::deadline_exceeded. Nothing of the call was sent.
  Task<Result<void>> settle(NodeId node, SteadyTime deadline);

 private:
  struct Attempt {
    std::uint64_t begun = 0;
    bool ended = false;
    std::optional<Error> failure{};  // none where it was given up: then another has to be made
  };
  class Ending;
  Task<Result<void>> attempt(NodeId node, SteadyTime deadline);

  Verifications& all_;
  PeerClient& peers_;
  DeadlineWheel& wheel_;
  Snapshot<Verifications::Verified>::Reader verified_;
  std::uint64_t count_ = 0;
  std::unordered_map<NodeId, std::shared_ptr<Attempt>> attempts_;
  Bell ended_;
};

}  // namespace fedgate::federation
