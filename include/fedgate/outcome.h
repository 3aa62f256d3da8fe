// SPDX-License-Identifier: Apache-2.0
//
// How a call ended. One value from the adapter up to the answer and the audit trail.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "fedgate/decision.h"
#include "fedgate/error.h"
#include "fedgate/id.h"

namespace fedgate {

/// succeeded: done. failed: certainly not done, or done and reported as failed by the service.
/// not_sent: never left this gateway. unknown: it may have happened.
enum class Effect : std::uint8_t { succeeded, failed, not_sent, unknown };
std::string_view to_string(Effect effect);

/// Where a leaf stands: enough to find it again and to hold the other side to it.
struct LeafReference {
  std::string log;
  std::uint64_t index = 0;
  Sha256 hash{};
};

struct Timing {
  std::chrono::microseconds origin{};    ///< spent in the origin's gateway
  std::chrono::microseconds network{};   ///< between the two gateways
  std::chrono::microseconds target{};    ///< spent in the target's gateway
  std::chrono::microseconds upstream{};  ///< spent in the service behind it
};

struct Outcome {
  Effect effect = Effect::not_sent;
  std::optional<Error> error;              ///< empty exactly when effect is succeeded
  DecidedBy decided_by = DecidedBy::none;  ///< who turned it down, where error is set
  std::uint64_t response_bytes = 0;
  Timing timing;
  std::optional<LeafReference> counterparty;  ///< the other side's leaf for the same call, as it stated it

  [[nodiscard]] bool ok() const { return !error.has_value(); }
};

}  // namespace fedgate
