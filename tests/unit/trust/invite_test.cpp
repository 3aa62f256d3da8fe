// SPDX-License-Identifier: Apache-2.0
#include "trust/invite.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/hash.h"
#include "support/fake_entropy.h"
#include "trust/pairing.h"
#include "trust/proof.h"

namespace fedgate::trust {
namespace {

using Json = nlohmann::json;
using testing::HasSubstr;
using testing::Not;

NodeId node(const std::string& text) { return NodeId::parse(text).value(); }

InviteToken wanted() {
  InviteToken token;
  token.endpoint = "https://gate.orga.example:8443";
  token.node = node("orga.example");
  token.bundle.fill(0x42);
  token.invited = node("orgb.example");
  token.expires_at = WallTime(std::chrono::microseconds(1'800'000'000'123'456));
  return token;
}

std::string token_of(const Json& json) { return "fgi1." + to_base64url(json.dump()); }

TEST(Invite, TheTokenSaysAllAndTheInviterKeepsThePublicHalf) {
  const test::FakeEntropy entropy;
  Invite keep;
  keep.created_by = "uid:0";
  keep.anchor = wanted().bundle;
  const auto made = make_invite(wanted(), keep, entropy).value();
  const auto read = parse_token("\n " + made.token + "\r\n").value();
  EXPECT_EQ(read.endpoint, wanted().endpoint);
  EXPECT_EQ(read.node, wanted().node);
  EXPECT_EQ(read.bundle, wanted().bundle);
  EXPECT_EQ(read.invited, wanted().invited);
  EXPECT_EQ(read.expires_at, std::chrono::floor<std::chrono::seconds>(wanted().expires_at));
  EXPECT_EQ(made.invite.id, read.id);
  EXPECT_EQ(made.invite.node, wanted().invited);
  EXPECT_EQ(made.invite.expires_at, read.expires_at);
  EXPECT_EQ(made.invite.anchor, wanted().bundle);
  EXPECT_EQ(made.invite.created_by, "uid:0");
  EXPECT_NE(made.invite.public_key, read.seed);

  ProofInput input;
  input.invite_id = read.id;
  const auto signature = sign_proof(invite_key(read.seed).value().get(), ProofBy::invite, input).value();
  const auto key = invite_public_key(made.invite.public_key).value();
  EXPECT_TRUE(verify_proof(key.get(), ProofBy::invite, input, signature));
  EXPECT_FALSE(verify_proof(key.get(), ProofBy::client, input, signature));

  const auto other = make_invite(wanted(), keep, entropy).value();
  EXPECT_NE(other.invite.id, made.invite.id);
  EXPECT_NE(parse_token(other.token)->seed, read.seed);
}

TEST(Invite, OnlyAWholeTokenIsRead) {
  const test::FakeEntropy entropy;
  const auto token = make_invite(wanted(), {}, entropy).value().token;
  const auto json = Json::parse(from_base64url(token.substr(5)).value());
  ASSERT_EQ(json.size(), 8U);
  ASSERT_TRUE(parse_token(token_of(json)));
  const auto refused = [&](const std::string& text, const std::string& what) {
    const auto read = parse_token(text);
    ASSERT_FALSE(read) << what;
    EXPECT_EQ(read.error().code, Code::bad_request);
    EXPECT_THAT(read.error().detail, Not(HasSubstr(json["seed"].get<std::string>()))) << "a secret in a message";
  };
  for (const auto& [member, value] : json.items()) {
    auto without = json;
    without.erase(member);
    refused(token_of(without), "without " + member);
    for (const Json& wrong : {Json(nullptr), Json(2), Json(""), Json("x"), Json::array(), Json(std::string(43, '*'))}) {
      auto one = json;
      one[member] = wrong;
      refused(token_of(one), member + " = " + wrong.dump());
    }
  }
  auto more = json;
  more["more"] = 1;
  refused(token_of(more), "an unknown member");
  auto plain = json;
  plain["endpoint"] = "http://gate.orga.example";
  refused(token_of(plain), "not https");
  for (const auto& text : {std::string(), std::string(" \n"), token.substr(5), "fgi2." + token.substr(5), token + "=",
                           token + "!", token.substr(0, token.size() - 3), token.substr(0, 8) + "\n" + token.substr(8),
                           "fgi1." + std::string(4000, 'A'), std::string("fgi1."), "FGI1." + token.substr(5)})
    refused(text, text);
  auto twice = json.dump();
  twice.insert(1, R"("for":"evil.example",)");
  refused("fgi1." + to_base64url(twice), "a member twice");
}

TEST(Invite, NeedsAnEndpoint) {
  auto without = wanted();
  without.endpoint.clear();
  EXPECT_FALSE(make_invite(without, {}, test::FakeEntropy()));
}

TEST(Pairing, BothSidesReadTheSame) {
  Sha256 a{}, b{};
  a.fill(0xAA);
  b.fill(0xBB);
  const auto one = fingerprint(node("orga.example"), a, node("orgb.example"), b);
  EXPECT_EQ(one, fingerprint(node("orgb.example"), b, node("orga.example"), a));
  EXPECT_THAT(one, testing::MatchesRegex("([A-Z2-7]{4}-){7}[A-Z2-7]{4}"));
  // printf 'fedgate pair v1' and the two hashes | sha256sum | head -c 40 | xxd -r -p | base32
  const auto hash = sha256("fedgate pair v1" + std::string(a.begin(), a.end()) + std::string(b.begin(), b.end()));
  std::string bits;
  for (int i = 0; i < 20; ++i)
    for (int bit = 7; bit >= 0; --bit) bits += ((hash[static_cast<std::size_t>(i)] >> bit) & 1) != 0 ? '1' : '0';
  std::string plain = one;
  std::erase(plain, '-');
  for (std::size_t i = 0; i < 32; ++i)
    EXPECT_EQ(plain[i], "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"[std::stoi(bits.substr(i * 5, 5), nullptr, 2)]) << i;
  EXPECT_NE(one, fingerprint(node("orga.example"), b, node("orgb.example"), a)) << "whose is whose counts";
  b.back() ^= 1;
  EXPECT_NE(one, fingerprint(node("orga.example"), a, node("orgb.example"), b));
}

TEST(Pairing, WhatAnOperatorTypesMustBeAllOfIt) {
  const auto right = fingerprint(node("orga.example"), {}, node("orgb.example"), {});
  std::string lower;
  for (const char c : right) lower += c == '-' ? ' ' : static_cast<char>(std::tolower(c));
  std::string bare = right;
  std::erase(bare, '-');
  for (const auto& typed : {right, lower, bare, " " + right + "\n"})
    EXPECT_TRUE(same_fingerprint(typed, right).value());
  for (std::size_t i = 0; i < bare.size(); ++i) {
    auto wrong = bare;
    wrong[i] = wrong[i] == 'A' ? 'B' : 'A';
    EXPECT_FALSE(same_fingerprint(wrong, right).value()) << i;
  }
  for (const auto& typed : {std::string(), bare.substr(1), bare + "A", right.substr(0, 9), std::string(32, '0'),
                            std::string(32, '!'), std::string(1000, ' ') + bare})
    EXPECT_EQ(same_fingerprint(typed, right).error().code, Code::bad_request) << typed;
}

}  // namespace
}  // namespace fedgate::trust
