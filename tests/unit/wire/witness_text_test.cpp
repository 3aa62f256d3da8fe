// SPDX-License-Identifier: Apache-2.0
#include "wire/witness_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/hash.h"

namespace fedgate::wire {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// The example of C2SP tlog-witness.
constexpr std::string_view example =
    "old 20852014\n"
    "PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=\n"
    "jrJZDmY8Y7SyJE0MWLpLozkIVMSMZcD5kvuKxPC3swk=\n"
    "5+pKlUdi2LeF/BcMHBn+Ku6yhPGNCswZZD1X/6QgPd8=\n"
    "/6WVhPs2CwSsb5rYBH5cjHV/wSmA79abXAwhXw3Kj/0=\n"
    "\n"
    "example.com/behind-the-sofa\n"
    "20852163\n"
    "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
    "\n"
    "\xE2\x80\x94 example.com/behind-the-sofa "
    "Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n"
    "\xE2\x80\x94 example.com/behind-the-sofa "
    "opLqBQsREYCgu6xQkYQwJr9fo45a62DN9EdmHXnZdXNqlcVGlCum2Wks+49/V6267UEjw6QUXTS5Rovnzv++qbSzm9Q=\n";

std::string with(std::string_view from, std::string_view to) {
  std::string text(example);
  const auto at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

TEST(AddCheckpoint, TheExampleOfTheSpecification) {
  const auto request = parse_add_checkpoint(example);
  ASSERT_TRUE(request) << request.error().detail;
  EXPECT_EQ(request->old_size, 20852014U);
  EXPECT_EQ(request->proof.size(), 4U);
  EXPECT_EQ(request->checkpoint.origin, "example.com/behind-the-sofa");
  EXPECT_EQ(request->checkpoint.head.size, 20852163U);
  EXPECT_EQ(to_hex(request->proof[0]).substr(0, 8), "3e544d0a");
  EXPECT_EQ(add_checkpoint_body(*request), example);
  const auto note = parse_note(request->checkpoint.note);
  ASSERT_TRUE(note);
  EXPECT_EQ(note_of(note->text, note->signatures), request->checkpoint.note);
}

TEST(AddCheckpoint, NothingElse) {
  const std::string line = "PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=\n";
  std::string many = "old 1\n";
  for (int i = 0; i < 64; ++i) many += line;
  const std::string most = many.substr(0, many.size() - line.size());
  const auto checkpoint = std::string(example.substr(example.find("\n\n") + 1));
  ASSERT_TRUE(parse_add_checkpoint(most + checkpoint)) << "63 lines";
  for (const auto& bad : {
           std::string(),
           std::string("old 1"),
           many + checkpoint,
           with("old 20852014", "old 020852014"),
           with("old 20852014", "old -1"),
           with("old 20852014", "old 1 "),
           with("old 20852014", "old "),
           with("old 20852014", "Old 1"),
           with("old 20852014", "old 99999999999999999999"),
           with("old 20852014\n", "old 20852014\r\n"),
           with("PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=", "PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpka=="),
           with("PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=", "PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkax="),
           with("PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=", "*lRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw="),
           with("\n\nexample", "\nexample"),
           with("20852163", "9007199254740993"),
           with("20852163", "020852163"),
           std::string(example.substr(0, example.size() - 1)),
       }) {
    EXPECT_FALSE(parse_add_checkpoint(bad)) << bad;
  }
  EXPECT_EQ(parse_add_checkpoint(std::string(longest_add_checkpoint + 1, 'o')).error().code, Code::payload_too_large);
}

TEST(TreeSize, IsANumberAndALine) {
  EXPECT_EQ(parse_tree_size("20852014\n").value(), 20852014U);
  EXPECT_EQ(parse_tree_size("0\n").value(), 0U);
  for (const auto* bad : {"", "\n", "1", "01\n", "1\n\n", " 1\n", "1 \n", "-1\n", "9007199254740994\n"})
    EXPECT_FALSE(parse_tree_size(bad)) << bad;
}

TEST(ProofRequest, ThereAndBack) {
  ProofRequest request{.log = "a.example/fedgate/log/a/1", .size = 5000, .indexes = {1000, 1002, 1004, 4999}};
  EXPECT_EQ(proof_query(request), "log=a.example/fedgate/log/a/1&size=5000&leaves=1000,2,2,3995");
  EXPECT_EQ(parse_proof_query(proof_query(request))->indexes, request.indexes);
  request = {.log = "a.example/fedgate/log/a/1", .size = 7, .indexes = {0}, .from = 7};
  const auto read = parse_proof_query(proof_query(request));
  ASSERT_TRUE(read);
  EXPECT_THAT(read->indexes, ElementsAre(0U));
  EXPECT_EQ(read->from, 7U);
  ProofRequest largest{.log = std::string(400, 'l'), .size = largest_tree};
  for (std::size_t i = 0; i < most_indexes; ++i) largest.indexes.push_back(largest_tree - 3 * (most_indexes - i));
  EXPECT_LT(proof_query(largest).size(), 8192U) << "it travels in a request line";
  EXPECT_EQ(parse_proof_query(proof_query(largest))->indexes, largest.indexes);
}

TEST(ProofRequest, NothingElse) {
  std::string many = "log=l&size=9000&leaves=0";
  for (std::size_t i = 0; i < most_indexes; ++i) many += ",1";
  for (const std::string& bad :
       {std::string(), std::string("log=l"), std::string("size=1"), std::string("log=&size=1"),
        std::string("log=l&size=1&size=1"), std::string("log=l&log=m&size=1"), std::string("log=l&size=1&other=2"),
        std::string("log=l&size=4&leaves=4"), std::string("log=l&size=4&leaves=1,0"),
        std::string("log=l&size=4&leaves=1,"), std::string("log=l&size=4&leaves="),
        std::string("log=l&size=4&leaves=1&leaves=2"), std::string("log=l&size=4&from=5"),
        std::string("log=l%20m&size=4"), std::string("log=l&size=4&leaves=1,18446744073709551615"), many}) {
    EXPECT_FALSE(parse_proof_query(bad)) << bad;
  }
}

Sha256 hash(std::uint8_t seed) {
  Sha256 value{};
  value.fill(seed);
  return value;
}

TEST(ProofAnswer, ThereAndBackAndNothingElse) {
  const ProofAnswer answer{{{hash(1), hash(2)}, {hash(3)}}, {hash(4)}};
  const auto body = proof_answer_body(answer);
  const auto read = parse_proof_answer(body, 2);
  ASSERT_TRUE(read) << read.error().detail;
  EXPECT_EQ(read->batch, answer.batch);
  EXPECT_EQ(read->consistency, answer.consistency);
  EXPECT_FALSE(parse_proof_answer(body, 1)) << "more than was asked for";
  EXPECT_FALSE(parse_proof_answer(body, 3));
  EXPECT_FALSE(parse_proof_answer(body + "\n", 2));
  EXPECT_FALSE(parse_proof_answer(body.substr(0, body.size() - 1), 2));
  EXPECT_TRUE(parse_proof_answer("\n\n\n", 0));
  std::string flood = "\n";
  for (int i = 0; i < 2; ++i) flood += to_base64(std::string(32, 'x')) + "\n";
  EXPECT_FALSE(parse_proof_answer(flood + "\n\n", 0)) << "nodes that no question needs";
}

TEST(KeptProof, ThereAndBack) {
  const KeptProof kept{{3, 7, 8}, {{hash(1), hash(2), hash(5)}, {hash(3), hash(4)}}};
  const auto read = parse_kept_proof(kept_proof_text(kept));
  ASSERT_TRUE(read) << read.error().detail;
  EXPECT_EQ(read->indexes, kept.indexes);
  EXPECT_EQ(read->batch, kept.batch);
  EXPECT_FALSE(parse_kept_proof("3,4"));
  EXPECT_FALSE(parse_kept_proof("3 AAAA"));
  EXPECT_FALSE(parse_kept_proof(kept_proof_text(kept).substr(0, 60)));
}

TEST(HeadHeader, ThereAndBackAndNothingElse) {
  const TreeHead head{42, hash(0xAB)};
  const auto text = head_header("a.example/fedgate/log/a/1", head);
  EXPECT_EQ(text, "a.example/fedgate/log/a/1;42;" + to_hex(head.root));
  EXPECT_EQ(parse_head_header(text).value(), (MentionedHead{"a.example/fedgate/log/a/1", head}));
  const auto root = to_hex(head.root);
  for (const auto& bad : {std::string(), std::string(";;"), ";1;" + root, "l;;" + root, "l;01;" + root,
                          "l;1;" + root + "0", "l;1;" + root.substr(1), "l m;1;" + root, "l;9007199254740994;" + root,
                          std::string(600, 'l') + ";1;" + root, "l;1;" + root + ";"})
    EXPECT_FALSE(parse_head_header(bad)) << bad;
}

TEST(TlogProof, IsWhatTheSpecificationSays) {
  const Checkpoint checkpoint{"o", {9, hash(1)}, "o\n9\nAQ==\n\n\xE2\x80\x94 o sig\n"};
  EXPECT_EQ(tlog_proof(3, {hash(0), hash(0)}, checkpoint, "{}"),
            "c2sp.org/tlog-proof@v1\nextra e30=\nindex 3\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"
            "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n\no\n9\nAQ==\n\n\xE2\x80\x94 o sig\n");
  EXPECT_THAT(tlog_proof(0, {}, checkpoint, ""), HasSubstr("@v1\nindex 0\n\no\n"));
}

}  // namespace
}  // namespace fedgate::wire
