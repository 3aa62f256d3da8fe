// SPDX-License-Identifier: Apache-2.0
//
// Promise: whoever changes the trail afterwards is seen. Two real gateways call each other and cosign each other's
// logs; then their databases and exports are edited, cut, swapped, forked, set back and replaced, and `audit verify`
// names what was done.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>

#include <filesystem>
#include <sstream>

#include "audit/signing_key.h"
#include "base/json.h"
#include "cli/cli.h"
#include "support/eventually.h"
#include "support/federation.h"
#include "support/log_writer.h"

namespace fedgate {
namespace {

using nlohmann::json;
using test::call_of;
using test::LogWriter;
using test::NoteKey;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::Not;
using namespace std::chrono_literals;

/// Somebody's hand in a database.
class Hand {
 public:
  explicit Hand(const std::string& path) {
    if (sqlite3_open(path.c_str(), &database_) != SQLITE_OK) throw std::runtime_error("cannot open " + path);
  }
  Hand(const Hand&) = delete;
  Hand& operator=(const Hand&) = delete;
  ~Hand() { sqlite3_close(database_); }
  void does(const std::string& sql) {
    char* problem = nullptr;
    if (sqlite3_exec(database_, sql.c_str(), nullptr, nullptr, &problem) != SQLITE_OK)
      throw std::runtime_error(sql + ": " + problem);
    if (sqlite3_total_changes(database_) == changes_) throw std::runtime_error(sql + ": changed nothing");
    changes_ = sqlite3_total_changes(database_);
  }
  std::vector<std::string> texts(const std::string& sql) {
    std::vector<std::string> list;
    sqlite3_stmt* statement = nullptr;
    if (sqlite3_prepare_v2(database_, sql.c_str(), -1, &statement, nullptr) != SQLITE_OK)
      throw std::runtime_error(sql + ": " + sqlite3_errmsg(database_));
    while (sqlite3_step(statement) == SQLITE_ROW)
      list.emplace_back(reinterpret_cast<const char*>(sqlite3_column_text(statement, 0)));
    sqlite3_finalize(statement);
    return list;
  }

 private:
  sqlite3* database_ = nullptr;
  int changes_ = 0;
};

struct Verified {
  int status = -1;
  std::string verdict, text;
  std::vector<std::string> findings;  ///< `kind first-last`, notes left out
  json report;
};

Verified verify(std::vector<std::string> words) {
  words.insert(words.begin(), {"fedgate", "audit", "verify", "--output", "json"});
  std::vector<const char*> argv;
  for (const auto& word : words) argv.push_back(word.c_str());
  std::ostringstream out, err;
  Verified verified;
  verified.status =
      cli::run(static_cast<int>(argv.size()), argv.data(), [](const std::string&) { return 99; }, out, err);
  verified.text = out.str() + err.str();
  const auto reports = fedgate::json::parse(out.str());
  if (!reports || !reports->is_array() || reports->empty()) return verified;
  verified.report = reports->front();
  verified.verdict = verified.report["verdict"];
  for (const auto& finding : verified.report["findings"])
    if (finding["grade"] != "note")
      verified.findings.push_back(finding["kind"].get<std::string>() + " " + finding["first"].dump() + "-" +
                                  finding["last"].dump());
  return verified;
}

constexpr auto log_a = "orga.example/fedgate/log/a/1";

std::string run(std::vector<std::string> words) {
  words.insert(words.begin(), "fedgate");
  std::vector<const char*> argv;
  for (const auto& word : words) argv.push_back(word.c_str());
  std::ostringstream out;
  const int status =
      cli::run(static_cast<int>(argv.size()), argv.data(), [](const std::string&) { return 99; }, out, out);
  if (status != 0) throw std::runtime_error(words[2] + " failed: " + out.str());
  return out.str();
}

/// What both gateways have written and cosigned, made once for all tests: none of them changes it.
struct Trails {
  test::TempDirectory directory;
  std::vector<std::string> a;      // leaves of A's log
  std::vector<std::size_t> marks;  // sizes that B has cosigned, one after each round of calls
  std::optional<wire::NoteSigner> stolen_key;

