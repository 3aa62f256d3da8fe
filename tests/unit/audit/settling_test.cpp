// SPDX-License-Identifier: Apache-2.0
//
// A call whose outcome cannot come any more gets the outcome `unknown`, once, by the journal itself.
#include <gmock/gmock.h>

#include "audit/journal.h"
#include "unit/audit/audit_fixture.h"

namespace fedgate::audit {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class Settling : public JournalTest {
 protected:
  /// What the log says of each call's end, in its order: `3 unknown`.
  static std::vector<std::string> outcomes(Journal& journal) {
    std::vector<std::string> found;
    for (const auto& leaf : read_all(journal)) {
      const auto event = event_of(leaf).value();
      if (event.phase != Phase::outcome) continue;
      const auto bytes = event.correlation_id->bytes();
      found.push_back(std::to_string(bytes[15]) + " " + std::string(to_string(event.effect.value())));
    }
    return found;
  }
  static void begin(Journal& journal, std::initializer_list<std::uint64_t> calls) {
    for (const auto call : calls) (void)appended(journal, event_number(call, Phase::intent));
  }
  static bool recovers(Journal& journal) {
    return eventually([&] { return !journal.state().failing; });
  }
  static constexpr int never_mended = 1'000'000;
};

TEST_F(Settling, WhatAFailingDiskRefusedIsUnknownOnceItWorks) {
  auto journal = opened();
  begin(*journal, {1, 2, 3});
  disk_.fail_next_syncs(never_mended);
  EXPECT_FALSE(append_and_wait(*journal, event_number(1))) << "the one that found out";
  ASSERT_TRUE(journal->state().failing);
  EXPECT_FALSE(append_and_wait(*journal, event_number(2))) << "one after it";
  EXPECT_FALSE(append_and_wait(*journal, event_number(7))) << "one that had no intent";
  auto foreign = event_number(3);
  std::swap(foreign.origin, foreign.target);
  EXPECT_FALSE(append_and_wait(*journal, foreign)) << "and one of another call";
  disk_.fail_next_syncs(0);
  ASSERT_TRUE(recovers(*journal));
  ASSERT_TRUE(eventually([&] { return outcomes(*journal).size() == 2; }));
  EXPECT_THAT(outcomes(*journal), testing::UnorderedElementsAre("1 unknown", "2 unknown"));
  (void)appended(*journal, event_number(3));
  EXPECT_EQ(outcomes(*journal).back(), "3 succeeded") << "it was still running";
  journal.reset();
  journal = opened();
  EXPECT_THAT(journal->open_intents(), IsEmpty());
  EXPECT_EQ(outcomes(*journal).size(), 3U);
}

TEST_F(Settling, ItIsTriedUntilItSucceeds) {
  auto journal = opened();
  begin(*journal, {1});
  disk_.fail_next_syncs(3);
  EXPECT_FALSE(append_and_wait(*journal, event_number(1)));
  ASSERT_TRUE(eventually([&] { return recovers(*journal) && outcomes(*journal).size() == 1; }));
  EXPECT_THAT(outcomes(*journal), ElementsAre("1 unknown"));
}

TEST_F(Settling, WhatAFullQueueRefusedIsUnknownToo) {
  auto options = small_journal();
  options.queue = 4;
  auto journal = opened(options);
  begin(*journal, {1, 2});
  disk_.hold_syncs();
  Answers answers;
  for (std::uint64_t i = 10; i < 14; ++i) journal->append(event_number(i, Phase::event), answers.slot());
  EXPECT_EQ(append_and_wait(*journal, event_number(1)).error().code, Code::overloaded);
  EXPECT_EQ(append_and_wait(*journal, event_number(9)).error().code, Code::overloaded) << "it had no intent";
  disk_.release_syncs();
  ASSERT_TRUE(eventually([&] { return outcomes(*journal).size() == 1; }));
  (void)appended(*journal, event_number(2));
  EXPECT_THAT(outcomes(*journal), ElementsAre("1 unknown", "2 succeeded"));
}

TEST_F(Settling, WhatWasFoundAtTheStartIsSettledBeforeAnythingElse) {
  {
    auto journal = opened();
    begin(*journal, {1, 2, 3});
    (void)appended(*journal, event_number(2));
  }
  {
    auto journal = opened();
    journal->settle_found(patience);
    EXPECT_THAT(outcomes(*journal), testing::UnorderedElementsAre("1 unknown", "2 succeeded", "3 unknown"));
    const auto event = event_of(read_all(*journal).back()).value();
    const auto intent = event_number(1, Phase::intent);
    EXPECT_EQ(event.error_code, "outcome_unknown");
    EXPECT_THAT(event.reason, HasSubstr("the gateway ended"));
    EXPECT_EQ(event.time, here_.clock.wall());
    EXPECT_EQ(event.principal, intent.principal);
    EXPECT_EQ(event.call_hash, intent.call_hash);
  }
  auto journal = opened();
  EXPECT_THAT(journal->open_intents(), IsEmpty());
  journal->settle_found(patience);
  EXPECT_EQ(outcomes(*journal).size(), 3U);
}

TEST_F(Settling, AThreadThatWaitsWaitsNoLongerThanItSaid) {
  auto journal = opened();
  EXPECT_TRUE(journal->append_within(event_number(1), patience));
  disk_.hold_syncs();
  const auto late = journal->append_within(event_number(2), std::chrono::milliseconds(20));
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code, Code::deadline_exceeded);
  disk_.release_syncs();
  EXPECT_TRUE(eventually([&] { return journal->state().durable == 2; })) << "late is not lost";
}

}  // namespace
}  // namespace fedgate::audit
