// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>

#include "audit/leaf.h"
#include "base/json.h"
#include "running.h"
#include "store/store.h"
#include "support/log_writer.h"

namespace fedgate::cli {
namespace {

using test::LogWriter;
using test::NoteKey;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr auto log_name = "orga.example/fedgate/log/a/1";

class AuditVerify : public Folder {
 protected:
  AuditVerify() {
    for (unsigned i = 0; i < 20; ++i) log.add("outcome", i + 1);
  }
  void SetUp() override {
    Folder::SetUp();
    export_to("export");
    write("trusted", witness.vkey() + "\n");
    write("notes", log.cosigned(10, key, witness, LogWriter::first_second + 60) + "\n" +
                       log.cosigned(20, key, witness, LogWriter::first_second + 60));
  }
  void export_to(const std::string& name) const {
    const std::vector<std::string> vkeys{key.vkey()};
    test::write_export(path(name), log.leaves, log.note(log.leaves.size(), key), vkeys);
  }
  [[nodiscard]] Ran verify(std::vector<std::string> more) const {
    std::vector<std::string> words{"audit", "verify"};
    words.insert(words.end(), more.begin(), more.end());
    return run_words(words);
  }
  /// A database that holds the log as the shipper writes it.
  [[nodiscard]] std::string database() const {
    const auto url = "sqlite:" + path("trail.db");
    auto store = store::open({.url = url});
    EXPECT_TRUE(store) << store.error().detail;
    std::vector<store::AuditRow> rows;
    for (const auto& leaf : log.leaves) {
      auto row = audit::row_of(leaf);
      EXPECT_TRUE(row) << row.error().detail;
      rows.push_back(std::move(*row));
    }
    EXPECT_TRUE((*store)->append_audit(rows));
    return url;
  }

