// SPDX-License-Identifier: Apache-2.0
#include "audit/merkle_tree.h"

#include <algorithm>
#include <array>
#include <bit>
#include <mutex>
#include <utility>

#include "audit/merkle_proof.h"
#include "audit/tree_files.h"

namespace fedgate::audit {
namespace {

/// The greatest power of two below `size`, which is at least 2.
std::uint64_t split(std::uint64_t size) { return std::bit_floor(size - 1); }

/// Of a level, the hashes that are not only in its file.
struct Level {
  std::uint64_t base = 0;  ///< number of the first of `recent`: the tile in which the synced ones end
  std::vector<Sha256> recent;

  [[nodiscard]] std::uint64_t end() const { return base + recent.size(); }
};

std::uint64_t count_at(std::uint64_t size, unsigned level) { return size >> (tile_height * level); }

}  // namespace

// A node of height h over leaves [i·2^h, (i+1)·2^h) exists from the moment that its last leaf is there, and never
// changes. Level k has those of height 8k; the seven heights between are hashed again from their tile when asked for.
struct MerkleTree::State {
  std::unique_ptr<TreeFiles> files;

  mutable std::mutex mutex;  // guards down to the next comment; never held across a call to the disk
  std::uint64_t size = 0;
  std::uint64_t synced = 0;
  /// The node of height h that ends the tree's whole subtrees, for each bit h of size.
  std::array<Sha256, 64> edge{};
  std::array<Level, tree_levels> levels;

  std::mutex syncing;

  Result<void> load(std::uint64_t at);
  void add(const Sha256& leaf);
  [[nodiscard]] Sha256 root() const;
  void settle(std::uint64_t at);

