// SPDX-License-Identifier: Apache-2.0
#include "cli/table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

namespace fedgate::cli {
namespace {

using testing::HasSubstr;
using testing::Not;

template <class Printed>
std::string text(const Printed& printed) {
  std::ostringstream out;
  printed.print(out);
  return out.str();
}

TEST(Printable, LeavesTextAlone) {
  EXPECT_EQ(printable(""), "");
  EXPECT_EQ(printable("alice@orga.example: café 🇳🇱 日本"), "alice@orga.example: café 🇳🇱 日本");
}

TEST(Printable, EscapesWhatSteersATerminal) {
  EXPECT_EQ(printable("\x1b[2J\x07"), "\\x1b[2J\\x07");
  EXPECT_EQ(printable("a\nb\tc\rd"), "a\\nb\\x09c\\x0dd");
  EXPECT_EQ(printable(std::string_view("\0", 1)), "\\x00");
  EXPECT_EQ(printable("\x7f"), "\\x7f");
  EXPECT_EQ(printable("\xc2\x9b"), "\\u{009b}");  // CSI in one character
  EXPECT_EQ(printable("\xe2\x80\xae"
                      "gpj.exe"),
            "\\u{202e}gpj.exe");  // right-to-left override
  EXPECT_EQ(printable("a\xe2\x80\x8b"
                      "b"),
            "a\\u{200b}b");                                // zero width
  EXPECT_EQ(printable("\xf3\xa0\x81\x81"), "\\u{e0041}");  // tag
}

TEST(Printable, EscapesInvalidUtf8) {
  EXPECT_EQ(printable("\xff"), "\\xff");
  EXPECT_EQ(printable("a\xc3"), "a\\xc3");
  EXPECT_EQ(printable("\xc0\x80"), "\\xc0\\x80");  // overlong
  EXPECT_EQ(printable("\xe0\x80\xaf"), "\\xe0\\x80\\xaf");
  EXPECT_EQ(printable("\xed\xa0\x80"), "\\xed\\xa0\\x80");           // surrogate
  EXPECT_EQ(printable("\xf4\x90\x80\x80"), "\\xf4\\x90\\x80\\x80");  // over U+10FFFF
}

TEST(Printable, IsUnambiguous) { EXPECT_NE(printable("\\x1b"), printable("\x1b")); }

TEST(Columns, CountsWhatATerminalShows) {
  EXPECT_EQ(columns("abc"), 3U);
  EXPECT_EQ(columns("é"), 1U);
  EXPECT_EQ(columns("e\xcc\x81"), 1U);
  EXPECT_EQ(columns("日本"), 4U);
}

TEST(Table, AlignsColumnsWithoutTrailingSpace) {
  Table table({"NODE", "TRUST", "LAST SEEN"});
  table.add({"orgb.example", "trusted", "now"});
  table.add({"日本.example", "", "a minute ago"});
  EXPECT_EQ(text(table),
            "NODE          TRUST    LAST SEEN\n"
            "orgb.example  trusted  now\n"
            "日本.example  -        a minute ago\n");
}

TEST(Table, FillsShortRowsAndDropsExtraCells) {
  Table table({"A", "B"});
  table.add({"1"});
  table.add({"1", "2", "3"});
  EXPECT_EQ(text(table), "A  B\n1  -\n1  2\n");
}

TEST(Table, CutsLongCellsAndKeepsThemHarmless) {
  Table table({"A", "B"});
  table.add({std::string(200, 'x'), "\x1b[31m"});
  const auto printed = text(table);
  EXPECT_THAT(printed, HasSubstr("x…  \\x1b[31m\n"));
  EXPECT_THAT(printed, Not(HasSubstr(std::string(Table::widest_cell, 'x'))));
  Table wide({"A"});
  for (int i = 0; i < 3; ++i)
    wide.add({std::string(static_cast<std::size_t>(i), 'a') + [] {
      std::string cells;
      for (int n = 0; n < 50; ++n) cells += "日";
      return cells;
    }()});
  EXPECT_THAT(text(wide), HasSubstr("日…\n"));
}

TEST(Details, LeavesOutEmptyValuesAndKeepsLongOnes) {
  Details details;
  details.add("name", "");
  details.add("state", "ready");
  details.add("explanation", std::string(100, 'x'));
  EXPECT_EQ(text(details), "state        ready\nexplanation  " + std::string(100, 'x') + "\n");
}

TEST(Json, IsPrintedReadableAndHarmless) {
  std::ostringstream out;
  const nlohmann::json value{{"a", "caf\xc3\xa9\x1b\x7f\xc2\x9b\xe2\x80\xae\xf3\xa0\x81\x81\xf0\x9f\x87\xb3\xff"}};
  print_json(out, value);
  EXPECT_EQ(out.str(),
            "{\n  \"a\": \"caf\xc3\xa9\\u001b\\u007f\\u009b\\u202e\\udb40\\udc41\xf0\x9f\x87\xb3\xef\xbf\xbd\"\n}\n");
  EXPECT_EQ(nlohmann::json::parse(out.str())["a"].get<std::string>().substr(0, 7), "caf\xc3\xa9\x1b\x7f");
}

TEST(Json, MembersOfAnyKindBecomeText) {
  const auto object = nlohmann::json::parse(R"({"s":"x","n":5,"b":true,"z":null,"l":["a",1],"o":{}})");
  EXPECT_EQ(text_of(object, "s"), "x");
  EXPECT_EQ(text_of(object, "n"), "5");
  EXPECT_EQ(text_of(object, "z"), "");
  EXPECT_EQ(text_of(object, "none"), "");
  EXPECT_EQ(text_of(object, "l"), "a, 1");
  EXPECT_EQ(text_of(nlohmann::json(7), "s"), "");
  EXPECT_TRUE(flag_of(object, "b"));
  EXPECT_FALSE(flag_of(object, "s"));
  EXPECT_TRUE(part_of(object, "o").is_object());
  EXPECT_TRUE(part_of(object, "s").is_array());
  EXPECT_TRUE(part_of(object, "none").empty());
}

}  // namespace
}  // namespace fedgate::cli
