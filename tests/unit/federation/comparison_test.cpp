// SPDX-License-Identifier: Apache-2.0
#include "federation/comparison.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace fedgate::federation {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using wire::TrailRecord;

const std::string a = "orga.example", b = "orgb.example";
constexpr WallTime began{std::chrono::milliseconds(1'795'442'400'000)};

Sides sides(WallTime settled = began + std::chrono::hours(1)) {
  return {.own = NodeId::parse(a).value(), .peer = NodeId::parse(b).value(), .settled = settled};
}

TrailRecord record(const std::string& whose, std::uint64_t index, Phase phase) {
  TrailRecord one;
  one.log = whose + "/fedgate/log/a/1";
  one.index = index;
  one.leaf_hash.fill(static_cast<std::uint8_t>(index + (whose == a ? 100 : 200)));
  one.time = began;
  one.correlation_id = CorrelationId::make(began, {1, 2, 3});
  one.attempt = 1;
  one.phase = phase;
  one.origin = a;
  one.target = b;
  one.principal = "alice@orga.example";
  one.resource = "inventory";
  one.capability = "order";
  one.access = "write";
  one.call_hash = "c0ffee";
  if (phase == Phase::outcome) one.outcome = "succeeded";
  return one;
}

LeafReference place_of(const TrailRecord& one) { return {one.log, one.index, one.leaf_hash}; }

/// A write that went well, as protocol.md's order has it: each side holds the other's leaf.
struct Write {
  TrailRecord origin_intent = record(a, 1, Phase::intent), target_intent = record(b, 11, Phase::intent),
              target_outcome = record(b, 12, Phase::outcome), origin_outcome = record(a, 2, Phase::outcome);
  Write() {
    target_intent.counterparty = target_outcome.counterparty = place_of(origin_intent);
    origin_outcome.counterparty = place_of(target_outcome);
  }
  [[nodiscard]] std::vector<TrailRecord> here() const { return {origin_intent, origin_outcome}; }
  [[nodiscard]] std::vector<TrailRecord> there() const { return {target_intent, target_outcome}; }
};

CallVerdict one(std::span<const TrailRecord> ours, std::span<const TrailRecord> theirs, const Sides& with = sides()) {
  auto verdicts = compare_call(ours, theirs, with);
  EXPECT_EQ(verdicts.size(), 1U);
  return verdicts.empty() ? CallVerdict{} : verdicts.front();
}

TEST(Comparison, TheSameStoryAgreesFromBothEnds) {
  const Write call;
  const auto verdict = one(call.here(), call.there());
  EXPECT_EQ(verdict.standing, Agreement::agrees) << verdict.detail;
  EXPECT_THAT(verdict.fields, IsEmpty());
  EXPECT_EQ(verdict.attempt, 1U);
  auto turned = sides();
  std::swap(turned.own, turned.peer);
  EXPECT_EQ(one(call.there(), call.here(), turned).standing, Agreement::agrees);
}

TEST(Comparison, EachFieldThatDiffersIsNamed) {
  for (const auto& [name, member] :
       {std::pair{"principal", &TrailRecord::principal}, std::pair{"resource", &TrailRecord::resource},
        std::pair{"capability", &TrailRecord::capability}, std::pair{"call_hash", &TrailRecord::call_hash},
        std::pair{"outcome", &TrailRecord::outcome}, std::pair{"code", &TrailRecord::code},
        std::pair{"actor", &TrailRecord::actor}, std::pair{"target", &TrailRecord::target}}) {
    Write call;
    call.target_outcome.*member = std::string(name) == "outcome" ? "failed" : "x@other.example";
    const auto verdict = one(call.here(), call.there());
    EXPECT_EQ(verdict.standing, Agreement::differs) << name;
    EXPECT_THAT(verdict.fields, ElementsAre(name));
    EXPECT_THAT(verdict.detail, HasSubstr(std::string(name) + ": here")) << verdict.detail;
  }
  Write blanked;
  blanked.target_outcome.resource.clear();
  EXPECT_THAT(one(blanked.here(), blanked.there()).fields, ElementsAre("resource"));
}

TEST(Comparison, ALeafThatIsNotWhatWasSeenDiffers) {
  Write call;
  call.target_outcome.leaf_hash[0] ^= 1;
  EXPECT_THAT(one(call.here(), call.there()).fields, ElementsAre("leaf"));
  Write intent;
  intent.origin_intent.leaf_hash[0] ^= 1;
  EXPECT_THAT(one(intent.here(), intent.there()).fields, ElementsAre("leaf"));
}

TEST(Comparison, OneSidedCallsAreNamedByTheSideThatLacksThem) {
  const Write call;
  EXPECT_EQ(one(call.here(), {}).standing, Agreement::missing_there);
  EXPECT_EQ(one({}, call.there()).standing, Agreement::missing_here);
  const std::vector only_intent{call.target_intent};
  const auto cut = one(call.here(), only_intent);
  EXPECT_EQ(cut.standing, Agreement::missing_there);
  EXPECT_THAT(cut.detail, HasSubstr(b + " has no record of how it ended"));
  const std::vector no_intent{call.target_outcome};
  const auto without = one(call.here(), no_intent);
  EXPECT_EQ(without.standing, Agreement::missing_there);
  EXPECT_THAT(without.detail, HasSubstr("no intent"));
}

