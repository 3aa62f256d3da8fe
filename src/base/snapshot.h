// SPDX-License-Identifier: Apache-2.0
//
// Shared state that is read often and replaced rarely: immutable values behind a mutex, with a copy per
// reader that is renewed only when the generation has moved. (libstdc++ 12's atomic<shared_ptr> upsets the
// thread sanitizer.)
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <utility>

namespace fedgate {

template <class T>
class Snapshot {
 public:
  explicit Snapshot(std::shared_ptr<const T> first) : value_(std::move(first)) {}

  /// Any thread. Readers see the new value at their next get().
  void publish(std::shared_ptr<const T> next) {
    const std::lock_guard lock(mutex_);
    value_.swap(next);
    generation_.fetch_add(1, std::memory_order_release);
  }
  /// Any thread; takes the mutex. On a hot path use a Reader.
  [[nodiscard]] std::shared_ptr<const T> load() const {
    const std::lock_guard lock(mutex_);
    return value_;
  }

  /// One thread's view. The reference that get() returns holds until this reader's next get(); keep a copy
  /// of the shared_ptr across an await.
  class Reader {
   public:
    explicit Reader(const Snapshot& source) : source_(&source) {}
    const std::shared_ptr<const T>& get() {
      const auto now = source_->generation_.load(std::memory_order_acquire);
      if (now != seen_ || !copy_) {
        seen_ = now;
        copy_ = source_->load();
      }
      return copy_;
    }

   private:
    const Snapshot* source_;
    std::uint64_t seen_ = 0;
    std::shared_ptr<const T> copy_;
  };

 private:
  mutable std::mutex mutex_;
  std::shared_ptr<const T> value_;
  std::atomic<std::uint64_t> generation_{1};
};

}  // namespace fedgate
