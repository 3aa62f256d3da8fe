// SPDX-License-Identifier: Apache-2.0
#include "audit/journal.h"

#include <gmock/gmock.h>

#include "unit/audit/audit_fixture.h"

namespace fedgate::audit {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

TEST_F(JournalTest, KeepsWhatItReports) {
  auto journal = opened();
  EXPECT_EQ(journal->state().next_index, 0U);
  std::vector<LeafReference> references;
  for (std::uint64_t i = 0; i < 3; ++i) references.push_back(appended(*journal, event_number(i)));
  const auto check = [&](Journal& where) {
    const auto leaves = where.read(0, 100, 100'000);
    ASSERT_TRUE(leaves) << leaves.error().detail;
    ASSERT_EQ(leaves->size(), 3U);
    for (std::uint64_t i = 0; i < 3; ++i) {
      EXPECT_EQ(references[i].index, i);
      EXPECT_EQ(references[i].log, some_log);
      EXPECT_EQ(references[i].hash, leaf_hash((*leaves)[i]));
      EXPECT_THAT((*leaves)[i], HasSubstr("\"reason\":\"number " + std::to_string(i) + ".\""));
      EXPECT_THAT((*leaves)[i], HasSubstr("\"index\":" + std::to_string(i) + ","));
    }
    EXPECT_EQ(where.state().durable, 3U);
  };
  check(*journal);
  EXPECT_THAT(here_.metrics.text(), HasSubstr("federation_audit_records_total 3\n"));
  journal->close();
  journal->close();
  check(*journal);
  EXPECT_TRUE(journal->state().closed);
  const auto late = append_and_wait(*journal, event_number(9));
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code, Code::audit_unavailable);
  journal.reset();
  check(*opened());
}

TEST_F(JournalTest, ReadsPagesAcrossSegments) {
  auto journal = opened();
  for (std::uint64_t i = 0; i < 60; ++i) (void)appended(*journal, event_number(i));
  ASSERT_GT(segments().size(), 3U);
  const auto all = read_all(*journal);
  ASSERT_EQ(all.size(), 60U);
  for (const std::uint64_t from : {59U, 0U, 31U, 30U, 5U, 58U}) {
    const auto page = journal->read(from, 2, 100'000);
    ASSERT_TRUE(page) << page.error().detail;
    ASSERT_EQ(page->size(), std::min<std::size_t>(2, 60 - from));
    EXPECT_EQ(page->front(), all[from]);
  }
  EXPECT_EQ(journal->read(10, 100, 1)->size(), 1U) << "one at least, whatever its size";
  EXPECT_EQ(journal->read(10, 100, all[10].size() + 1)->size(), 2U);
  EXPECT_THAT(*journal->read(60, 10, 1000), IsEmpty());
  EXPECT_THAT(*journal->read(1000, 10, 1000), IsEmpty());
}

TEST_F(JournalTest, ReportsNothingBeforeItsSync) {
  auto journal = opened();
  disk_.hold_syncs();
  Answers answers;
  journal->append(event_number(0), answers.slot());
  EXPECT_FALSE(journal->wait_beyond(0, std::chrono::milliseconds(50)));
  EXPECT_THAT(answers.results(), IsEmpty());
  EXPECT_EQ(journal->state().durable, 0U);
  EXPECT_EQ(journal->state().next_index, 1U);
  EXPECT_THAT(*journal->read(0, 10, 1000), IsEmpty());
  disk_.release_syncs();
  EXPECT_TRUE(journal->wait_beyond(0, patience));
  EXPECT_TRUE(answers.wait_for(1));
}

TEST_F(JournalTest, ManyAppendsShareASync) {
  auto journal = opened({.directory = "/journal", .log_name = some_log});
  const auto before = disk_.syncs();
  disk_.hold_syncs();
  Answers answers;
  for (std::uint64_t i = 0; i < 64; ++i) journal->append(event_number(i), answers.slot());
  disk_.release_syncs();
  ASSERT_TRUE(answers.wait_for(64));
  EXPECT_LE(disk_.syncs() - before, 2U);
  std::uint64_t expected = 0;
  for (const auto& result : answers.results()) {
    ASSERT_TRUE(result);
    EXPECT_EQ(result->index, expected++);
  }
}

TEST_F(JournalTest, QueueIsBounded) {
  auto options = small_journal();
  options.queue = 10;
  auto journal = opened(options);
  disk_.hold_syncs();
  Answers answers;
  for (std::uint64_t i = 0; i < 10; ++i) journal->append(event_number(i), answers.slot());
  EXPECT_THAT(answers.results(), IsEmpty());
  const auto refused = append_and_wait(*journal, event_number(10));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::overloaded);
  disk_.release_syncs();
  ASSERT_TRUE(answers.wait_for(10));
  EXPECT_EQ(appended(*journal, event_number(11)).index, 10U);
}

TEST_F(JournalTest, OnlyOneAtATime) {
  auto journal = opened();
  const auto second = here_.open(disk_, small_journal());
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Code::conflict);
  journal.reset();
  EXPECT_TRUE(here_.open(disk_, small_journal()));
}

