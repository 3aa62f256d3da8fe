// SPDX-License-Identifier: Apache-2.0
#include "verify/log_audit.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/hash.h"
#include "support/log_writer.h"

namespace fedgate::verify {
namespace {

using nlohmann::json;
using test::LogWriter;
using test::NoteKey;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr auto log_name = "orga.example/fedgate/log/a/1";

/// What is found, shortly: `kind first-last`. Notes are left out.
std::vector<std::string> found(const Report& report) {
  std::vector<std::string> list;
  for (const auto& finding : report.findings)
    if (finding.grade != Grade::note)
      list.push_back(std::string(to_string(finding.kind)) + " " + std::to_string(finding.first) + "-" +
                     std::to_string(finding.last));
  return list;
}

std::string texts(const Report& report) {
  std::string all;
  for (const auto& finding : report.findings) all += finding.text + "\n";
  return all;
}

/// A log of 40 leaves, with a head each ten that log and witness have signed.
class Audited : public ::testing::Test {
 protected:
  Audited() {
    log.add_reads(40);
    for (const std::size_t size : {10, 20, 30, 40}) witness_holds(size);
    evidence.trusted = {*read_key(witness.vkey())};
  }
  void witness_holds(std::size_t size) {
    show(log.cosigned(size, key, witness, LogWriter::first_second + 3600), ShownHead::From::witness);
  }
  void show(const std::string& note, ShownHead::From from) {
    auto head = read_head(note);
    ASSERT_TRUE(head) << head.error().detail;
    evidence.heads.push_back({*head, from == ShownHead::From::log ? "export" : "witness.txt", from});
  }
  Report audit(const std::vector<std::string>& leaves) const {
    LogAudit audit(log.name(), "test", evidence);
    for (const auto& leaf : leaves) audit.add({{}, leaf, {}, {}});
    return audit.finish();
  }
  /// As a database's rows, by their key.
  Report audit_rows(const std::vector<std::pair<std::uint64_t, std::string>>& rows) const {
    LogAudit audit(log.name(), "test", evidence);
    for (const auto& [index, leaf] : rows) audit.add({index, leaf, {}, {}});
    return audit.finish();
  }
  std::vector<std::pair<std::uint64_t, std::string>> rows() const {
    std::vector<std::pair<std::uint64_t, std::string>> list;
    for (const auto& leaf : log.leaves) list.emplace_back(list.size(), leaf);
    return list;
  }
  static void edit(std::string& leaf, const char* member, const json& value) {
    auto changed = json::parse(leaf);
    changed[member] = value;
    leaf = changed.dump();
  }

