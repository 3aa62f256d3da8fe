// SPDX-License-Identifier: Apache-2.0
#include "audit/journal.h"

#include <gmock/gmock.h>

#include "base/task.h"
#include "base/worker.h"
#include "unit/audit/audit_fixture.h"

namespace fedgate::audit {
namespace {

using testing::HasSubstr;

// A call on each of two workers: each coroutine goes on where it began.
TEST_F(JournalTest, WakesCoroutinesOnTheirOwnThreads) {
  auto journal = opened({.directory = "/journal", .log_name = some_log});
  Worker first(0, system_clock()), second(1, system_clock());
  std::atomic<int> bugs{0};
  for (auto* worker : {&first, &second}) worker->start([&](const std::exception&) { ++bugs; });
  disk_.hold_syncs();
  std::atomic<int> done{0}, strayed{0};
  const auto many = [&](Worker& worker) {
    return [&]() -> Task<> {
      const auto thread = std::this_thread::get_id();
      TaskGroup group(worker.executor(), 100);
      const auto one = [&](std::uint64_t number) -> Task<> {
        const auto event = event_number(number);
        const auto answer = co_await journal->append(event);
        if (!answer || std::this_thread::get_id() != thread) ++strayed;
        ++done;
      };
      for (std::uint64_t i = 0; i < 32; ++i) EXPECT_TRUE(group.spawn(one(i)));
      co_await group.join();
    };
  };
  std::thread a([&] { first.run_and_wait(many(first)); });
  std::thread b([&] { second.run_and_wait(many(second)); });
  EXPECT_TRUE(eventually([&] { return journal->state().next_index == 64; }));
  EXPECT_EQ(done, 0);
  disk_.release_syncs();
  a.join();
  b.join();
  EXPECT_EQ(done, 64);
  EXPECT_EQ(strayed, 0);
  EXPECT_EQ(bugs, 0);
  first.finish();
  second.finish();
}

TEST_F(JournalTest, CancellingDoesNotLoseAQueuedAppend) {
  auto journal = opened();
  Worker worker(0, system_clock());
  worker.start([](const std::exception&) {});
  disk_.hold_syncs();
  std::optional<Result<LeafReference>> answer;
  worker.run_and_wait([&]() -> Task<> {
    TaskGroup group(worker.executor(), 1);
    const auto one = [&]() -> Task<> {
      const auto event = event_number(1);
      answer = co_await journal->append(event);
    };
    EXPECT_TRUE(group.spawn(one()));
    // Lets the task begin: spawn() starts it after this coroutine has given way.
    co_await asio::post(worker.executor(), use_task);
    group.cancel();
    disk_.release_syncs();
    co_await group.join();
  });
  ASSERT_TRUE(answer.has_value());
  EXPECT_TRUE(answer->has_value());
  EXPECT_EQ(read_all(*journal).size(), 1U);
  worker.finish();
}

TEST_F(JournalTest, RefusalReachesACoroutineToo) {
  auto journal = opened();
  journal->close();
  Worker worker(0, system_clock());
  worker.start([](const std::exception&) {});
  std::optional<Result<LeafReference>> answer;
  worker.run_and_wait([&]() -> Task<> {
    const auto event = event_number(1);
    answer = co_await journal->append(event);
  });
  ASSERT_TRUE(answer && !*answer);
  EXPECT_EQ(answer->error().code, Code::audit_unavailable);
  EXPECT_THAT(here_.metrics.text(), HasSubstr("federation_audit_refusals_total 1\n"));
  worker.finish();
}

}  // namespace
}  // namespace fedgate::audit
