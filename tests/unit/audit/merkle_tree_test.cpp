// SPDX-License-Identifier: Apache-2.0
#include "audit/merkle_tree.h"

#include <gmock/gmock.h>

#include <random>
#include <thread>

#include "audit/merkle_proof.h"
#include "support/power_cut_disk.h"
#include "support/temp_directory.h"
#include "unit/audit/naive_tree.h"

namespace fedgate::audit {
namespace {

using naive::some_leaf;
using naive::some_leaves;
using testing::HasSubstr;

std::unique_ptr<MerkleTree> opened(Disk& disk, const std::string& directory = "/tree") {
  auto tree = MerkleTree::open(disk, directory);
  if (!tree) throw std::runtime_error(tree.error().detail);
  return std::move(*tree);
}

TreeHead head_of(std::span<const Sha256> leaves) { return {leaves.size(), naive::root(leaves)}; }

TEST(MerkleTree, IsRfc6962sAtEverySize) {
  test::PowerCutDisk disk;
  const auto tree = opened(disk);
  const auto leaves = some_leaves(320);
  EXPECT_EQ(tree->head(), head_of({}));
  for (std::uint64_t size = 1; size <= leaves.size(); ++size) {
    tree->append(std::span(leaves).subspan(size - 1, 1));
    ASSERT_EQ(tree->size(), size);
    ASSERT_EQ(tree->head(), head_of(std::span(leaves).first(size)));
  }
  for (std::uint64_t size = 0; size <= leaves.size(); ++size) {
    const auto first = std::span(leaves).first(size);
    ASSERT_EQ(tree->head_at(size), head_of(first));
    // Everything where shapes differ most, a part elsewhere: the naive tree takes its time.
    const std::uint64_t step = size <= 70 || (size >= 255 && size <= 258) ? 1 : 7;
    for (std::uint64_t index = size % step; index < size; index += step)
      ASSERT_EQ(tree->inclusion(index, size), naive::path(index, first)) << index << " of " << size;
    for (std::uint64_t from = size % step; from <= size; from += step)
      ASSERT_EQ(tree->consistency(from, size), naive::consistency(from, first)) << from << " to " << size;
  }
}

// Three levels of tiles, proofs from memory and from the disk, before and after a restart.
TEST(MerkleTree, LargeTreesProveFromTheDisk) {
  test::TempDirectory directory;
  const auto disk = real_disk();
  const auto leaves = some_leaves(70'000);
  std::mt19937_64 chance(7);
  const auto prove_some = [&](const MerkleTree& tree, int times) {
    for (int i = 0; i < times; ++i) {
      const auto size = 1 + chance() % tree.size();
      const auto index = chance() % size;
      const auto from = chance() % (size + 1);
      const auto head = tree.head_at(size);
      ASSERT_TRUE(head);
      const auto inclusion = tree.inclusion(index, size);
      ASSERT_TRUE(inclusion) << inclusion.error().detail;
      ASSERT_TRUE(proves_inclusion(leaves[index], index, *head, *inclusion));
      const auto consistency = tree.consistency(from, size);
      ASSERT_TRUE(consistency) << consistency.error().detail;
      ASSERT_TRUE(proves_consistency(*tree.head_at(from), *head, *consistency));
      ASSERT_EQ(tree.leaf_hash_at(index), leaves[index]);
    }
  };
  {
    const auto tree = opened(*disk, directory.path() + "/tree");
    for (std::size_t done = 0; done < leaves.size();) {
      const auto count = std::min<std::size_t>(1 + chance() % 5000, leaves.size() - done);
      tree->append(std::span(leaves).subspan(done, count));
      done += count;
      if (chance() % 4 == 0) ASSERT_TRUE(tree->sync());
      ASSERT_NO_FATAL_FAILURE(prove_some(*tree, 3));
    }
    ASSERT_EQ(tree->head(), head_of(leaves));
    ASSERT_EQ(tree->sync(), tree->head());
    EXPECT_EQ(tree->synced(), leaves.size());
    for (const std::uint64_t size : {1, 255, 256, 257, 65'535, 65'536, 65'537, 69'999})
      ASSERT_EQ(tree->head_at(size), head_of(std::span(leaves).first(size)));
  }
  const auto tree = opened(*disk, directory.path() + "/tree");
  EXPECT_EQ(tree->head(), head_of(leaves));
  ASSERT_NO_FATAL_FAILURE(prove_some(*tree, 300));
  EXPECT_LE(disk->list(directory.path() + "/tree")->size(), 4U) << "few files, however many leaves";
}

TEST(MerkleTree, SaysWhatDoesNotFit) {
  test::PowerCutDisk disk;
  const auto tree = opened(disk);
  tree->append(some_leaves(5));
  for (const auto& error :
       {tree->head_at(6).error(), tree->inclusion(0, 6).error(), tree->inclusion(3, 3).error(),
        tree->inclusion(0, 0).error(), tree->consistency(4, 3).error(), tree->consistency(1, 6).error(),
        tree->leaf_hash_at(5).error(), tree->leaf_hashes(2, 4).error(), tree->leaf_hashes(1, UINT64_MAX).error()})
    EXPECT_EQ(error.code, Code::bad_request) << error.detail;
  EXPECT_EQ(tree->leaf_hashes(2, 3), (std::vector{some_leaf(2), some_leaf(3), some_leaf(4)}));
  EXPECT_EQ(tree->leaf_hashes(5, 0), std::vector<Sha256>());
}

TEST(MerkleTree, TouchesTheDiskOnlyWhenSynced) {
  test::PowerCutDisk disk;
  const auto tree = opened(disk);
  const auto before = disk.operations();
  tree->append(some_leaves(3000));
  EXPECT_EQ(disk.operations(), before);
  EXPECT_EQ(tree->synced(), 0U);
  ASSERT_TRUE(tree->sync());
  EXPECT_GT(disk.operations(), before);
  const auto once = disk.operations();
  ASSERT_TRUE(tree->sync());
  EXPECT_EQ(disk.operations(), once) << "nothing is new";
}

TEST(MerkleTree, TruncatedGoesOnWithOtherLeaves) {
  for (const std::uint64_t size : {0, 1, 255, 256, 300, 511, 512, 699}) {
    SCOPED_TRACE(size);
    test::PowerCutDisk disk;
    auto leaves = some_leaves(700);
    {
      const auto tree = opened(disk);
      tree->append(leaves);
      ASSERT_TRUE(tree->sync());
    }
    leaves.resize(size);
    {
      const auto tree = opened(disk);
      ASSERT_TRUE(tree->truncate(size));
      ASSERT_EQ(tree->head(), head_of(leaves));
      for (std::uint64_t i = 0; i < 400; ++i) leaves.push_back(some_leaf(10'000 + i));
      tree->append(std::span(leaves).subspan(size));
      ASSERT_EQ(tree->head(), head_of(leaves));
      ASSERT_TRUE(tree->inclusion(leaves.size() - 1, leaves.size()));
      // Cut off here, it is as long as it was cut to, not what stood there before.
      ASSERT_EQ(opened(*disk.after_power_cut(size))->head(), head_of(std::span(leaves).first(size)));
      ASSERT_TRUE(tree->sync());
    }
    ASSERT_EQ(opened(disk)->head(), head_of(leaves));
  }
}

/// Appends and syncs at random until the power goes; what was synced, at least.
std::uint64_t grow(Disk& disk, std::uint64_t seed, const std::vector<Sha256>& leaves) {
  std::mt19937_64 chance(seed);
  auto tree = MerkleTree::open(disk, "/tree");
  if (!tree) return 0;
  std::uint64_t synced = (*tree)->size();
  for (int round = 0; round < 8; ++round) {
    const auto size = (*tree)->size();
    (*tree)->append(std::span(leaves).subspan(size, std::min<std::size_t>(chance() % 300, leaves.size() - size)));
    if (const auto done = (*tree)->sync()) synced = done->size;
  }
  return synced;
}

class MerkleTreePower : public testing::TestWithParam<std::uint64_t> {};

TEST_P(MerkleTreePower, CutAtEveryOperationKeepsWhatWasSynced) {
  const auto leaves = some_leaves(6000);
  const auto expect_kept = [&](const MerkleTree& tree, std::uint64_t synced) {
    ASSERT_GE(tree.size(), synced);
    ASSERT_EQ(tree.head(), head_of(std::span(leaves).first(tree.size())));
    for (std::uint64_t index = 0; index < tree.size(); index += 211)
      ASSERT_EQ(tree.inclusion(index, tree.size()), naive::path(index, std::span(leaves).first(tree.size())));
  };
  std::uint64_t most = 0;
  for (std::uint64_t cut = 0;; ++cut) {
    test::PowerCutDisk disk(GetParam());
    disk.cut_power_at(cut);
    const auto synced = grow(disk, GetParam(), leaves);
    most = std::max(most, synced);
    for (std::uint64_t way = 0; way < 2; ++way) {
      SCOPED_TRACE("cut at operation " + std::to_string(cut) + ", way " + std::to_string(way));
      const auto survivor = disk.after_power_cut(cut * 3 + way);
      ASSERT_NO_FATAL_FAILURE(expect_kept(*opened(*survivor), synced));
      const auto grown = grow(*survivor, cut, leaves);
      ASSERT_GE(grown, synced);
      ASSERT_NO_FATAL_FAILURE(expect_kept(*opened(*survivor->after_power_cut(way)), grown));
    }
    if (!disk.power_is_off()) break;
    ASSERT_LT(cut, 500U);
  }
  EXPECT_GT(most, 500U);
}

TEST_P(MerkleTreePower, FailedSyncsAndWritesLoseNothing) {
  const auto leaves = some_leaves(2000);
  for (int turn = 0; turn < 20; ++turn) {
    SCOPED_TRACE(turn);
    test::PowerCutDisk disk(GetParam() * 100 + static_cast<std::uint64_t>(turn));
    const auto tree = opened(disk);
    std::uint64_t synced = 0;
    for (std::uint64_t at = 0; at < leaves.size(); at += 250) {
      tree->append(std::span(leaves).subspan(at, 250));
      if (at % 500 == 0 && turn % 2 == 0) disk.fail_next_syncs(1 + turn % 3);
      if (at % 500 == 0 && turn % 2 == 1) disk.fail_next_writes(1 + turn % 3);
      const auto done = tree->sync();
      if (at % 500 == 0) ASSERT_FALSE(done);
      if (!done) disk.fail_next_syncs(0), disk.fail_next_writes(0);
      if (done) synced = done->size;
      ASSERT_EQ(tree->head(), head_of(std::span(leaves).first(at + 250)));
      const auto found = opened(*disk.after_power_cut(at));
      ASSERT_GE(found->size(), synced);
      ASSERT_EQ(found->head(), head_of(std::span(leaves).first(found->size())));
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, MerkleTreePower, testing::Range<std::uint64_t>(1, 4));

TEST(MerkleTreeDamage, OfItsEndIsSeenWhenItIsOpened) {
  test::PowerCutDisk disk;
  {
    const auto tree = opened(disk);
    tree->append(some_leaves(600));
    ASSERT_TRUE(tree->sync());
    tree->append(std::vector{some_leaf(600)});
    ASSERT_TRUE(tree->sync());
  }
  const auto whole = disk.contents("/tree/level-0");
  auto flipped = whole;
  flipped[600 * 32 + 5] ^= 1;
  disk.replace("/tree/level-0", flipped);
  EXPECT_EQ(opened(disk)->size(), 600U) << "the older head still holds";
  flipped[590 * 32] ^= 1;
  disk.replace("/tree/level-0", flipped);
  EXPECT_EQ(opened(disk)->size(), 0U);
  disk.replace("/tree/level-0", whole.substr(0, 590 * 32));
  EXPECT_EQ(opened(disk)->size(), 0U);
  disk.replace("/tree/level-0", whole);
  EXPECT_EQ(opened(disk)->size(), 601U);
  disk.replace("/tree/head", std::string(1024, 'x'));
  const auto tree = opened(disk);
  EXPECT_EQ(tree->size(), 0U);
  tree->append(some_leaves(700));
  ASSERT_TRUE(tree->sync());
  EXPECT_EQ(opened(disk)->head(), head_of(some_leaves(700)));
}

TEST(MerkleTreeDamage, ElsewhereMakesNoFalseProof) {
  test::PowerCutDisk disk;
  {
    const auto tree = opened(disk);
    tree->append(some_leaves(1000));
    ASSERT_TRUE(tree->sync());
  }
  auto bytes = disk.contents("/tree/level-0");
  bytes[100 * 32] ^= 1;
  disk.replace("/tree/level-0", bytes);
  const auto tree = opened(disk);
  ASSERT_EQ(tree->size(), 1000U);
  for (const std::uint64_t index : {96, 100, 101, 0, 255}) {
    const auto proof = tree->inclusion(index, 1000);
    ASSERT_FALSE(proof) << index;
    EXPECT_EQ(proof.error().code, Code::io_error);
    EXPECT_THAT(proof.error().detail, HasSubstr("/tree"));
  }
  EXPECT_TRUE(tree->inclusion(256, 1000)) << "what does not need the damaged hash goes on";
  EXPECT_FALSE(tree->consistency(150, 1000));
}

// Run under TSan in scripts/test: one thread appends, one syncs, others prove.
TEST(MerkleTree, ProvesWhileItGrows) {
  test::TempDirectory directory;
  const auto disk = real_disk();
  const auto tree = opened(*disk, directory.path() + "/tree");
  const auto leaves = some_leaves(20'000);
  tree->append(std::span(leaves).first(1));
  std::thread appending([&] {
    for (std::size_t at = 1; at < leaves.size(); at += std::min<std::size_t>(64, leaves.size() - at))
      tree->append(std::span(leaves).subspan(at, std::min<std::size_t>(64, leaves.size() - at)));
  });
  std::thread syncing([&] {
    while (tree->synced() < leaves.size()) ASSERT_TRUE(tree->sync());
  });
  std::mt19937_64 chance(3);
  while (tree->synced() < leaves.size()) {
    const auto head = tree->head();
    const auto index = chance() % head.size;
    const auto path = tree->inclusion(index, head.size);
    ASSERT_TRUE(path) << path.error().detail;
    ASSERT_TRUE(proves_inclusion(leaves[index], index, head, *path));
  }
  appending.join();
  syncing.join();
  EXPECT_EQ(tree->head(), head_of(leaves));
}

}  // namespace
}  // namespace fedgate::audit
