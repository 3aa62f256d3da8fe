// SPDX-License-Identifier: Apache-2.0
#include "verify/tree.h"

#include <openssl/evp.h>

#include <bit>
#include <initializer_list>
#include <memory>
#include <stdexcept>

namespace fedgate::verify {
namespace {

struct FreeContext {
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};

Sha256 digest(std::initializer_list<std::string_view> parts) {
  static const EVP_MD* const method = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  thread_local const std::unique_ptr<EVP_MD_CTX, FreeContext> context(EVP_MD_CTX_new());
  Sha256 out{};
  bool done = method != nullptr && context && EVP_DigestInit_ex2(context.get(), method, nullptr) == 1;
  for (const auto part : parts) done = done && EVP_DigestUpdate(context.get(), part.data(), part.size()) == 1;
  if (!done || EVP_DigestFinal_ex(context.get(), out.data(), nullptr) != 1)
    throw std::runtime_error("OpenSSL cannot compute SHA-256");
  return out;
}

std::string_view bytes_of(const Sha256& hash) { return {reinterpret_cast<const char*>(hash.data()), hash.size()}; }

constexpr std::string_view leaf_mark{"\0", 1};
constexpr std::string_view pair_mark{"\1", 1};

}  // namespace

Sha256 hash_of_leaf(std::string_view leaf) { return digest({leaf_mark, leaf}); }
Sha256 hash_of_pair(const Sha256& left, const Sha256& right) {
  return digest({pair_mark, bytes_of(left), bytes_of(right)});
}

void StreamedTree::add(const Sha256& leaf_hash) {
  Sha256 root = leaf_hash;
  for (std::uint64_t bits = size_; (bits & 1U) != 0; bits >>= 1) {
    root = hash_of_pair(full_.back(), root);
    full_.pop_back();
  }
  full_.push_back(root);
  ++size_;
}

Sha256 StreamedTree::root() const {
  if (full_.empty()) return digest({});
  Sha256 root = full_.back();
  for (std::size_t i = full_.size() - 1; i-- > 0;) root = hash_of_pair(full_[i], root);
  return root;
}

bool stands_in(const TreeHead& head, std::uint64_t index, const Sha256& leaf_hash, std::span<const Sha256> path) {
  if (index >= head.size) return false;
  std::uint64_t fn = index, sn = head.size - 1;
  Sha256 root = leaf_hash;
  for (const auto& sibling : path) {
    if (sn == 0) return false;
    if ((fn & 1U) != 0 || fn == sn) {
      root = hash_of_pair(sibling, root);
      while ((fn & 1U) == 0 && fn != 0) {
        fn >>= 1;
        sn >>= 1;
      }
    } else {
      root = hash_of_pair(root, sibling);
    }
    fn >>= 1;
    sn >>= 1;
  }
  return sn == 0 && root == head.root;
}

bool extends(const TreeHead& later, const TreeHead& earlier, std::span<const Sha256> path) {
  if (earlier.size > later.size) return false;
  if (earlier.size == later.size) return path.empty() && earlier.root == later.root;
  if (earlier.size == 0) return path.empty() && earlier.root == StreamedTree().root();
  const bool whole = std::has_single_bit(earlier.size);  // then its root is the first of the path, and left out
  if (path.empty() && !whole) return false;
  std::uint64_t fn = earlier.size - 1, sn = later.size - 1;
  while ((fn & 1U) != 0) {
    fn >>= 1;
    sn >>= 1;
  }
  Sha256 old_root = whole ? earlier.root : path.front();
  Sha256 new_root = old_root;
  for (const auto& sibling : path.subspan(whole ? 0 : 1)) {
    if (sn == 0) return false;
    if ((fn & 1U) != 0 || fn == sn) {
      old_root = hash_of_pair(sibling, old_root);
      new_root = hash_of_pair(sibling, new_root);
      while ((fn & 1U) == 0 && fn != 0) {
        fn >>= 1;
        sn >>= 1;
      }
    } else {
      new_root = hash_of_pair(new_root, sibling);
    }
    fn >>= 1;
    sn >>= 1;
  }
  return sn == 0 && old_root == earlier.root && new_root == later.root;
}

}  // namespace fedgate::verify