  LogWriter log{log_name};
  NoteKey key{log_name, NoteKey::Type::log, 'k'};
  NoteKey witness{"orgb.example/fedgate/witness", NoteKey::Type::witness, 'w'};
};

TEST_F(AuditVerify, AnExportUnderAWitnesssKey) {
  const auto ran = verify({"--export", path("export"), "--witness", path("notes"), "--vkey", path("trusted")});
  EXPECT_EQ(ran.status, 0) << ran.out << ran.err;
  EXPECT_THAT(ran.out, AllOf(HasSubstr(log_name), HasSubstr("verified"), HasSubstr("by a witness 20"),
                             HasSubstr("3 shown, 3 match"), Not(HasSubstr("No --vkey"))));
}

TEST_F(AuditVerify, WithoutAKeyItSaysWhatThatIsWorth) {
  const auto ran = verify({"--export", path("export")});
  EXPECT_EQ(ran.status, 0) << ran.out << ran.err;
  EXPECT_THAT(ran.out, AllOf(HasSubstr("consistent"), HasSubstr("No --vkey was given")));
}

TEST_F(AuditVerify, KeysThatSignedNothingHereAreNoProof) {
  const NoteKey stranger("orgc.example/fedgate/witness", NoteKey::Type::witness, 's');
  const auto ran = verify({"--export", path("export"), "--vkey", stranger.vkey()});
  EXPECT_EQ(ran.status, 1) << ran.out;
  EXPECT_THAT(ran.out, HasSubstr("unproven"));
}

TEST_F(AuditVerify, ATamperedExportFails) {
  auto first = log.leaves[4];
  first.replace(first.find("alice"), 5, "mabel");
  log.leaves[4] = first;
  export_to("edited");
  const auto ran = verify(
      {"--export", path("edited"), "--witness", path("notes"), "--vkey", path("trusted"), "--witness", path("export")});
  EXPECT_EQ(ran.status, 1);
  EXPECT_THAT(ran.out, AllOf(HasSubstr("broken"), HasSubstr("leaves 0 to 9"), HasSubstr("hashed anew"),
                             HasSubstr("leaf 4 was changed")))
      << "the older export names it";
}

TEST_F(AuditVerify, TheSameAsJson) {
  const auto ran =
      verify({"--export", path("export"), "--witness", path("notes"), "--vkey", path("trusted"), "--output", "json"});
  EXPECT_EQ(ran.status, 0) << ran.err;
  const auto reports = json::parse(ran.out);
  ASSERT_TRUE(reports) << ran.out;
  ASSERT_EQ(reports->size(), 1U);
  const auto& report = reports->front();
  EXPECT_EQ(report["verdict"], "verified");
  EXPECT_EQ(report["leaves"], 20);
  EXPECT_EQ(report["proven"]["by_witness"], 20);
  EXPECT_EQ(report["root"], to_hex(test::plain_root(log.leaves)));
  EXPECT_TRUE(report["findings"].empty());
}

TEST_F(AuditVerify, ADatabase) {
  const auto url = database();
  const auto whole = verify({"--store", url, "--witness", path("notes"), "--vkey", path("trusted")});
  EXPECT_EQ(whole.status, 0) << whole.out << whole.err;
  EXPECT_THAT(whole.out, AllOf(HasSubstr("verified"), HasSubstr("sqlite database"), Not(HasSubstr("column_differs"))));
  const auto named = verify({"--store", url, "--log", "orga.example/fedgate/log/b/1"});
  EXPECT_EQ(named.status, 1);
  EXPECT_THAT(named.err, HasSubstr("holds no log orga.example/fedgate/log/b/1"));
}

TEST_F(AuditVerify, SeveralLogsAreHeldAgainstEachOther) {
  LogWriter other("orgb.example/fedgate/log/a/1");
  other.add(
      "outcome", 5,
      {{"counterparty",
        {{"hash", to_hex(test::plain_leaf_hash("what A says it never wrote"))}, {"index", 4}, {"log", log_name}}}});
  const std::vector<std::string> none;
  const NoteKey of_other(other.name(), NoteKey::Type::log, 'o');
  test::write_export(path("other"), other.leaves, other.note(1, of_other), none);
  const auto ran = verify({"--export", path("export"), "--export", path("other")});
  EXPECT_EQ(ran.status, 1);
  EXPECT_THAT(ran.out, HasSubstr("leaf 4 was changed: it is not the one that leaf 0 of orgb.example"));
}

TEST_F(AuditVerify, WrongUsageIsSaidAtOnce) {
  for (const auto& words :
       std::vector<std::vector<std::string>>{{"--export", path("nowhere")},
                                             {"--export", path("export"), "--vkey", "nonsense"},
                                             {"--export", path("export"), "--vkey", path("export/leaves")},
                                             {"--export", path("export"), "--witness", path("trusted")},
                                             {"--export", path("export"), "--log", "orgb.example/fedgate/log/a/1"},
                                             {"--export", path("export"), "--store", "sqlite:x.db"},
                                             {"--store", "sqlite:" + path("nowhere.db")}}) {
    const auto ran = verify(words);
    EXPECT_NE(ran.status, 0) << words.back();
    EXPECT_FALSE(ran.err.empty());
  }
  EXPECT_EQ(verify({"--export", path("export"), "--vkey", "nonsense"}).status, 2);
  EXPECT_FALSE(std::filesystem::exists(path("nowhere.db"))) << "looking makes nothing";
}

TEST_F(AuditVerify, WhatIsFoundIsShownWithoutItsControlCharacters) {
  log.leaves[3] = "\x1b[2J\x07\xE2\x80\xAE evil";
  export_to("evil");
  const auto ran = verify({"--export", path("evil")});
  EXPECT_EQ(ran.status, 1);
  for (const char byte : {'\x1b', '\x07'}) EXPECT_EQ(ran.out.find(byte), std::string::npos);
  EXPECT_EQ(ran.out.find("\xE2\x80\xAE"), std::string::npos);
}

}  // namespace
}  // namespace fedgate::cli
