// SPDX-License-Identifier: Apache-2.0
//
// What the gateway does on its own, beside calls: once a minute it records how many calls were refused by limits.
// On worker 0, owned by the composition root's task group.
#pragma once

#include <chrono>

#include "base/deadline.h"
#include "base/task.h"
#include "federation/surroundings.h"

namespace fedgate::federation {

class Upkeep {
 public:
  static constexpr std::chrono::minutes summary_interval{1};

  Upkeep(const Surroundings& around, DeadlineWheel& wheel) : around_(around), wheel_(wheel) {}

  /// Until it is cancelled; then what was counted since the last summary is recorded.
  Task<> run();

 private:
  Task<> summarise_refusals();

  const Surroundings& around_;
  DeadlineWheel& wheel_;
};

}  // namespace fedgate::federation
