// SPDX-License-Identifier: Apache-2.0
#include "base/scheduling.h"

#include <gtest/gtest.h>
#include <sched.h>

#include <thread>

namespace fedgate {
namespace {

TEST(Scheduling, ConcernsTheCallingThreadAlone) {
  int in_background = -1;
  std::thread([&] {
    never_preempt();
    in_background = sched_getscheduler(0);
  }).join();
  EXPECT_EQ(in_background, SCHED_BATCH);
  EXPECT_EQ(sched_getscheduler(0), SCHED_OTHER);
}

}  // namespace
}  // namespace fedgate
