// SPDX-License-Identifier: Apache-2.0
#include "verify/tree.h"

#include <gtest/gtest.h>

#include <array>

#include "base/hash.h"
#include "support/log_writer.h"

namespace fedgate::verify {
namespace {

Sha256 hash(std::string_view hex) { return *sha256_from_hex(hex); }

// The eight leaves of certificate-transparency's tests, and the roots over the first n of them: what other
// implementations of RFC 6962 publish and check.
const std::array<std::string, 8> published_leaves{"",
                                                  std::string(1, '\0'),
                                                  "\x10",
                                                  "\x20\x21",
                                                  "\x30\x31",
                                                  "\x40\x41\x42\x43",
                                                  "\x50\x51\x52\x53\x54\x55\x56\x57",
                                                  "\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f"};
constexpr std::array<std::string_view, 9> published_roots{
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
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
  std::vector<std::string_view> path;
};
const std::array<Inclusion, 5> published_inclusions{{
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
      "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b"}},
}};

struct Consistency {
  std::uint64_t from, to;
  std::vector<std::string_view> path;
};
const std::array<Consistency, 4> published_consistencies{{
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
      "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b"}},
}};

std::vector<Sha256> path_of(const std::vector<std::string_view>& path) {
  std::vector<Sha256> hashes;
  for (const auto each : path) hashes.push_back(hash(each));
  return hashes;
}

TreeHead head(std::uint64_t size) { return {size, hash(published_roots.at(size))}; }

TEST(StreamedTree, PublishedRoots) {
  StreamedTree tree;
  EXPECT_EQ(to_hex(tree.root()), published_roots[0]);
  for (std::size_t i = 0; i < published_leaves.size(); ++i) {
    tree.add(hash_of_leaf(published_leaves[i]));
    EXPECT_EQ(tree.size(), i + 1);
    EXPECT_EQ(to_hex(tree.root()), published_roots[i + 1]);
  }
}

TEST(StreamedTree, EverySizeHasTheRootOfTheDefinition) {
  StreamedTree tree;
  std::vector<std::string> leaves;
  for (int i = 0; i < 300; ++i) {
    leaves.push_back("leaf " + std::to_string(i));
    tree.add(hash_of_leaf(leaves.back()));
    ASSERT_EQ(tree.root(), test::plain_root(leaves)) << i;
  }
}

TEST(StandsIn, PublishedProofsHoldAndEveryChangeOfThemFails) {
  for (const auto& proof : published_inclusions) {
    const auto leaf = hash_of_leaf(published_leaves.at(proof.index));
    const auto path = path_of(proof.path);
    ASSERT_TRUE(stands_in(head(proof.size), proof.index, leaf, path)) << proof.index << " in " << proof.size;
    EXPECT_FALSE(stands_in(head(proof.size), proof.size, leaf, path));
    EXPECT_FALSE(stands_in(head(proof.size), proof.index, hash_of_leaf("another"), path));
    auto longer = path;
    longer.push_back(leaf);
    EXPECT_FALSE(stands_in(head(proof.size), proof.index, leaf, longer));
    for (std::size_t i = 0; i < path.size(); ++i) {
      auto changed = path;
      changed[i][0] ^= 1;
      EXPECT_FALSE(stands_in(head(proof.size), proof.index, leaf, changed));
      EXPECT_FALSE(stands_in(head(proof.size), proof.index, leaf, std::span(path).first(i)));
    }
  }
}

TEST(Extends, PublishedProofsHoldAndEveryChangeOfThemFails) {
  for (const auto& proof : published_consistencies) {
    const auto path = path_of(proof.path);
    ASSERT_TRUE(extends(head(proof.to), head(proof.from), path)) << proof.from << " to " << proof.to;
    auto other = head(proof.from);
    other.root[5] ^= 4;
    EXPECT_FALSE(extends(head(proof.to), other, path));
    other = head(proof.to);
    other.root[5] ^= 4;
    EXPECT_FALSE(extends(other, head(proof.from), path));
    for (std::size_t i = 0; i < path.size(); ++i) {
      auto changed = path;
      changed[i][31] ^= 0x80;
      EXPECT_FALSE(extends(head(proof.to), head(proof.from), changed));
      EXPECT_FALSE(extends(head(proof.to), head(proof.from), std::span(path).first(i)));
    }
  }
  EXPECT_FALSE(extends(head(3), head(5), {}));
  EXPECT_TRUE(extends(head(3), head(0), {}));
  EXPECT_FALSE(extends(head(3), head(2), {})) << "the empty path proves nothing";
}

}  // namespace
}  // namespace fedgate::verify
