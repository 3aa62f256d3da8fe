// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <chrono>
#include <nlohmann/json.hpp>
#include <set>

#include "cli/moment.h"
#include "running.h"
#include "support/identities.h"
#include "trust/dev_pki.h"

namespace fedgate::cli {
namespace {

using nlohmann::json;
using test::Ends;

const std::string now_text = to_rfc3339(trust::test_now);

std::vector<std::string> ends_of(const test::IdentityCase& one) {
  if (one.ends == Ends::client_only) return {"client"};
  if (one.ends == Ends::server_only) return {"server"};
  return {"client", "server"};
}

json question(const std::string& id, const test::Identity& identity, const std::string& as) {
  auto chain = json::array();
  for (const auto& one : identity.chain) chain.push_back(one->pem());
  return {{"id", id},
          {"node_id", identity.spiffe_id.empty() ? test::peer_id : identity.spiffe_id},
          {"anchors", identity.anchors},
          {"intermediates", identity.intermediates},
          {"pins", identity.pins},
          {"crls", identity.crls},
          {"chain", chain},
          {"as", as},
          {"at", now_text}};
}

std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> parts;
  std::istringstream in(text);
  for (std::string part; std::getline(in, part, separator);) parts.push_back(part);
  return parts;
}

class Pki : public Folder {
 protected:
  std::vector<std::vector<std::string>> batch(const std::string& lines) {
    write("batch.jsonl", lines);
    const auto ran = run_words({"pki", "verify", "--batch", path("batch.jsonl")});
    EXPECT_EQ(ran.status, 0) << ran.err;
    std::vector<std::vector<std::string>> answers;
    for (const auto& line : split(ran.out, '\n')) answers.push_back(split(line, '\t'));
    return answers;
  }
  /// The options of one judgement, with its files written.
  std::vector<std::string> words(const test::Identity& identity, const std::string& as) {
    std::vector<std::string> list{
        "pki",  "verify", "--node-id", identity.spiffe_id.empty() ? test::peer_id : identity.spiffe_id,
        "--as", as,       "--at",      now_text};
    const auto files = [&](const char* option, const char* name, const std::vector<std::string>& texts) {
      for (std::size_t i = 0; i < texts.size(); ++i) {
        write(name + std::to_string(i), texts[i]);
        list.insert(list.end(), {option, path(name + std::to_string(i))});
      }
    };
    files("--anchor", "anchor", identity.anchors);
    files("--intermediate", "intermediate", identity.intermediates);
    files("--crl", "crl", identity.crls);
    for (const auto& pin : identity.pins) list.insert(list.end(), {"--pin", pin});
    std::string chain;
    for (const auto& one : identity.chain) chain += one->pem();
    write("chain.pem", chain);
    list.push_back(path("chain.pem"));
    return list;
  }
};

TEST_F(Pki, VerifyRefusesEveryWrongIdentityForItsReasons) {
  std::string lines;
  std::vector<std::set<std::string>> wanted;
  for (const auto& one : test::wrong_identities()) {
    const auto identity = one.make();
    if (!identity.alone()) continue;
    for (const auto& as : ends_of(one)) {
      lines += question(one.name, identity, as).dump() + "\n";
      wanted.emplace_back(one.reasons.begin(), one.reasons.end());
    }
  }
  const auto answers = batch(lines + "\n");
  ASSERT_EQ(answers.size(), wanted.size());
  EXPECT_GE(wanted.size(), 60U);
  for (std::size_t i = 0; i < answers.size(); ++i) {
    ASSERT_EQ(answers[i].size(), 3U);
    EXPECT_EQ(answers[i][1], "refuse") << answers[i][0];
    const auto reasons = split(answers[i][2], ',');
    EXPECT_EQ(std::set<std::string>(reasons.begin(), reasons.end()), wanted[i]) << answers[i][0];
    EXPECT_EQ(reasons.size(), wanted[i].size()) << "each once";
  }
}

TEST_F(Pki, VerifyAcceptsEveryRightIdentity) {
  std::string lines;
  for (const auto& one : test::right_identities())
    if (const auto identity = one.make(); identity.alone())
      for (const auto& as : ends_of(one)) lines += question(one.name, identity, as).dump() + "\r\n";
  const auto answers = batch(lines);
  EXPECT_GE(answers.size(), 60U);
  for (const auto& answer : answers) EXPECT_EQ(answer, (std::vector<std::string>{answer[0], "accept", "-"}));
}

TEST_F(Pki, VerifyOneByOne) {
  for (const auto& one :
       {test::wrong_identities().front(), test::wrong_chains().at(3), test::wrong_revocation().front()}) {
    const auto identity = one.make();
    auto list = words(identity, ends_of(one).front());
    const auto ran = run_words(list);
    EXPECT_EQ(ran.status, 1) << one.name;
    for (const auto& reason : one.reasons) EXPECT_NE(ran.out.find("\n  " + reason), std::string::npos) << ran.out;
    list.insert(list.end(), {"--output", "json"});
    const auto answer = json::parse(run_words(list).out);
    EXPECT_EQ(answer["accepted"], false);
    std::set<std::string> reasons;
    for (const auto& refusal : answer["reasons"]) {
      reasons.insert(refusal["reason"]);
      EXPECT_FALSE(refusal["detail"].get<std::string>().empty());
    }
    EXPECT_EQ(reasons, std::set<std::string>(one.reasons.begin(), one.reasons.end()));
  }
  auto right = test::with_crl([](trust::CrlRecipe&) {});
  right.pins = {test::pin_of(*right.chain[0])};
  std::ranges::transform(right.pins[0], right.pins[0].begin(),
                         [](char c) { return static_cast<char>(std::toupper(c)); });
  const auto accepted = run_words(words(right, "client"));
  EXPECT_EQ(accepted.status, 0) << accepted.out << accepted.err;
  EXPECT_NE(accepted.out.find("as client, it is orgp.example"), std::string::npos) << accepted.out;
  EXPECT_NE(accepted.out.find(test::pin_of(*right.chain[0])), std::string::npos);
}

TEST_F(Pki, VerifyNeedsItsInput) {
  const auto right = test::by_root(test::no_change);
  auto list = words(right, "client");
  EXPECT_EQ(run_words({"pki", "verify"}).status, 2);
  EXPECT_EQ(run_words({"pki", "verify", "--node-id", "a.example", path("chain.pem")}).status, 2);
  EXPECT_EQ(run_words({"pki", "verify", "--batch", path("none.jsonl")}).status, 1);
  auto changed = list;
  changed.insert(changed.end(), {"--crl", path("none.crl")});
  EXPECT_EQ(run_words(changed).status, 1);
  changed = list;
  changed[7] = "yesterday";
  EXPECT_EQ(run_words(changed).status, 2);
  changed = list;
  changed[5] = "both";
  EXPECT_EQ(run_words(changed).status, 2);
  write("chain.pem", "hello");
  const auto no_chain = run_words(list);
  EXPECT_EQ(no_chain.status, 1);
  EXPECT_NE(no_chain.out.find("input_malformed"), std::string::npos) << no_chain.out;
}

TEST_F(Pki, BatchGoesOnAfterLinesThatCannotBeRead) {
  auto good = question("good", test::by_root(test::no_change), "client");
  auto with = [&](const char* key, const json& value) {
    auto changed = good;
    changed["id"] = std::string("bad ") + key;
    changed[key] = value;
    return changed.dump() + "\n";
  };
  std::string lines = "not json\n[]\n{}\n" + with("as", "both") + with("at", "soon") + with("chain", 7) +
                      with("chain", json::array()) + with("chain", json::array({1})) + with("node_id", "localhost") +
                      with("node_id", nullptr) + with("node_id", "spiffe://x") + with("anchors", "hello") +
                      with("pins", {"abc"}) + with("crls", {"hello"}) + "\n   \n" + with("id", 7) + with("id", "a\tb");
  auto among_others = good;
  among_others["chain"] = json::array({"some text\n" + test::by_root(test::no_change).chain[0]->key_pem() +
                                       good["chain"][0].get<std::string>() + "more text"});
  lines += among_others.dump() + "\n" + good.dump();
  const auto answers = batch(lines);
  std::vector<std::string> seen;
  for (const auto& answer : answers) seen.push_back(answer[0] + "|" + answer[1] + "|" + answer[2]);
  EXPECT_EQ(seen, (std::vector<std::string>{"line 1|refuse|input_malformed", "line 2|refuse|input_malformed",
                                            "line 3|refuse|input_malformed", "bad as|refuse|input_malformed",
                                            "bad at|refuse|input_malformed", "bad chain|refuse|input_malformed",
                                            "bad chain|refuse|input_malformed", "bad chain|refuse|input_malformed",
                                            "bad node_id|refuse|input_malformed", "bad node_id|refuse|input_malformed",
                                            "bad node_id|refuse|input_malformed", "bad anchors|refuse|anchor_unusable",
                                            "bad pins|refuse|anchor_unusable", "bad crls|refuse|crl_malformed",
                                            "7|accept|-", "a\\x09b|accept|-", "good|accept|-", "good|accept|-"}));
}

TEST_F(Pki, BatchAsJson) {
  write("batch.jsonl", question("x", test::by_root(test::no_change), "client").dump() + "\n{}\n");
  const auto ran = run_words({"pki", "verify", "--batch", path("batch.jsonl"), "--output", "json"});
  const auto lines = split(ran.out, '\n');
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_EQ(json::parse(lines[0])["accepted"], true);
  EXPECT_EQ(json::parse(lines[0])["id"], "x");
  EXPECT_EQ(json::parse(lines[1])["reasons"][0]["reason"], "input_malformed");
}

TEST_F(Pki, CaIssueVerifyShow) {
  const auto ca = run_words({"pki", "ca", "--dir", path("ca"), "--name", "Organisation A"});
  ASSERT_EQ(ca.status, 0) << ca.err;
  EXPECT_EQ(mode("ca/ca.key"), 0600U);
  EXPECT_EQ(mode("ca"), 0700U);
  EXPECT_EQ(trust::certificate_facts(read("ca/ca.crt"))->subject, "CN=Organisation A CA,O=Organisation A");
  EXPECT_EQ(run_words({"pki", "ca", "--dir", path("ca"), "--name", "Organisation A"}).status, 1) << "never overwrites";

  const std::vector<std::string> issue{"pki", "issue", "--dir", path("ca"), "--node-id", "orga.example"};
  auto more = issue;
  more.insert(more.end(), {"--san", "gate.orga.example", "--spiffe-id", "spiffe://orga.example/gateway", "--lifetime",
                           "30d", "--out", path("node"), "--output", "json"});
  const auto made = run_words(more);
  ASSERT_EQ(made.status, 0) << made.err;
  const auto facts = json::parse(made.out);
  EXPECT_EQ(facts["files"], (json{path("node.crt"), path("node.key")}));
  EXPECT_EQ(mode("node.key"), 0600U);
  EXPECT_TRUE(trust::key_matches(read("node.crt"), read("node.key")));
  EXPECT_EQ(run_words(more).status, 1) << "never overwrites";

  for (const auto* name : {"orga.example", "spiffe://orga.example/gateway"})
    for (const auto* as : {"client", "server"}) {
      const auto judged = run_words({"pki", "verify", "--node-id", name, "--anchor", path("ca/ca.crt"), "--as", as,
                                     "--pin", facts["pin"], path("node.crt")});
      EXPECT_EQ(judged.status, 0) << judged.out;
    }
  const auto shown = run_words({"pki", "show", path("node.crt")});
  EXPECT_EQ(shown.status, 0);
  for (const auto& part : {std::string("orga.example, gate.orga.example"), std::string("spiffe://orga.example/gateway"),
                           facts["pin"].get<std::string>(), facts["sha256"].get<std::string>(),
                           std::string("serverAuth, clientAuth"), std::string("ECDSA P-256"), std::string("(in 29 d")})
    EXPECT_NE(shown.out.find(part), std::string::npos) << part << "\n" << shown.out;
  write("both.pem", read("node.crt") + read("node.key") + read("ca/ca.crt"));
  const auto as_json = json::parse(run_words({"pki", "show", path("both.pem"), "--output", "json"}).out);
  ASSERT_EQ(as_json["certificates"].size(), 2U);
  EXPECT_EQ(as_json["certificates"][0]["days_left"], 29);
  EXPECT_EQ(as_json["certificates"][1]["is_ca"], true);
  EXPECT_EQ(run_words({"pki", "show", path("node.key")}).status, 1);
  EXPECT_EQ(run_words({"pki", "show", path("none")}).status, 1);
}

TEST_F(Pki, IssueForOneSideAndForARequest) {
  ASSERT_EQ(run_words({"pki", "ca", "--dir", path("ca"), "--name", "A"}).status, 0);
  ASSERT_EQ(run_words({"pki", "issue", "--dir", path("ca"), "--node-id", "orga.example", "--as", "client"}).status, 0);
  const auto facts = trust::certificate_facts(read("ca/orga.example.crt"));
  ASSERT_TRUE(facts);
  EXPECT_TRUE(facts->client_auth);
  EXPECT_FALSE(facts->server_auth);

  const auto key = trust::ec_key("P-384");
  const trust::Owned<X509_REQ, X509_REQ_free> csr(X509_REQ_new());
  X509_REQ_set_pubkey(csr.get(), key.get());
  ASSERT_GT(X509_REQ_sign(csr.get(), key.get(), EVP_sha256()), 0);
  const trust::BioPtr out(BIO_new(BIO_s_mem()));
  PEM_write_bio_X509_REQ(out.get(), csr.get());
  write("node.csr", trust::bytes_of(out));
  const std::vector<std::string> issue{"pki",       "issue",        "--dir", path("ca"),
                                       "--node-id", "orgb.example", "--csr", path("node.csr")};
  ASSERT_EQ(run_words(issue).status, 0);
  EXPECT_FALSE(std::filesystem::exists(path("ca/orgb.example.key")));
  EXPECT_EQ(trust::certificate_facts(read("ca/orgb.example.crt"))->key, "ECDSA P-384");
  EXPECT_EQ(run_words({"pki", "verify", "--node-id", "orgb.example", "--anchor", path("ca/ca.crt"),
                       path("ca/orgb.example.crt")})
                .status,
            0);
}

TEST_F(Pki, IssueRefusesNonsense) {
  ASSERT_EQ(run_words({"pki", "ca", "--dir", path("ca"), "--name", "A"}).status, 0);
  const auto issue = [&](std::vector<std::string> more) {
    std::vector<std::string> list{"pki", "issue", "--dir", path("ca")};
    list.insert(list.end(), more.begin(), more.end());
    return run_words(list).status;
  };
  EXPECT_EQ(issue({"--node-id", "not a name"}), 2);
  EXPECT_EQ(issue({"--node-id", "orga.example", "--san", "*.orga.example"}), 2);
  EXPECT_EQ(issue({"--node-id", "orga.example", "--spiffe-id", "spiffe://x"}), 2);
  EXPECT_EQ(issue({"--node-id", "orga.example", "--lifetime", "soon"}), 2);
  EXPECT_EQ(issue({"--node-id", "orga.example", "--csr", path("none")}), 1);
  write("bad.csr", "hello");
  EXPECT_EQ(issue({"--node-id", "orga.example", "--csr", path("bad.csr")}), 1);
  EXPECT_EQ(run_words({"pki", "issue", "--dir", path("none"), "--node-id", "orga.example"}).status, 1);
  EXPECT_EQ(run_words({"pki", "ca", "--dir", path("x"), "--name", "A", "--lifetime", "1s"}).status, 2);
}

TEST_F(Pki, ShowsRevocationLists) {
  trust::CrlRecipe recipe;
  recipe.revoked = {"01", "02"};
  write("root.crl", crl_pem(*test::authorities().root, recipe));
  const auto shown = json::parse(run_words({"pki", "show", path("root.crl"), "--output", "json"}).out);
  EXPECT_EQ(shown["revocation_lists"][0]["revoked"], 2);
  EXPECT_EQ(shown["revocation_lists"][0]["issuer"], "CN=Root of P");
  EXPECT_TRUE(shown["revocation_lists"][0]["problems"].empty());
  recipe.number.clear();
  write("root.crl", crl_pem(*test::authorities().root, recipe));
  EXPECT_NE(run_words({"pki", "show", path("root.crl")}).out.find("it has no CRL number"), std::string::npos);
}

TEST(Moment, InstantsWithOffsetsAndFractions) {
  const auto at = [](std::string_view text) { return instant_from(text); };
  EXPECT_EQ(at("2027-01-15T08:00:00Z").value(), trust::test_now);
  EXPECT_EQ(at("2027-01-15T09:30:00+01:30").value(), trust::test_now);
  EXPECT_EQ(at("2027-01-14T20:00:00.000000-12:00").value(), trust::test_now);
  EXPECT_EQ(at("2027-01-15T08:00:00.5Z").value(), trust::test_now + std::chrono::milliseconds(500));
  EXPECT_EQ(at("2027-01-15T08:00:00.0000019Z").value(), trust::test_now + std::chrono::microseconds(1));
  EXPECT_EQ(at("1970-01-01").value(), WallTime{});
  for (const auto* bad : {"", "now", "2027-01-15T08:00:00", "2027-01-15T08:00:00.Z", "2027-01-15T08:00:00+0100",
                          "2027-13-15T08:00:00Z", "2027-01-15T08:00:00+24:00", "2027-01-15T08:00:00Zx"})
    EXPECT_FALSE(at(bad)) << bad;
}

}  // namespace
}  // namespace fedgate::cli
