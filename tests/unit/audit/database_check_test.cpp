// SPDX-License-Identifier: Apache-2.0
//
// The database's copy against the journal: what somebody edits, deletes or adds there is named and stops the shipping;
// a database that has less than it had gets it again; what is older than the retention goes.
#include <gmock/gmock.h>

#include <numeric>

#include "audit/merkle_proof.h"
#include "audit/shipper.h"
#include "store/store.h"
#include "unit/audit/audit_fixture.h"

namespace fedgate::audit {
namespace {

using std::chrono::milliseconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class DatabaseCopy : public testing::Test {
 protected:
  void SetUp() override {
    JournalOptions options{.directory = "/journal", .log_name = some_log, .max_bytes = 64'000};
    auto journal = here_.open(disk_, options);
    ASSERT_TRUE(journal) << journal.error().detail;
    journal_ = std::move(*journal);
    another_database();
    options_.gather = milliseconds(1);
    options_.compare = 7;
    options_.compare_each = milliseconds(1);
    options_.prune_each = milliseconds(1);
    options_.own_id = "orga.example";
    options_.clock = &here_.clock;
  }
  void TearDown() override { shipper_.reset(); }

  /// From here on the URL leads to an empty one.
  void another_database() {
    auto opened = store::open({.url = "sqlite:" + directory_.path() + "/audit-" + std::to_string(++databases_)});
    ASSERT_TRUE(opened) << opened.error().detail;
    if (store_) retired_.push_back(std::move(store_));
    store_ = std::move(*opened);
  }
  void append(std::uint64_t count) {
    Answers answers;
    for (std::uint64_t i = 0; i < count; ++i) {
      auto event = event_number(next_++);
      event.time = here_.clock.wall();
      journal_->append(event, answers.slot());
    }
    ASSERT_TRUE(answers.wait_for(count));
  }
  void start() { shipper_ = std::make_unique<Shipper>(*journal_, *store_, options_, log::silent(), here_.metrics); }
  void restart() {
    shipper_.reset();
    start();
  }
  void append_and_ship(std::uint64_t count) {
    append(count);
    ASSERT_TRUE(shipper_->wait_for(journal_->state().durable, patience));
  }
  std::int64_t run(const std::string& sql, std::vector<store::Parameter> parameters = {}) {
    std::int64_t changed = 0;
    const auto done = store_->transact("tampering", [&](store::Transaction& at) -> Result<void> {
      changed = at.run(sql, parameters);
      return {};
    });
    if (!done) throw std::runtime_error(done.error().detail);
    return changed;
  }
  std::vector<std::uint64_t> indexes() {
    std::vector<std::uint64_t> found;
    const auto rows = store_->log_rows(some_log, 0, 100'000);
    for (const auto& row : rows.value()) found.push_back(row.index);
    return found;
  }
  void expect_stopped(const char* what) {
    ASSERT_TRUE(eventually([&] { return shipper_->stopped(); }));
    EXPECT_THAT(shipper_->attention(), ElementsAre(HasSubstr(what)));
    const auto stands = store_->audit_position(some_log).value();
    ASSERT_NO_FATAL_FAILURE(append(3));
    EXPECT_FALSE(shipper_->wait_for(journal_->state().durable, milliseconds(300)));
    EXPECT_EQ(store_->audit_position(some_log).value(), stands) << "nothing more is shipped";
    // Once in the trail, however often it is looked at.
    std::size_t violations = 0;
    for (const auto& leaf : read_all(*journal_)) {
      if (leaf.find(R"("event":"security_violation")") == std::string::npos) continue;
      EXPECT_THAT(leaf, HasSubstr(what));
      EXPECT_THAT(leaf, HasSubstr(R"("origin":"orga.example")"));
      ++violations;
    }
    EXPECT_EQ(violations, 1U);
  }
  void expect_recovery() {
    ASSERT_TRUE(eventually([&] { return !shipper_->stopped(); }));
    ASSERT_TRUE(shipper_->wait_for(journal_->state().durable, patience));
    EXPECT_THAT(shipper_->attention(), IsEmpty());
    std::vector<std::uint64_t> all(journal_->state().durable);
    std::iota(all.begin(), all.end(), 0);
    EXPECT_EQ(indexes(), all);
  }

  test::TempDirectory directory_;
  test::PowerCutDisk disk_;
  Surroundings here_;
  Shipper::Options options_;
  std::unique_ptr<Journal> journal_;
  std::unique_ptr<store::Store> store_;
  std::vector<std::unique_ptr<store::Store>> retired_;
  std::unique_ptr<Shipper> shipper_;
  std::uint64_t next_ = 0;
  int databases_ = 0;
};

TEST_F(DatabaseCopy, AnEditedRowIsNamedAndStopsTheShipping) {
  start();
  ASSERT_NO_FATAL_FAILURE(append_and_ship(40));
  const auto leaf = store_->log_rows(some_log, 17, 1)->front().leaf;
  ASSERT_EQ(run("UPDATE audit_events SET leaf = replace(leaf, 'succeeded', 'not_sent') WHERE log_index = 17"), 1);
  ASSERT_NO_FATAL_FAILURE(expect_stopped("differs from the journal at record 17 "));
  EXPECT_THAT(store_->log_rows(some_log, 17, 1)->front().leaf, HasSubstr("not_sent")) << "nothing is overwritten";
  restart();
  ASSERT_NO_FATAL_FAILURE(append(1));
  ASSERT_TRUE(eventually([&] { return shipper_->stopped(); })) << "a restart forgets nothing";
  run("UPDATE audit_events SET leaf = $1 WHERE log_index = 17", {leaf});
  ASSERT_NO_FATAL_FAILURE(expect_recovery());
}

TEST_F(DatabaseCopy, ADeletedRowIsNamedAndStopsTheShipping) {
  start();
  ASSERT_NO_FATAL_FAILURE(append_and_ship(40));
  ASSERT_EQ(run("DELETE FROM audit_events WHERE log_index = 20"), 1);
  ASSERT_NO_FATAL_FAILURE(expect_stopped("lacks record 20 "));
  run("DELETE FROM audit_events WHERE log_index > 20");
  ASSERT_NO_FATAL_FAILURE(expect_recovery());
}

TEST_F(DatabaseCopy, RowsBeyondTheJournalStopTheShipping) {
  append(10);
  auto row = store::AuditRow();
  row.log = some_log;
  row.index = 25;
  row.leaf = "{}";
  ASSERT_TRUE(store_->append_audit(std::array{row}));
  start();
  ASSERT_NO_FATAL_FAILURE(expect_stopped("the journal ends at 10"));
}

TEST_F(DatabaseCopy, AnotherGatewayThatWritesToTheSameLogIsSeen) {
  start();
  ASSERT_NO_FATAL_FAILURE(append_and_ship(10));
  auto row = store_->log_rows(some_log, 9, 1)->front();
  row.index = 10;
  ASSERT_TRUE(store_->append_audit(std::array{row}));
  append(5);
  ASSERT_NO_FATAL_FAILURE(expect_stopped("differs from the journal at record 10 "));
  ASSERT_EQ(run("DELETE FROM audit_events WHERE log_index = 10"), 1);
  ASSERT_NO_FATAL_FAILURE(expect_recovery());
}

TEST_F(DatabaseCopy, WhatIsCutOffAtTheEndIsShippedAgain) {
  options_.compare_each = std::chrono::hours(1);
  start();
  ASSERT_NO_FATAL_FAILURE(append_and_ship(40));
  ASSERT_EQ(run("DELETE FROM audit_events WHERE log_index >= 30"), 10);
  append(1);
  ASSERT_NO_FATAL_FAILURE(expect_recovery());
  ASSERT_EQ(run("DELETE FROM audit_events"), 41);
  append(1);
  ASSERT_NO_FATAL_FAILURE(expect_recovery());
}

TEST_F(DatabaseCopy, IsLookedAtWhileNothingHappens) {
  start();
  ASSERT_NO_FATAL_FAILURE(append_and_ship(40));
  ASSERT_EQ(run("DELETE FROM audit_events WHERE log_index >= 30"), 10);
  ASSERT_TRUE(eventually([&] { return store_->audit_position(some_log).value() == 39U; }));
  EXPECT_EQ(indexes().size(), 40U);
}

TEST_F(DatabaseCopy, AnEmptyDatabaseGetsWhatTheJournalHasAndTheRestIsNamed) {
  start();
  for (int i = 0; i < 20; ++i) ASSERT_NO_FATAL_FAILURE(append_and_ship(10));
  const auto first = journal_->state().first;
  ASSERT_GT(first, 0U) << "the journal has pruned";
  shipper_.reset();
  another_database();
  start();
  ASSERT_TRUE(shipper_->wait_for(200, patience));
  EXPECT_THAT(shipper_->attention(),
              ElementsAre(HasSubstr("lacks records 0 to " + std::to_string(first - 1) + " of " + some_log)));
  ASSERT_TRUE(eventually([&] { return store_->audit_position(some_log).value() == 200U; })) << "it is in the trail";
  const auto found = indexes();
  EXPECT_EQ(found.front(), first);
  EXPECT_EQ(found.size(), 201 - first) << "nothing lost that is there, nothing doubled";
  EXPECT_FALSE(shipper_->stopped());
}

TEST_F(DatabaseCopy, RowsOlderThanTheRetentionAreRemovedAndTheirProofsHold) {
  options_.retention = std::chrono::hours(24);
  options_.prune = 8;
  start();
  ASSERT_NO_FATAL_FAILURE(append_and_ship(30));
  here_.clock.advance(std::chrono::hours(25));
  ASSERT_NO_FATAL_FAILURE(append_and_ship(10));
  ASSERT_TRUE(eventually([&] { return indexes().front() == 30U; })) << indexes().front();
  EXPECT_EQ(indexes().size(), 10U);
  const auto& tree = journal_->tree();
  for (const std::uint64_t index : {0, 17, 29}) {
    const auto path = tree.inclusion(index, 40);
    ASSERT_TRUE(path);
    EXPECT_TRUE(proves_inclusion(*tree.leaf_hash_at(index), index, *tree.head_at(40), *path));
  }
  here_.clock.advance(std::chrono::hours(25));
  ASSERT_TRUE(eventually([&] { return indexes().size() == 1U; }));
  EXPECT_EQ(indexes().front(), 39U) << "the last says where the database stands";
  restart();
  ASSERT_NO_FATAL_FAILURE(append_and_ship(5));
  ASSERT_TRUE(eventually([&] { return indexes().front() == 40U; }));
  EXPECT_EQ(indexes().size(), 5U) << "what was pruned is not shipped again";
  EXPECT_THAT(shipper_->attention(), IsEmpty());
}

TEST_F(DatabaseCopy, OnlyWhatIsCosignedIsPruned) {
  options_.retention = std::chrono::hours(24);
  journal_->witnesses(Witnesses::some);
  journal_->cosigned(12);
  start();
  ASSERT_NO_FATAL_FAILURE(append_and_ship(30));
  here_.clock.advance(std::chrono::hours(25));
  ASSERT_NO_FATAL_FAILURE(append_and_ship(1));
  ASSERT_TRUE(eventually([&] { return indexes().front() == 12U; }));
  journal_->cosigned(20);
  ASSERT_TRUE(eventually([&] { return indexes().front() == 20U; }));
  EXPECT_EQ(indexes().size(), 11U);
}

TEST_F(DatabaseCopy, EarlierGenerationsArePrunedByAge) {
  const std::string earlier = "orga.example/fedgate/log/a/0";
  std::vector<store::AuditRow> rows(20);
  for (auto& row : rows) {
    row.log = earlier;
    row.index = static_cast<std::uint64_t>(&row - rows.data());
    row.timestamp = here_.clock.wall() - std::chrono::hours(row.index < 15 ? 48 : 1);
    row.leaf = "{}";
  }
  ASSERT_TRUE(store_->append_audit(rows));
  options_.retention = std::chrono::hours(24);
  options_.prune = 4;
  options_.earlier_logs = {earlier};
  start();
  ASSERT_NO_FATAL_FAILURE(append_and_ship(3));
  ASSERT_TRUE(eventually([&] { return store_->log_rows(earlier, 0, 100)->size() == 5; }));
  EXPECT_EQ(store_->log_rows(earlier, 0, 100)->front().index, 15U);
  EXPECT_EQ(indexes().size(), 3U);
}

}  // namespace
}  // namespace fedgate::audit
