// SPDX-License-Identifier: Apache-2.0
//
// Ends a wait that libpq would continue for ever: a server that holds its connection but does not answer. While a
// Watch lives, its socket is shut down once the time is over; the blocked call then fails as broken. Owned by a
// PostgresStore; one Watch at a time.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>

#include "fedgate/clock.h"

namespace fedgate::store {

class Watchdog {
 public:
  Watchdog();
  ~Watchdog();
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;

  class Watch {
   public:
    Watch(Watchdog& dog, int socket, std::chrono::milliseconds time);
    ~Watch();
    Watch(const Watch&) = delete;
    Watch& operator=(const Watch&) = delete;

   private:
    Watchdog& dog_;
  };

 private:
  void run();
  std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<SteadyTime> until_;
  int socket_ = -1;
  bool ending_ = false;
  std::thread thread_;
};

}  // namespace fedgate::store