  Trails() {
    test::Federation orgs(2);
    for (auto* one : {&orgs.a(), &orgs.b()}) {
      one->environment.exchange = {.interval = 30ms, .settling = 0ms};
      one->environment.audit.interval = 20ms;
      one->settings.audit.checkpoint_every = 50ms;
    }
    orgs.start();
    for (int round = 0; round < 4; ++round) {
      for (int i = 0; i < 2; ++i) {
        call(orgs, 0, 'b', "lookup", 200), call(orgs, 1, 'a', "order", 200);
        call(orgs, 0, 'b', "order", 200), call(orgs, 0, 'b', "forbidden", 403);
        call(orgs, 0, 'b', "secret", 403), call(orgs, 1, 'a', "lookup", 200);
      }
      marks.push_back(cosigned(orgs));
    }
    const auto key = orgs.a().gateway->publisher().keys().front();
    const auto witness = orgs.a().gateway->log_keys().witness_key(orgs.b().id).value();
    test::write_file(directory.path("vkeys"), key.text() + "\n" + witness.text() + "\n");
    for (auto* one : {&orgs.a(), &orgs.b()})
      run({"audit", "export", "--format", "tlog", directory.path("export-" + one->id.str().substr(3, 1)), "--socket",
           one->gateway->admin_address().substr(5)});
    (void)orgs.a().trail(store::AuditQuery{}), (void)orgs.b().trail(store::AuditQuery{});
    orgs.a().stop(), orgs.b().stop();
    std::filesystem::copy(database_of(orgs.a()), directory.path("a.db"));
    a = Hand(directory.path("a.db"))
            .texts("SELECT leaf FROM audit_events WHERE log = '" + std::string(log_a) + "' ORDER BY log_index");
    std::string notes;
    for (const auto size : marks)
      notes += Hand(database_of(orgs.b()))
                   .texts("SELECT note FROM audit_checkpoints WHERE log = '" + std::string(log_a) +
                          "' AND size = " + std::to_string(size))
                   .at(0);
    test::write_file(directory.path("witnessed"), notes);
    const auto key_file = std::filesystem::path(orgs.a().settings.audit.journal).parent_path() / "signer" / "audit.key";
    auto signer = audit::read_signer(key_file, log_a, wire::NoteAlgorithm::ed25519);
    if (!signer) throw std::runtime_error(signer.error().detail);
    stolen_key.emplace(std::move(*signer));
  }

  static void call(test::Federation& orgs, std::size_t from, char to, const char* capability, int status) {
    const auto answer = orgs[from].invoke(orgs.client, call_of(to, capability));
    if (answer.status != status) throw std::runtime_error("a call failed: " + answer.text + answer.problem);
  }
  /// Waits until B has cosigned everything that A has written so far.
  static std::size_t cosigned(test::Federation& orgs) {
    std::size_t size = 0;
    const auto wanted = orgs.a().gateway->journal().state().durable;
    const bool there = test::eventually([&] {
      const auto log = orgs.a().operate(orgs.client, "GET", "/api/v2/audit/log").body;
      if (!log.is_object() || !log["witnessed"].is_object()) return false;
      size = log["witnessed"]["size"].get<std::size_t>();
      return size >= wanted;
    });
    if (!there) throw std::runtime_error("B does not cosign");
    return size;
  }
  static std::string database_of(const test::Organisation& organisation) {
    return organisation.settings.store.url.substr(std::string_view("sqlite:").size());
  }
  /// A checkpoint of these leaves under the log's own key.
  [[nodiscard]] std::string signed_anew(std::span<const std::string> leaves) const {
    const auto text = test::head_text(log_a, leaves);
    return text + "\n" + stolen_key->sign(text);
  }
};

class Tamper : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { trails_ = new Trails; }
  static void TearDownTestSuite() {
    delete trails_;
    trails_ = nullptr;
  }
  void SetUp() override {
    std::filesystem::copy(trails().directory.path("a.db"), database());
    // Whoever changes records takes away what the database keeps of the heads.
    Hand(database()).does("DELETE FROM audit_checkpoints");
  }

