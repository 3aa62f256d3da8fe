// SPDX-License-Identifier: Apache-2.0
//
// Which calls a peer has made already: the target refuses a (peer, correlation_id, attempt) that it has seen
// (protocol.md section 4). A UUIDv7 more than five minutes off is refused before it comes here, so ten minutes
// of memory are enough. Bounded per peer; beyond the bound a peer's calls are refused, not forgotten. Any
// thread; one short mutex.
#pragma once

#include <boost/unordered/unordered_flat_set.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <unordered_map>

#include "fedgate/clock.h"
#include "fedgate/id.h"
#include "fedgate/result.h"

namespace fedgate::federation {

class SeenCalls {
 public:
  static constexpr std::chrono::minutes skew{5};

  explicit SeenCalls(const Clock& clock, std::size_t bound_per_peer = 1'000'000);

  /// Remembers the call. Code::duplicate_call when it was seen, Code::bad_request when the id's time is more
  /// than `skew` off, Code::overloaded when this peer's memory is full.
  Result<void> remember(const NodeId& peer, const CorrelationId& id, std::uint32_t attempt);

 private:
  struct Key {
    CorrelationId id;
    std::uint32_t attempt;
    friend bool operator==(const Key&, const Key&) = default;
  };
  struct KeyHash {
    std::size_t operator()(const Key& key) const noexcept {
      return std::hash<CorrelationId>{}(key.id) ^ (key.attempt * 0x9e3779b97f4a7c15ULL);
    }
  };
  // Two generations of ten minutes: what is looked up in both has been there for ten to twenty minutes.
  struct Memory {
    boost::unordered_flat_set<Key, KeyHash> current, previous;
    SteadyTime turned{};
  };

  const Clock& clock_;
  std::size_t bound_;
  std::mutex mutex_;
  std::unordered_map<NodeId, Memory> peers_;
};

}  // namespace fedgate::federation
