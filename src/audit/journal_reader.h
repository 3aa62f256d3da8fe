// SPDX-License-Identifier: Apache-2.0
//
// Reads durable leaves back from the segments, while the writer goes on writing behind them. Owned by the journal,
// used by one thread at a time; remembers where it stopped, because the shipper reads on from there.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "audit/disk.h"
#include "audit/segment_files.h"

namespace fedgate::audit {

class JournalReader {
 public:
  JournalReader(Disk& disk, std::string directory) : disk_(&disk), directory_(std::move(directory)) {}

  /// Leaves from `from` on, below `durable`. `segments` as they are now. Code::not_found: pruned;
  /// Code::io_error: damaged, naming segment and offset.
  Result<std::vector<std::string>> read(std::uint64_t from, std::uint64_t durable, std::size_t count, std::size_t bytes,
                                        const std::vector<SegmentPlace>& segments);

 private:
  Result<void> seek(std::uint64_t first, std::uint64_t index);
  Result<void> fill();
  /// The next record of this segment.
  Result<std::string_view> next();

  Disk* disk_;
  std::string directory_;
  std::unique_ptr<DiskFile> file_;
  std::uint64_t first_ = 0;  // of the segment that is open
  std::uint64_t index_ = 0;  // of the record at offset_
  std::uint64_t offset_ = 0;
  std::string window_;  // the segment's bytes from window_begin_ on, as far as read
  std::uint64_t window_begin_ = 0;
  std::uint64_t durable_ = 0;  // at this call
  std::uint64_t settled_ = 0;  // records below it were durable when the window was read
};

}  // namespace fedgate::audit
