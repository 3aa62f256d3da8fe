// SPDX-License-Identifier: Apache-2.0
//
// The published vectors of RFC 6962's reference implementation (Certificate Transparency, merkle_tree_test.cc), and
// that nothing but the right proof is believed.
#include "audit/merkle_proof.h"

#include <gtest/gtest.h>

#include "audit/leaf.h"
#include "unit/audit/naive_tree.h"

namespace fedgate::audit {
namespace {

Sha256 hash(const char* hex) { return sha256_from_hex(hex).value(); }

ProofPath hashes(const std::vector<const char*>& hex) {
  ProofPath path;
  for (const auto* one : hex) path.push_back(hash(one));
  return path;
}

const std::vector<const char*> published_leaves{
    "", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"};

const std::vector<const char*> published_roots{"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
                                               "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
                                               "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
                                               "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
                                               "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
                                               "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
                                               "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
                                               "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
                                               "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"};

struct Inclusion {
  std::uint64_t index, size;
  std::vector<const char*> path;
};
const std::vector<Inclusion> published_inclusions{
    {0, 1, {}},
    {0,
     8,
     {"96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
      "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
      "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4"}},
    {5,
     8,
     {"bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
      "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
      "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"}},
    {2, 3, {"fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"}},
    {1,
     5,
     {"6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
      "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
      "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b"}}};

struct Consistency {
  std::uint64_t from, to;
  std::vector<const char*> path;
};
const std::vector<Consistency> published_consistencies{
    {1, 1, {}},
    {1,
     8,
     {"96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
      "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
      "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4"}},
    {6,
     8,
     {"0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
      "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
      "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"}},
    {2,
     5,
     {"5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
      "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b"}}};

std::vector<Sha256> published_leaf_hashes() {
  std::vector<Sha256> leaves;
  for (const auto* hex : published_leaves) leaves.push_back(leaf_hash(from_hex(hex).value()));
  return leaves;
}
TreeHead published_head(std::uint64_t size) { return {size, hash(published_roots[size])}; }

TEST(MerkleProof, HashesAsTheReferenceDoes) {
  EXPECT_EQ(empty_root(), hash(published_roots[0]));
  EXPECT_EQ(leaf_hash(""), hash(published_roots[1]));
  EXPECT_EQ(leaf_hash(from_hex("101112131415161718191a1b1c1d1e1f").value()),
            hash("3bfb960453ebaebf33727da7a1f4db38acc051d381b6da20d6d4e88f0eabfd7a"));
  EXPECT_EQ(node_hash(hash("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"),
                      hash("202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f")),
            hash("1a378704c17da31e2d05b6d121c2bb2c7d76f6ee6fa8f983e596c2d034963c57"));
  // What this folder's tests compare the tree with is itself RFC 6962's.
  const auto leaves = published_leaf_hashes();
  for (std::size_t size = 0; size <= leaves.size(); ++size)
    EXPECT_EQ(naive::root(std::span(leaves).first(size)), hash(published_roots[size])) << size;
}

TEST(MerkleProof, PublishedInclusionPathsProve) {
  const auto leaves = published_leaf_hashes();
  for (const auto& vector : published_inclusions) {
    EXPECT_TRUE(proves_inclusion(leaves[vector.index], vector.index, published_head(vector.size), hashes(vector.path)));
    EXPECT_EQ(naive::path(vector.index, std::span(leaves).first(vector.size)), hashes(vector.path));
  }
}

TEST(MerkleProof, PublishedConsistencyPathsProve) {
  const auto leaves = published_leaf_hashes();
  for (const auto& vector : published_consistencies) {
    EXPECT_TRUE(proves_consistency(published_head(vector.from), published_head(vector.to), hashes(vector.path)));
    EXPECT_EQ(naive::consistency(vector.from, std::span(leaves).first(vector.to)), hashes(vector.path));
  }
}

/// Every way to get a path wrong: a flipped bit, one hash less, one more, two swapped.
std::vector<ProofPath> spoiled(const ProofPath& path) {
  std::vector<ProofPath> wrong;
  for (std::size_t i = 0; i < path.size(); ++i) {
    auto one = path;
    one[i][i % 32] ^= 0x20;
    wrong.push_back(one);
    one = path;
    one.erase(one.begin() + static_cast<std::ptrdiff_t>(i));
    wrong.push_back(one);
    if (i > 0) {
      one = path;
      std::swap(one[i], one[i - 1]);
      wrong.push_back(one);
    }
  }
  for (const auto& extra : {Sha256{}, path.empty() ? empty_root() : path.back()}) {
    auto one = path;
    one.push_back(extra);
    wrong.push_back(one);
    one = path;
    one.insert(one.begin(), extra);
    wrong.push_back(one);
  }
  return wrong;
}

TEST(MerkleProof, EveryPathProvesItsLeafAndNoOther) {
  const auto leaves = naive::some_leaves(70);
  for (std::uint64_t size = 1; size <= leaves.size(); ++size) {
    const TreeHead head{size, naive::root(std::span(leaves).first(size))};
    for (std::uint64_t index = 0; index < size; ++index) {
      const auto path = naive::path(index, std::span(leaves).first(size));
      ASSERT_TRUE(proves_inclusion(leaves[index], index, head, path)) << index << " of " << size;
      for (const auto& wrong : spoiled(path)) ASSERT_FALSE(proves_inclusion(leaves[index], index, head, wrong));
      for (std::uint64_t other = 0; other < size; ++other) {
        if (other == index) continue;
        ASSERT_FALSE(proves_inclusion(leaves[other], index, head, path));
        ASSERT_FALSE(proves_inclusion(leaves[index], other, head, path));
      }
      ASSERT_FALSE(proves_inclusion(leaves[index], index, {size, empty_root()}, path));
      ASSERT_FALSE(proves_inclusion(leaves[index], size + index, head, path));
    }
  }
  EXPECT_FALSE(proves_inclusion(leaves[0], 0, {0, empty_root()}, {}));
}

TEST(MerkleProof, EveryPathProvesItsBeginningAndNoOther) {
  const auto leaves = naive::some_leaves(70);
  const auto head = [&](std::uint64_t size) { return TreeHead{size, naive::root(std::span(leaves).first(size))}; };
  for (std::uint64_t to = 0; to <= leaves.size(); ++to) {
    const auto later = head(to);
    for (std::uint64_t from = 0; from <= to; ++from) {
      const auto earlier = head(from);
      const auto path = naive::consistency(from, std::span(leaves).first(to));
      ASSERT_TRUE(proves_consistency(earlier, later, path)) << from << " to " << to;
      for (const auto& wrong : spoiled(path)) ASSERT_FALSE(proves_consistency(earlier, later, wrong)) << from << to;
      auto forged = earlier;
      forged.root[7] ^= 1;
      ASSERT_FALSE(proves_consistency(forged, later, path));
      if (from == to) continue;
      ASSERT_FALSE(proves_consistency(later, earlier, path)) << "the later is not the beginning of the earlier";
      if (from == 0) continue;
      forged = later;
      forged.root[7] ^= 1;
      ASSERT_FALSE(proves_consistency(earlier, forged, path));
      ASSERT_FALSE(proves_consistency({from + 1, earlier.root}, later, path));
    }
  }
}

}  // namespace
}  // namespace fedgate::audit