  static const Trails& trails() { return *trails_; }
  [[nodiscard]] std::string database() const { return directory_.path("a.db"); }
  /// What B has cosigned after so many rounds.
  static std::size_t mark(std::size_t rounds) { return rounds == 0 ? 0 : trails().marks.at(rounds - 1); }
  static std::size_t size() { return mark(4); }
  /// As findings name it.
  static std::string range(const char* kind, std::size_t first, std::size_t last) {
    return std::string(kind) + " " + std::to_string(first) + "-" + std::to_string(last);
  }
  static std::string at(const char* kind, std::size_t index) { return range(kind, index, index); }

  [[nodiscard]] Verified verify_database() const {
    return verify({"--store", "sqlite:" + database(), "--witness", trails().directory.path("witnessed"), "--vkey",
                   trails().directory.path("vkeys")});
  }
  /// With what the other side's records say, too.
  [[nodiscard]] Verified verify_with_counterparty() const {
    return verify({"--store", "sqlite:" + database(), "--witness", trails().directory.path("witnessed"), "--witness",
                   trails().directory.path("export-b"), "--vkey", trails().directory.path("vkeys")});
  }
  [[nodiscard]] Verified verify_export(std::span<const std::string> leaves, const std::string& checkpoint,
                                       const std::string& vkey) const {
    const std::vector<std::string> vkeys{vkey};
    test::write_export(directory_.path("export"), leaves, checkpoint, vkeys);
    return verify({"--export", directory_.path("export"), "--witness", trails().directory.path("witnessed"), "--vkey",
                   trails().directory.path("vkeys")});
  }
  static std::string where(std::size_t index) { return " WHERE log_index = " + std::to_string(index); }
  /// An outcome of a call that went to the other side and came back: its record names ours.
  static std::size_t a_leaf_that_b_knows() {
    for (std::size_t i = mark(2) + 1; i < mark(3); ++i)
      if (trails().a[i].contains("\"phase\":\"intent\"") && trails().a[i].contains("\"origin\":\"orga.example\""))
        return i;
    throw std::runtime_error("no intent of ours");
  }
  /// As a thief of the key would write it: consistent in itself.
  static std::vector<std::string> rewritten(std::size_t from, std::size_t count) {
    auto leaves = std::vector(trails().a.begin(), trails().a.begin() + static_cast<std::ptrdiff_t>(from));
    LogWriter other(log_a);
    other.leaves = leaves;
    while (other.leaves.size() < count)
      other.add("outcome", 7000 + static_cast<unsigned>(other.leaves.size()),
                {{"time", "2099-01-01T00:00:00.000000Z"}});
    return other.leaves;
  }

