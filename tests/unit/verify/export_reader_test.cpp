// SPDX-License-Identifier: Apache-2.0
#include "verify/export_reader.h"

#include <gtest/gtest.h>

#include "base/hash.h"
#include "support/log_writer.h"
#include "support/temp_directory.h"

namespace fedgate::verify {
namespace {

using test::LogWriter;
using test::NoteKey;

constexpr auto log_name = "orga.example/fedgate/log/a/1";

class Exported : public ::testing::Test {
 protected:
  Exported() {
    log.add_reads(6);
    write(2);
  }
  void write(std::size_t pruned) {
    const std::vector<std::string> vkeys{key.vkey()};
    test::write_export(directory.path(), log.leaves, log.note(6, key), vkeys, pruned);
  }
  std::vector<Entry> all() {
    auto reader = ExportReader::open(directory.path());
    EXPECT_TRUE(reader) << reader.error().detail;
    std::vector<Entry> entries;
    for (Entry entry; reader && *reader->next(entry);) entries.push_back(entry);
    return entries;
  }

  test::TempDirectory directory;
  LogWriter log{log_name};
  NoteKey key{log_name, NoteKey::Type::log, 'k'};
};

TEST_F(Exported, IsReadAsItWasWritten) {
  const auto reader = ExportReader::open(directory.path());
  ASSERT_TRUE(reader) << reader.error().detail;
  EXPECT_EQ(reader->log(), log_name);
  ASSERT_EQ(reader->keys().size(), 1U);
  EXPECT_EQ(reader->keys()[0].text, key.vkey());
  ASSERT_EQ(reader->heads().size(), 1U);
  EXPECT_EQ(reader->heads()[0].from, ShownHead::From::log);
  const auto entries = all();
  ASSERT_EQ(entries.size(), 6U);
  for (std::size_t i = 0; i < 6; ++i) {
    EXPECT_EQ(entries[i].leaf, i < 2 ? "" : log.leaves[i]);
    if (i < 2) EXPECT_EQ(entries[i].pruned, test::plain_leaf_hash(log.leaves[i]));
  }
}

TEST_F(Exported, HashesMayBeHexadecimalAndStandAfterASpace) {
  const auto hash = test::plain_leaf_hash(log.leaves[0]);
  test::write_file(directory.path("leaves"),
                   "- " + to_hex(hash) + "\r\n-" + to_hex(hash) + "\n- " + to_base64(test::bytes_text(hash)) + "\n");
  const auto entries = all();
  ASSERT_EQ(entries.size(), 3U);
  for (const auto& entry : entries) EXPECT_EQ(entry.pruned, hash);
}

TEST_F(Exported, WhatIsNoLeafBecomesOneThatDoesNotHold) {
  test::write_file(directory.path("leaves"),
                   "\n!!!\n-zz\n" + std::string(100'000, 'A') + "\n" + to_base64(log.leaves[4]));
  const auto entries = all();
  ASSERT_EQ(entries.size(), 5U) << "the last line may lack its end";
  RecordReader records;
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_FALSE(entries[i].leaf.empty());
    EXPECT_FALSE(records.read(entries[i].leaf));
  }
  EXPECT_EQ(entries[4].leaf, log.leaves[4]);
}

TEST_F(Exported, WithoutACheckpointTheFirstLeafNamesTheLog) {
  std::filesystem::remove(directory.path("checkpoint"));
  std::filesystem::remove(directory.path("vkeys"));
  const auto reader = ExportReader::open(directory.path());
  ASSERT_TRUE(reader) << reader.error().detail;
  EXPECT_EQ(reader->log(), log_name);
  EXPECT_TRUE(reader->heads().empty());
}

TEST_F(Exported, WhatIsNoExportIsRefused) {
  test::write_file(directory.path("checkpoint"), "nonsense\n");
  const auto bad = ExportReader::open(directory.path());
  ASSERT_FALSE(bad);
  EXPECT_TRUE(bad.error().detail.contains("checkpoint")) << bad.error().detail;
  std::filesystem::remove(directory.path("leaves"));
  EXPECT_FALSE(ExportReader::open(directory.path()));
  EXPECT_FALSE(ExportReader::open(directory.path("nowhere")));
}

}  // namespace
}  // namespace fedgate::verify
