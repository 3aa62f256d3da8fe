// SPDX-License-Identifier: Apache-2.0
#include "audit/shipper.h"

#include <gmock/gmock.h>

#include "store/store.h"
#include "unit/audit/audit_fixture.h"

namespace fedgate::audit {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;

/// A database that can be away, and can commit without its answer arriving.
class FakeStore final : public store::Store {
 public:
  [[nodiscard]] std::string_view kind() const override { return "fake"; }
  Result<void> ping() override { return {}; }
  Result<std::vector<store::MigrationStatus>> migrations() override { return std::vector<store::MigrationStatus>(); }
  Result<int> migrate_up() override { return 0; }
  Result<int> migrate_down(int) override { return 0; }
  Result<std::vector<Node>> nodes() override { return std::vector<Node>(); }
  Result<void> put_node(const Node&) override { return {}; }
  Result<bool> remove_node(const NodeId&) override { return false; }
  Result<std::string> nodes_version() override { return std::string(); }
  Result<void> transact(std::string_view, const std::function<Result<void>(store::Transaction&)>&) override {
    return fail(Code::store_unavailable, "the shipper needs no transactions of its own");
  }
  Result<std::vector<store::AuditRow>> audit(const store::AuditQuery&) override { return rows(); }
  Result<std::vector<store::AuditRow>> calls(const store::CallQuery&) override { return rows(); }
  Result<std::vector<store::AuditRow>> log_rows(const std::string&, std::uint64_t from, std::size_t limit) override {
    std::vector<store::AuditRow> found;
    for (auto& row : rows())
      if (row.index >= from && found.size() < limit) found.push_back(std::move(row));
    return found;
  }

  Result<void> append_audit(std::span<const store::AuditRow> rows) override {
    const std::lock_guard lock(mutex_);
    ++attempts_;
    if (away_) return fail(Code::store_unavailable, "the database is away");
    for (const auto& row : rows) {
      if (!rows_.empty() && row.index <= rows_.back().index) {
        ++duplicates_;
        continue;
      }
      rows_.push_back(row);
    }
    batches_.push_back(rows.size());
    if (std::exchange(lose_answer_, false)) return fail(Code::store_unavailable, "the connection broke");
    return {};
  }
  Result<std::optional<std::uint64_t>> audit_position(const std::string& log) override {
    const std::lock_guard lock(mutex_);
    ++attempts_;
    if (away_) return fail(Code::store_unavailable, "the database is away");
    if (stale_position_) return *stale_position_;
    if (rows_.empty() || rows_.back().log != log) return std::nullopt;
    return rows_.back().index;
  }

  void set_away(bool away) {
    const std::lock_guard lock(mutex_);
    away_ = away;
  }
  void lose_next_answer() {
    const std::lock_guard lock(mutex_);
    lose_answer_ = true;
  }
  void claim_position(std::optional<std::uint64_t> index) {
    const std::lock_guard lock(mutex_);
    stale_position_ = index;
  }
  std::vector<store::AuditRow> rows() {
    const std::lock_guard lock(mutex_);
    return rows_;
  }
  std::vector<std::size_t> batches() {
    const std::lock_guard lock(mutex_);
    return batches_;
  }
  int attempts() {
    const std::lock_guard lock(mutex_);
    return attempts_;
  }
  int duplicates() {
    const std::lock_guard lock(mutex_);
    return duplicates_;
  }

