// SPDX-License-Identifier: Apache-2.0
//
// The few file operations the journal needs, as an interface with two implementations: the real one, and the
// tests' PowerCutDisk, which forgets at a cut what was not synced (kill -9 keeps the page cache; a power cut
// does not). Blocking; used by the journal's own thread and at start.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "fedgate/result.h"

namespace fedgate::audit {

class DiskFile {
 public:
  virtual ~DiskFile() = default;
  /// All of it at this offset, or an error (no space, I/O).
  virtual Result<void> write_at(std::uint64_t offset, std::string_view bytes) = 0;
  /// Up to `size` bytes; fewer only at the end of the file.
  virtual Result<std::string> read_at(std::uint64_t offset, std::size_t size) = 0;
  /// fdatasync.
  virtual Result<void> sync() = 0;
  /// fallocate: later writes below `size` need no metadata and cannot fail for lack of space.
  virtual Result<void> allocate(std::uint64_t size) = 0;
  virtual Result<void> truncate(std::uint64_t size) = 0;
  virtual Result<std::uint64_t> size() = 0;
};

class Disk {
 public:
  virtual ~Disk() = default;
  virtual Result<void> make_directory(const std::string& path) = 0;
  /// Names, sorted.
  virtual Result<std::vector<std::string>> list(const std::string& directory) = 0;
  virtual Result<std::unique_ptr<DiskFile>> create(const std::string& path) = 0;  ///< must not exist
  virtual Result<std::unique_ptr<DiskFile>> open(const std::string& path) = 0;    ///< read and write
  virtual Result<void> remove(const std::string& path) = 0;
  virtual Result<void> sync_directory(const std::string& path) = 0;
  /// An exclusive lock on `path` (flock), held until destroyed; Code::conflict where another process has it.
  virtual Result<std::unique_ptr<DiskFile>> lock(const std::string& path) = 0;
};

std::unique_ptr<Disk> real_disk();

}  // namespace fedgate::audit
