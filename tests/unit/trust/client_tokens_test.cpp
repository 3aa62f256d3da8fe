// SPDX-License-Identifier: Apache-2.0
#include "trust/client_tokens.h"

#include <gtest/gtest.h>

#include <set>

#include "base/hash.h"

namespace fedgate::trust {
namespace {

using namespace std::chrono_literals;
const WallTime now = WallTime(std::chrono::seconds(1'800'000'000));

ClientEntry entry(const std::string& principal, const std::string& token) {
  ClientEntry made;
  made.principal = PrincipalId::parse(principal).value();
  made.token_sha256 = parse_token_file(token_file_text(token)).value();
  made.groups = {"dev"};
  return made;
}

TEST(Token, IsLongRandomAndUrlSafe) {
  std::set<std::string> seen;
  for (int i = 0; i < 100; ++i) {
    const auto token = make_token();
    EXPECT_EQ(token.size(), 47U);
    EXPECT_TRUE(token.starts_with("fgt_"));
    EXPECT_EQ(token.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"),
              std::string::npos);
    seen.insert(token);
  }
  EXPECT_EQ(seen.size(), 100U);
}

TEST(TokenFile, HoldsTheDigestOnly) {
  const auto text = token_file_text("fgt_secret");
  EXPECT_EQ(text, "sha256:" + to_hex(sha256("fgt_secret")) + "\n");
  EXPECT_EQ(parse_token_file(text).value(), to_hex(sha256("fgt_secret")));
  EXPECT_EQ(parse_token_file("  " + text + "\r\n").value(), to_hex(sha256("fgt_secret")));
}

TEST(TokenFile, ErrorsSayWhatItLooksLikeAndRevealNothing) {
  const auto digest = to_hex(sha256("x"));
  for (const auto& text : {std::string(), digest, "sha256:" + digest.substr(1), "sha256:" + digest + "0",
                           "sha256: " + digest, "SHA256:" + digest, "sha256:" + std::string(64, 'G'),
                           "sha256:" + std::string(64, 'A'), "sha256:" + digest + "\nsha256:" + digest}) {
    const auto parsed = parse_token_file(text);
    ASSERT_FALSE(parsed.has_value()) << text;
    EXPECT_EQ(parsed.error().code, Code::invalid_configuration);
    EXPECT_NE(parsed.error().detail.find("fedgate token issue"), std::string::npos);
  }
  const auto plain = parse_token_file("fgt_AAAABBBBCCCC\n");
  ASSERT_FALSE(plain.has_value());
  EXPECT_NE(plain.error().detail.find("the token as revealed"), std::string::npos);
  EXPECT_EQ(plain.error().detail.find("AAAABBBB"), std::string::npos);
}

TEST(ClientTokens, GiveTheCallerOfTheToken) {
  const auto alices = make_token();
  const auto bobs = make_token();
  auto bob = entry("bob@orga.example", bobs);
  bob.may_act_for = {PrincipalId::parse("alice@orga.example").value()};
  const ClientTokens tokens({entry("alice@orga.example", alices), bob});
  EXPECT_EQ(tokens.size(), 2U);
  for (const std::string scheme : {"Bearer ", "bearer ", "BEARER   "}) {
    const auto caller = tokens.authenticate(scheme + bobs, now);
    ASSERT_TRUE(caller.has_value()) << caller.error().detail;
    EXPECT_EQ(caller->principal.str(), "bob@orga.example");
    EXPECT_EQ(caller->groups, std::vector<std::string>{"dev"});
    EXPECT_EQ(caller->may_act_for.size(), 1U);
    EXPECT_EQ(caller->credential_id, "token:" + to_hex(sha256(bobs)).substr(0, 12));
  }
  EXPECT_EQ(tokens.authenticate("Bearer " + alices, now)->principal.str(), "alice@orga.example");
}

TEST(ClientTokens, RefuseEverythingElseWithTheReason) {
  const auto token = make_token();
  const ClientTokens tokens({entry("alice@orga.example", token)});
  const auto reason = [&](std::optional<std::string_view> header) {
    const auto answer = tokens.authenticate(header, now);
    if (answer) return std::string("accepted");
    EXPECT_EQ(answer.error().code, Code::unauthenticated);
    return answer.error().detail;
  };
  EXPECT_NE(reason(std::nullopt).find("no Authorization"), std::string::npos);
  const std::string nul = "Bearer " + token + std::string(1, '\0');
  for (const std::string& header :
       {std::string(), std::string("Bearer"), std::string("Bearer "), token, "Basic " + token, "Bearer" + token,
        "Bearer\t" + token, "Bearer " + token + " ", "Bearer " + token + ",x", std::string("Bearer ="), nul,
        "Bearer " + std::string(600, 'a'), std::string("Bearer a b")})
    EXPECT_NE(reason(header).find("malformed"), std::string::npos) << header;
  EXPECT_NE(reason("Bearer " + token.substr(1)).find("not known"), std::string::npos);
  EXPECT_NE(reason("Bearer " + token + "=").find("not known"), std::string::npos);
  // The digest itself, which who can read the files has, opens nothing.
  EXPECT_NE(reason("Bearer " + to_hex(sha256(token))).find("not known"), std::string::npos);
}

TEST(ClientTokens, EndAtTheirExpiry) {
  const auto token = make_token();
  auto alice = entry("alice@orga.example", token);
  alice.expires = now;
  const ClientTokens tokens({alice});
  EXPECT_TRUE(tokens.authenticate("Bearer " + token, now - 1us).has_value());
  const auto refused = tokens.authenticate("Bearer " + token, now);
  ASSERT_FALSE(refused.has_value());
  EXPECT_NE(refused.error().detail.find("expired"), std::string::npos);
}

TEST(ClientTokens, AnUnreadableDigestOpensNothing) {
  auto broken = entry("alice@orga.example", "x");
  broken.token_sha256 = "";
  const ClientTokens tokens({broken});
  EXPECT_EQ(tokens.size(), 0U);
  EXPECT_FALSE(tokens.authenticate("Bearer x", now).has_value());
}

}  // namespace
}  // namespace fedgate::trust
