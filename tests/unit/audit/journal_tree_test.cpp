// SPDX-License-Identifier: Apache-2.0
//
// The journal's hash tree: it is always that of the durable leaves, whatever happens to the disk or to its files.
#include <gmock/gmock.h>

#include <map>

#include "audit/segment.h"

#include "unit/audit/audit_fixture.h"
#include "unit/audit/naive_tree.h"

namespace fedgate::audit {
namespace {

using testing::HasSubstr;

std::vector<Sha256> hashes_of(const std::vector<std::string>& leaves) {
  std::vector<Sha256> hashes;
  for (const auto& leaf : leaves) hashes.push_back(leaf_hash(leaf));
  return hashes;
}

class JournalTree : public JournalTest {
 protected:
  /// The tree is that of all durable leaves, none of which is pruned.
  static void expect_whole(Journal& journal) {
    const auto hashes = hashes_of(read_all(journal));
    ASSERT_EQ(hashes.size(), journal.state().durable);
    ASSERT_EQ(journal.tree().head(), (TreeHead{hashes.size(), naive::root(hashes)}));
  }
  void fill(std::uint64_t count, const JournalOptions& options = small_journal()) {
    auto journal = opened(options);
    for (std::uint64_t i = 0; i < count; ++i) (void)appended(*journal, event_number(next_++));
    ASSERT_NO_FATAL_FAILURE(expect_whole(*journal));
  }
  void remove_tree() {
    for (const auto& name : *disk_.list("/journal/tree")) ASSERT_TRUE(disk_.remove("/journal/tree/" + name));
  }
  std::string refusal() {
    const auto journal = here_.open(disk_, small_journal());
    if (journal) return "it opens";
    EXPECT_EQ(journal.error().code, Code::io_error);
    return journal.error().detail;
  }
  /// Small segments, of which all but the last few are removed.
  static JournalOptions pruning() {
    auto options = small_journal();
    options.max_bytes = 40'000;
    return options;
  }
  void fill_and_prune(std::uint64_t count) {
    auto journal = opened(pruning());
    for (std::uint64_t i = 0; i < count; ++i) {
      (void)appended(*journal, event_number(next_++));
      journal->shipped(next_);
    }
    ASSERT_GT(journal->state().first, 0U);
  }

