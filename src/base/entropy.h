// SPDX-License-Identifier: Apache-2.0
//
// Randomness is injected, like time. Implementations are safe from any thread.
#pragma once

#include <cstdint>
#include <span>

namespace fedgate {

class Entropy {
 public:
  virtual ~Entropy() = default;
  /// Fills with bytes fit for keys. Never fails: a system without randomness ends the process.
  virtual void fill(std::span<std::uint8_t> bytes) const = 0;
};

/// OpenSSL's generator, drawn through a buffer per thread so that a call costs no system call.
const Entropy& system_entropy();

}  // namespace fedgate
