// SPDX-License-Identifier: Apache-2.0
//
// Whether two sides remember the same of a call: their records of it, laid beside each other. Only judges; who fetches
// the records is reconciliation.h and timeline.h. Pure functions and plain values.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "fedgate/id.h"
#include "wire/audit_query_text.h"

namespace fedgate::federation {

enum class Agreement : std::uint8_t {
  agrees,
  differs,        ///< both have it, and say different things
  missing_here,   ///< the other side has what we should have
  missing_there,  ///< we have what the other side should have
  unknown,        ///< whether it took effect is not known to one of them
  pending,        ///< too young to judge: it may still run
};
std::string_view to_string(Agreement standing);

struct CallVerdict {
  CorrelationId correlation_id;
  std::uint32_t attempt = 0;
  Agreement standing = Agreement::agrees;
  std::vector<std::string> fields;  ///< that differ, as trail records name them; `leaf`: what one saw of the other's
  std::string detail;               ///< a sentence, empty where they agree
};

struct Sides {
  NodeId own, peer;
  WallTime settled{};  ///< calls that began later may still run
};

/// Both sides' records of one correlation id → a verdict for each attempt, in their order.
std::vector<CallVerdict> compare_call(std::span<const wire::TrailRecord> ours,
                                      std::span<const wire::TrailRecord> theirs, const Sides& sides);

/// How many calls stand how.
struct Tally {
  std::array<std::uint64_t, 6> calls{};  ///< by Agreement
  std::uint64_t unproven = 0;            ///< calls of which the other side's proof is missing; they stand elsewhere too

  void add(const CallVerdict& verdict) { ++calls.at(static_cast<std::size_t>(verdict.standing)); }
  void add(const Tally& other);
  [[nodiscard]] std::uint64_t operator[](Agreement standing) const {
    return calls.at(static_cast<std::size_t>(standing));
  }
  [[nodiscard]] std::uint64_t total() const;
  /// One side has what the other lacks, says something else, or cannot prove it.
  [[nodiscard]] std::uint64_t mismatches() const;
  /// Nothing of that, and nothing unknown.
  [[nodiscard]] bool agrees() const;
};

}  // namespace fedgate::federation
