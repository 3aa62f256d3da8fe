// SPDX-License-Identifier: Apache-2.0
#include "base/snapshot.h"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <thread>
#include <vector>

namespace fedgate {
namespace {

TEST(Snapshot, ReadersSeeWhatWasPublished) {
  Snapshot<int> snapshot(std::make_shared<int>(1));
  Snapshot<int>::Reader reader(snapshot);
  const std::shared_ptr<const int> first = reader.get();
  EXPECT_EQ(*first, 1);
  EXPECT_EQ(reader.get().get(), first.get());
  snapshot.publish(std::make_shared<int>(2));
  EXPECT_EQ(*reader.get(), 2);
  EXPECT_EQ(*snapshot.load(), 2);
  EXPECT_EQ(*first, 1);  // held on to across the change
}

TEST(Snapshot, ThreadsNeverSeeItGoBack) {
  Snapshot<int> snapshot(std::make_shared<int>(0));
  constexpr int last = 20000;
  std::atomic<int> backwards{0};
  std::vector<std::thread> readers;
  for (int i = 0; i < 3; ++i) {
    readers.emplace_back([&] {
      Snapshot<int>::Reader reader(snapshot);
      for (int seen = 0; seen < last;) {
        const int now = *reader.get();
        if (now < seen) ++backwards;
        seen = now;
      }
    });
  }
  for (int i = 1; i <= last; ++i) snapshot.publish(std::make_shared<int>(i));
  for (auto& reader : readers) reader.join();
  EXPECT_EQ(backwards, 0);
}

}  // namespace
}  // namespace fedgate