  // Over what is whole; the disk's where it is not in memory.
  Result<std::vector<Sha256>> hashes(unsigned level, std::uint64_t first, std::uint64_t count) const;
  Result<Sha256> node(unsigned height, std::uint64_t index) const;
  Result<Sha256> subtree(std::uint64_t begin, std::uint64_t end) const;
  [[nodiscard]] Error damaged() const;
};

MerkleTree::MerkleTree(std::unique_ptr<State> state) : state_(std::move(state)) {}
MerkleTree::~MerkleTree() = default;

Result<std::unique_ptr<MerkleTree>> MerkleTree::open(Disk& disk, const std::string& directory) {
  auto files = TreeFiles::open(disk, directory);
  if (!files) return fail(files.error().in("the log's hash tree"));
  auto state = std::make_unique<State>();
  state->files = std::move(*files);
  // The newest that the hashes bear out; none: everything has to be made again.
  for (const auto& head : state->files->stated()) {
    if (state->load(head.size) && state->root() == head.root) break;
    (void)state->load(0);
  }
  return std::unique_ptr<MerkleTree>(new MerkleTree(std::move(state)));
}

/// The tree as it is on the disk at that size: the last tile of each level, and the right edge from them.
Result<void> MerkleTree::State::load(std::uint64_t at) {
  size = synced = at;
  for (unsigned level = 0; level < tree_levels; ++level) {
    auto& one = levels[level];
    one.recent.clear();
    one.base = count_at(at, level) / tile_width * tile_width;
    auto tail = files->read(level, one.base, count_at(at, level) - one.base);
    if (!tail) return fail(tail.error());
    one.recent = std::move(*tail);
  }
  for (unsigned height = 0; height < edge.size(); ++height) {
    if ((at >> height & 1) == 0) continue;
    auto whole = node(height, (at >> height) - 1);
    if (!whole) return fail(whole.error());
    edge[height] = *whole;
  }
  return {};
}

void MerkleTree::State::add(const Sha256& leaf) {
  auto node = leaf;
  unsigned height = 0;
  for (;; ++height) {
    if (height % tile_height == 0) levels[height / tile_height].recent.push_back(node);
    if ((size >> height & 1) == 0) break;
    node = node_hash(edge[height], node);
  }
  edge[height] = node;
  ++size;
}

Sha256 MerkleTree::State::root() const {
  if (size == 0) return empty_root();
  auto height = static_cast<unsigned>(std::countr_zero(size));
  auto hash = edge[height];
  for (++height; height < edge.size(); ++height) {
    if ((size >> height & 1) != 0) hash = node_hash(edge[height], hash);
  }
  return hash;
}

void MerkleTree::append(std::span<const Sha256> leaf_hashes) {
  const std::lock_guard guard(state_->mutex);
  for (const auto& leaf : leaf_hashes) state_->add(leaf);
}

Result<TreeHead> MerkleTree::sync() {
  auto& own = *state_;
  const std::lock_guard one(own.syncing);
  TreeHead head;
  std::array<std::pair<std::uint64_t, std::vector<Sha256>>, tree_levels> behind;
  {
    const std::lock_guard guard(own.mutex);
    head = {own.size, own.root()};
    if (own.size == own.synced) return head;
    for (unsigned level = 0; level < tree_levels; ++level) {
      const auto& from = own.levels[level];
      const auto first = count_at(own.synced, level);
      behind[level].first = first;
      behind[level].second.assign(from.recent.begin() + static_cast<std::ptrdiff_t>(first - from.base),
                                  from.recent.end());
    }
  }
  for (unsigned level = 0; level < tree_levels; ++level) {
    const auto& [first, hashes] = behind[level];
    if (auto written = own.files->write(level, first, hashes); !written) return fail(written.error());
  }
  if (auto done = own.files->commit(head); !done) return fail(done.error());
  own.settle(head.size);
  return head;
}

/// What is on the disk need not be in memory, but for each level's last tile.
void MerkleTree::State::settle(std::uint64_t at) {
  const std::lock_guard guard(mutex);
  synced = at;
  for (unsigned level = 0; level < tree_levels; ++level) {
    auto& one = levels[level];
    const auto base = count_at(at, level) / tile_width * tile_width;
    one.recent.erase(one.recent.begin(), one.recent.begin() + static_cast<std::ptrdiff_t>(base - one.base));
    one.base = base;
  }
}

Result<void> MerkleTree::truncate(std::uint64_t size) {
  auto& own = *state_;
  const std::lock_guard one(own.syncing);
  if (size >= own.size) return {};
  if (own.size != own.synced) return fail(Code::internal, "a hash tree is truncated before it is used");
  if (auto loaded = own.load(size); !loaded) return loaded;
  return own.files->commit({size, own.root()});
}

std::uint64_t MerkleTree::size() const {
  const std::lock_guard guard(state_->mutex);
  return state_->size;
}

std::uint64_t MerkleTree::synced() const {
  const std::lock_guard guard(state_->mutex);
  return state_->synced;
}

TreeHead MerkleTree::head() const {
  const std::lock_guard guard(state_->mutex);
  return {state_->size, state_->root()};
}

Result<std::vector<Sha256>> MerkleTree::State::hashes(unsigned level, std::uint64_t first, std::uint64_t count) const {
  std::vector<Sha256> found;
  found.reserve(count);
  std::uint64_t on_disk = count;
  {
    const std::lock_guard guard(mutex);
    const auto& here = levels[level];
    if (first + count > here.base) {
      const auto begin = std::max(first, here.base);
      on_disk = begin - first;
      const auto from = here.recent.begin() + static_cast<std::ptrdiff_t>(begin - here.base);
      found.assign(from, from + static_cast<std::ptrdiff_t>(count - on_disk));
    }
  }
  if (on_disk == 0) return found;
  auto earlier = files->read(level, first, on_disk);
  if (!earlier) return fail(earlier.error());
  earlier->insert(earlier->end(), found.begin(), found.end());
  return earlier;
}

Result<Sha256> MerkleTree::State::node(unsigned height, std::uint64_t index) const {
  const auto in_tile = height % tile_height;
  auto row = hashes(height / tile_height, index << in_tile, 1ULL << in_tile);
  if (!row) return fail(row.error());
  for (auto width = row->size(); width > 1; width /= 2) {
    for (std::size_t i = 0; i < width / 2; ++i) (*row)[i] = node_hash((*row)[2 * i], (*row)[2 * i + 1]);
  }
  return row->front();
}

/// RFC 6962's MTH(D[begin:end]), where `begin` is a multiple of the least power of two that is not below end - begin.
Result<Sha256> MerkleTree::State::subtree(std::uint64_t begin, std::uint64_t end) const {
  std::vector<Sha256> whole;  // subtrees, left to right
  while (begin < end) {
    const auto width = std::bit_floor(end - begin);
    const auto height = static_cast<unsigned>(std::countr_zero(width));
    auto hash = node(height, begin >> height);
    if (!hash) return fail(hash.error());
    whole.push_back(*hash);
    begin += width;
  }
  if (whole.empty()) return empty_root();
  auto hash = whole.back();
  for (auto left = whole.rbegin() + 1; left != whole.rend(); ++left) hash = node_hash(*left, hash);
  return hash;
}

Error MerkleTree::State::damaged() const {
  return {
      Code::io_error,
      "hashes in " + files->directory() +
          " are damaged: a proof made from them does not hold. Stop the gateway, check the disk, keep a copy of that "
          "directory and remove it: the next start makes it again from the journal's records, if all are there; if "
          "some are pruned, restore it from a backup"};
}

Result<TreeHead> MerkleTree::head_at(std::uint64_t size) const {
  const auto now = head();
  if (size == now.size) return now;
  if (size > now.size)
    return fail(Code::bad_request, "the log has " + std::to_string(now.size) + " records, not " + std::to_string(size));
  auto root = state_->subtree(0, size);
  if (!root) return fail(root.error());
  return TreeHead{size, *root};
}

Result<std::vector<Sha256>> MerkleTree::leaf_hashes(std::uint64_t from, std::uint64_t count) const {
  const auto here = size();
  if (from > here || count > here - from)
    return fail(Code::bad_request, "the log has " + std::to_string(here) + " records, not " + std::to_string(count) +
                                       " from " + std::to_string(from) + " on");
  return state_->hashes(0, from, count);
}

Result<Sha256> MerkleTree::leaf_hash_at(std::uint64_t index) const {
  auto hashes = leaf_hashes(index, 1);
  if (!hashes) return fail(hashes.error());
  return hashes->front();
}

// RFC 9162 section 2.1.3.1, from the root down.
Result<ProofPath> MerkleTree::inclusion(std::uint64_t index, std::uint64_t size) const {
  auto head = head_at(size);
  if (!head) return fail(head.error());
  if (index >= size)
    return fail(Code::bad_request,
                "there is no record " + std::to_string(index) + " among the first " + std::to_string(size));
  ProofPath path;
  std::uint64_t begin = 0;
  std::uint64_t end = size;
  while (end - begin > 1) {
    const auto middle = begin + split(end - begin);
    auto sibling = index < middle ? state_->subtree(middle, end) : state_->subtree(begin, middle);
    if (!sibling) return fail(sibling.error());
    path.push_back(*sibling);
    (index < middle ? end : begin) = middle;
  }
  std::ranges::reverse(path);
  auto leaf = leaf_hash_at(index);
  if (!leaf) return fail(leaf.error());
  if (!proves_inclusion(*leaf, index, *head, path)) return fail(state_->damaged());
  return path;
}

// RFC 9162 section 2.1.4.1, from the root down.
Result<ProofPath> MerkleTree::consistency(std::uint64_t from, std::uint64_t to) const {
  if (from > to)
    return fail(Code::bad_request, std::to_string(from) + " records do not begin with " + std::to_string(to));
  auto earlier = head_at(from);
  if (!earlier) return fail(earlier.error());
  auto later = head_at(to);
  if (!later) return fail(later.error());
  ProofPath path;
  if (from == 0 || from == to) return path;
  std::uint64_t begin = 0;
  std::uint64_t end = to;
  while (from != end) {
    const auto middle = begin + split(end - begin);
    auto sibling = from <= middle ? state_->subtree(middle, end) : state_->subtree(begin, middle);
    if (!sibling) return fail(sibling.error());
    path.push_back(*sibling);
    (from <= middle ? end : begin) = middle;
  }
  // What is left is a subtree of both: the verifier knows it only where it is the whole earlier tree.
  if (begin != 0) {
    auto common = state_->subtree(begin, end);
    if (!common) return fail(common.error());
    path.push_back(*common);
  }
  std::ranges::reverse(path);
  if (!proves_consistency(*earlier, *later, path)) return fail(state_->damaged());
  return path;
}

}  // namespace fedgate::audit
