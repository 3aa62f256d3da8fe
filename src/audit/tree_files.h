// SPDX-License-Identifier: Apache-2.0
//
// The files of a Merkle tree: one growing file a level, and which of it is on stable storage. Owned by MerkleTree;
// blocking. One thread at a time writes; any may read what was written.
//
// `level-K` holds the hashes of whole subtrees of 256^K leaves, 32 bytes each, in order, so level 0 holds the leaf
// hashes and 256 neighbours are a tile. `head` has two slots of 512 bytes, written in turn: each says up to which size
// the levels were synced when it was written, the root over that, and a checksum. A cut of the power leaves the older
// slot, at least, and the hashes below its size are never written again but with the same bytes.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "audit/disk.h"
#include "fedgate/checkpoint.h"
#include "fedgate/result.h"

namespace fedgate::audit {

/// A level for each eight bits of a size.
inline constexpr unsigned tree_levels = 8;
inline constexpr unsigned tile_height = 8;
inline constexpr std::uint64_t tile_width = 1U << tile_height;

class TreeFiles {
 public:
  static Result<std::unique_ptr<TreeFiles>> open(Disk& disk, const std::string& directory);

  /// What the head file states, newest first; whether the levels bear it out is for the reader to see.
  [[nodiscard]] const std::vector<TreeHead>& stated() const { return stated_; }

  /// Hashes number [first, first + count) of a level. Code::io_error where there are fewer.
  Result<std::vector<Sha256>> read(unsigned level, std::uint64_t first, std::uint64_t count) const;
  Result<void> write(unsigned level, std::uint64_t first, std::span<const Sha256> hashes);
  /// Puts what was written on stable storage, then says so in the head file.
  Result<void> commit(const TreeHead& head);

  [[nodiscard]] const std::string& directory() const { return directory_; }

 private:
  struct Level {
    std::shared_ptr<DiskFile> file;
    bool unsynced = false;
  };

  TreeFiles(Disk& disk, std::string directory) : disk_(disk), directory_(std::move(directory)) {}
  Result<void> find_files();
  Result<void> read_head();
  Result<std::shared_ptr<DiskFile>> file_of(unsigned level);

  Disk& disk_;
  const std::string directory_;
  std::vector<TreeHead> stated_;
  std::uint64_t sequence_ = 0;  // of the newest slot
  std::unique_ptr<DiskFile> head_;
  bool new_files_ = false;    // the directory is not synced since they were made
  mutable std::mutex mutex_;  // guards the pointers to files: readers run beside the writer
  std::array<Level, tree_levels> levels_;
};

}  // namespace fedgate::audit