 private:
  static Trails* trails_;
  test::TempDirectory directory_;
};
Trails* Tamper::trails_ = nullptr;

TEST_F(Tamper, NothingWasTouched) {
  const auto verified = verify_with_counterparty();
  EXPECT_EQ(verified.status, 0) << verified.text;
  EXPECT_EQ(verified.verdict, "verified");
  EXPECT_EQ(verified.report["proven"]["by_witness"], size());
  EXPECT_THAT(verified.findings, ElementsAre()) << verified.text;
  const auto exported = verify({"--export", trails().directory.path("export-a"), "--witness",
                                trails().directory.path("export-b"), "--vkey", trails().directory.path("vkeys")});
  EXPECT_EQ(exported.status, 0) << exported.text;
  EXPECT_EQ(exported.verdict, "verified");
  EXPECT_GE(exported.report["proven"]["by_witness"], size()) << "with what the export says that B has cosigned";
  EXPECT_THAT(exported.findings, ElementsAre()) << exported.text;
}

TEST_F(Tamper, BothSidesAreHeldAgainstEachOther) {
  const auto both =
      verify({"--export", trails().directory.path("export-a"), "--export", trails().directory.path("export-b")});
  EXPECT_EQ(both.status, 0) << both.text;
  EXPECT_EQ(both.verdict, "consistent") << "no key was given";
}

TEST_F(Tamper, AColumnIsEdited) {
  Hand(database()).does("UPDATE audit_events SET principal = 'mallory@orga.example'" + where(7));
  const auto verified = verify_database();
  EXPECT_EQ(verified.status, 1);
  EXPECT_THAT(verified.findings, ElementsAre(at("column_differs", 7))) << verified.text;
}

TEST_F(Tamper, ALeafIsEditedAndEveryColumnWithIt) {
  const auto index = a_leaf_that_b_knows();
  Hand hand(database());
  hand.does("UPDATE audit_events SET leaf = replace(leaf, 'alice@orga.example', 'mallory@orga.example')" +
            where(index));
  hand.does("UPDATE audit_events SET principal = 'mallory@orga.example'" + where(index));
  const auto verified = verify_database();
  EXPECT_EQ(verified.status, 1);
  EXPECT_THAT(verified.findings, ElementsAre(range("range_altered", mark(2), mark(3) - 1))) << verified.text;
  EXPECT_THAT(verify_with_counterparty().findings, Contains(at("leaf_differs", index)))
      << "the other side's record holds the hash of what stood there";
}

TEST_F(Tamper, WhatTheDatabaseKeepsOfHeadsNarrowsIt) {
  std::filesystem::remove(database());
  std::filesystem::copy(trails().directory.path("a.db"), database());
  const auto index = mark(2) + 1;
  Hand hand(database());
  hand.does("UPDATE audit_events SET leaf = replace(leaf, '\"time\":\"20', '\"time\":\"19')" + where(index));
  const auto verified = verify_database();
  EXPECT_EQ(verified.status, 1);
  const auto sizes =
      hand.texts("SELECT size FROM audit_checkpoints WHERE log = '" + std::string(log_a) + "' ORDER BY size");
  ASSERT_GE(sizes.size(), 4U);
  std::size_t below = 0, above = 0;
  for (const auto& text : sizes) {
    const auto each = std::stoul(text);
    if (each <= index) below = each;
    if (each > index && above == 0) above = each;
  }
  EXPECT_THAT(verified.findings, Contains(range("range_altered", below, above - 1))) << verified.text;
}

TEST_F(Tamper, ALeafIsDeleted) {
  Hand(database()).does("DELETE FROM audit_events" + where(9));
  const auto verified = verify_database();
  EXPECT_EQ(verified.status, 1);
  EXPECT_THAT(verified.findings, Contains(at("leaves_missing", 9))) << verified.text;
}

TEST_F(Tamper, ALeafIsDeletedAndTheRowsBehindItMovedUp) {
  Hand hand(database());
  hand.does("DELETE FROM audit_events" + where(9));
  hand.does("UPDATE audit_events SET log_index = -log_index WHERE log_index > 9");
  hand.does("UPDATE audit_events SET log_index = -log_index - 1 WHERE log_index < 0");
  EXPECT_THAT(verify_database().findings, Contains(at("leaves_missing", 9)));
}

TEST_F(Tamper, TwoLeavesAreSwapped) {
  Hand hand(database());
  hand.does("UPDATE audit_events SET log_index = -1" + where(11));
  hand.does("UPDATE audit_events SET log_index = 11" + where(14));
  hand.does("UPDATE audit_events SET log_index = 14 WHERE log_index = -1");
  const auto verified = verify_database();
  EXPECT_EQ(verified.status, 1);
  EXPECT_THAT(verified.findings, Contains(range("leaves_swapped", 11, 14))) << verified.text;
}

TEST_F(Tamper, ALeafIsAdded) {
  Hand hand(database());
  hand.does("UPDATE audit_events SET log_index = -log_index WHERE log_index >= 12");
  hand.does("UPDATE audit_events SET log_index = 1 - log_index WHERE log_index < 0");
  auto forged = *fedgate::json::parse(trails().a[3]);
  forged["index"] = 12;
  forged["correlation_id"] = LogWriter::correlation_id(1);
  hand.does("INSERT INTO audit_events SELECT log, 12, timestamp, '" + LogWriter::correlation_id(1) +
            "', event_type, phase, attempt, principal, principal_org, actor, credential_id, resource, "
            "resource_protocol, capability_id, action, decision, reason, policy_id, outcome, error_code, source_node, "
            "target_node, estimated_cost, actual_cost, duration_ms, upstream_ms, request_bytes, response_bytes, '" +
            forged.dump() + "' FROM audit_events" + where(3));
  const auto verified = verify_database();
  EXPECT_EQ(verified.status, 1);
  EXPECT_THAT(verified.findings,
              AllOf(Contains(range("range_altered", 0, mark(1) - 1)), Contains(at("leaf_added", 13))))
      << verified.text;
}

TEST_F(Tamper, TheEndIsCutOff) {
  Hand(database())
      .does("DELETE FROM audit_events WHERE log_index >= " + std::to_string(size() - 5) + " AND log = '" + log_a + "'");
  const auto verified = verify_database();
  EXPECT_EQ(verified.status, 1);
  EXPECT_THAT(verified.findings, ElementsAre(range("truncated", size() - 5, size() - 1))) << verified.text;
  EXPECT_EQ(verified.report["proven"]["by_witness"], mark(3));
}

TEST_F(Tamper, AnOldCopyIsPutBackAndGoesOn) {
  const auto old = rewritten(mark(2) + 2, size() + 10);
  const auto verified =
      verify_export(old, trails().signed_anew(std::span(old).first(mark(2))), trails().stolen_key->vkey().text());
  EXPECT_EQ(verified.status, 1);
  EXPECT_THAT(verified.findings, Contains(range("range_altered", mark(2), mark(3) - 1))) << verified.text;
}

TEST_F(Tamper, TheLogIsForkedUnderItsOwnKey) {
  const auto forked = rewritten(mark(2), size() + 10);
  const auto verified = verify_export(forked, trails().signed_anew(forked), trails().stolen_key->vkey().text());
  EXPECT_EQ(verified.status, 1);
  EXPECT_THAT(verified.findings,
              AllOf(Contains(range("range_altered", mark(2), mark(3) - 1)), Contains(range("fork", 0, mark(3) - 1))))
      << verified.text;
}

TEST_F(Tamper, EverythingIsReplacedAndHashedAnewUnderTheStolenKey) {
  const auto other = rewritten(0, size());
  const auto verified = verify_export(other, trails().signed_anew(other), trails().stolen_key->vkey().text());
  EXPECT_EQ(verified.status, 1);
  EXPECT_EQ(verified.report["proven"]["by_witness"], 0);
  EXPECT_THAT(verified.findings,
              AllOf(Contains(range("range_altered", 0, mark(1) - 1)), Contains(::testing::StartsWith("fork 0-"))))
      << verified.text;
}

TEST_F(Tamper, EverythingIsReplacedUnderAKeyOfTheThiefsOwn) {
  const auto other = rewritten(0, size());
  const NoteKey own(log_a, NoteKey::Type::log, 't');
  const auto text = test::head_text(log_a, other);
  const auto verified = verify_export(other, text + "\n" + own.line(text), own.vkey());
  EXPECT_EQ(verified.status, 1);
  EXPECT_THAT(verified.findings,
              AllOf(Contains(range("range_altered", 0, mark(1) - 1)), Not(Contains(::testing::StartsWith("fork")))))
      << verified.text;
}

}  // namespace
}  // namespace fedgate
