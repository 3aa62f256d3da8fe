// SPDX-License-Identifier: Apache-2.0
//
// Promise: what is handed to somebody else is whole or says what it lacks, goes on where it was broken off, and needs
// no software of ours to be checked.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "audit/leaf.h"
#include "audit/merkle_proof.h"
#include "base/hash.h"
#include "base/json.h"
#include "support/command_line.h"
#include "wire/signed_note.h"

namespace fedgate {
namespace {

using test::call_of;
using test::run_at;
using testing::HasSubstr;

std::string text_of(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::vector<std::string> lines_of(const std::string& path) {
  std::vector<std::string> lines;
  std::ifstream in(path, std::ios::binary);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

class Exporting : public ::testing::Test {
 protected:
  void SetUp() override {
    orgs.start();
    for (const char* capability : {"order", "lookup", "forbidden"})
      ids.push_back(orgs.a().invoke(orgs.client, call_of('b', capability)).correlation_id());
    nlohmann::json for_bob = call_of('b', "lookup");
    for_bob["principal_id"] = "bob@orga.example";
    ids.push_back(orgs.a().invoke(orgs.client, for_bob).correlation_id());
    ASSERT_EQ(orgs.a().invoke(orgs.client, call_of('c', "lookup")).status, 200);
  }
  [[nodiscard]] std::string out(const std::string& name = "") const { return directory.path("out") + name; }
  [[nodiscard]] nlohmann::json manifest() const { return json::parse(text_of(out("/manifest.json"))).value(); }
  test::Federation orgs{3};
  test::TempDirectory directory;
  std::vector<std::string> ids;
};

TEST_F(Exporting, BothSidesOfTheCallsWithOnePeer) {
  const auto ran = run_at(orgs.a(), {"audit", "export", out(), "--with-peer", "orgb", "--from", "1h"});
  ASSERT_EQ(ran.status, 0) << ran.out << ran.err;
  std::multiset<std::string> ours, theirs;
  for (const auto& line : lines_of(out("/ours.jsonl"))) {
    const auto record = json::parse(line).value();
    EXPECT_NE(record["target"], "orgc.example") << "others' calls are not orgb's business";
    const auto leaf = record["leaf"].get<std::string>();
    EXPECT_EQ(record["leaf_hash"], to_hex(audit::leaf_hash(leaf)));
    if (record["action"] == "invoke") ours.insert(record["correlation_id"].get<std::string>());
  }
  for (const auto& line : lines_of(out("/theirs.jsonl")))
    theirs.insert(json::parse(line).value()["correlation_id"].get<std::string>());
  for (const auto& id : ids) {
    EXPECT_GE(ours.count(id), 1U) << id;
    EXPECT_GE(theirs.count(id), 1U) << id;
  }
  EXPECT_EQ(theirs.count(ids[0]), 2U);
  const auto listed = manifest();
  EXPECT_EQ(listed["complete"], true);
  EXPECT_EQ(listed["node_id"], "orga.example");
  EXPECT_TRUE(listed["missing"].empty());
  ASSERT_EQ(listed["files"].size(), 2U);
  for (const auto& file : listed["files"]) {
    const auto text = text_of(out("/" + file["name"].get<std::string>()));
    EXPECT_EQ(file["bytes"], text.size());
    EXPECT_EQ(file["sha256"], to_hex(sha256(text)));
  }
  EXPECT_EQ(listed["sides"]["ours"]["records"], lines_of(out("/ours.jsonl")).size());
  EXPECT_EQ(listed["sides"]["theirs"]["records"], lines_of(out("/theirs.jsonl")).size());
  EXPECT_EQ(run_at(orgs.a(), {"audit", "export", out()}).status, 1) << "a finished one is not written over";
}

TEST_F(Exporting, OnePersonsRecordsAsTable) {
  const auto ran = run_at(orgs.a(), {"audit", "export", out(), "--principal", "bob@orga.example", "--format", "csv",
                                     "--with-peer", "orgb.example"});
  ASSERT_EQ(ran.status, 0) << ran.out << ran.err;
  for (const char* file : {"/ours.csv", "/theirs.csv"}) {
    const auto lines = lines_of(out(file));
    ASSERT_EQ(lines.size(), 2U) << file;
    EXPECT_THAT(lines[0], testing::StartsWith("\"time\",\"correlation_id\",\"attempt\",\"phase\""));
    EXPECT_THAT(lines[1], HasSubstr("\"" + ids[3] + "\""));
    EXPECT_THAT(lines[1], HasSubstr("\"bob@orga.example\",\"alice@orga.example\""));
  }
}

TEST_F(Exporting, GoesOnWhenThePeerIsBack) {
  orgs.b().stop();
  const std::vector<std::string> words{"audit", "export", out(), "--with-peer", "orgb", "--from", "1h"};
  const auto cut = run_at(orgs.a(), words);
  EXPECT_EQ(cut.status, 1);
  EXPECT_THAT(cut.err, HasSubstr("the same command goes on"));
  auto listed = manifest();
  EXPECT_EQ(listed["complete"], false);
  ASSERT_EQ(listed["missing"].size(), 1U);
  EXPECT_EQ(listed["missing"][0]["side"], "theirs");
  EXPECT_NE(listed["missing"][0]["why"], "");
  const auto ours = text_of(out("/ours.jsonl"));
  EXPECT_FALSE(ours.empty());
  auto other = words;
  other.back() = "2h";
  EXPECT_THAT(run_at(orgs.a(), other).err, HasSubstr("another export"));

  orgs.b().start();
  const auto rest = run_at(orgs.a(), words);
  ASSERT_EQ(rest.status, 0) << rest.out << rest.err;
  EXPECT_THAT(rest.err, HasSubstr("Going on"));
  EXPECT_EQ(text_of(out("/ours.jsonl")), ours) << "what was there is not written again";
  EXPECT_GE(lines_of(out("/theirs.jsonl")).size(), 5U);
  listed = manifest();
  EXPECT_EQ(listed["complete"], true);
  EXPECT_TRUE(listed["missing"].empty());
}

/// RFC 6962 section 2.1, by its definition.
Sha256 root_of(std::span<const Sha256> leaves) {
  if (leaves.empty()) return audit::empty_root();
  if (leaves.size() == 1) return leaves[0];
  std::size_t half = 1;
  while (half * 2 < leaves.size()) half *= 2;
  return audit::node_hash(root_of(leaves.first(half)), root_of(leaves.subspan(half)));
}

TEST_F(Exporting, TheLogForAnyonesTools) {
  auto& gateway = *orgs.a().gateway;
  const auto reached = gateway.publisher().reach(gateway.journal().state().durable, std::chrono::seconds(10));
  ASSERT_TRUE(reached) << reached.error().detail;
  const auto ran = run_at(orgs.a(), {"audit", "export", out(), "--format", "tlog"});
  ASSERT_EQ(ran.status, 0) << ran.out << ran.err;
  const auto checkpoint = wire::parse_checkpoint(text_of(out("/checkpoint")));
  ASSERT_TRUE(checkpoint) << checkpoint.error().detail;
  EXPECT_EQ(checkpoint->origin, gateway.journal().log_name());
  EXPECT_GE(checkpoint->head.size, (*reached)->head.size);
  std::vector<Sha256> hashes;
  for (const auto& line : lines_of(out("/leaves"))) {
    const auto leaf = from_base64(line);
    ASSERT_TRUE(leaf) << line;
    hashes.push_back(audit::leaf_hash(*leaf));
  }
  ASSERT_EQ(hashes.size(), checkpoint->head.size);
  EXPECT_EQ(root_of(hashes), checkpoint->head.root);
  const auto note = wire::parse_note(text_of(out("/checkpoint")));
  ASSERT_TRUE(note) << note.error().detail;
  bool good = false;
  for (const auto& line : lines_of(out("/vkeys"))) {
    const auto key = wire::parse_vkey(line);
    ASSERT_TRUE(key) << line;
    good = good || wire::signed_by(*note, *key);
  }
  EXPECT_TRUE(good);
  EXPECT_EQ(manifest()["complete"], true);
  EXPECT_EQ(run_at(orgs.a(), {"audit", "export", out() + "2", "--format", "tlog", "--from", "1h"}).status, 2);
}

}  // namespace
}  // namespace fedgate
