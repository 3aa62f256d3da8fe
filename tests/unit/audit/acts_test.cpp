// SPDX-License-Identifier: Apache-2.0
#include "audit/acts.h"

#include <gmock/gmock.h>

#include "support/event_loop.h"
#include "unit/audit/audit_fixture.h"

namespace fedgate::audit {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

/// Acts on a journal whose disk can fail.
class ActsTest : public test::EventLoop {
 protected:
  ActsTest() {
    journal = std::move(here.open(disk, small_journal()).value());
    acts.emplace(*journal, NodeId::parse("orga.example").value(), here.clock, here.entropy, log::silent(),
                 std::chrono::milliseconds(300));
  }
  /// `node_add intent`, `node_add outcome failed conflict`.
  std::vector<std::string> trail() const {
    std::vector<std::string> lines;
    for (const auto& leaf : read_all(*journal)) {
      const auto event = event_of(leaf).value();
      auto line = event.action + " " + std::string(to_string(event.phase));
      if (event.effect) line.append(" ").append(to_string(*event.effect));
      if (!event.error_code.empty()) line.append(" ").append(event.error_code);
      lines.push_back(line);
    }
    return lines;
  }
  void fail_disk() {
    disk.fail_next_syncs(1'000'000);
    EXPECT_FALSE(append_and_wait(*journal, event_number(1, Phase::event)));
  }
  void mend_disk() {
    disk.fail_next_syncs(0);
    ASSERT_TRUE(eventually([&] { return !journal->state().failing; }));
  }
  void pay() {
    const auto paid = [](Acts& all) -> Task<bool> {
      co_await all.pay();
      co_return true;
    };
    EXPECT_TRUE(run(paid(*acts)));
  }

  const Act add{
      .type = EventType::federation_node_trusted, .who = "uid:0", .action = "node_add", .subject = "orgb.example"};
  const Act disable{.who = "uid:0", .action = "node_disable", .subject = "orgb.example"};
  test::PowerCutDisk disk;
  Surroundings here;
  std::unique_ptr<Journal> journal;
  std::optional<Acts> acts;
};

TEST_F(ActsTest, WhatGivesSomethingHasAnIntentAndAnOutcome) {
  auto intent = acts->begin_blocking(add);
  ASSERT_TRUE(intent);
  EXPECT_THAT(trail(), ElementsAre("node_add intent")) << "durable before it is done";
  EXPECT_TRUE(acts->end_blocking(*intent, {}));
  intent = run(acts->begin(add));
  ASSERT_TRUE(intent);
  EXPECT_TRUE(run(acts->end(*intent, fail(Code::conflict, "it exists"))));
  intent = acts->begin_blocking(add);
  EXPECT_TRUE(acts->end_blocking(*intent, fail(Code::store_unavailable, "no answer")));
  EXPECT_THAT(trail(), ElementsAre("node_add intent", "node_add outcome succeeded", "node_add intent",
                                   "node_add outcome failed conflict", "node_add intent",
                                   "node_add outcome unknown store_unavailable"));
  const auto first = event_of(read_all(*journal)[0]).value();
  const auto second = event_of(read_all(*journal)[1]).value();
  EXPECT_EQ(first.correlation_id, second.correlation_id);
  EXPECT_EQ(first.type, EventType::federation_node_trusted);
  EXPECT_EQ(first.principal, "uid:0");
  EXPECT_EQ(first.origin, "orga.example");
  EXPECT_EQ(first.target, "orgb.example");
}

TEST_F(ActsTest, WithoutAnIntentThereIsNoAct) {
  fail_disk();
  for (const auto& refused : {acts->begin_blocking(add), run(acts->begin(add))}) {
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Code::audit_unavailable);
    EXPECT_THAT(refused.error().detail, HasSubstr("nothing was done"));
  }
  EXPECT_EQ(acts->owed(), 0U);
}

TEST_F(ActsTest, ADiskThatHangsLeavesNoIntentOpen) {
  disk.hold_syncs();
  const auto begun = acts->begin_blocking(add);
  ASSERT_FALSE(begun);
  EXPECT_EQ(begun.error().code, Code::deadline_exceeded);
  disk.release_syncs();
  EXPECT_TRUE(eventually([&] { return trail().size() == 2; }));
  EXPECT_THAT(trail(), ElementsAre("node_add intent", "node_add outcome failed deadline_exceeded"));
}

TEST_F(ActsTest, WhatTakesSomethingAwayIsOwedUntilItCanBeWritten) {
  EXPECT_TRUE(acts->note_blocking(disable));
  EXPECT_TRUE(run(acts->note(disable)));
  fail_disk();
  EXPECT_FALSE(acts->note_blocking(disable));
  EXPECT_FALSE(run(acts->note(add)));
  EXPECT_EQ(acts->owed(), 2U);
  pay();
  EXPECT_EQ(acts->owed(), 2U) << "it fails still";
  mend_disk();
  pay();
  EXPECT_EQ(acts->owed(), 0U);
  EXPECT_THAT(trail(), ElementsAre("node_disable event", "node_disable event", "node_disable event", "node_add event"));
}

}  // namespace
}  // namespace fedgate::audit
