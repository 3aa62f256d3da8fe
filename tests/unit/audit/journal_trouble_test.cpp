// SPDX-License-Identifier: Apache-2.0
#include "audit/journal.h"

#include <gmock/gmock.h>
#include <sys/wait.h>

#include <csignal>
#include <filesystem>
#include <fstream>

#include "unit/audit/audit_fixture.h"

namespace fedgate::audit {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST_F(JournalTest, FullDiskRefusesAndRecovers) {
  auto journal = opened();
  disk_.set_space(20'000);
  std::uint64_t number = 0;
  Result<LeafReference> answer;
  while ((answer = append_and_wait(*journal, event_number(number)))) ASSERT_LT(++number, 100U);
  EXPECT_EQ(answer.error().code, Code::audit_unavailable);
  EXPECT_THAT(answer.error().detail, HasSubstr("no space left"));
  EXPECT_TRUE(journal->state().failing);
  EXPECT_THAT(journal->state().problem, HasSubstr("no space left"));
  const auto at_once = append_and_wait(*journal, event_number(number));
  ASSERT_FALSE(at_once);
  EXPECT_EQ(at_once.error().code, Code::audit_unavailable);
  disk_.set_space(UINT64_MAX);
  ASSERT_TRUE(eventually([&] { return !journal->state().failing; }));
  EXPECT_EQ(journal->state().problem, "");
  EXPECT_EQ(appended(*journal, event_number(number)).index, number) << "its index was given to nobody";
  EXPECT_EQ(read_all(*journal).size(), number + 1);
}

TEST_F(JournalTest, FailedWriteFailsTheBatchAndAllBehindIt) {
  auto journal = opened();
  (void)appended(*journal, event_number(0));
  disk_.hold_syncs();
  Answers answers;
  journal->append(event_number(1), answers.slot());
  ASSERT_TRUE(eventually([&] { return disk_.contents(segments()[0]).find("number 1.") != std::string::npos; }));
  for (std::uint64_t i = 2; i < 6; ++i) journal->append(event_number(i), answers.slot());
  disk_.fail_next_syncs(1);
  disk_.release_syncs();
  ASSERT_TRUE(answers.wait_for(5));
  for (const auto& result : answers.results()) {
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, Code::audit_unavailable);
  }
  ASSERT_TRUE(eventually([&] { return !journal->state().failing; }));
  EXPECT_EQ(appended(*journal, event_number(9)).index, 1U);
  const auto leaves = read_all(*journal);
  ASSERT_EQ(leaves.size(), 2U);
  EXPECT_THAT(leaves[1], HasSubstr("number 9."));
}

TEST_F(JournalTest, AfterAFailedSyncTheFileIsNotWrittenAgain) {
  auto journal = opened();
  (void)appended(*journal, event_number(0));
  disk_.fail_next_syncs(1);
  ASSERT_FALSE(append_and_wait(*journal, event_number(1)));
  ASSERT_TRUE(eventually([&] { return !journal->state().failing; }));
  (void)appended(*journal, event_number(2));
  const auto files = segments();
  ASSERT_EQ(files.size(), 2U);
  EXPECT_THAT(disk_.contents(files[0]), Not(HasSubstr("number 2.")));
  EXPECT_THAT(disk_.contents(files[0]), Not(HasSubstr("number 1.")));
  EXPECT_THAT(disk_.contents(files[1]), HasSubstr("number 2."));
}

TEST_F(JournalTest, RemovesWhatWasShippedWhenItGrowsTooLarge) {
  auto options = small_journal();
  options.max_bytes = 40'000;
  auto journal = opened(options);
  for (std::uint64_t i = 0; i < 300; ++i) {
    (void)appended(*journal, event_number(i));
    journal->shipped(i + 1);
  }
  const auto state = journal->state();
  EXPECT_LE(state.bytes, 40'000U);
  EXPECT_GT(state.first, 200U);
  EXPECT_EQ(state.next_index, 300U);
  EXPECT_EQ(read_all(*journal).size(), 300 - state.first);
  const auto gone = journal->read(0, 1, 1000);
  ASSERT_FALSE(gone);
  EXPECT_EQ(gone.error().code, Code::not_found);
  journal.reset();
  journal = opened(options);
  EXPECT_EQ(journal->state().first, state.first);
  EXPECT_EQ(journal->state().next_index, 300U);
}

TEST_F(JournalTest, StopsWhereTheDatabaseIsAwayTooLong) {
  auto options = small_journal();
  options.max_bytes = 40'000;
  auto journal = opened(options);
  std::uint64_t number = 0;
  Result<LeafReference> answer;
  while ((answer = append_and_wait(*journal, event_number(number)))) ASSERT_LT(++number, 200U);
  EXPECT_EQ(answer.error().code, Code::audit_unavailable);
  EXPECT_THAT(answer.error().detail, HasSubstr("journal_max"));
  EXPECT_THAT(answer.error().detail, HasSubstr("away since 2026-11-23T14:00:00Z"));
  EXPECT_LE(journal->state().bytes, 40'000U);
  EXPECT_EQ(journal->state().first, 0U) << "nothing that was not shipped is removed";
  journal->shipped(number);
  ASSERT_TRUE(eventually([&] { return !journal->state().failing; }));
  EXPECT_EQ(appended(*journal, event_number(number)).index, number);
  EXPECT_GT(journal->state().first, 0U);
}

// Real files, another process, kill -9.
TEST(JournalOnARealDisk, AnotherProcessHoldsTheLockUntilItDies) {
  test::TempDirectory directory;
  JournalOptions options{.directory = directory.path() + "/deep/journal", .log_name = some_log};
  std::array<int, 2> ready{};
  ASSERT_EQ(::pipe(ready.data()), 0);
  const auto child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    Surroundings there;
    const auto disk = real_disk();
    auto journal = there.open(*disk, options);
    const auto answer =
        journal ? append_and_wait(**journal, event_number(1)) : Result<LeafReference>(fail(journal.error()));
    const char said = answer ? 'y' : 'n';
    (void)!::write(ready[1], &said, 1);
    ::pause();
    ::_exit(0);
  }
  char said = 0;
  ASSERT_EQ(::read(ready[0], &said, 1), 1);
  EXPECT_EQ(said, 'y');
  Surroundings here;
  const auto disk = real_disk();
  const auto refused = here.open(*disk, options);
  EXPECT_FALSE(refused);
  if (!refused) {
    EXPECT_EQ(refused.error().code, Code::conflict);
    EXPECT_THAT(refused.error().detail, HasSubstr("another fedgate process"));
  }
  ::kill(child, SIGKILL);
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  auto journal = here.open(*disk, options);
  ASSERT_TRUE(journal) << journal.error().detail;
  EXPECT_EQ(read_all(**journal).size(), 1U);
  EXPECT_EQ(append_and_wait(**journal, event_number(2))->index, 1U);
  ::close(ready[0]);
  ::close(ready[1]);
}

TEST(JournalOnARealDisk, IsForItsOwnerOnlyAndSaysWhatFails) {
  test::TempDirectory directory;
  Surroundings here;
  const auto disk = real_disk();
  JournalOptions options{.directory = directory.path() + "/journal", .log_name = some_log, .segment_bytes = 65'536};
  {
    auto journal = here.open(*disk, options);
    ASSERT_TRUE(journal) << journal.error().detail;
    for (std::uint64_t i = 0; i < 300; ++i) ASSERT_TRUE(append_and_wait(**journal, event_number(i)));
    EXPECT_EQ(read_all(**journal).size(), 300U);
    EXPECT_GT(disk->list(options.directory)->size(), 3U);
  }
  for (const auto& entry : std::filesystem::recursive_directory_iterator(directory.path())) {
    EXPECT_EQ(entry.status().permissions() & (std::filesystem::perms::group_all | std::filesystem::perms::others_all),
              std::filesystem::perms::none)
        << entry.path();
  }
  std::ofstream(directory.path() + "/file") << "x";
  options.directory = directory.path() + "/file/journal";
  const auto refused = here.open(*disk, options);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::io_error);
  EXPECT_THAT(refused.error().detail, HasSubstr(options.directory));
}

}  // namespace
}  // namespace fedgate::audit
