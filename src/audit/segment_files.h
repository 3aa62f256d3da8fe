// SPDX-License-Identifier: Apache-2.0
//
// The journal's directory: which segments there are, writing to the last one, beginning the next, removing old
// ones, and getting over a disk that failed. Owned by the journal; blocking; at first the opening thread's, then the
// writer's alone.
//
// What the promises rest on:
// - a segment is created, synced and its directory synced before a record goes there;
// - a batch is written only after the one before it was synced, so at most one batch is not on stable storage;
// - after a failed write the segment is cut where it was good, synced, and used further;
// - after a failed sync nobody knows which pages the kernel has dropped, and a second sync that succeeds proves
//   nothing: what was synced before is read back and verified, the segment is cut there and never written again,
//   and the log goes on in a new file;
// - what is found at open may stand in the page cache only (the process died before its sync, or the sync failed):
//   the last batch is written and synced again, and the directory too, before anything is built on it;
// - a reader takes from a segment only indexes below the next segment's first, so leftovers there do no harm.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "audit/disk.h"
#include "audit/journal.h"
#include "audit/open_intents.h"
#include "audit/segment.h"

namespace fedgate::audit {

struct SegmentPlace {
  std::uint64_t first = 0;  ///< index of its first record
  std::uint64_t bytes = 0;  ///< of the file
};

/// Segments wholly below it may be removed. Asked only when there is no room otherwise.
using Removable = std::function<std::uint64_t()>;

class SegmentFiles {
 public:
  /// Reads what is there, cuts a torn tail, creates the first segment where there is none. `intents` gets those
  /// still open. Code::io_error where synced records are damaged, naming segment and offset.
  static Result<SegmentFiles> open(Disk& disk, const JournalOptions& options, OpenIntents& intents,
                                   const log::Logger& log);

  /// Of the next record.
  [[nodiscard]] std::uint64_t next_index() const { return next_; }
  [[nodiscard]] const std::vector<SegmentPlace>& segments() const { return segments_; }
  [[nodiscard]] std::uint64_t bytes() const;

  /// Sealed records from next_index() on: one write and one sync, in a new segment where they no longer fit.
  /// After an error repair() must succeed first.
  Result<void> append(std::string_view records, std::uint64_t count, const OpenIntents& intents,
                      const Removable& removable);
  /// Makes the directory fit for append() again.
  Result<void> repair(const OpenIntents& intents, const Removable& removable);
  /// The last error was that segments which may not be removed fill max_bytes.
  [[nodiscard]] bool full() const { return full_; }

 private:
  enum class Damage : std::uint8_t { none, torn_write, failed_sync, no_segment };

  SegmentFiles(Disk& disk, const JournalOptions& options, const log::Logger& log)
      : disk_(&disk), options_(&options), log_(&log) {}
  [[nodiscard]] std::string path(std::uint64_t first) const;
  Result<void> load(const std::vector<std::uint64_t>& firsts, OpenIntents& intents);
  Result<bool> load_last(std::uint64_t first, bool only, OpenIntents& intents);
  Result<void> cut(std::string_view bytes);
  Result<void> settle(std::string_view last_batch, std::uint64_t offset);
  Result<void> verify_earlier() const;
  Result<void> roll(const OpenIntents& intents, const Removable& removable, std::uint64_t record_bytes);
  Result<void> create(const SegmentHeader& header, std::uint64_t size);
  Result<void> drop_segment_without_records();
  Result<void> make_room(std::uint64_t bytes, const Removable& removable);
  Result<void> verify_current();

  Disk* disk_;
  const JournalOptions* options_;
  const log::Logger* log_;
  std::vector<SegmentPlace> segments_;
  std::unique_ptr<DiskFile> file_;   // the last segment
  std::uint64_t records_begin_ = 0;  // in it
  std::uint64_t offset_ = 0;         // of the next record in it
  std::uint64_t next_ = 0;
  std::optional<std::string> leftover_;  // a segment whose creation failed half-way
  Damage damage_ = Damage::none;
  bool full_ = false;
};

/// Checks that the records [first, end) stand in a segment from `offset` on; where they end. The error names the
/// offset of the first that does not.
Result<std::size_t> verify_records(std::string_view segment, std::size_t offset, std::uint64_t first,
                                   std::uint64_t end);

}  // namespace fedgate::audit
