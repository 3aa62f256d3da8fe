// SPDX-License-Identifier: Apache-2.0
#include "config/document.h"

#include "unit/config/folder.h"

namespace fedgate::config {
namespace {

std::vector<std::string> findings_of(std::string_view text) {
  Report report;
  report.add_file("f.yaml");
  read_document(text, 0, report);
  std::vector<std::string> out;
  for (const auto& finding : report.sorted()) out.push_back(finding.text());
  return out;
}
using Lines = std::vector<std::string>;

TEST(Document, KeepsPlacesFromOne) {
  Report report;
  report.add_file("f.yaml");
  const auto root = read_document("# first\na: 1\nü: { inner: [x, y] }\n", 0, report);
  ASSERT_TRUE(root.has_value());
  ASSERT_EQ(root->members.size(), 2U);
  EXPECT_EQ(root->members[0].value.place, (Place{0, 2, 4}));
  const auto& inner = root->members[1].value.members.at(0);
  EXPECT_EQ(inner.key.place, (Place{0, 3, 6}));  // characters, not bytes
  EXPECT_EQ(inner.value.items.at(1).place, (Place{0, 3, 17}));
}

TEST(Document, KeepsDuplicateKeysForTheBinder) {
  Report report;
  report.add_file("f.yaml");
  const auto root = read_document("a: 1\na: 2\n", 0, report);
  ASSERT_TRUE(root.has_value());
  EXPECT_EQ(root->members.size(), 2U);
}

TEST(Document, TellsQuotedFromPlain) {
  Report report;
  report.add_file("f.yaml");
  const auto root = read_document("a: 'true'\nb: true\nc: ~\nd:\n", 0, report);
  ASSERT_TRUE(root.has_value());
  EXPECT_FALSE(root->members.at(0).value.plain);
  EXPECT_TRUE(root->members.at(1).value.plain);
  EXPECT_EQ(root->members.at(2).value.kind, Value::Kind::null);
  EXPECT_EQ(root->members.at(3).value.kind, Value::Kind::null);
}

TEST(Document, RefusesWhatReadersDisagreeAbout) {
  EXPECT_EQ(findings_of("a: &x 1\nb: *x\n"),
            (Lines{"f.yaml:1:4: error: the anchor `&x` is refused: what stands in a file must be what a reader sees "
                   "there; write the value out at each place",
                   "f.yaml:2:4: error: the alias is refused: what stands in a file must be what a reader sees there; "
                   "write the value out"}));
  EXPECT_EQ(
      findings_of("a:\n  <<: { b: 1 }\n"),
      Lines{"f.yaml:2:3: error: the merge key `<<` is refused: YAML readers disagree about it; write the keys out"});
  EXPECT_EQ(
      findings_of("a: !!binary aGk=\n"),
      Lines{"f.yaml:1:4: error: the tag `tag:yaml.org,2002:binary` is refused: each key has one type; remove the tag"});
  EXPECT_EQ(findings_of("a: 1\n---\nb: 2\n"), Lines{"f.yaml:2:1: error: a second document begins here; a file holds "
                                                    "one: move it to a file of its own in conf.d"});
  EXPECT_EQ(findings_of("? [a, b]\n: 1\n"), Lines{"f.yaml:1:3: error: a key must be a plain word"});
}

TEST(Document, RefusesWhatIsNotAMapping) {
  EXPECT_EQ(findings_of("- a\n- b\n"), Lines{"f.yaml:1:1: error: the file must hold `key: value` lines"});
  EXPECT_EQ(findings_of("hello\n"), Lines{"f.yaml:1:1: error: the file must hold `key: value` lines"});
  EXPECT_EQ(findings_of(""), Lines{});
  EXPECT_EQ(findings_of("# nothing\n"), Lines{});
}

TEST(Document, SaysWhereTheSyntaxBreaks) {
  EXPECT_EQ(findings_of("a: 1\nb: [1, 2\nc: 3\n"),
            Lines{"f.yaml:3:2: error: not YAML: end of sequence flow not found"});
  EXPECT_EQ(findings_of("a: \"open\n"),
            Lines{"f.yaml:1:4: error: not YAML: the quote that begins here is never closed"});
  EXPECT_EQ(findings_of("a: 'it''s open\n\n"),
            Lines{"f.yaml:1:4: error: not YAML: the quote that begins here is never closed"});
  EXPECT_EQ(findings_of("a: 'it''s \"closed'\nb: \"a \\\" ' b\"\nc: |\n  \"block\n"), Lines{});
  EXPECT_EQ(findings_of("a: 1\n\tb: 2\n").size(), 1U);
}

TEST(Document, RefusesBytesThatAreNotText) {
  EXPECT_EQ(findings_of("a: 1\nb: \xFFx\n"),
            Lines{"f.yaml:2:4: error: not UTF-8 from here on; save the file as UTF-8"});
  EXPECT_EQ(findings_of("\xEF\xBB\xBF"
                        "a: 1\n"),
            Lines{"f.yaml:1:1: error: the file begins with a byte order mark; save it as UTF-8 without one"});
  EXPECT_EQ(findings_of(std::string_view("a: x\0y\n", 7)),
            Lines{"f.yaml:1:5: error: a control character stands here; remove it"});
}

TEST(Document, IsBounded) {
  EXPECT_EQ(findings_of(std::string(largest_document + 1, '#')),
            Lines{"f.yaml: error: the file has more than 1 MiB; split it into files in conf.d"});
  EXPECT_EQ(findings_of("a: " + std::string(100, '[') + std::string(100, ']')),
            Lines{"f.yaml:1:19: error: nested more than 16 deep"});
  // The largest hostile texts must end quickly, whatever they hold.
  for (const std::string_view piece : {"[", "{", "- ", "? ", "a: {", "&a ", "!", "\"", "'", "[,", "-\n"}) {
    std::string text;
    while (text.size() + piece.size() <= largest_document) text += piece;
    const auto begin = std::chrono::steady_clock::now();
    EXPECT_FALSE(findings_of(text).empty()) << piece;
    EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(60)) << piece;
  }
}

}  // namespace
}  // namespace fedgate::config
