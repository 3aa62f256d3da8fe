// SPDX-License-Identifier: Apache-2.0
//
// Time is injected: one Clock drives certificate validation, token buckets, replay windows and the
// deadline wheel, so that a test can move it. Implementations are safe from any thread.
#pragma once

#include <chrono>

namespace fedgate {

using SteadyTime = std::chrono::steady_clock::time_point;
/// Wall-clock time, UTC, microseconds.
using WallTime = std::chrono::time_point<std::chrono::system_clock, std::chrono::microseconds>;

class Clock {
 public:
  virtual ~Clock() = default;
  [[nodiscard]] virtual SteadyTime steady() const = 0;
  [[nodiscard]] virtual WallTime wall() const = 0;
};

/// The machine's clocks.
const Clock& system_clock();

}  // namespace fedgate
