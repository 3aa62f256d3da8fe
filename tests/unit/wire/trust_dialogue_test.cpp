// SPDX-License-Identifier: Apache-2.0
#include "wire/trust_dialogue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <nlohmann/json.hpp>

#include "base/hash.h"
#include "wire/bundle_text.h"

namespace fedgate::wire {
namespace {

using Json = nlohmann::json;
using testing::HasSubstr;

Bytes32 bytes(std::uint8_t value) {
  Bytes32 out{};
  out.fill(value);
  return out;
}

Bundle bundle() {
  Bundle value;
  value.node = NodeId::parse("orgb.example").value();
  value.seq = 7;
  value.previous = bytes(1);
  value.endpoints = {"https://gate.orgb.example:8443"};
  value.principal_domains = {Domain::parse("orgb.example").value(), Domain::parse("people.orgb.example").value()};
  value.anchors = {"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"};
  value.pins = {std::string(64, 'a')};
  value.log_vkeys = {"orgb.example/fedgate/log/a/1+00000000+AAAA"};
  value.witness_vkey = "orgb.example/fedgate/witness+00000000+BBBB";
  return value;
}

TEST(BundleText, IsCanonicalAndKnownByItsHash) {
  const auto stated = state_bundle(bundle()).value();
  EXPECT_EQ(stated.value, bundle());
  EXPECT_EQ(json::Parser().canonical(stated.text).value(), stated.text);
  EXPECT_EQ(stated.sha256, sha256(stated.text));
  EXPECT_TRUE(stated.text.starts_with(R"({"anchors":["-----BEGIN CERTIFICATE-----\nMIIB)")) << stated.text;
  EXPECT_THAT(stated.text, HasSubstr(R"("seq":7,"v":1,"witness_vkey":)"));
  const auto spaced = Json::parse(stated.text).dump(2);
  ASSERT_NE(spaced, stated.text);
  EXPECT_EQ(parse_bundle(spaced).value(), stated) << "however it was written";
  auto first = bundle();
  first.seq = 1;
  first.previous.reset();
  first.log_vkeys.clear();
  first.witness_vkey.clear();
  EXPECT_EQ(state_bundle(first).value().value, first);
}

TEST(BundleText, EveryMemberIsPartOfTheHash) {
  const auto whole = Json::parse(state_bundle(bundle()).value().text);
  auto changed = whole;
  changed["seq"] = 8;
  changed["previous_sha256"] = std::string(64, '0');
  for (const auto* list : {"endpoints", "anchors", "log_vkeys"}) changed[list] = {"https://else"};
  changed["principal_domains"] = {"else.example"};
  changed["pins"] = {std::string(64, 'b')};
  changed["witness_vkey"] = "";
  changed["node_id"] = "else.example";
  changed.erase("v");  // has one value only
  for (const auto& [member, value] : changed.items()) {
    auto one = whole;
    one[member] = value;
    const auto parsed = parse_bundle(one.dump());
    ASSERT_TRUE(parsed) << member << ": " << parsed.error().detail;
    EXPECT_NE(parsed->sha256, sha256(whole.dump())) << member;
  }
}

TEST(BundleText, WhatIsNotExactlyABundleIsRefused) {
  const auto whole = Json::parse(state_bundle(bundle()).value().text);
  for (const auto& [member, value] : whole.items()) {
    auto without = whole;
    without.erase(member);
    EXPECT_FALSE(parse_bundle(without.dump())) << "without " << member;
    for (const Json& wrong : {Json(nullptr), Json(true), Json(-1), Json(1.5), Json::object(), Json(""),
                              Json::array({""}), Json::array({1}), Json::array({"a", "a"}), Json::array({nullptr})}) {
      if (wrong == value || (member == "witness_vkey" && wrong == Json(""))) continue;
      auto one = whole;
      one[member] = wrong;
      EXPECT_FALSE(parse_bundle(one.dump())) << member << " = " << wrong;
    }
  }
  const auto refused = [&](const char* member, const Json& value, const char* why) {
    auto one = whole;
    one[member] = value;
    const auto parsed = parse_bundle(one.dump());
    ASSERT_FALSE(parsed) << member << " = " << value;
    EXPECT_THAT(parsed.error().detail, HasSubstr(why));
  };
  refused("v", 2, "newer");
  refused("seq", 0, "from 1");
  refused("seq", 1, "previous_sha256");
  refused("seq", 1ULL << 60, "from 1");
  refused("previous_sha256", std::string(64, 'A'), "lower-case");
  refused("pins", {std::string(64, 'A')}, "lower-case");
  refused("node_id", "OrgB.example", "lower case");
  refused("principal_domains", {"*"}, "principal_domains");
  refused("surprise", 1, "surprise");
  refused("endpoints", std::vector<std::string>(9, "x"), "at most 8");
  refused("anchors", {std::string(8193, 'x')}, "8192");
  refused("endpoints", {std::string("https://x\0y", 11)}, "endpoints");
  std::vector<std::string> heavy;
  for (int i = 0; i < 4; ++i) heavy.push_back(std::string(8000, static_cast<char>('a' + i)));
  refused("anchors", heavy, "24576");
  for (const auto* text : {"", "[]", "null", "{}", R"({"v":1,"v":1})", "{\"v\":1} x"}) EXPECT_FALSE(parse_bundle(text));
  auto twice = state_bundle(bundle()).value().text;
  twice.insert(1, R"("seq":9,)");
  EXPECT_FALSE(parse_bundle(twice)) << "a member twice";
}

ChallengeRequest challenge_request() {
  return {.node = bundle().node, .purpose = TrustPurpose::invite, .client_nonce = bytes(9), .invite_id = "the-invite"};
}
TrustRequest trust_request() {
  return {.node = bundle().node,
          .client_cert = "-----BEGIN CERTIFICATE-----\n",
          .challenge = bytes(3),
          .bundle = state_bundle(bundle()).value(),
          .proof = std::string("\0\xff signature", 12),
          .invite_proof = "other"};
}
TrustAnswer trust_answer() {
  return {.success = true,
          .node = bundle().node,
          .level = TrustLevel::pending,
          .certificate = {"CN=\"x\"\\", bytes(1), bytes(2), WallTime(std::chrono::seconds(1'800'000'000))},
          .challenge_response = "proof",
          .expires_at = WallTime(std::chrono::seconds(1'800'000'001)),
          .message = "their operator must act"};
}

TEST(TrustDialogue, GoesThere) {
  json::Parser parser;
  const auto asked = challenge_request();
  const auto read = parse_challenge_request(parser, challenge_request_body(asked)).value();
  EXPECT_EQ(read.node, asked.node);
  EXPECT_EQ(read.purpose, asked.purpose);
  EXPECT_EQ(read.client_nonce, asked.client_nonce);
  EXPECT_EQ(read.invite_id, asked.invite_id);
  const auto trust = trust_request();
  const auto body = trust_request_body(trust);
  EXPECT_TRUE(Json::parse(body).contains("client_cert"));
  const auto same = parse_trust_request(parser, body).value();
  EXPECT_EQ(same.node, trust.node);
  EXPECT_EQ(same.client_cert, trust.client_cert);
  EXPECT_EQ(same.challenge, trust.challenge);
  EXPECT_EQ(same.bundle, trust.bundle);
  EXPECT_EQ(same.proof, trust.proof);
  EXPECT_EQ(same.invite_proof, trust.invite_proof);
}

TEST(TrustDialogue, AndBack) {
  json::Parser parser;
  const ChallengeAnswer challenge{bytes(4), state_bundle(bundle()).value(), WallTime(std::chrono::seconds(60))};
  const auto read = parse_challenge_answer(parser, challenge_answer_body(challenge)).value();
  EXPECT_EQ(read.challenge, challenge.challenge);
  EXPECT_EQ(read.bundle, challenge.bundle);
  EXPECT_EQ(read.expires_at, challenge.expires_at);
  const auto answer = trust_answer();
  const auto same = parse_trust_answer(parser, trust_answer_body(answer)).value();
  EXPECT_TRUE(same.success);
  EXPECT_EQ(same.node, answer.node);
  EXPECT_EQ(same.level, answer.level);
  EXPECT_EQ(same.certificate.subject, answer.certificate.subject);
  EXPECT_EQ(same.certificate.sha256, answer.certificate.sha256);
  EXPECT_EQ(same.certificate.public_key, answer.certificate.public_key);
  EXPECT_EQ(same.certificate.not_after, answer.certificate.not_after);
  EXPECT_EQ(same.challenge_response, answer.challenge_response);
  EXPECT_EQ(same.expires_at, answer.expires_at);
  EXPECT_EQ(same.message, answer.message);
  auto bare = answer;
  bare.certificate.subject.clear();  // a certificate may have an empty subject
  bare.message.clear();
  EXPECT_EQ(parse_trust_answer(parser, trust_answer_body(bare)).value().certificate.subject, "");
}

using Reading = std::function<bool(const std::string&)>;

void expect_strict(const std::string& body, const Reading& reads, const std::vector<std::string>& optional) {
  const auto whole = Json::parse(body);
  ASSERT_TRUE(reads(body));
  auto newer = whole;
  newer["a_newer_version_says"] = {{"more", 1}};
  EXPECT_TRUE(reads(newer.dump()));
  for (const auto& [member, value] : whole.items()) {
    auto without = whole;
    without.erase(member);
    EXPECT_EQ(reads(without.dump()), std::ranges::find(optional, member) != optional.end()) << "without " << member;
    for (const Json& wrong :
         {Json(1), Json::array(), Json(std::string(2000, 'x')), Json("?"), Json(""), Json({{"a", 1}})}) {
      if ((member == "client_cert" || member == "message" || member == "invite_id") && wrong == "?") continue;
      if (member == "message" && wrong == Json("")) continue;
      auto one = whole;
      one[member] = wrong;
      if (member == "client_cert" && wrong.is_string() && wrong.get<std::string>().size() == 2000) continue;
      EXPECT_FALSE(reads(one.dump())) << member << " = " << wrong;
    }
  }
  EXPECT_FALSE(reads(body + std::string(longest_trust_message, ' '))) << "too long";
  EXPECT_FALSE(reads(body.substr(0, body.size() - 1)));
  EXPECT_FALSE(reads(""));
}

TEST(TrustDialogue, IsStrict) {
  json::Parser parser;
  expect_strict(challenge_request_body(challenge_request()),
                [&](const auto& text) { return parse_challenge_request(parser, text).has_value(); }, {});
  expect_strict(trust_request_body(trust_request()),
                [&](const auto& text) { return parse_trust_request(parser, text).has_value(); }, {"invite_proof"});
  const ChallengeAnswer challenge{bytes(4), state_bundle(bundle()).value(), WallTime(std::chrono::seconds(60))};
  expect_strict(challenge_answer_body(challenge),
                [&](const auto& text) { return parse_challenge_answer(parser, text).has_value(); }, {});
  expect_strict(trust_answer_body(trust_answer()),
                [&](const auto& text) { return parse_trust_answer(parser, text).has_value(); }, {"message"});
}

TEST(TrustDialogue, AnInviteIsNamedWhereThereIsOne) {
  json::Parser parser;
  auto asked = challenge_request();
  asked.purpose = TrustPurpose::request;
  EXPECT_FALSE(parse_challenge_request(parser, challenge_request_body(asked)));
  asked.invite_id.clear();
  EXPECT_TRUE(parse_challenge_request(parser, challenge_request_body(asked)));
}

}  // namespace
}  // namespace fedgate::wire
