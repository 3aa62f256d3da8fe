// SPDX-License-Identifier: Apache-2.0
//
// What the journal's three parts share: callers that queue (journal.cpp), the writer's thread
// (journal_writer.cpp), and readers. Seen by these alone.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <string_view>
#include <thread>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "audit/journal.h"
#include "audit/journal_reader.h"
#include "audit/merkle_tree.h"
#include "audit/open_intents.h"
#include "audit/segment_files.h"
#include "audit/waiter.h"

namespace fedgate::audit {

/// An append that has its place in a batch.
struct QueuedRecord {
  std::size_t offset = 0;  ///< of the record in the batch's bytes
  std::size_t size = 0;    ///< of the leaf
  Phase phase = Phase::event;
  std::optional<CallKey> call;
  std::unique_ptr<Waiter> waiter;
};

/// What is written and synced at once: consecutive records.
struct Batch {
  std::uint64_t first = 0;
  std::string bytes;
  std::vector<QueuedRecord> records;
};

/// All of an append that can be done before its index is known.
struct PreparedRecord {
  LeafDraft draft;
  Phase phase = Phase::event;
  std::optional<CallKey> call;
};

struct Journal::State {
  static constexpr std::size_t batch_bytes = 1024 * 1024;
  static constexpr std::uint64_t unsynced_most = 65'536;  ///< leaves in the tree that a crash would make it read again
  static constexpr std::string_view outcome_refused = "the journal could not be written when the call ended";

  State(Disk& on, JournalOptions with, const Clock& time, const Entropy& random, const log::Logger& logger,
        Metrics& count)
      : disk(on),
        options(std::move(with)),
        clock(time),
        entropy(random),
        log(logger),
        metrics(count),
        reader(on, options.directory) {}

  Disk& disk;
  const JournalOptions options;
  const Clock& clock;
  const Entropy& entropy;
  const log::Logger& log;
  Metrics& metrics;
  std::unique_ptr<DiskFile> lock;
  std::vector<AuditEvent> found_open;

  mutable std::mutex mutex;              // guards down to the next comment
  std::condition_variable work;          // the writer waits for appends, room, the end
  std::condition_variable_any progress;  // wait_beyond
  std::uint64_t wanted = UINT64_MAX;     // the least index that somebody waits to see passed: others wake nobody
  std::deque<Batch> queue;
  Batch spare;              // an empty batch whose buffers are warm
  std::size_t waiting = 0;  // appends queued or being written
  std::size_t queued = 0;   // appends in `queue`
  std::size_t wake_at = 1;  // so many queued wake the writer
  std::uint64_t next = 0;
  std::uint64_t durable = 0;
  std::uint64_t shipped = 0;
  WallTime shipped_at{};  // when the database last took something
  Witnesses witnesses = Witnesses::none;
  std::uint64_t cosigned = 0;
  WallTime cosigned_at{};
  std::vector<SegmentPlace> segments;
  bool failing = false;
  bool full = false;  // failing because nothing may be removed
  bool probe_now = false;
  bool closing = false;
  std::string problem;
  // Calls with an intent of which no outcome will come any more, and why: settle() gives them one.
  std::unordered_map<CallKey, std::string_view, CallKeyHash> abandoned;
  // While failing: whose outcome, if it comes now, is lost. None can join them, since intents are refused as well.
  std::unordered_set<CallKey, CallKeyHash> open_when_failing;

  std::unique_ptr<MerkleTree> tree;  // the writer appends

  // The writer's own.
  std::optional<SegmentFiles> files;
  const Removable removable = [this] { return may_be_removed(); };
  std::vector<Sha256> hashes;  // of the leaves of one batch
  OpenIntents intents;
  std::atomic<std::size_t> intents_open{0};
  std::size_t callers = 0;  // that seem to append at the same time
  bool tree_failing = false;

  std::mutex reading;
  JournalReader reader;

  std::mutex ending;
  std::thread writer;

  [[nodiscard]] PreparedRecord prepare(const AuditEvent& event) const;
  /// Takes the waiter and answers it later, or says why not and leaves it.
  Result<void> enqueue(const PreparedRecord& record, std::unique_ptr<Waiter>& waiter);
  Result<void> admit(const PreparedRecord& record) const;
  void place(const PreparedRecord& record, std::unique_ptr<Waiter> waiter);
  void lose(const PreparedRecord& record);

  [[nodiscard]] std::uint64_t prunable() const;
  std::uint64_t may_be_removed();
  void try_again_if_full();

  void run();
  void settle(std::unique_lock<std::mutex>& guard);
  void gather(std::unique_lock<std::mutex>& guard);
  void commit(Batch batch);
  Result<void> write(Batch& batch);
  void succeed(Batch& batch);
  void refuse(Batch& batch, const Error& error);
  void probe();
  void sync_tree();
  [[nodiscard]] Error describe(const Error& error);
};

}  // namespace fedgate::audit
