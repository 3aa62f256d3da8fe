// SPDX-License-Identifier: Apache-2.0
#include <atomic>
#include <thread>

#include "store/audit_log_records.h"
#include "unit/store/store_cases.h"

namespace fedgate::store {
namespace {

NodeId node(const std::string& text) { return NodeId::parse(text).value(); }

Sha256 hash(std::uint8_t seed) {
  Sha256 value{};
  value.fill(seed);
  return value;
}

const std::string log = "b.example/fedgate/log/b/1";

WitnessedLog state(std::uint64_t size, std::uint8_t root) {
  return {node("b.example"), {log, {size, hash(root)}, "text\n\nsigned " + std::to_string(root) + "\n"}, some_time};
}

}  // namespace

void witness_state_is_compared_and_swapped(const std::string& url) {
  const auto opened = open({.url = url});
  ASSERT_TRUE(ok(opened));
  AuditLogRecords records(**opened);
  const auto own = node("a.example");
  EXPECT_EQ(records.witnessed(log).value(), std::nullopt);
  EXPECT_EQ(records.advance(5, state(9, 1), own).value(), false) << "nothing is not size 5";
  EXPECT_EQ(records.advance(0, state(5, 1), own).value(), true);
  EXPECT_EQ(records.witnessed(log).value(), state(5, 1));
  EXPECT_EQ(records.advance(0, state(9, 2), own).value(), false);
  EXPECT_EQ(records.advance(5, state(5, 2), own).value(), false) << "the same size, another root";
  EXPECT_EQ(records.advance(5, state(9, 2), own).value(), true);
  EXPECT_EQ(records.witnessed_logs(node("b.example")).value(), std::vector{state(9, 2)});
  const auto kept = records.checkpoint(log, 5).value();
  ASSERT_TRUE(kept) << "every cosigned checkpoint is kept";
  EXPECT_EQ(kept->cosigned_by, std::vector{own});

  ASSERT_TRUE(ok(records.keep({node("b.example"), {log, {20, hash(7)}, "text\n\nother\n"}, {}, some_time})));
  EXPECT_EQ(records.advance(9, state(20, 8), own).error().code, Code::conflict) << "a fork of what is kept";
  EXPECT_EQ(records.witnessed(log).value(), state(9, 2));

  // Two replicas that judge at the same time: one of each size wins.
  const auto other = open({.url = url});
  ASSERT_TRUE(ok(other));
  AuditLogRecords beside(**other);
  std::atomic<int> swapped{0};
  const auto race = [&](AuditLogRecords& at, std::uint8_t root) {
    for (std::uint64_t size = 30; size < 60; ++size) {
      const auto now = at.witnessed(log).value()->checkpoint.head.size;
      if (const auto done = at.advance(now, state(now + 100, root), own); done && *done) ++swapped;
    }
  };
  std::thread thread([&] { race(beside, 3); });
  race(records, 3);
  thread.join();
  EXPECT_EQ(records.witnessed(log).value()->checkpoint.head.size, 9U + 100U * static_cast<unsigned>(swapped.load()));
  EXPECT_GT(swapped.load(), 0);
}

void checkpoints_gather_signatures(const std::string& url) {
  const auto opened = open({.url = url});
  ASSERT_TRUE(ok(opened));
  AuditLogRecords records(**opened);
  const auto own = node("b.example");
  const auto keep = [&](std::uint64_t size, const std::string& lines, std::vector<NodeId> by) {
    return records.keep({own, {log, {size, hash(1)}, "text\n\n" + lines}, std::move(by), some_time});
  };
  EXPECT_EQ(records.newest_cosigned(log).value(), std::nullopt);
  ASSERT_TRUE(ok(keep(5, "own\n", {})));
  EXPECT_EQ(records.newest_cosigned(log).value(), std::nullopt);
  ASSERT_TRUE(ok(keep(5, "own\nfirst\n", {node("x.example")})));
  ASSERT_TRUE(ok(keep(5, "own\nsecond\n", {node("y.example"), node("x.example")})));
  ASSERT_TRUE(ok(keep(9, "own\nthird\n", {node("xx.example")})));
  const auto kept = records.checkpoint(log, 5).value();
  ASSERT_TRUE(kept);
  EXPECT_EQ(kept->checkpoint.note, "text\n\nown\nfirst\nsecond\n");
  EXPECT_EQ(kept->cosigned_by, (std::vector{node("x.example"), node("y.example")}));
  EXPECT_EQ(records.newest_cosigned(log).value()->checkpoint.head.size, 9U);
  EXPECT_EQ(records.newest_cosigned(log, node("x.example")).value()->checkpoint.head.size, 5U);
  EXPECT_EQ(records.newest_cosigned(log, node("z.example")).value(), std::nullopt);
  EXPECT_EQ(records.newest_checkpoint(log).value()->checkpoint.head.size, 9U);
  EXPECT_EQ(records.keep({own, {log, {5, hash(2)}, "text\n\nown\n"}, {}, some_time}).error().code, Code::conflict);
  std::string flood;
  for (int i = 0; i < 200; ++i) flood += "line " + std::to_string(i) + "\n";
  ASSERT_TRUE(ok(keep(5, flood, {})));
  const auto full = records.checkpoint(log, 5).value()->checkpoint.note;
  EXPECT_EQ(std::count(full.begin(), full.end(), '\n'), 2 + 64) << "bounded";
}

void references_change_their_state(const std::string& url) {
  const auto opened = open({.url = url});
  ASSERT_TRUE(ok(opened));
  AuditLogRecords records(**opened);
  const std::string own = "a.example/fedgate/log/a/1";
  const auto b = node("b.example");
  ReferenceBatch batch{.log = own, .node = b, .other_log = log, .members = {}};
  batch.at = some_time;
  for (std::uint64_t i = 0; i < 6; ++i)
    batch.members.push_back({10 + 2 * i, 100 + i, hash(static_cast<std::uint8_t>(i))});
  auto foreign = batch;
  foreign.node = node("c.example");
  foreign.other_log = "c.example/fedgate/log/c/1";
  for (auto& one : foreign.members) ++one.index;
  const std::vector both{batch, foreign};
  EXPECT_EQ(records.note_references(own, 1, 30, both).value(), false) << "read from elsewhere";
  EXPECT_EQ(records.note_references(own, 0, 30, both).value(), true);
  EXPECT_EQ(records.note_references(own, 0, 30, both).value(), false) << "not twice";
  EXPECT_EQ(records.position(own).value(), 30U);
  EXPECT_EQ(records.references(own, b, ReferenceState::waiting, 5).value(), std::vector{batch});

  auto proven = batch, missing = batch, rest = batch;
  proven.state = ReferenceState::proven;
  proven.members = {batch.members[0], batch.members[3]};
  proven.checkpoint_size = 104;
  proven.proof = "proof";
  missing.state = ReferenceState::missing;
  missing.members = {batch.members[1]};
  missing.why = "another leaf";
  rest.members = {batch.members[2], batch.members[4], batch.members[5]};
  const std::vector parts{proven, missing, rest};
  EXPECT_EQ(records.settle_references(batch, parts).value(), true);
  EXPECT_EQ(records.settle_references(batch, parts).value(), false);
  EXPECT_EQ(records.references(own, b, ReferenceState::waiting, 5).value(), std::vector{rest});
  EXPECT_EQ(records.references(own, b, ReferenceState::missing, 5).value(), std::vector{missing});
  const auto open_now = records.open_references(own).value();
  ASSERT_EQ(open_now.size(), 2U);
  EXPECT_EQ(open_now.at(b).waiting, 3U);
  EXPECT_EQ(open_now.at(b).missing, 1U);
  EXPECT_EQ(records.reference_of(own, 16).value(), proven);
  EXPECT_EQ(records.reference_of(own, 12).value(), missing);
  EXPECT_EQ(records.reference_of(own, 17).value(), foreign);
  EXPECT_EQ(records.reference_of(own, 22).value(), std::nullopt);
  EXPECT_EQ(records.reference_of("other", 16).value(), std::nullopt);
}

void alarms_are_kept(const std::string& url) {
  const auto opened = open({.url = url});
  ASSERT_TRUE(ok(opened));
  AuditLogRecords records(**opened);
  AlarmRecord alarm{.kind = "fork", .node = "b.example", .subject = log, .reason = "two heads", .evidence = "notes"};
  alarm.raised_at = some_time;
  ASSERT_TRUE(ok(records.put_alarm(alarm)));
  EXPECT_EQ(records.alarms().value(), std::vector{alarm});
  EXPECT_EQ(records.settle_alarm(alarm, some_time, "uid:0").value(), true);
  EXPECT_EQ(records.settle_alarm(alarm, some_time, "uid:0").value(), false);
  const auto settled = records.alarms().value();
  ASSERT_EQ(settled.size(), 1U);
  EXPECT_EQ(settled[0].settled_at, some_time);
  EXPECT_EQ(settled[0].settled_by, "uid:0");
  ASSERT_TRUE(ok(records.put_alarm(alarm))) << "it happened again";
  EXPECT_EQ(records.alarms().value(), std::vector{alarm});
}

}  // namespace fedgate::store
