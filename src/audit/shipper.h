// SPDX-License-Identifier: Apache-2.0
//
// One thread that copies leaves from the journal into audit_events, whichever the database: in order, in
// batches, idempotent by (log, index), resuming where the database stands. An outage of the database delays it
// and nothing else: it retries with backoff (up to 5 s) and says so once, and again when it recovers.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>

#include "audit/journal.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/task.h"
#include "base/worker_pool.h"
#include "store/store.h"

namespace fedgate::audit {

class Shipper {
 public:
  struct Options {
    std::size_t batch = 2000;
    /// How long to let records gather when fewer than a batch are there.
    std::chrono::milliseconds gather{250};
  };
  /// Starts the thread. `store` is the shipper's own connection; journal and store outlive it.
  Shipper(Journal& journal, store::Store& store, Options options, const log::Logger& log, Metrics& metrics);
  ~Shipper();

  /// Records below this are in the database.
  [[nodiscard]] std::uint64_t position() const;
  /// Waits, on a thread that may block, until position() reaches `index` or the time is over.
  bool wait_for(std::uint64_t index, std::chrono::milliseconds time);
  /// Ships what is durable, within `bound`, then ends the thread. Blocking, idempotent.
  void stop(std::chrono::milliseconds bound);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace fedgate::audit
