// SPDX-License-Identifier: Apache-2.0
//
// Bytes that look random and are the same in every run: a splitmix64 sequence. Safe from any thread.
#pragma once

#include <cstdint>
#include <mutex>
#include <span>

#include "base/entropy.h"

namespace fedgate::test {

class FakeEntropy final : public Entropy {
 public:
  explicit FakeEntropy(std::uint64_t seed = 1) : state_(seed) {}

  void fill(std::span<std::uint8_t> bytes) const override {
    const std::lock_guard lock(mutex_);
    for (std::uint8_t& byte : bytes) {
      state_ += 0x9E3779B97F4A7C15U;
      std::uint64_t mixed = (state_ ^ (state_ >> 30)) * 0xBF58476D1CE4E5B9U;
      mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EBU;
      byte = static_cast<std::uint8_t>(mixed >> 56);
    }
  }

 private:
  mutable std::mutex mutex_;
  mutable std::uint64_t state_;
};

}  // namespace fedgate::test