  LogWriter log{log_name};
  NoteKey key{log_name, NoteKey::Type::log, 'k'};
  NoteKey witness{"orgb.example/fedgate/witness", NoteKey::Type::witness, 'w'};
  Evidence evidence;
};

TEST_F(Audited, AnUntouchedLogIsVerified) {
  const auto report = audit(log.leaves);
  EXPECT_EQ(report.verdict(), Report::Verdict::verified) << texts(report);
  EXPECT_THAT(report.findings, IsEmpty()) << texts(report);
  EXPECT_EQ(report.leaves, 40U);
  EXPECT_EQ(report.witnessed, 40U);
  EXPECT_EQ(report.signed_by_log, 0U) << "its own key was not trusted";
  EXPECT_EQ(report.head.root, test::plain_root(log.leaves));
  ASSERT_EQ(report.heads.size(), 4U);
  for (const auto& head : report.heads) EXPECT_EQ(head.fit, HeadResult::Fit::matches);
}

TEST_F(Audited, TheSameRowsOfADatabaseAreVerified) {
  const auto report = audit_rows(rows());
  EXPECT_EQ(report.verdict(), Report::Verdict::verified) << texts(report);
  EXPECT_EQ(report.witnessed, 40U);
}

TEST_F(Audited, AnEditThatKeepsTheFormLiesBetweenTwoTrustedHeads) {
  auto leaves = log.leaves;
  edit(leaves[23], "principal", "mallory@orga.example");
  const auto report = audit(leaves);
  EXPECT_EQ(report.verdict(), Report::Verdict::broken);
  EXPECT_THAT(found(report), ElementsAre("range_altered 20-29"));
  EXPECT_EQ(report.witnessed, 20U);
}

TEST_F(Audited, AnEditIsNamedWhereTheOtherSidesRecordHoldsTheHash) {
  for (std::uint64_t i = 0; i < 40; i += 2)
    evidence.views.push_back({i, test::plain_leaf_hash(log.leaves[i]), 0, 1000 + i});
  evidence.tellers = {"orgb.example/fedgate/log/a/1"};
  auto leaves = log.leaves;
  edit(leaves[24], "principal", "mallory@orga.example");
  const auto report = audit(leaves);
  EXPECT_THAT(found(report), ElementsAre("range_altered 20-29", "leaf_differs 24-24"));
  EXPECT_THAT(texts(report), HasSubstr("leaf 1024 of orgb.example/fedgate/log/a/1"));
}

TEST_F(Audited, ALyingRecordOfTheOtherSideDoesNotHurtAProvenLeaf) {
  evidence.views.push_back({24, test::plain_leaf_hash("something else"), 0, 7});
  evidence.tellers = {"orgb.example/fedgate/log/a/1"};
  const auto report = audit(log.leaves);
  EXPECT_EQ(report.verdict(), Report::Verdict::irregular);
  EXPECT_THAT(found(report), ElementsAre("reference_contradicted 24-24"));
}

TEST_F(Audited, HeadsThatTheOtherSideMentionsNarrowTheRange) {
  evidence.tellers = {"orgb.example/fedgate/log/a/1"};
  for (std::size_t size = 1; size <= 40; size += 2)
    evidence.mentions.push_back({{size, test::plain_root(std::span(log.leaves).first(size))}, 0, 500 + size});
  auto leaves = log.leaves;
  edit(leaves[23], "principal", "mallory@orga.example");
  EXPECT_THAT(found(audit(leaves)), ElementsAre("range_altered 20-29", "range_altered 23-24"));
  EXPECT_EQ(audit(log.leaves).verdict(), Report::Verdict::verified);
}

TEST_F(Audited, WhatIsNoLeafIsNamed) {
  for (const auto& bad : {std::string("not JSON"), std::string(R"({"a":1})"), log.leaves[12] + " ",
                          std::string(R"({ "v":1})"), log.leaves[12].substr(0, 40)}) {
    auto leaves = log.leaves;
    leaves[12] = bad;
    EXPECT_THAT(found(audit(leaves)), ElementsAre("range_altered 10-19", "leaf_damaged 12-12")) << bad;
  }
  auto leaves = log.leaves;
  edit(leaves[12], "v", 2);
  EXPECT_THAT(found(audit(leaves)), ElementsAre("range_altered 10-19", "leaf_damaged 12-12"));
}

TEST_F(Audited, ADeletedLeafIsNamed) {
  auto leaves = log.leaves;
  leaves.erase(leaves.begin() + 17);
  EXPECT_THAT(found(audit(leaves)), ElementsAre("leaves_missing 17-17"));
  leaves.erase(leaves.begin() + 30, leaves.begin() + 33);
  EXPECT_THAT(found(audit(leaves)), ElementsAre("leaves_missing 17-17", "leaves_missing 31-33"));
  auto kept = rows();
  kept.erase(kept.begin() + 17, kept.begin() + 19);
  EXPECT_THAT(found(audit_rows(kept)), ElementsAre("leaves_missing 17-18"));
  leaves = log.leaves;
  leaves.erase(leaves.begin());
  EXPECT_THAT(found(audit(leaves)), ElementsAre("leaves_missing 0-0"));
  leaves = log.leaves;
  leaves.erase(leaves.begin() + 38);
  EXPECT_THAT(found(audit(leaves)), ElementsAre("leaves_missing 38-38"));
}

TEST_F(Audited, ADeletionWithAllIndexesRewrittenLeavesARange) {
  auto leaves = log.leaves;
  leaves.erase(leaves.begin() + 17);
  for (std::size_t i = 17; i < leaves.size(); ++i) edit(leaves[i], "index", i);
  const auto report = audit(leaves);
  EXPECT_THAT(found(report), ElementsAre("range_altered 10-19", "truncated 39-39"));
}

TEST_F(Audited, SwappedLeavesAreNamed) {
  auto leaves = log.leaves;
  std::swap(leaves[13], leaves[35]);
  EXPECT_THAT(found(audit(leaves)), ElementsAre("range_altered 10-19", "leaves_swapped 13-35"));
  leaves = log.leaves;
  std::swap(leaves[13], leaves[14]);
  EXPECT_THAT(found(audit(leaves)), ElementsAre("range_altered 10-19", "leaves_swapped 13-14"));
  auto swapped = rows();
  std::swap(swapped[13].second, swapped[14].second);
  EXPECT_THAT(found(audit_rows(swapped)), ElementsAre("range_altered 10-19", "leaves_swapped 13-14"));
}

TEST_F(Audited, SwappedLeavesWithTheirIndexesRewrittenLeaveARange) {
  auto leaves = log.leaves;
  std::swap(leaves[13], leaves[15]);
  edit(leaves[13], "index", 13);
  edit(leaves[15], "index", 15);
  EXPECT_THAT(found(audit(leaves)), ElementsAre("range_altered 10-19"));
}

TEST_F(Audited, AnAddedLeafIsNamedAndTheRestStillProven) {
  auto leaves = log.leaves;
  auto extra = leaves[3];
  edit(extra, "index", 777);
  leaves.insert(leaves.begin() + 25, extra);
  auto report = audit(leaves);
  EXPECT_THAT(found(report), ElementsAre("leaf_added 25-25"));
  EXPECT_EQ(report.witnessed, 40U) << "without it everything fits";
  leaves = log.leaves;
  leaves.insert(leaves.begin() + 25, leaves[25]);
  EXPECT_THAT(found(audit(leaves)), ElementsAre("leaf_added 26-26")) << "before 26 stands 25 once more";
  leaves = log.leaves;
  leaves.insert(leaves.begin() + 25, "garbage");
  EXPECT_THAT(found(audit(leaves)), ElementsAre("leaf_added 25-25"));
}

TEST_F(Audited, ARowThatWasPutIntoADatabaseIsNamed) {
  auto forged = rows();
  forged.insert(forged.begin() + 25, {25, log.leaves[3]});
  edit(forged[25].second, "index", 25);
  edit(forged[25].second, "correlation_id", LogWriter::correlation_id(99));
  for (std::size_t i = 26; i < forged.size(); ++i) forged[i].first = i;
  EXPECT_THAT(found(audit_rows(forged)), ElementsAre("range_altered 20-29", "leaf_added 26-26"));
}

TEST_F(Audited, AKeyThatIsRotatedHandsOnTheTrustInIt) {
  const NoteKey next(log_name, NoteKey::Type::log, 'n');
  const auto vkey = next.vkey();
  log.add("event", 0, {{"action", "audit_rotate_key"}, {"reason", "next key: " + vkey.substr(vkey.find('+') + 1)}});
  log.add_reads(9);
  evidence.heads.clear();
  evidence.trusted = {*read_key(key.vkey())};
  evidence.claimed = {*read_key(vkey)};
  const auto both = log.text(41);
  show(both + "\n" + key.line(both) + next.line(both), ShownHead::From::log);
  show(log.note(50, next), ShownHead::From::log);
  auto report = audit(log.leaves);
  EXPECT_EQ(report.verdict(), Report::Verdict::verified) << texts(report);
  EXPECT_EQ(report.signed_by_log, 50U);
  // A key that no leaf names, or that the old one has not vouched for, is only claimed.
  evidence.heads.clear();
  show(log.note(41, key), ShownHead::From::log);
  show(log.note(50, next), ShownHead::From::log);
  EXPECT_EQ(audit(log.leaves).signed_by_log, 41U);
}

TEST_F(Audited, ALaterGenerationSaysHowTheOneBeforeEnded) {
  LogWriter second("orga.example/fedgate/log/a/2");
  const auto first_leaf = [&](const char* before) {
    second.leaves.clear();
    second.add("event", 0,
               {{"action", "audit_new_log"},
                {"counterparty", {{"hash", to_hex(test::plain_root(log.leaves))}, {"index", 40}, {"log", before}}}});
    second.add_reads(2);
    LogAudit audit(second.name(), "test", evidence);
    for (const auto& leaf : second.leaves) audit.add({{}, leaf, {}, {}});
    return found(audit.finish());
  };
  EXPECT_THAT(first_leaf(log_name), IsEmpty());
  EXPECT_THAT(first_leaf("orga.example/fedgate/log/b/1"), ElementsAre("generation_broken 0-0"));
  second.leaves.clear();
  second.add_reads(2);
  LogAudit audit(second.name(), "test", evidence);
  for (const auto& leaf : second.leaves) audit.add({{}, leaf, {}, {}});
  EXPECT_THAT(found(audit.finish()), ElementsAre("generation_broken 0-0"));
  EXPECT_EQ(previous_generation("orga.example/fedgate/log/a/12"), "orga.example/fedgate/log/a/11");
  EXPECT_FALSE(previous_generation(log_name));
  EXPECT_FALSE(previous_generation("no generation"));
}

TEST_F(Audited, ALeafOfAnotherPlaceIsNamed) {
  auto leaves = log.leaves;
  leaves[5] = leaves[9];
  EXPECT_THAT(found(audit(leaves)), ElementsAre("range_altered 0-9", "leaf_replaced 5-5"));
  leaves = log.leaves;
  edit(leaves[5], "log", "orga.example/fedgate/log/b/1");
  EXPECT_THAT(found(audit(leaves)), ElementsAre("range_altered 0-9", "leaf_misfiled 5-5"));
}

TEST_F(Audited, ATailThatWasCutBelowASignedHead) {
  auto leaves = log.leaves;
  leaves.resize(33);
  const auto report = audit(leaves);
  EXPECT_THAT(found(report), ElementsAre("truncated 33-39"));
  EXPECT_EQ(report.witnessed, 30U);
}

TEST_F(Audited, ATailThatNobodySignedIsMissedUnlessTheOtherSideRefersToIt) {
  log.add_reads(5);
  auto leaves = log.leaves;
  leaves.resize(42);
  EXPECT_EQ(audit(leaves).verdict(), Report::Verdict::verified);
  evidence.views.push_back({43, test::plain_leaf_hash(log.leaves[43]), 0, 7});
  evidence.tellers = {"orgb.example/fedgate/log/a/1"};
  EXPECT_THAT(found(audit(leaves)), ElementsAre("truncated 42-43"));
}

TEST_F(Audited, AnOldCopyThatWentOn) {
  auto old = LogWriter(log_name);
  old.leaves.assign(log.leaves.begin(), log.leaves.begin() + 24);
  for (unsigned i = 0; i < 30; ++i) old.add("outcome", 9000 + i);
  EXPECT_THAT(found(audit(old.leaves)), ElementsAre("range_altered 20-29"));
}

TEST_F(Audited, AReplacedAndRehashedLogDiffersFromTheWitnessedHead) {
  LogWriter other(log_name);
  for (unsigned i = 0; i < 45; ++i) other.add("outcome", 5000 + i);
  const NoteKey stolen = key;
  show(other.note(45, stolen), ShownHead::From::log);
  evidence.claimed = {*read_key(key.vkey())};
  const auto report = audit(other.leaves);
  EXPECT_THAT(found(report), ElementsAre("range_altered 0-9", "fork 0-9"));
  EXPECT_THAT(texts(report), HasSubstr("hashed anew"));
  EXPECT_EQ(report.witnessed, 0U);
}

TEST_F(Audited, AReplacedLogUnderANewKeyIsNoForkButBroken) {
  LogWriter other(log_name);
  for (unsigned i = 0; i < 45; ++i) other.add("outcome", 5000 + i);
  const NoteKey own(log_name, NoteKey::Type::log, 'z');
  show(other.note(45, own), ShownHead::From::log);
  evidence.claimed = {*read_key(own.vkey())};
  const auto report = audit(other.leaves);
  EXPECT_THAT(found(report), ElementsAre("range_altered 0-9"));
}

TEST_F(Audited, WithoutAnyTrustedKeyTheVerdictSaysSo) {
  evidence.trusted.clear();
  evidence.heads.clear();
  evidence.claimed = {*read_key(key.vkey())};
  show(log.note(40, key), ShownHead::From::log);
  auto report = audit(log.leaves);
  EXPECT_EQ(report.verdict(), Report::Verdict::consistent);
  evidence.trusted = {*read_key(witness.vkey())};
  report = audit(log.leaves);
  EXPECT_EQ(report.verdict(), Report::Verdict::unproven) << "keys were given, and none of their heads is here";
}

TEST_F(Audited, AGivenHeadCountsEvenWhereNoKeyOfItIsKnown) {
  evidence.trusted.clear();
  EXPECT_EQ(audit(log.leaves).verdict(), Report::Verdict::consistent);
  auto leaves = log.leaves;
  edit(leaves[23], "principal", "mallory@orga.example");
  EXPECT_THAT(found(audit(leaves)), ElementsAre("range_altered 0-29")) << "nothing below is proven by anybody";
}

TEST_F(Audited, AForgedSignatureOfATrustedKeyIsNamedAndProvesNothing) {
  evidence.heads.clear();
  auto note = log.cosigned(40, key, witness, LogWriter::first_second);
  note.replace(note.find("\n40\n"), 4, "\n39\n");
  show(note, ShownHead::From::witness);
  const auto report = audit(log.leaves);
  EXPECT_THAT(found(report), ElementsAre("signature_invalid 0-0"));
  EXPECT_EQ(report.witnessed, 0U);
}

TEST_F(Audited, ALogsKeyDoesNotVouchForAnotherLog) {
  const NoteKey other("orga.example/fedgate/log/b/1", NoteKey::Type::log, 'b');
  evidence.trusted = {*read_key(other.vkey())};
  evidence.heads.clear();
  show(log.text(40) + "\n" + other.line(log.text(40)), ShownHead::From::log);
  const auto report = audit(log.leaves);
  EXPECT_EQ(report.signed_by_log, 0U);
  EXPECT_NE(report.verdict(), Report::Verdict::verified);
}

TEST_F(Audited, TwoHeadsOfOneSizeAreAFork) {
  LogWriter other(log_name);
  for (unsigned i = 0; i < 30; ++i) other.add("outcome", 5000 + i);
  show(other.note(30, key), ShownHead::From::witness);
  evidence.claimed = {*read_key(key.vkey())};
  const auto report = audit(log.leaves);
  EXPECT_EQ(report.verdict(), Report::Verdict::broken);
  EXPECT_THAT(found(report), ::testing::Contains("fork 0-29"));
}

TEST_F(Audited, PrunedLeavesCountByTheirHashes) {
  LogAudit audit(log.name(), "test", evidence);
  for (std::size_t i = 0; i < log.leaves.size(); ++i) {
    if (i < 15)
      audit.add({{}, {}, test::plain_leaf_hash(log.leaves[i]), {}});
    else
      audit.add({{}, log.leaves[i], {}, {}});
  }
  const auto report = audit.finish();
  EXPECT_EQ(report.verdict(), Report::Verdict::verified) << texts(report);
  EXPECT_EQ(report.pruned, 15U);
  EXPECT_EQ(report.witnessed, 40U);
}

TEST_F(Audited, ADatabaseWhoseBeginningIsPrunedCannotBeProven) {
  auto kept = rows();
  kept.erase(kept.begin(), kept.begin() + 15);
  const auto report = audit_rows(kept);
  EXPECT_THAT(found(report), IsEmpty()) << texts(report);
  EXPECT_EQ(report.verdict(), Report::Verdict::unproven);
}

TEST_F(Audited, AColumnThatDiffersFromItsLeafIsNamed) {
  LogAudit audit(log.name(), "test", evidence);
  for (std::size_t i = 0; i < log.leaves.size(); ++i) {
    std::vector<Column> columns{
        {Column::Type::text, "principal", "principal", i == 21 ? "mallory@orga.example" : "alice@orga.example"},
        {Column::Type::text, "reason", "reason", ""},
        {Column::Type::number, "attempt", "attempt", "0"},
        {Column::Type::time, "timestamp", "time", std::to_string((LogWriter::first_second + i) * 1'000'000)}};
    if (i == 30) columns[3].value = "0";
    audit.add({i, log.leaves[i], {}, std::move(columns)});
  }
  const auto report = audit.finish();
  EXPECT_THAT(found(report), ElementsAre("column_differs 21-21", "column_differs 30-30"));
  EXPECT_THAT(texts(report), HasSubstr("mallory"));
}

TEST_F(Audited, AWitnessKnowsWhenALeafWasThere) {
  log.add("outcome", 70, {{"time", "2026-11-20T12:00:00.000000Z"}});
  show(log.cosigned(41, key, witness, LogWriter::first_second + 60), ShownHead::From::witness);
  EXPECT_THAT(found(audit(log.leaves)), ElementsAre("time_impossible 40-40"));
}

/// What hashes and signatures cannot see: no heads at all.
class Told : public Audited {
 protected:
  Told() {
    evidence = {};
    log.leaves.clear();
  }
};

TEST_F(Told, AWholeStoryIsFine) {
  log.add("intent", 1);
  log.add("outcome", 2);
  log.add("outcome", 1, {{"access", "write"}});
  log.add("outcome", 3, {{"access", "write"}, {"outcome", "not_sent"}, {"decision", "deny"}});
  log.add("outcome", 3, {{"access", "write"}, {"outcome", "not_sent"}, {"decision", "deny"}});
  log.add("outcome", 3, {{"attempt", 1}});
  log.add("outcome", 3, {{"attempt", 2}});
  log.add("intent", 4);
  const auto report = audit(log.leaves);
  EXPECT_THAT(found(report), IsEmpty()) << texts(report);
  EXPECT_EQ(report.open_intents, 1U);
  EXPECT_THAT(texts(report), HasSubstr("leaf 7"));
}

TEST_F(Told, AnOutcomeWithoutItsIntent) {
  log.add("outcome", 1, {{"access", "write"}});
  log.add("outcome", 2, {{"access", "write"}, {"outcome", "unknown"}});
  log.add("outcome", 3, {{"access", "write"}, {"outcome", "failed"}});
  EXPECT_THAT(found(audit(log.leaves)), ElementsAre("intent_missing 0-0", "intent_missing 1-1"));
}

TEST_F(Told, NothingTwice) {
  log.add("intent", 1);
  log.add("intent", 1);
  log.add("outcome", 1, {{"access", "write"}});
  log.add("outcome", 1, {{"access", "write"}});
  log.add("intent", 1);
  log.add("outcome", 2);
  log.add("outcome", 2);
  // The other way round it is another call: a peer may use the same id.
  log.add("outcome", 2, {{"origin", "orgb.example"}, {"target", "orga.example"}});
  EXPECT_THAT(found(audit(log.leaves)), ElementsAre("duplicate_record 1-1", "duplicate_record 3-3",
                                                    "duplicate_record 4-4", "duplicate_record 6-6"));
}

TEST_F(Told, TimeThatGoesBack) {
  log.add_reads(2);
  log.add("outcome", 70, {{"time", "2026-11-20T08:57:00.000000Z"}});
  log.add("outcome", 71, {{"time", "2026-11-20T08:50:00.000000Z"}});
  log.add("outcome", 72, {{"time", "2026-11-20T08:51:00.000000Z"}});
  log.add_reads(1);
  EXPECT_THAT(found(audit(log.leaves)), ElementsAre("time_backwards 3-3")) << "once for each step back";
}

TEST_F(Told, ReferencesThatCannotBeFollowed) {
  const json good{{"hash", std::string(64, 'b')}, {"index", 7}, {"log", "orgb.example/fedgate/log/a/1"}};
  log.add("outcome", 1, {{"counterparty", good}});
  auto bad = good;
  bad["hash"] = "bb";
  log.add("outcome", 2, {{"counterparty", bad}});
  bad = good;
  bad["log"] = "orgc.example/fedgate/log/a/1";
  log.add("outcome", 3, {{"counterparty", bad}});
  bad = good;
  bad.erase("index");
  log.add("outcome", 4, {{"counterparty", bad}});
  log.add("outcome", 5,
          {{"counterparty",
            {{"checkpoint", {{"root", std::string(64, 'c')}, {"size", 3}}}, {"log", "orgb.example/fedgate/log/a/1"}}}});
  EXPECT_THAT(found(audit(log.leaves)),
              ElementsAre("reference_malformed 1-1", "reference_malformed 2-2", "reference_malformed 3-3"));
}

TEST_F(Told, FindingsAreBoundedAndCounted) {
  for (unsigned i = 0; i < 3000; ++i) log.add("outcome", i, {{"access", "write"}});
  const auto report = audit(log.leaves);
  EXPECT_EQ(report.findings.size(), Findings::at_most + 0U);
  EXPECT_EQ(report.findings.size() + report.more_findings, 3000U + 1U) << "and that nothing is signed";
}

TEST(FingerprintSet, RemembersEachOnce) {
  FingerprintSet set;
  EXPECT_FALSE(set.contains(7));
  for (std::uint64_t i = 1; i <= 100'000; ++i) ASSERT_TRUE(set.insert(i * 0x9E3779B97F4A7C15ULL));
  for (std::uint64_t i = 1; i <= 100'000; ++i) ASSERT_FALSE(set.insert(i * 0x9E3779B97F4A7C15ULL));
  EXPECT_TRUE(set.contains(0x9E3779B97F4A7C15ULL));
  EXPECT_FALSE(set.contains(3));
}

}  // namespace
}  // namespace fedgate::verify
