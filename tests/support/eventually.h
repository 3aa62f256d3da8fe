// SPDX-License-Identifier: Apache-2.0
//
// Waits for a condition instead of for a time.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>

namespace fedgate::test {

/// Asks `condition` until it holds; false when it does not within `bound`.
template <class Condition>
bool eventually(Condition condition, std::chrono::milliseconds bound = std::chrono::seconds(10)) {
  const auto end = std::chrono::steady_clock::now() + bound;
  std::mutex mutex;
  std::condition_variable never;
  std::unique_lock lock(mutex);
  while (!condition()) {
    if (std::chrono::steady_clock::now() >= end) return false;
    never.wait_for(lock, std::chrono::milliseconds(2));
  }
  return true;
}

}  // namespace fedgate::test
