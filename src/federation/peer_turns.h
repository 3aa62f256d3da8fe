// SPDX-License-Identifier: Apache-2.0
//
// What a peer may ask for that costs us work beside calls: one at a time a peer, and so many a minute. Owned by whoever
// answers; any thread.
#pragma once

#include <chrono>
#include <map>
#include <mutex>
#include <utility>

#include "fedgate/clock.h"
#include "fedgate/id.h"
#include "fedgate/result.h"

namespace fedgate::federation {

class PeerTurns {
 public:
  PeerTurns(const Clock& clock, unsigned a_minute) : clock_(clock), a_minute_(a_minute) {}
  PeerTurns(const PeerTurns&) = delete;
  PeerTurns& operator=(const PeerTurns&) = delete;

  /// Ends with its owner.
  class Turn {
   public:
    Turn(PeerTurns& of, NodeId node) : of_(&of), node_(std::move(node)) {}
    Turn(Turn&& other) noexcept : of_(std::exchange(other.of_, nullptr)), node_(std::move(other.node_)) {}
    Turn& operator=(Turn&&) = delete;
    ~Turn() {
      if (of_ != nullptr) of_->end(node_);
    }

   private:
    PeerTurns* of_;
    NodeId node_;
  };
  /// Code::rate_limited. Only of nodes of the registry: what is kept grows with them.
  Result<Turn> take(const NodeId& node) {
    const std::lock_guard lock(mutex_);
    auto& peer = peers_[node];
    const auto now = clock_.steady();
    if (now >= peer.window + std::chrono::minutes(1)) {
      peer.window = now;
      peer.taken = 0;
    }
    if (peer.busy) return fail(Code::rate_limited, node.str() + " asks for the next before it has its answer");
    if (peer.taken >= a_minute_)
      return fail(Code::rate_limited,
                  node.str() + " has asked " + std::to_string(a_minute_) + " times within a minute");
    ++peer.taken;
    peer.busy = true;
    return Turn(*this, node);
  }

 private:
  struct Peer {
    SteadyTime window{};
    unsigned taken = 0;
    bool busy = false;
  };
  void end(const NodeId& node) {
    const std::lock_guard lock(mutex_);
    peers_[node].busy = false;
  }

  const Clock& clock_;
  const unsigned a_minute_;
  std::mutex mutex_;
  std::map<NodeId, Peer> peers_;
};

}  // namespace fedgate::federation
