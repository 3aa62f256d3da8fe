// SPDX-License-Identifier: Apache-2.0
//
// The journal is the log: preallocated, append-only segment files, a length and a CRC-32C per record. One
// writer thread takes what has gathered, writes it with one write and one fdatasync, and wakes the waiters
// (batched per executor). A record that append() has reported is on stable storage. Torn or truncated tails
// are cut at the last whole record on open. The process holds a lock on the directory.
//
// A disk that is full or fails: append() answers Code::audit_unavailable at once from then on, the writer tries
// again every second and recovers by itself; nothing that was reported is lost. An outcome that was refused leaves its
// call's intent open: as soon as the disk works again the call gets the outcome `unknown`.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "audit/disk.h"
#include "audit/leaf.h"
#include "audit/merkle_tree.h"
#include "audit/principal_salts.h"
#include "base/entropy.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/task.h"
#include "fedgate/audit_event.h"
#include "fedgate/clock.h"
#include "fedgate/result.h"

namespace fedgate::audit {

struct JournalOptions {
  std::string directory;
  std::string log_name;                   ///< `orga.example/fedgate/log/a/1`
  std::uint64_t max_bytes = 10ULL << 30;  ///< of all segments; shipped ones beyond it are removed, oldest first
  std::uint64_t segment_bytes = 64ULL << 20;
  std::size_t queue = 65'536;                 ///< appends waiting for their sync; beyond it: Code::overloaded
  std::size_t open_intents = 16'384;          ///< intents without outcome; beyond it new ones: Code::overloaded
  std::chrono::milliseconds probe{1000};      ///< how often a failing disk is tried again
  PrincipalSalts* salts = nullptr;            ///< outlives the journal; made durable before the leaves that need them
  Principals principals = Principals::clear;  ///< hashed: by `salts`
};

struct JournalState {
  std::uint64_t next_index = 0;  ///< of the next append
  std::uint64_t durable = 0;     ///< records below it are on stable storage
  std::uint64_t first = 0;       ///< oldest index still in a segment
  std::uint64_t bytes = 0;
  bool closed = false;  ///< nothing will follow
  bool failing = false;
  std::string problem;  ///< for operators, while failing
};

enum class Witnesses : std::uint8_t { none, some };

class Journal {
 public:
  /// Opens or creates, repairs the tail, brings the tree up to it. On the way it finds the intents that have no
  /// outcome. Blocking.
  static Result<std::unique_ptr<Journal>> open(Disk& disk, const JournalOptions& options, const Clock& clock,
                                               const Entropy& entropy, const log::Logger& log, Metrics& metrics);
  ~Journal();

  /// Durable when it returns a value: where the leaf stands and its hash. Any executor's thread; not cancellable
  /// once queued (shield it), bounded by the disk. Errors: audit_unavailable, overloaded.
  Task<Result<LeafReference>> append(const AuditEvent& event);
  /// The same for threads without an executor: `done` is called on the writer's thread and must not block.
  void append(const AuditEvent& event, std::function<void(Result<LeafReference>)> done);

  /// The same for threads that may block. Code::deadline_exceeded: it may still become durable.
  Result<LeafReference> append_within(const AuditEvent& event, std::chrono::milliseconds bound);

  /// Intents read at open that no outcome followed.
  [[nodiscard]] const std::vector<AuditEvent>& open_intents() const;
  /// A call that had its intent recorded when the process died may have acted: each gets the outcome `unknown`. Once,
  /// before others append; waits until that is durable, at most `bound`. What is lost while the process runs the
  /// journal settles without being asked.
  void settle_found(std::chrono::milliseconds bound);

  /// Reads durable leaves from `from` on, at most `count` and `bytes`: (index of the first, leaves). Blocking.
  /// Code::not_found where they are pruned.
  Result<std::vector<std::string>> read(std::uint64_t from, std::size_t count, std::size_t bytes);
  /// Blocks until state().durable > index, close(), `stop` or the time is over; whether the first is so.
  bool wait_beyond(std::uint64_t index, std::chrono::milliseconds time, std::stop_token stop = {});
  /// The shipper tells what the database has: only segments below may be removed.
  void shipped(std::uint64_t below);
  /// The greatest size of a checkpoint that a witness has cosigned: only segments below may be removed, too, where
  /// there are witnesses. Any thread.
  void cosigned(std::uint64_t below);
  /// Whether somebody is there to cosign: a trusted peer. Nobody is, until this says otherwise. Any thread.
  void witnesses(Witnesses there);
  /// Records below it are shipped and, where there are witnesses, cosigned: what may be pruned anywhere.
  [[nodiscard]] std::uint64_t prunable() const;

  /// Holds the hash of every leaf that is durable, pruned ones too. Its size is never below state().durable.
  [[nodiscard]] MerkleTree& tree();

  [[nodiscard]] JournalState state() const;
  [[nodiscard]] const std::string& log_name() const;
  /// Writes and syncs what is queued, refuses further appends, ends the thread. Blocking, idempotent.
  void close();

  struct State;  ///< the journal's own, in journal_state.h

 private:
  explicit Journal(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace fedgate::audit