TEST_F(JournalTest, RefusesAnotherLogsDirectory) {
  opened().reset();
  auto options = small_journal();
  options.log_name = "orga.example/fedgate/log/b/1";
  const auto other = here_.open(disk_, options);
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().code, Code::invalid_configuration);
  EXPECT_THAT(other.error().detail, HasSubstr(some_log));
  EXPECT_THAT(other.error().detail, HasSubstr(options.log_name));
}

TEST_F(JournalTest, FindsOpenIntentsAfterARestart) {
  {
    auto journal = opened();
    EXPECT_THAT(journal->open_intents(), IsEmpty());
    for (const std::uint64_t i : {1U, 2U, 3U}) (void)appended(*journal, event_number(i, Phase::intent));
    (void)appended(*journal, event_number(2, Phase::outcome));
    (void)appended(*journal, event_number(4, Phase::event));
    // A call that a peer made under our correlation id settles nothing.
    auto foreign = event_number(3, Phase::outcome);
    std::swap(foreign.origin, foreign.target);
    (void)appended(*journal, foreign);
    auto retry = event_number(1, Phase::outcome);
    retry.attempt = 2;
    (void)appended(*journal, retry);
  }
  auto journal = opened();
  ASSERT_EQ(journal->open_intents().size(), 2U);
  const auto& found = journal->open_intents().front();
  const auto expected = event_number(1, Phase::intent);
  EXPECT_EQ(found.correlation_id, expected.correlation_id);
  EXPECT_EQ(found.attempt, 1U);
  EXPECT_EQ(found.principal, expected.principal);
  EXPECT_EQ(found.resource, expected.resource);
  EXPECT_EQ(found.call_hash, expected.call_hash);
  EXPECT_EQ(found.access, expected.access);
  EXPECT_EQ(journal->open_intents().back().correlation_id, event_number(3).correlation_id);
}

TEST_F(JournalTest, CarriesOpenIntentsAcrossSegments) {
  {
    auto journal = opened();
    (void)appended(*journal, event_number(1000, Phase::intent));
    (void)appended(*journal, event_number(1001, Phase::intent));
    for (std::uint64_t i = 0; i < 40; ++i) (void)appended(*journal, event_number(i));
    ASSERT_GT(segments().size(), 3U);
    (void)appended(*journal, event_number(1001, Phase::outcome));
  }
  // The segment that held the intent need not be there any more.
  ASSERT_TRUE(disk_.remove(segments()[0]));
  {
    auto journal = opened();
    ASSERT_EQ(journal->open_intents().size(), 1U);
    EXPECT_EQ(journal->open_intents()[0].correlation_id, event_number(1000).correlation_id);
    (void)appended(*journal, event_number(1000, Phase::outcome));
    for (std::uint64_t i = 0; i < 20; ++i) (void)appended(*journal, event_number(i));
  }
  EXPECT_THAT(opened()->open_intents(), IsEmpty());
}

TEST_F(JournalTest, OpenIntentsAreBounded) {
  auto options = small_journal();
  options.open_intents = 2;
  auto journal = opened(options);
  for (const std::uint64_t i : {1U, 2U}) (void)appended(*journal, event_number(i, Phase::intent));
  const auto third = append_and_wait(*journal, event_number(3, Phase::intent));
  ASSERT_FALSE(third);
  EXPECT_EQ(third.error().code, Code::overloaded);
  (void)appended(*journal, event_number(2, Phase::outcome));
  EXPECT_TRUE(append_and_wait(*journal, event_number(3, Phase::intent)));
}

// More open intents than a segment has room for: the header grows the segment.
TEST_F(JournalTest, ManyOpenIntentsOutgrowASegment) {
  {
    auto journal = opened();
    for (std::uint64_t i = 0; i < 50; ++i) (void)appended(*journal, event_number(i, Phase::intent));
  }
  auto journal = opened();
  EXPECT_EQ(journal->open_intents().size(), 50U);
  EXPECT_EQ(read_all(*journal).size(), 50U);
}

TEST_F(JournalTest, CloseWritesWhatIsQueued) {
  auto journal = opened();
  disk_.hold_syncs();
  Answers answers;
  for (std::uint64_t i = 0; i < 20; ++i) journal->append(event_number(i), answers.slot());
  std::thread closer([&] { journal->close(); });
  disk_.release_syncs();
  closer.join();
  EXPECT_EQ(answers.results().size(), 20U);
  EXPECT_EQ(journal->state().durable, 20U);
}

TEST_F(JournalTest, WaitEndsWhenAskedTo) {
  auto journal = opened();
  std::stop_source stop;
  std::thread waiter([&] { EXPECT_FALSE(journal->wait_beyond(0, std::chrono::hours(1), stop.get_token())); });
  stop.request_stop();
  waiter.join();
  std::thread other([&] { EXPECT_FALSE(journal->wait_beyond(0, std::chrono::hours(1))); });
  journal->close();
  other.join();
}

}  // namespace
}  // namespace fedgate::audit