TEST(Comparison, AReadHasNoIntentsAndSidesMayCallACapabilityDifferently) {
  Write call;
  call.target_outcome.access = "read";
  call.target_outcome.counterparty.reset();
  const std::vector there{call.target_outcome};
  EXPECT_EQ(one(call.here(), there).standing, Agreement::agrees);
}

TEST(Comparison, WhatNeverArrivedNeedsNoRecordThere) {
  auto outcome = record(a, 2, Phase::outcome);
  const auto intent = record(a, 1, Phase::intent);
  outcome.outcome = "not_sent";
  outcome.code = "peer_unreachable";
  const std::vector unreachable{intent, outcome};
  EXPECT_EQ(one(unreachable, {}).standing, Agreement::agrees);
  // But it answered: then it must remember.
  outcome.counterparty = LeafReference{b + "/fedgate/log/a/1", 12, {}};
  const std::vector refused{intent, outcome};
  EXPECT_EQ(one(refused, {}).standing, Agreement::missing_there);
  // And a target that has a record of a call of which the origin has none is one-sided whatever it says.
  auto denied = record(b, 12, Phase::outcome);
  denied.outcome = "not_sent";
  denied.code = "policy_denied";
  const std::vector there{denied};
  EXPECT_EQ(one({}, there).standing, Agreement::missing_here);
}

TEST(Comparison, UnknownIsNeitherAgreementNorDifference) {
  Write call;
  call.origin_outcome.outcome = "unknown";
  call.origin_outcome.code = "deadline_exceeded";
  call.origin_outcome.counterparty.reset();
  const auto verdict = one(call.here(), call.there());
  EXPECT_EQ(verdict.standing, Agreement::unknown);
  EXPECT_THAT(verdict.detail, HasSubstr("here unknown, there succeeded"));
  EXPECT_EQ(one(call.here(), {}).standing, Agreement::unknown);
  call.target_outcome.capability = "other";
  EXPECT_EQ(one(call.here(), call.there()).standing, Agreement::differs) << "the rest is compared all the same";
}

TEST(Comparison, YoungCallsMayStillRun) {
  const Write call;
  const auto young = sides(began);
  EXPECT_EQ(one(call.here(), {}, young).standing, Agreement::pending);
  const std::vector intent{call.origin_intent};
  EXPECT_EQ(one(intent, {}, young).standing, Agreement::pending);
  EXPECT_EQ(one(intent, {}).standing, Agreement::unknown);
  EXPECT_EQ(one(call.here(), call.there(), young).standing, Agreement::agrees) << "what has ended is judged";
  Write other;
  other.target_outcome.outcome = "failed";
  EXPECT_EQ(one(other.here(), other.there(), young).standing, Agreement::differs);
}

TEST(Comparison, HashedPrincipalsAreLeftToTheCallHash) {
  Write call;
  call.target_outcome.principal = call.target_intent.principal = "hmac:0123";
  EXPECT_EQ(one(call.here(), call.there()).standing, Agreement::agrees);
  call.target_outcome.call_hash = "other";
  EXPECT_THAT(one(call.here(), call.there()).fields, ElementsAre("call_hash"));
}

TEST(Comparison, AttemptsAreJudgedOneByOne) {
  const Write first;
  Write second;
  for (auto* one : {&second.origin_intent, &second.origin_outcome, &second.target_intent, &second.target_outcome})
    one->attempt = 2;
  auto ours = first.here();
  for (const auto& one : second.here()) ours.push_back(one);
  const auto verdicts = compare_call(ours, first.there(), sides());
  ASSERT_EQ(verdicts.size(), 2U);
  EXPECT_EQ(verdicts[0].standing, Agreement::agrees);
  EXPECT_EQ(verdicts[1].standing, Agreement::missing_there);
  EXPECT_EQ(verdicts[1].attempt, 2U);
}

TEST(Comparison, ARefusedRepetitionIsNoSecondOutcomeButASecondOutcomeIs) {
  const Write call;
  auto there = call.there();
  auto again = record(b, 13, Phase::outcome);
  again.outcome = "not_sent";
  again.code = "duplicate_call";
  there.push_back(again);
  EXPECT_EQ(one(call.here(), there).standing, Agreement::agrees);
  there.back().code.clear();
  there.back().outcome = "succeeded";
  EXPECT_EQ(one(call.here(), there).standing, Agreement::differs);
}

TEST(Comparison, ATallyCountsAndSumsUp) {
  Tally tally;
  const Write call;
  tally.add(one(call.here(), call.there()));
  EXPECT_TRUE(tally.agrees());
  tally.add(one(call.here(), {}));
  Tally more;
  more.unproven = 1;
  tally.add(more);
  EXPECT_EQ(tally.total(), 2U);
  EXPECT_EQ(tally.mismatches(), 2U);
  EXPECT_FALSE(tally.agrees());
}

}  // namespace
}  // namespace fedgate::federation
