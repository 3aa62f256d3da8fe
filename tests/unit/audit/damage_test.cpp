// SPDX-License-Identifier: Apache-2.0
//
// What opening does to a journal whose bytes are not what was written: a torn tail is cut, damage to what had been
// synced is refused aloud.
#include <gmock/gmock.h>

#include "audit/segment.h"
#include "unit/audit/audit_fixture.h"

namespace fedgate::audit {
namespace {

using testing::HasSubstr;

/// A journal of three records, each its own batch, in one segment.
class Damage : public testing::Test {
 protected:
  void SetUp() override {
    auto journal = here_.open(disk_, small_journal());
    ASSERT_TRUE(journal);
    for (std::uint64_t i = 0; i < 3; ++i) ASSERT_TRUE(append_and_wait(**journal, event_number(i)));
    leaves_ = read_all(**journal);
    journal->reset();
    whole_ = disk_.contents(segment_);
    last_begins_ = whole_.find(leaves_[2]) - record_overhead;
    last_ends_ = last_begins_ + record_overhead + leaves_[2].size();
  }
  /// Opens and finds exactly `count` records; the next append gets the next index and is there after a restart.
  void expect_cut_to(std::size_t count) {
    {
      auto journal = here_.open(disk_, small_journal());
      ASSERT_TRUE(journal) << journal.error().detail;
      const auto found = read_all(**journal);
      ASSERT_EQ(found, std::vector(leaves_.begin(), leaves_.begin() + static_cast<std::ptrdiff_t>(count)));
      ASSERT_EQ(append_and_wait(**journal, event_number(7))->index, count);
    }
    auto journal = here_.open(disk_, small_journal());
    ASSERT_TRUE(journal) << journal.error().detail;
    const auto found = read_all(**journal);
    ASSERT_EQ(found.size(), count + 1);
    ASSERT_THAT(found.back(), HasSubstr("number 7."));
  }
  void expect_refused(const std::string& file, std::size_t offset) {
    const auto before = disk_.contents(file);
    const auto journal = here_.open(disk_, small_journal());
    ASSERT_FALSE(journal);
    EXPECT_EQ(journal.error().code, Code::io_error);
    EXPECT_THAT(journal.error().detail, HasSubstr(file));
    if (offset != 0) EXPECT_THAT(journal.error().detail, HasSubstr("offset " + std::to_string(offset)));
    EXPECT_EQ(disk_.contents(file), before) << "evidence is not touched";
  }

