// SPDX-License-Identifier: Apache-2.0
#include "federation/seen_calls.h"

namespace fedgate::federation {

SeenCalls::SeenCalls(const Clock& clock, std::size_t bound_per_peer) : clock_(clock), bound_(bound_per_peer) {}

Result<void> SeenCalls::remember(const NodeId& peer, const CorrelationId& id, std::uint32_t attempt) {
  const auto off = id.time() - clock_.wall();
  if (off > skew || off < -skew) {
    return fail(Code::bad_request, "the correlation id's time is " +
                                       std::to_string(std::chrono::duration_cast<std::chrono::seconds>(off).count()) +
                                       " s off our clock (5 minutes are allowed): compare both hosts' clocks");
  }
  const SteadyTime now = clock_.steady();
  const std::lock_guard lock(mutex_);
  Memory& memory = peers_[peer];
  if (now - memory.turned >= 2 * skew) {
    memory.previous.swap(memory.current);
    memory.current.clear();
    memory.turned = now;
  }
  const Key key{id, attempt};
  if (memory.previous.contains(key))
    return fail(Code::duplicate_call, "correlation id " + id.str() + " was used before");
  if (memory.current.size() >= bound_) {
    return fail(Code::overloaded, "more than " + std::to_string(bound_) + " calls of " + peer.str() + " in 10 minutes");
  }
  if (!memory.current.insert(key).second) {
    return fail(Code::duplicate_call, "correlation id " + id.str() + " was used before");
  }
  return {};
}

}  // namespace fedgate::federation
