// SPDX-License-Identifier: Apache-2.0
#include "base/entropy.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace fedgate {

namespace {

void draw(std::uint8_t* out, std::size_t size) {
  if (RAND_bytes(out, static_cast<int>(size)) == 1) return;
  std::fputs("fedgate: the system gives no randomness\n", stderr);
  std::abort();
}

struct Store {
  std::array<std::uint8_t, 512> bytes{};
  std::size_t left = 0;
  ~Store() { OPENSSL_cleanse(bytes.data(), bytes.size()); }
};

class SystemEntropy final : public Entropy {
 public:
  void fill(std::span<std::uint8_t> bytes) const override {
    thread_local Store store;
    constexpr std::size_t at_once = 1U << 20;
    for (; bytes.size() > store.bytes.size(); bytes = bytes.subspan(std::min(bytes.size(), at_once))) {
      draw(bytes.data(), std::min(bytes.size(), at_once));
    }
    if (bytes.empty()) return;
    if (store.left < bytes.size()) {
      draw(store.bytes.data(), store.bytes.size());
      store.left = store.bytes.size();
    }
    // Handed out from the end and forgotten here: nothing that was used as a key stays in the store.
    store.left -= bytes.size();
    std::memcpy(bytes.data(), store.bytes.data() + store.left, bytes.size());
    OPENSSL_cleanse(store.bytes.data() + store.left, bytes.size());
  }
};

}  // namespace

const Entropy& system_entropy() {
  static const SystemEntropy entropy;
  return entropy;
}

}  // namespace fedgate