  test::PowerCutDisk disk_;
  Surroundings here_;
  const std::string segment_ = "/journal/" + segment_name(0);
  std::vector<std::string> leaves_;
  std::string whole_;
  std::size_t last_begins_ = 0, last_ends_ = 0;
};

TEST_F(Damage, TailTornAtEveryByteIsCut) {
  for (auto at = last_begins_; at < last_ends_; ++at) {
    SCOPED_TRACE("torn at byte " + std::to_string(at));
    disk_.replace(segment_, whole_.substr(0, at));
    ASSERT_NO_FATAL_FAILURE(expect_cut_to(2));
    auto zeros = whole_;
    std::fill(zeros.begin() + static_cast<std::ptrdiff_t>(at), zeros.end(), '\0');
    disk_.replace(segment_, zeros);
    ASSERT_NO_FATAL_FAILURE(expect_cut_to(2));
    auto garbage = whole_;
    std::fill(garbage.begin() + static_cast<std::ptrdiff_t>(at),
              garbage.begin() + static_cast<std::ptrdiff_t>(last_ends_) + 100, '\xA5');
    disk_.replace(segment_, garbage);
    ASSERT_NO_FATAL_FAILURE(expect_cut_to(2));
  }
}

TEST_F(Damage, EveryBitOfTheLastRecordCounts) {
  for (auto at = last_begins_; at < last_ends_; ++at) {
    for (const int bit : {0, 5, 7}) {
      SCOPED_TRACE("bit " + std::to_string(bit) + " of byte " + std::to_string(at));
      auto flipped = whole_;
      flipped[at] = static_cast<char>(flipped[at] ^ (1 << bit));
      disk_.replace(segment_, flipped);
      ASSERT_NO_FATAL_FAILURE(expect_cut_to(2));
    }
  }
}

TEST_F(Damage, EarlierRecordsAreNotCutSilently) {
  const auto first_begins = whole_.find(leaves_[0]) - record_overhead;
  const auto second_begins = whole_.find(leaves_[1]) - record_overhead;
  for (auto at = first_begins; at < last_begins_; ++at) {
    SCOPED_TRACE("byte " + std::to_string(at));
    auto flipped = whole_;
    flipped[at] = static_cast<char>(flipped[at] ^ 0x10);
    disk_.replace(segment_, flipped);
    ASSERT_NO_FATAL_FAILURE(expect_refused(segment_, at < second_begins ? first_begins : second_begins));
  }
}

TEST_F(Damage, ZeroedSectorInTheMiddleIsNotTheEnd) {
  auto zeroed = whole_;
  const auto second_begins = static_cast<std::ptrdiff_t>(whole_.find(leaves_[1]) - record_overhead);
  std::fill(zeroed.begin() + second_begins, zeroed.begin() + second_begins + 300, '\0');
  disk_.replace(segment_, zeroed);
  expect_refused(segment_, static_cast<std::size_t>(second_begins));
}

TEST_F(Damage, HeaderOfASegmentWithRecords) {
  const auto header = decode_header(whole_);
  ASSERT_TRUE(header);
  for (std::size_t at = 0; at < 60; ++at) {
    SCOPED_TRACE("byte " + std::to_string(at));
    auto flipped = whole_;
    flipped[at] = static_cast<char>(flipped[at] ^ 0x04);
    disk_.replace(segment_, flipped);
    ASSERT_NO_FATAL_FAILURE(expect_refused(segment_, 0));
  }
}

TEST_F(Damage, SegmentThatIsNotTheLast) {
  {
    auto journal = here_.open(disk_, small_journal());
    ASSERT_TRUE(journal);
    for (std::uint64_t i = 3; i < 50; ++i) ASSERT_TRUE(append_and_wait(**journal, event_number(i)));
  }
  const auto names = disk_.list("/journal");
  ASSERT_GT(names->size(), 3U);
  const auto middle = "/journal/" + names->at(1);
  const auto good = disk_.contents(middle);
  const auto header = decode_header(good);
  ASSERT_TRUE(header);
  const auto payload = record_at(good, header->bytes, header->first);
  ASSERT_TRUE(payload);
  const auto second = header->bytes + record_overhead + payload->size();
  auto flipped = good;
  flipped[second + 40] = static_cast<char>(flipped[second + 40] ^ 1);
  disk_.replace(middle, flipped);
  expect_refused(middle, second);
  disk_.replace(middle, good.substr(0, second));
  expect_refused(middle, second);
  ASSERT_TRUE((disk_.replace(middle, good), here_.open(disk_, small_journal())));
  ASSERT_TRUE(disk_.remove(middle));
  const auto gap = here_.open(disk_, small_journal());
  ASSERT_FALSE(gap) << "a segment is missing";
  EXPECT_EQ(gap.error().code, Code::io_error);
}

TEST_F(Damage, FoundWhenReadToo) {
  auto journal = here_.open(disk_, small_journal());
  ASSERT_TRUE(journal);
  auto flipped = whole_;
  flipped[last_begins_ + 20] = static_cast<char>(flipped[last_begins_ + 20] ^ 1);
  disk_.replace(segment_, flipped);
  const auto leaves = (*journal)->read(0, 100, 100'000);
  ASSERT_FALSE(leaves);
  EXPECT_EQ(leaves.error().code, Code::io_error);
  EXPECT_THAT(leaves.error().detail, HasSubstr(segment_));
  EXPECT_THAT(leaves.error().detail, HasSubstr("offset " + std::to_string(last_begins_)));
}

// A torn batch may leave whole records behind its first, and a new record of the same size would lead up to them.
TEST_F(JournalTest, NothingBehindTheCutComesBack) {
  const std::string segment = "/journal/" + segment_name(0);
  {
    auto journal = opened();
    disk_.hold_syncs();
    Answers answers;
    journal->append(event_number(1), answers.slot());
    ASSERT_TRUE(test::eventually([&] { return disk_.contents(segment).find("number 1.") != std::string::npos; }));
    for (const std::uint64_t i : {2U, 3U}) journal->append(event_number(i), answers.slot());
    disk_.release_syncs();
    ASSERT_TRUE(answers.wait_for(3));
  }
  auto torn = disk_.contents(segment);
  torn[torn.find("number 2.")] = '?';
  disk_.replace(segment, torn);
  (void)appended(*opened(), event_number(2));
  const auto leaves = read_all(*opened());
  ASSERT_EQ(leaves.size(), 2U);
  EXPECT_THAT(leaves[0], HasSubstr("number 1."));
  EXPECT_THAT(leaves[1], HasSubstr("number 2."));
}

// The creation of a segment was interrupted: it never held anything.
TEST_F(Damage, SegmentWithoutAHeaderIsNoLoss) {
  const auto next = "/journal/" + segment_name(3);
  for (const auto& contents :
       {std::string(), std::string(8192, '\0'), std::string("fedgate\n\1\0", 10), std::string(600, 'x')}) {
    ASSERT_TRUE(disk_.create(next));
    disk_.replace(next, contents);
    disk_.replace(segment_, whole_);
    ASSERT_NO_FATAL_FAILURE(expect_cut_to(3));
    EXPECT_FALSE(disk_.open(next));
  }
}

TEST_F(Damage, OnlySegmentWithoutAHeaderIsRefusedUnlessItIsTheFirst) {
  ASSERT_TRUE(disk_.remove(segment_));
  const auto only = "/journal/" + segment_name(3);
  ASSERT_TRUE(disk_.create(only));
  expect_refused(only, 0);
}

TEST(Segment, HeaderComesBack) {
  SegmentHeader header{some_log, 77, {{3, "{\"a\":1}"}, {9, std::string(4096, 'x')}}};
  auto bytes = encode_header(header);
  EXPECT_EQ(bytes.size() % 512, 0U);
  const auto decoded = decode_header(bytes + "more");
  ASSERT_TRUE(decoded) << decoded.error().detail;
  EXPECT_EQ(decoded->log, some_log);
  EXPECT_EQ(decoded->first, 77U);
  EXPECT_EQ(decoded->bytes, bytes.size());
  ASSERT_EQ(decoded->open_intents.size(), 2U);
  EXPECT_EQ(decoded->open_intents[1].index, 9U);
  EXPECT_EQ(decoded->open_intents[1].leaf, std::string(4096, 'x'));
  for (std::size_t size = 0; size < 4096; size += 7)
    EXPECT_FALSE(decode_header(std::string_view(bytes).substr(0, size)));
}

TEST(Segment, Names) {
  EXPECT_EQ(segment_name(0), "00000000000000000000.seg");
  EXPECT_EQ(segment_name(UINT64_MAX), "18446744073709551615.seg");
  EXPECT_EQ(first_of_name("00000000000000000042.seg"), 42U);
  for (const auto* bad :
       {"", "lock", "42.seg", "0000000000000000004x.seg", "00000000000000000042.sex", "99999999999999999999.seg"})
    EXPECT_FALSE(first_of_name(bad)) << bad;
}

}  // namespace
}  // namespace fedgate::audit
