// SPDX-License-Identifier: Apache-2.0
//
// One thread that copies leaves from the journal into audit_events, whichever the database: in order, in
// batches, idempotent by (log, index), resuming where the database stands. An outage of the database delays it
// and nothing else: it retries with backoff (up to 5 s) and says so once, and again when it recovers. A database that
// has less than it had (another one, or one that was set back) gets again what the journal still has.
//
// The same thread compares what the database has with the log's hash tree, a page now and then, and prunes rows that
// are older than audit.retention. A row that differs is a security_violation: nothing is overwritten and nothing more
// is shipped until it is as it was, or gone.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "audit/journal.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/task.h"
#include "base/worker_pool.h"
#include "fedgate/clock.h"
#include "store/store.h"

namespace fedgate::audit {

class Shipper {
 public:
  struct Options {
    std::size_t batch = 2000;
    /// How long to let records gather when fewer than a batch are there.
    std::chrono::milliseconds gather{250};
    /// How many rows are compared with the journal at once, how often; and at each start.
    std::size_t compare = 500;
    std::chrono::milliseconds compare_each{10'000};
    /// Rows older than this are removed, as far as Journal::prunable() goes; 0: none is.
    std::chrono::seconds retention{0};
    std::size_t prune = 1000;  ///< at most, in one transaction
    std::chrono::milliseconds prune_each{600'000};
    std::vector<std::string> earlier_logs{};  ///< of this replica, to be pruned by age alone
    std::string own_id{};                     ///< whose trail it is, for what it has to record itself
    const Clock* clock = &system_clock();
  };
  /// Starts the thread. `store` is the shipper's own connection; journal and store outlive it.
  Shipper(Journal& journal, store::Store& store, Options options, const log::Logger& log, Metrics& metrics);
  ~Shipper();

  /// Records below this are in the database.
  [[nodiscard]] std::uint64_t position() const;
  /// What operators must know of the database's copy: where it differs from the journal, what it lacks. Any thread.
  [[nodiscard]] std::vector<std::string> attention() const;
  /// Nothing is shipped, because the database differs from the journal.
  [[nodiscard]] bool stopped() const;
  /// Waits, on a thread that may block, until position() reaches `index` or the time is over.
  bool wait_for(std::uint64_t index, std::chrono::milliseconds time);
  /// Ships what is durable, within `bound`, then ends the thread. Blocking, idempotent.
  void stop(std::chrono::milliseconds bound);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace fedgate::audit
