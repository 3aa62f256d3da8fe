// SPDX-License-Identifier: Apache-2.0
#include "audit/batch_proof.h"

#include <gtest/gtest.h>

#include <random>
#include <set>

#include "audit/merkle_proof.h"
#include "support/power_cut_disk.h"
#include "unit/audit/naive_tree.h"

namespace fedgate::audit {
namespace {

struct Tree {
  explicit Tree(std::size_t size) : leaves(naive::some_leaves(size)) {
    tree = MerkleTree::open(disk, "/tree").value();
    tree->append(leaves);
  }
  test::PowerCutDisk disk;
  std::vector<Sha256> leaves;
  std::unique_ptr<MerkleTree> tree;
};

TEST(BatchProof, ProvesEverySubsetOfSmallTrees) {
  Tree made(9);
  for (std::uint64_t size = 1; size <= 9; ++size) {
    const auto head = made.tree->head_at(size).value();
    for (unsigned chosen = 1; chosen < 1U << size; ++chosen) {
      std::vector<std::uint64_t> indexes;
      for (std::uint64_t i = 0; i < size; ++i)
        if ((chosen >> i & 1) != 0) indexes.push_back(i);
      const auto proof = prove_batch(*made.tree, indexes, size);
      ASSERT_TRUE(proof) << proof.error().detail;
      ASSERT_TRUE(proves_batch(*proof, indexes, head)) << size << " " << chosen;
      for (std::size_t i = 0; i < indexes.size(); ++i) {
        ASSERT_EQ(proof->leaves[i], made.leaves[indexes[i]]);
        const auto path = path_in(*proof, indexes, size, indexes[i]);
        ASSERT_TRUE(path);
        ASSERT_EQ(*path, made.tree->inclusion(indexes[i], size).value());
      }
    }
  }
}

TEST(BatchProof, IsShortWhereLeavesStandTogether) {
  Tree made(3000);
  std::vector<std::uint64_t> row, every_other;
  for (std::uint64_t i = 1000; i < 1500; ++i) row.push_back(i);
  for (std::uint64_t i = 0; i < 1000; ++i) every_other.push_back(2 * i);
  const auto head = made.tree->head();
  const auto of_row = prove_batch(*made.tree, row, head.size).value();
  EXPECT_TRUE(proves_batch(of_row, row, head));
  EXPECT_LE(of_row.nodes.size(), 24U);
  const auto of_others = prove_batch(*made.tree, every_other, head.size).value();
  EXPECT_TRUE(proves_batch(of_others, every_other, head));
  EXPECT_LE(of_others.nodes.size(), 1012U);
}

TEST(BatchProof, ProvesNothingElse) {
  Tree made(200);
  std::mt19937_64 chance(3);
  const auto head = made.tree->head_at(173).value();
  for (int round = 0; round < 40; ++round) {
    std::set<std::uint64_t> chosen;
    for (std::uint64_t i = 0; i < 1 + chance() % 20; ++i) chosen.insert(chance() % 173);
    const std::vector<std::uint64_t> indexes(chosen.begin(), chosen.end());
    const auto proof = prove_batch(*made.tree, indexes, 173).value();
    ASSERT_TRUE(proves_batch(proof, indexes, head));
    for (auto member : {&BatchProof::leaves, &BatchProof::nodes}) {
      auto bad = proof;
      if ((bad.*member).empty()) continue;
      (bad.*member)[chance() % (bad.*member).size()][5] ^= 1;
      ASSERT_FALSE(proves_batch(bad, indexes, head)) << "another hash";
      bad = proof;
      (bad.*member).pop_back();
      ASSERT_FALSE(proves_batch(bad, indexes, head)) << "one too few";
      ASSERT_FALSE(path_in(bad, indexes, 173, indexes[0]));
      bad = proof;
      (bad.*member).emplace_back();
      ASSERT_FALSE(proves_batch(bad, indexes, head)) << "one too many";
    }
    auto other = indexes;
    other.back() = other.back() == 172 ? 171 : 172;
    if (other.size() == 1 || other[other.size() - 2] < other.back())
      if (other != indexes) ASSERT_FALSE(proves_batch(proof, other, head)) << "another place";
    ASSERT_FALSE(proves_batch(proof, indexes, made.tree->head_at(172).value()));
  }
}

TEST(BatchProof, RefusesWhatDoesNotFit) {
  Tree made(10);
  const auto head = made.tree->head();
  for (const std::vector<std::uint64_t>& bad : {std::vector<std::uint64_t>{}, {10}, {3, 3}, {4, 3}, {1, UINT64_MAX}}) {
    EXPECT_EQ(prove_batch(*made.tree, bad, 10).error().code, Code::bad_request);
    EXPECT_FALSE(proves_batch(BatchProof{std::vector<Sha256>(bad.size()), {}}, bad, head));
  }
  const std::vector<std::uint64_t> good{3};
  EXPECT_EQ(prove_batch(*made.tree, good, 11).error().code, Code::bad_request) << "a tree that is not there";
  EXPECT_FALSE(path_in(prove_batch(*made.tree, good, 10).value(), good, 10, 4));
}

}  // namespace
}  // namespace fedgate::audit
