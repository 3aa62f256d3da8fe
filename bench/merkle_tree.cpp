// SPDX-License-Identifier: Apache-2.0
//
// What the log's hash tree costs at a size: appending, syncing, starting from its files, proving, and memory.
//   bench_merkle_tree DIRECTORY [leaves=10000000] [proofs=2000]
#include <malloc.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <vector>

#include "audit/merkle_proof.h"
#include "audit/merkle_tree.h"

namespace {

using namespace fedgate;
using Steady = std::chrono::steady_clock;

double seconds_since(Steady::time_point begin) { return std::chrono::duration<double>(Steady::now() - begin).count(); }

std::unique_ptr<audit::MerkleTree> opened(audit::Disk& disk, const char* directory) {
  auto tree = audit::MerkleTree::open(disk, directory);
  if (tree) return std::move(*tree);
  std::fprintf(stderr, "%s\n", tree.error().detail.c_str());
  std::exit(1);
}

template <class T>
T must(Result<T> result) {
  if (result) return std::move(*result);
  std::fprintf(stderr, "%s\n", result.error().detail.c_str());
  std::exit(1);
}

void grow(audit::MerkleTree& tree, std::uint64_t leaves) {
  constexpr std::size_t at_once = 64;
  constexpr std::uint64_t synced_each = 100'000;
  std::mt19937_64 chance(tree.size());
  std::vector<Sha256> batch(at_once);
  double appending = 0;
  double syncing = 0;
  const auto before = tree.size();
  while (tree.size() < leaves) {
    batch.resize(std::min<std::uint64_t>(at_once, leaves - tree.size()));
    for (auto& leaf : batch) {
      const auto number = chance();
      std::copy_n(reinterpret_cast<const std::uint8_t*>(&number), sizeof number, leaf.begin());
    }
    auto begin = Steady::now();
    tree.append(batch);
    appending += seconds_since(begin);
    if (tree.size() - tree.synced() < synced_each && tree.size() < leaves) continue;
    begin = Steady::now();
    must(tree.sync());
    syncing += seconds_since(begin);
  }
  const auto count = static_cast<double>(leaves - before);
  std::printf("append: %.3f us a leaf; sync each %llu leaves: %.2f ms\n", appending * 1e6 / count,
              static_cast<unsigned long long>(synced_each), syncing * 1e3 / (count / synced_each));
}

template <class Prove>
void time_proofs(const char* what, int proofs, Prove prove) {
  std::vector<double> times;
  for (int i = 0; i < proofs; ++i) {
    const auto begin = Steady::now();
    prove();
    times.push_back(seconds_since(begin) * 1e6);
  }
  std::ranges::sort(times);
  std::printf("%s: median %.0f us, 99th percentile %.0f us, most %.0f us\n", what, times[times.size() / 2],
              times[times.size() * 99 / 100], times.back());
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: %s DIRECTORY [leaves=10000000] [proofs=2000]\n", argv[0]);
    return 2;
  }
  const std::uint64_t leaves = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 10'000'000;
  const int proofs = argc > 3 ? std::atoi(argv[3]) : 2000;
  const auto disk = audit::real_disk();
  if (auto tree = opened(*disk, argv[1]); tree->size() < leaves) grow(*tree, leaves);

  const auto heap = mallinfo2().uordblks;
  const auto begin = Steady::now();
  const auto tree = opened(*disk, argv[1]);
  std::printf("%llu leaves: started in %.2f ms, %zu kB of memory\n", static_cast<unsigned long long>(tree->size()),
              seconds_since(begin) * 1e3, (mallinfo2().uordblks - heap) / 1024);
  std::mt19937_64 chance(1);
  const auto size = tree->size();
  const auto now = tree->head();
  time_proofs("inclusion in the newest head", proofs, [&] { must(tree->inclusion(chance() % size, size)); });
  time_proofs("inclusion in an older head", proofs, [&] {
    const auto older = 1 + chance() % size;
    must(tree->inclusion(chance() % older, older));
  });
  time_proofs("consistency with the newest head", proofs, [&] { must(tree->consistency(1 + chance() % size, size)); });
  const auto path = must(tree->inclusion(size / 2, size));
  const auto leaf = must(tree->leaf_hash_at(size / 2));
  time_proofs("judging a proof", proofs, [&] {
    if (!audit::proves_inclusion(leaf, size / 2, now, path)) std::exit(1);
  });
  return 0;
}
