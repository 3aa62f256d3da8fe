// SPDX-License-Identifier: Apache-2.0
//
// Calls a function some time after it was asked to: for what looks at many connections now and then. Its owner's
// worker only.
#pragma once

#include <chrono>
#include <functional>
#include <utility>

#include "base/deadline.h"

namespace fedgate::net {

class Alarm final : public Expiry {
 public:
  Alarm(DeadlineWheel& wheel, std::chrono::milliseconds after, std::function<void()> due)
      : wheel_(wheel), after_(after), due_(std::move(due)) {}
  /// Once, that long from now; nothing where it is due already.
  void begin() {
    if (!armed()) wheel_.arm(*this, wheel_.now() + after_);
  }

 private:
  void expired() noexcept override { due_(); }

  DeadlineWheel& wheel_;
  std::chrono::milliseconds after_;
  std::function<void()> due_;
};

}  // namespace fedgate::net