 private:
  std::mutex mutex_;
  bool away_ = false, lose_answer_ = false;
  std::optional<std::uint64_t> stale_position_;
  int attempts_ = 0, duplicates_ = 0;
  std::vector<store::AuditRow> rows_;
  std::vector<std::size_t> batches_;
};

class ShipperTest : public testing::Test {
 protected:
  void SetUp() override {
    auto journal = here_.open(disk_, {.directory = "/journal", .log_name = some_log, .segment_bytes = 65'536});
    ASSERT_TRUE(journal);
    journal_ = std::move(*journal);
  }
  void append(std::uint64_t count) {
    Answers answers;
    for (std::uint64_t i = 0; i < count; ++i) journal_->append(event_number(next_++), answers.slot());
    ASSERT_TRUE(answers.wait_for(count));
  }
  std::unique_ptr<Shipper> start(Shipper::Options options = {}) {
    return std::make_unique<Shipper>(*journal_, store_, options, log::silent(), here_.metrics);
  }
  void expect_all_shipped() {
    const auto rows = store_.rows();
    const auto leaves = read_all(*journal_);
    ASSERT_EQ(rows.size(), leaves.size());
    for (std::size_t i = 0; i < rows.size(); ++i) {
      ASSERT_EQ(rows[i].index, i);
      ASSERT_EQ(rows[i].log, some_log);
      ASSERT_EQ(rows[i].leaf, leaves[i]);
      ASSERT_EQ(rows[i].principal, "alice@orga.example");
    }
  }

  test::PowerCutDisk disk_;
  Surroundings here_;
  FakeStore store_;
  std::unique_ptr<Journal> journal_;
  std::uint64_t next_ = 0;
};

TEST_F(ShipperTest, ShipsEverythingInOrder) {
  append(50);
  auto shipper = start({.batch = 20, .gather = milliseconds(1)});
  append(75);
  ASSERT_TRUE(shipper->wait_for(125, patience));
  EXPECT_EQ(shipper->position(), 125U);
  expect_all_shipped();
  EXPECT_THAT(store_.batches(), testing::Each(testing::Le(20U)));
  ASSERT_TRUE(
      eventually([&] { return here_.metrics.text().find("federation_audit_backlog 0\n") != std::string::npos; }));
}

TEST_F(ShipperTest, GathersUnlessSomebodyWaits) {
  auto shipper = start({.batch = 10, .gather = std::chrono::hours(1)});
  for (int i = 0; i < 100; ++i) append(1);
  ASSERT_TRUE(eventually([&] { return shipper->position() > 90; })) << "a whole batch is worth shipping";
  EXPECT_LE(store_.batches().size(), 13U);
  append(3);
  ASSERT_TRUE(shipper->wait_for(103, patience)) << "less is, when somebody waits";
  expect_all_shipped();
}

TEST_F(ShipperTest, StopShipsWhatIsDurable) {
  auto shipper = start({.batch = 1000, .gather = std::chrono::hours(1)});
  append(10);
  shipper->stop(patience);
  shipper->stop(patience);
  EXPECT_EQ(shipper->position(), 10U);
  expect_all_shipped();
}

TEST_F(ShipperTest, OutageDelaysAndNothingElse) {
  store_.set_away(true);
  auto shipper = start({.batch = 1000, .gather = milliseconds(1)});
  append(10);
  ASSERT_TRUE(eventually([&] { return store_.attempts() >= 2; }));
  EXPECT_FALSE(shipper->wait_for(1, milliseconds(1)));
  EXPECT_THAT(here_.metrics.text(), HasSubstr("federation_audit_backlog 10\n"));
  store_.set_away(false);
  ASSERT_TRUE(shipper->wait_for(10, patience));
  store_.set_away(true);
  append(5);
  ASSERT_TRUE(eventually([&, before = store_.attempts()] { return store_.attempts() > before; }));
  store_.set_away(false);
  ASSERT_TRUE(shipper->wait_for(15, patience));
  expect_all_shipped();
}

TEST_F(ShipperTest, OutageDoesNotHoldUpTheEnd) {
  store_.set_away(true);
  auto shipper = start();
  append(10);
  ASSERT_TRUE(eventually([&] { return store_.attempts() >= 4; }))
      << "it waits for half a second and more between attempts now";
  const auto begun = std::chrono::steady_clock::now();
  shipper->stop(std::chrono::hours(1));
  EXPECT_LT(std::chrono::steady_clock::now() - begun, patience);
  EXPECT_EQ(shipper->position(), 0U);
}

TEST_F(ShipperTest, LostAnswerShipsNothingTwice) {
  store_.lose_next_answer();
  auto shipper = start({.batch = 1000, .gather = milliseconds(1)});
  append(10);
  ASSERT_TRUE(shipper->wait_for(10, patience));
  EXPECT_EQ(store_.duplicates(), 0) << "it asked where the database stands";
  expect_all_shipped();
}

TEST_F(ShipperTest, DuplicatesAreLeftAlone) {
  append(10);
  ASSERT_TRUE((start()->stop(patience), true));
  store_.claim_position(4);
  auto shipper = start();
  ASSERT_TRUE(shipper->wait_for(10, patience));
  EXPECT_EQ(store_.duplicates(), 5);
  store_.claim_position(std::nullopt);
  expect_all_shipped();
}

TEST_F(ShipperTest, ResumesWhereTheDatabaseStands) {
  append(10);
  start()->stop(patience);
  append(10);
  start()->stop(patience);
  EXPECT_EQ(store_.duplicates(), 0);
  expect_all_shipped();
}

TEST_F(ShipperTest, DatabaseAheadOfTheJournalIsNotOverwritten) {
  store_.claim_position(99);
  append(10);
  auto shipper = start({.batch = 1000, .gather = milliseconds(1)});
  ASSERT_TRUE(eventually([&] { return store_.attempts() >= 3; }));
  EXPECT_TRUE(store_.rows().empty());
}

TEST_F(ShipperTest, LetsTheJournalRemoveWhatIsShipped) {
  journal_.reset();
  auto journal = here_.open(disk_, {.directory = "/small", .log_name = some_log, .max_bytes = 64'000});
  ASSERT_TRUE(journal);
  journal_ = std::move(*journal);
  auto shipper = start({.batch = 50, .gather = milliseconds(1)});
  for (int i = 0; i < 40; ++i) {
    append(10);
    ASSERT_TRUE(shipper->wait_for(next_, patience));
  }
  EXPECT_GT(journal_->state().first, 0U);
  EXPECT_EQ(store_.rows().size(), 400U);
}

TEST_F(ShipperTest, OutlivesAClosedJournal) {
  append(3);
  auto shipper = start({.batch = 1000, .gather = milliseconds(1)});
  journal_->close();
  EXPECT_TRUE(shipper->wait_for(3, patience));
  shipper->stop(patience);
  expect_all_shipped();
}

TEST(ShipperWithSqlite, FillsAuditEvents) {
  test::TempDirectory directory;
  Surroundings here;
  const auto disk = real_disk();
  auto journal =
      here.open(*disk, {.directory = directory.path() + "/journal", .log_name = some_log, .segment_bytes = 1 << 20});
  ASSERT_TRUE(journal) << journal.error().detail;
  auto database = store::open({.url = "sqlite:" + directory.path() + "/audit.db"});
  ASSERT_TRUE(database) << database.error().detail;
  Answers answers;
  for (std::uint64_t i = 0; i < 3000; ++i) (*journal)->append(event_number(i), answers.slot());
  ASSERT_TRUE(answers.wait_for(3000));
  {
    Shipper shipper(**journal, **database, {}, log::silent(), here.metrics);
    ASSERT_TRUE(shipper.wait_for(3000, patience));
    shipper.stop(patience);
  }
  ASSERT_TRUE(append_and_wait(**journal, event_number(3000)));
  {
    Shipper shipper(**journal, **database, {}, log::silent(), here.metrics);
    shipper.stop(patience);
    EXPECT_EQ(shipper.position(), 3001U);
  }
  EXPECT_EQ((*database)->audit_position(some_log).value(), 3000U);
  const auto id = event_number(1234).correlation_id->str();
  const auto rows = (*database)->audit({.correlation_id = id});
  ASSERT_TRUE(rows) << rows.error().detail;
  ASSERT_EQ(rows->size(), 1U);
  EXPECT_EQ(rows->front().leaf, (*journal)->read(rows->front().index, 1, 5000)->front());
  EXPECT_EQ(rows->front().reason, "number 1234.");
  EXPECT_EQ(rows->front().principal_org, "orga.example");
}

}  // namespace
}  // namespace fedgate::audit