  std::uint64_t next_ = 0;
};

TEST_F(JournalTree, HoldsWhatIsDurableWhenItIsReported) {
  auto journal = opened();
  for (std::uint64_t i = 0; i < 40; ++i) {
    const auto at = appended(*journal, event_number(i));
    ASSERT_EQ(journal->tree().size(), i + 1);
    ASSERT_EQ(journal->tree().leaf_hash_at(i), at.hash);
  }
  expect_whole(*journal);
}

TEST_F(JournalTree, AppendingSyncsNothingMore) {
  auto journal = opened();
  (void)appended(*journal, event_number(0));
  const auto before = disk_.syncs();
  (void)appended(*journal, event_number(1));
  EXPECT_EQ(disk_.syncs(), before + 1);
}

TEST_F(JournalTree, GoesOnAfterARestart) {
  for (const std::uint64_t count : {1, 30, 300}) ASSERT_NO_FATAL_FAILURE(fill(count));
  auto journal = opened();
  const auto operations = disk_.operations();
  journal.reset();
  EXPECT_EQ(disk_.operations(), operations) << "nothing is new, nothing is written";
}

TEST_F(JournalTree, IsMadeFromTheSegmentsOfAnEarlierVersion) {
  ASSERT_NO_FATAL_FAILURE(fill(100));
  ASSERT_NO_FATAL_FAILURE(remove_tree());
  ASSERT_NO_FATAL_FAILURE(fill(1));
}

TEST_F(JournalTree, IsMadeAgainWhereItIsDamaged) {
  ASSERT_NO_FATAL_FAILURE(fill(300));
  for (const char* file : {"/journal/tree/level-0", "/journal/tree/level-1", "/journal/tree/head"}) {
    SCOPED_TRACE(file);
    auto bytes = disk_.contents(file);
    for (auto& byte : bytes) byte = static_cast<char>(byte ^ 0x11);
    disk_.replace(file, bytes);
    ASSERT_NO_FATAL_FAILURE(fill(1));
  }
}

TEST_F(JournalTree, OfOtherRecordsIsMadeAgain) {
  ASSERT_NO_FATAL_FAILURE(fill(50));
  std::map<std::string, std::string> other;
  for (const auto& name : *disk_.list("/journal/tree"))
    other["/journal/tree/" + name] = disk_.contents("/journal/tree/" + name);
  disk_ = test::PowerCutDisk();
  ASSERT_NO_FATAL_FAILURE(fill(60));
  for (const auto& [path, bytes] : other) disk_.replace(path, bytes);
  ASSERT_NO_FATAL_FAILURE(fill(1));
}

TEST_F(JournalTree, AheadOfTheJournalIsCut) {
  ASSERT_NO_FATAL_FAILURE(fill(3));
  const auto segment = "/journal/" + segment_name(0);
  const auto before = disk_.contents(segment);
  ASSERT_NO_FATAL_FAILURE(fill(20));
  disk_.replace(segment, before);
  for (const auto& path : segments())
    if (path.ends_with(".seg") && path != segment) ASSERT_TRUE(disk_.remove(path));
  auto journal = opened();
  EXPECT_EQ(journal->state().next_index, 3U);
  expect_whole(*journal);
  (void)appended(*journal, event_number(99));
  expect_whole(*journal);
}

TEST_F(JournalTree, ProvesWhatIsPruned) {
  ASSERT_NO_FATAL_FAILURE(fill_and_prune(200));
  auto journal = opened(pruning());
  const auto& tree = journal->tree();
  ASSERT_EQ(tree.size(), 200U);
  EXPECT_TRUE(tree.inclusion(0, 200));
  EXPECT_EQ(tree.head(), (TreeHead{200, naive::root(*tree.leaf_hashes(0, 200))}));
  const auto leaves = read_all(*journal);
  EXPECT_EQ(tree.leaf_hashes(journal->state().first, leaves.size()), hashes_of(leaves));
}

TEST_F(JournalTree, ThatNeedsPrunedRecordsSaysWhatToDo) {
  ASSERT_NO_FATAL_FAILURE(fill_and_prune(200));
  const auto head = disk_.contents("/journal/tree/head");
  disk_.replace("/journal/tree/head", std::string(head.size(), 'x'));
  EXPECT_THAT(refusal(),
              AllOf(HasSubstr("/journal/tree"), HasSubstr("pruned"), HasSubstr("backup"), HasSubstr("audit new-log")));
  disk_.replace("/journal/tree/head", head);
  EXPECT_EQ(opened(pruning())->tree().size(), 200U) << "a backup of it, put back";
}

TEST_F(JournalTree, ABatchThatFailedIsNotInIt) {
  auto journal = opened();
  (void)appended(*journal, event_number(0));
  for (int i = 0; i < 4; ++i) {
    if (i % 2 == 0) disk_.fail_next_syncs(1);
    if (i % 2 == 1) disk_.fail_next_writes(1);
    ASSERT_FALSE(append_and_wait(*journal, event_number(7)));
    ASSERT_NO_FATAL_FAILURE(expect_whole(*journal));
    ASSERT_TRUE(eventually([&] { return !journal->state().failing; }));
    (void)appended(*journal, event_number(8));
    ASSERT_NO_FATAL_FAILURE(expect_whole(*journal));
  }
}

TEST_F(JournalTree, AFullDiskKeepsItInMemory) {
  ASSERT_NO_FATAL_FAILURE(fill(5));
  ASSERT_NO_FATAL_FAILURE(remove_tree());
  disk_.set_space(8192);
  auto journal = opened();
  expect_whole(*journal);
  (void)appended(*journal, event_number(next_++));
  expect_whole(*journal);
  EXPECT_FALSE(journal->tree().sync());
  disk_.set_space(UINT64_MAX);
  EXPECT_EQ(journal->tree().sync(), journal->tree().head());
}

TEST_F(JournalTree, OnlyWhatIsCosignedIsPrunedWhereThereAreWitnesses) {
  auto options = pruning();
  auto journal = opened(options);
  journal->witnesses(Witnesses::some);
  journal->cosigned(30);
  std::uint64_t number = 0;
  Result<LeafReference> answer;
  while ((answer = append_and_wait(*journal, event_number(number)))) {
    ASSERT_LT(++number, 200U);
    journal->shipped(number);
  }
  EXPECT_EQ(answer.error().code, Code::audit_unavailable);
  EXPECT_THAT(answer.error().detail, HasSubstr("no peer has cosigned"));
  EXPECT_LE(journal->state().first, 30U);
  EXPECT_EQ(journal->prunable(), 30U);
  journal->cosigned(number);
  ASSERT_TRUE(eventually([&] { return !journal->state().failing; }));
  (void)appended(*journal, event_number(number));
  EXPECT_GT(journal->state().first, 0U);
  EXPECT_EQ(journal->prunable(), number);
  journal->witnesses(Witnesses::none);
  journal->shipped(number + 1);
  EXPECT_EQ(journal->prunable(), number + 1) << "nobody is there to cosign";
}

class JournalTreePower : public testing::TestWithParam<std::uint64_t> {};

// What was reported stands in the tree after any cut, whenever it was synced before.
TEST_P(JournalTreePower, CutAtEveryOperation) {
  for (std::uint64_t cut = 0;; ++cut) {
    test::PowerCutDisk disk(GetParam());
    Surroundings here;
    disk.cut_power_at(cut);
    std::vector<Sha256> reported;
    if (auto journal = here.open(disk, small_journal())) {
      for (std::uint64_t i = 0; i < 36; ++i) {
        if (const auto answer = append_and_wait(**journal, event_number(i))) reported.push_back(answer->hash);
        if (i % 7 == 3) (void)(*journal)->tree().sync();
      }
    }
    const bool came_to_the_end = !disk.power_is_off();
    for (std::uint64_t way = 0; way < 2; ++way) {
      SCOPED_TRACE("cut at operation " + std::to_string(cut) + ", way " + std::to_string(way));
      const auto survivor = disk.after_power_cut(cut * 3 + way);
      for (int again = 0; again < 2; ++again) {
        auto journal = here.open(*survivor, small_journal());
        ASSERT_TRUE(journal) << journal.error().detail;
        const auto hashes = hashes_of(read_all(**journal));
        ASSERT_EQ((*journal)->tree().head(), (TreeHead{hashes.size(), naive::root(hashes)}));
        ASSERT_GE(hashes.size(), reported.size());
        ASSERT_TRUE(std::ranges::equal(reported, std::span(hashes).first(reported.size())));
        ASSERT_TRUE(append_and_wait(**journal, event_number(1000)));
      }
    }
    if (came_to_the_end) {
      ASSERT_EQ(reported.size(), 36U);
      break;
    }
    ASSERT_LT(cut, 1000U);
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, JournalTreePower, testing::Range<std::uint64_t>(1, 3));

}  // namespace
}  // namespace fedgate::audit
