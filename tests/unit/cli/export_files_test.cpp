// SPDX-License-Identifier: Apache-2.0
#include "cli/export_files.h"

#include <gmock/gmock.h>

#include <fstream>

#include "base/hash.h"
#include "running.h"

namespace fedgate::cli {
namespace {

using testing::HasSubstr;

TEST(CsvCell, IsNoFormulaAndNoCommand) {
  EXPECT_EQ(csv_cell("plain"), "\"plain\"");
  EXPECT_EQ(csv_cell(""), "\"\"");
  EXPECT_EQ(csv_cell("a\"b,c"), "\"a\"\"b,c\"");
  for (const char* formula : {"=1+1", "+1", "-1", "@SUM(A1)", "  =cmd|' /C calc'!A0", "\xEF\xBC\x9D\x31"})
    EXPECT_EQ(csv_cell(formula), "\"'" + std::string(formula) + "\"") << formula;
  EXPECT_EQ(csv_cell("\t=1"), "\"\\x09=1\"") << "a tab is written out, and then it is no formula";
  EXPECT_EQ(csv_cell("a\r\n=b"), "\"a\\x0d\\n=b\"");
  EXPECT_EQ(csv_cell("\xE2\x80\xAE"
                     "x"),
            "\"\\u{202e}x\"");
  EXPECT_EQ(csv_line({"a", "=b"}), "\"a\",\"'=b\"\r\n");
}

class Exporting : public Folder {
 protected:
  const nlohmann::json asked_{{"format", "csv"}};
};

TEST_F(Exporting, WhatWasNotSavedIsCutOffWhenItGoesOn) {
  {
    auto files = ExportFiles::open(path("out"), asked_);
    ASSERT_TRUE(files) << files.error().detail;
    EXPECT_FALSE(files->begun());
    ASSERT_TRUE(files->append("ours.csv", "one\n"));
    files->state()["cursor"] = "c1";
    ASSERT_TRUE(files->save());
    ASSERT_TRUE(files->append("ours.csv", "lost\n"));
  }
  EXPECT_EQ(read("out/ours.csv"), "one\nlost\n");
  EXPECT_EQ(mode("out"), 0700U);
  EXPECT_EQ(mode("out/ours.csv"), 0600U);
  auto files = ExportFiles::open(path("out"), asked_);
  ASSERT_TRUE(files) << files.error().detail;
  EXPECT_TRUE(files->begun());
  EXPECT_EQ(files->state()["cursor"], "c1");
  ASSERT_TRUE(files->append("ours.csv", "two\n"));
  EXPECT_EQ(read("out/ours.csv"), "one\ntwo\n");
  ASSERT_TRUE(files->put(ExportFiles::manifest_name, "{}"));
  const auto listing = files->listing();
  ASSERT_TRUE(listing);
  ASSERT_EQ(listing->size(), 1U);
  EXPECT_EQ((*listing)[0],
            (nlohmann::json{{"name", "ours.csv"}, {"bytes", 8}, {"sha256", to_hex(sha256("one\ntwo\n"))}}));
  ASSERT_TRUE(files->finish());
  EXPECT_FALSE(std::filesystem::exists(path("out/export.state")));
}

TEST_F(Exporting, SomebodyElsesDirectoryIsLeftAlone) {
  std::filesystem::create_directory(path("mine"));
  write("mine/letter", "dear");
  const auto refused = ExportFiles::open(path("mine"), asked_);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().detail, HasSubstr("not empty"));
  auto begun = ExportFiles::open(path("out"), asked_);
  ASSERT_TRUE(begun);
  ASSERT_TRUE(begun->save());
  const auto other = ExportFiles::open(path("out"), {{"format", "jsonl"}});
  ASSERT_FALSE(other);
  EXPECT_THAT(other.error().detail, HasSubstr("another export"));
  write("out/export.state", "{}");
  EXPECT_FALSE(ExportFiles::open(path("out"), asked_));
  write("file", "");
  EXPECT_FALSE(ExportFiles::open(path("file"), asked_));
}

}  // namespace
}  // namespace fedgate::cli
