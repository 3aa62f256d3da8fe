// SPDX-License-Identifier: Apache-2.0
//
// The promise: a record that was reported is there after any loss of power, byte for byte, at its index; nothing
// that was never appended stands in the log; the log goes on.
#include <gmock/gmock.h>

#include <map>

#include "unit/audit/audit_fixture.h"

namespace fedgate::audit {
namespace {

/// What a run appended and what it was told.
struct Ledger {
  std::map<std::uint64_t, Sha256> reported;  // index to hash
  std::uint64_t appended = 0;                // numbers given out: 0, 1, 2, ...
};

std::uint64_t number_in(const std::string& leaf) {
  const std::string key = R"("reason":"number )";
  const auto at = leaf.find(key);
  if (at == std::string::npos) throw std::runtime_error("a leaf that nobody appended: " + leaf);
  return std::stoull(leaf.substr(at + key.size()));
}

/// Bursts of appends, so that batches of one and of several records are written, until `rounds` are over.
void run(Journal& journal, Ledger& ledger, int rounds, std::uint64_t seed) {
  std::mt19937_64 chance(seed);
  for (int round = 0; round < rounds; ++round) {
    const auto burst = 1 + chance() % 5;
    Answers answers;
    for (std::uint64_t i = 0; i < burst; ++i) {
      auto event = event_number(ledger.appended++, chance() % 4 == 0 ? Phase::intent : Phase::outcome);
      event.principal = std::string(chance() % 300, 'p');
      journal.append(event, answers.slot());
    }
    ASSERT_TRUE(answers.wait_for(burst));
    for (const auto& result : answers.results()) {
      if (!result) continue;
      ASSERT_TRUE(ledger.reported.emplace(result->index, result->hash).second)
          << "index " << result->index << " was given out twice";
    }
  }
}

void expect_kept(Journal& journal, const Ledger& ledger) {
  const auto leaves = read_all(journal);
  ASSERT_EQ(leaves.size(), journal.state().durable);
  std::optional<std::uint64_t> before;
  for (std::uint64_t index = 0; index < leaves.size(); ++index) {
    const auto number = number_in(leaves[index]);
    ASSERT_LT(number, ledger.appended);
    if (before) ASSERT_LT(*before, number) << "out of order at " << index;
    before = number;
    const auto reported = ledger.reported.find(index);
    if (reported != ledger.reported.end())
      ASSERT_EQ(leaf_hash(leaves[index]), reported->second) << "another record at " << index;
  }
  if (!ledger.reported.empty())
    ASSERT_LT(ledger.reported.rbegin()->first, leaves.size()) << "a reported record is gone";
}

/// Opens what survived, judges it, goes on, and judges that after a clean restart.
void reopen_and_go_on(Disk& disk, Ledger ledger, std::uint64_t seed) {
  Surroundings here;
  {
    auto journal = here.open(disk, small_journal());
    ASSERT_TRUE(journal) << journal.error().detail;
    ASSERT_NO_FATAL_FAILURE(expect_kept(**journal, ledger));
    const auto next = (*journal)->state().next_index;
    const auto answer = append_and_wait(**journal, event_number(ledger.appended++));
    ASSERT_TRUE(answer) << answer.error().detail;
    ASSERT_EQ(answer->index, next);
    ledger.reported[answer->index] = answer->hash;
    ASSERT_NO_FATAL_FAILURE(run(**journal, ledger, 3, seed));
  }
  auto again = here.open(disk, small_journal());
  ASSERT_TRUE(again) << again.error().detail;
  ASSERT_NO_FATAL_FAILURE(expect_kept(**again, ledger));
}

/// A run on a disk whose power goes at `cut`; the disk and what was reported.
std::pair<std::unique_ptr<test::PowerCutDisk>, Ledger> run_until(std::uint64_t cut, std::uint64_t seed) {
  auto disk = std::make_unique<test::PowerCutDisk>(seed);
  Surroundings here;
  Ledger ledger;
  disk->cut_power_at(cut);
  if (auto journal = here.open(*disk, small_journal())) run(**journal, ledger, 12, seed);
  return {std::move(disk), std::move(ledger)};
}

class PowerCut : public testing::TestWithParam<std::uint64_t> {};

TEST_P(PowerCut, AtEveryOperation) {
  std::size_t reported_at_most = 0;
  for (std::uint64_t cut = 0;; ++cut) {
    auto [disk, ledger] = run_until(cut, GetParam());
    const bool came_to_the_end = !disk->power_is_off();
    reported_at_most = std::max(reported_at_most, ledger.reported.size());
    for (std::uint64_t way = 0; way < 3; ++way) {
      SCOPED_TRACE("cut at operation " + std::to_string(cut) + ", way " + std::to_string(way));
      const auto survivor = disk->after_power_cut(GetParam() * 1000 + cut * 3 + way);
      ASSERT_NO_FATAL_FAILURE(reopen_and_go_on(*survivor, ledger, cut));
    }
    if (came_to_the_end) break;
    ASSERT_LT(cut, 1000U);
  }
  EXPECT_GE(reported_at_most, 12U);
}

TEST_P(PowerCut, AgainWhileItRecovers) {
  for (std::uint64_t first = 4; first < 40; first += 3) {
    auto [disk, ledger] = run_until(first, GetParam() + first);
    for (std::uint64_t second = 0; second < 12; ++second) {
      SCOPED_TRACE("cut at " + std::to_string(first) + ", again at " + std::to_string(second));
      auto survivor = disk->after_power_cut(GetParam() + second);
      survivor->cut_power_at(second);
      Surroundings here;
      auto more = ledger;
      if (auto journal = here.open(*survivor, small_journal())) {
        // Opening does not depend on its last steps, those of the hash tree: the power may have gone in them.
        if (!survivor->power_is_off()) ASSERT_NO_FATAL_FAILURE(expect_kept(**journal, ledger));
        ASSERT_NO_FATAL_FAILURE(run(**journal, more, 2, second));
      }
      const auto last = survivor->after_power_cut(second);
      ASSERT_NO_FATAL_FAILURE(reopen_and_go_on(*last, more, second));
    }
  }
}

// The process dies, the machine lives on, another process opens what the page cache shows, and then the power goes.
TEST_P(PowerCut, AfterTheProcessWasKilled) {
  for (std::uint64_t killed = 3; killed < 60; ++killed) {
    SCOPED_TRACE("killed at operation " + std::to_string(killed));
    auto [disk, ledger] = run_until(killed, GetParam());
    disk->cut_power_at(UINT64_MAX);
    Surroundings here;
    {
      auto journal = here.open(*disk, small_journal());
      ASSERT_TRUE(journal) << journal.error().detail;
      // What is durable now may be shipped at once, so it counts as reported.
      const auto leaves = read_all(**journal);
      for (std::uint64_t i = 0; i < leaves.size(); ++i) ledger.reported[i] = leaf_hash(leaves[i]);
      ASSERT_NO_FATAL_FAILURE(expect_kept(**journal, ledger));
    }
    const auto survivor = disk->after_power_cut(killed);
    ASSERT_NO_FATAL_FAILURE(reopen_and_go_on(*survivor, ledger, killed));
  }
}

// A sync that failed proves nothing when it succeeds the next time.
TEST_P(PowerCut, AfterFailedSyncsAndWrites) {
  for (std::uint64_t turn = 0; turn < 25; ++turn) {
    SCOPED_TRACE("turn " + std::to_string(turn));
    test::PowerCutDisk disk(GetParam() * 100 + turn);
    Surroundings here;
    Ledger ledger;
    {
      auto journal = here.open(disk, small_journal());
      ASSERT_TRUE(journal) << journal.error().detail;
      ASSERT_NO_FATAL_FAILURE(run(**journal, ledger, static_cast<int>(turn % 7), turn));
      const auto fail_once = [&] {
        if (turn % 2 == 0) disk.fail_next_syncs(1 + static_cast<int>(turn % 3));
        if (turn % 2 == 1) disk.fail_next_writes(1 + static_cast<int>(turn % 3));
      };
      for (int i = 0; i < 3; ++i) {
        fail_once();
        const auto before = ledger.reported.size();
        ASSERT_NO_FATAL_FAILURE(run(**journal, ledger, 1, turn));
        ASSERT_EQ(ledger.reported.size(), before) << "nothing of a failed batch may be reported";
        for (int tries = 0; ledger.reported.size() == before; ++tries) {
          ASSERT_LT(tries, 5) << "it does not recover";
          ASSERT_TRUE(eventually([&] { return !(*journal)->state().failing; }));
          ASSERT_NO_FATAL_FAILURE(run(**journal, ledger, 2, turn + 1));
        }
      }
      ASSERT_NO_FATAL_FAILURE(expect_kept(**journal, ledger));
    }
    for (std::uint64_t way = 0; way < 4; ++way) {
      const auto survivor = disk.after_power_cut(way);
      ASSERT_NO_FATAL_FAILURE(reopen_and_go_on(*survivor, ledger, way));
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, PowerCut, testing::Range<std::uint64_t>(1, 4));

// The fake itself: it loses what was not synced and keeps what was.
TEST(PowerCutDisk, LosesWhatWasNotSynced) {
  int lost_write = 0, kept_write = 0, lost_file = 0, torn = 0;
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    test::PowerCutDisk disk(seed);
    ASSERT_TRUE(disk.make_directory("/d"));
    auto file = disk.create("/d/synced");
    ASSERT_TRUE(file);
    ASSERT_TRUE((*file)->write_at(0, std::string(1024, 'a')));
    ASSERT_TRUE((*file)->sync());
    ASSERT_TRUE(disk.sync_directory("/d"));
    ASSERT_TRUE((*file)->write_at(0, std::string(1024, 'b')));
    ASSERT_TRUE(disk.create("/d/unsynced"));
    const auto found = disk.after_power_cut(seed);
    const auto names = found->list("/d");
    ASSERT_TRUE(names);
    ASSERT_EQ(names->back() == "unsynced" ? 2U : 1U, names->size());
    lost_file += names->size() == 1 ? 1 : 0;
    const auto contents = found->contents("/d/synced");
    ASSERT_EQ(contents.size(), 1024U);
    lost_write += contents == std::string(1024, 'a') ? 1 : 0;
    kept_write += contents == std::string(1024, 'b') ? 1 : 0;
    torn += contents[0] != contents[1023] ? 1 : 0;
  }
  EXPECT_GT(lost_write, 20);
  EXPECT_GT(kept_write, 20);
  EXPECT_GT(lost_file, 20);
  EXPECT_GT(torn, 20);
}

}  // namespace
}  // namespace fedgate::audit
