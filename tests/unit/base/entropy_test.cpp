// SPDX-License-Identifier: Apache-2.0
#include "base/entropy.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

#include "support/fake_entropy.h"

namespace fedgate {
namespace {

TEST(SystemEntropy, NoDrawComesTwiceOnAnyThread) {
  std::mutex mutex;
  std::set<std::array<std::uint8_t, 10>> seen;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 1000; ++i) {
        std::array<std::uint8_t, 10> bytes{};
        system_entropy().fill(bytes);
        const std::lock_guard lock(mutex);
        seen.insert(bytes);
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(seen.size(), 4000U);
}

TEST(SystemEntropy, FillsAnySizeToTheEnd) {
  for (const std::size_t size : {0U, 1U, 511U, 512U, 513U, 5000U}) {
    std::vector<std::uint8_t> bytes(size + 64, 0);
    system_entropy().fill(std::span(bytes).first(size));
    EXPECT_TRUE(
        std::all_of(bytes.begin() + static_cast<std::ptrdiff_t>(size), bytes.end(), [](auto b) { return b == 0; }));
    if (size >= 500) {
      const auto zeros = std::count(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size), 0);
      EXPECT_LT(zeros, static_cast<long>(size / 32)) << size;
      EXPECT_TRUE(std::any_of(bytes.begin() + static_cast<std::ptrdiff_t>(size) - 32,
                              bytes.begin() + static_cast<std::ptrdiff_t>(size), [](auto b) { return b != 0; }));
    }
  }
}

TEST(FakeEntropy, RepeatsForOneSeedAndDiffersForAnother) {
  std::array<std::uint8_t, 16> a{};
  std::array<std::uint8_t, 16> b{};
  std::array<std::uint8_t, 16> c{};
  test::FakeEntropy(1).fill(a);
  test::FakeEntropy(1).fill(b);
  test::FakeEntropy(2).fill(c);
  EXPECT_EQ(a, b);
  EXPECT_NE(a, c);
}

}  // namespace
}  // namespace fedgate
