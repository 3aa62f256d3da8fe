// SPDX-License-Identifier: Apache-2.0
#include "audit/journal_tree.h"

#include <algorithm>

#include "audit/journal_reader.h"
#include "audit/leaf.h"

namespace fedgate::audit {
namespace {

constexpr std::uint64_t compared_at_start = 256;
constexpr std::size_t read_at_once = 4096;
constexpr std::size_t bytes_at_once = 4 * 1024 * 1024;
constexpr std::uint64_t synced_each = 1 << 18;
constexpr std::uint64_t worth_a_line = 100'000;

class Catching {
 public:
  Catching(Disk& disk, const SegmentFiles& files, const JournalOptions& options, const log::Logger& log)
      : reader_(disk, options.directory),
        files_(files),
        where_(options.directory + "/tree"),
        log_(log),
        first_(files.segments().front().first),
        end_(files.next_index()) {}

  Result<std::unique_ptr<MerkleTree>> open(Disk& disk) {
    auto opened = MerkleTree::open(disk, where_);
    if (!opened) return fail(opened.error());
    auto& tree = **opened;
    if (auto cut = cut_what_is_too_much(tree); !cut) return fail(cut.error());
    if (auto same = compare_end(tree); !same) return fail(same.error());
    if (tree.size() < first_)
      return fail(Code::io_error,
                  where_ + " has the hashes of " + std::to_string(tree.size()) + " records, and the records up to " +
                      std::to_string(first_) +
                      " that the others could be made from are pruned. Restore that directory from a backup, of any "
                      "time since then; else begin a new log: `fedgate audit new-log --reason TEXT`");
    if (auto caught_up = catch_up(tree); !caught_up) return fail(caught_up.error().in(where_));
    return opened;
  }

 private:
  Result<void> cut_what_is_too_much(MerkleTree& tree) {
    if (tree.size() <= end_) return {};
    log_.error("the journal has lost records that its hash tree knows; the tree is cut to the journal",
               {{"tree", tree.size()}, {"journal", end_}});
    return tree.truncate(end_);
  }

  /// Whether the tree is that of these records, as far as its end shows.
  Result<void> compare_end(MerkleTree& tree) {
    const auto size = tree.size();
    auto from = std::max(first_, size - std::min(size, compared_at_start));
    while (from < size) {
      const auto leaves = reader_.read(from, size, read_at_once, bytes_at_once, files_.segments());
      if (!leaves) return fail(leaves.error());
      for (const auto& leaf : *leaves) {
        const auto known = tree.leaf_hash_at(from);
        if (!known) return fail(known.error());
        if (*known != leaf_hash(leaf)) return differs(tree, from);
        ++from;
      }
    }
    return {};
  }

  Result<void> differs(MerkleTree& tree, std::uint64_t index) {
    if (first_ != 0)
      return fail(Code::io_error, where_ + " has another hash than that of record " + std::to_string(index) +
                                      " in the journal: one of them was replaced. Restore both from the same backup; "
                                      "else begin a new log: `fedgate audit new-log --reason TEXT`");
    log_.error("the log's hash tree is not that of the journal's records; it is made again from them",
               {{"tree", where_}, {"index", index}});
    return tree.truncate(0);
  }

  Result<void> catch_up(MerkleTree& tree) {
    auto from = tree.size();
    if (from == end_) return {};
    if (end_ - from >= worth_a_line)
      log_.info("the log's hash tree is made from the journal's records", {{"from", from}, {"below", end_}});
    std::vector<Sha256> hashes;
    while (from < end_) {
      const auto leaves = reader_.read(from, end_, read_at_once, bytes_at_once, files_.segments());
      if (!leaves) return fail(leaves.error());
      hashes.clear();
      for (const auto& leaf : *leaves) hashes.push_back(leaf_hash(leaf));
      tree.append(hashes);
      from += hashes.size();
      if (from == end_ || from - tree.synced() >= synced_each) sync(tree);
    }
    return {};
  }

  // A full disk need not keep the daemon from starting.
  void sync(MerkleTree& tree) {
    if (const auto synced = tree.sync(); !synced)
      log_.warning("the log's hash tree cannot be written; memory keeps what is new of it",
                   {{"problem", synced.error().detail}});
  }

  JournalReader reader_;
  const SegmentFiles& files_;
  const std::string where_;
  const log::Logger& log_;
  const std::uint64_t first_, end_;
};

}  // namespace

Result<std::unique_ptr<MerkleTree>> open_tree(Disk& disk, const SegmentFiles& files, const JournalOptions& options,
                                              const log::Logger& log) {
  return Catching(disk, files, options, log).open(disk);
}

}  // namespace fedgate::audit
