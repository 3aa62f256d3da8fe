// SPDX-License-Identifier: Apache-2.0
//
// Promise: what docs/trust.md tells an administrator to type does what it says, and each command says who must act
// next.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <regex>
#include <sstream>

#include "base/hash.h"
#include "cli/cli.h"
#include "support/federation.h"

namespace fedgate::test {
namespace {

using testing::HasSubstr;
using testing::Not;

struct Ran {
  int status = -1;
  std::string out, err;
};

class TrustCommands : public testing::Test {
 protected:
  Federation federation{2};
  Organisation& a = federation.a();
  Organisation& b = federation.b();
  TempDirectory directory;

  void SetUp() override {
    b.settings.trust.enrolment = Enrolment::open;
    a.start();
    b.start();
  }
  static Ran run(const Organisation& at, std::vector<std::string> words) {
    words.insert(words.begin(), "fedgate");
    words.push_back("--socket");
    words.push_back(at.gateway->admin_address().substr(5));
    std::vector<const char*> argv;
    for (const auto& word : words) argv.push_back(word.c_str());
    std::ostringstream out, err;
    Ran ran;
    ran.status = cli::run(static_cast<int>(argv.size()), argv.data(), [](const std::string&) { return 1; }, out, err);
    ran.out = out.str();
    ran.err = err.str();
    return ran;
  }
  static Ran must(const Organisation& at, const std::vector<std::string>& words) {
    auto ran = run(at, words);
    EXPECT_EQ(ran.status, 0) << words.at(1) << ": " << ran.err;
    return ran;
  }
  std::string file_with(const std::string& text) {
    const auto path = directory.path("token");
    std::ofstream(path) << text;
    return path;
  }
  static std::string fingerprint_in(const std::string& text) {
    std::smatch found;
    return std::regex_search(text, found, std::regex("([A-Z2-7]{4}-){7}[A-Z2-7]{4}")) ? found.str() : "";
  }
};

TEST_F(TrustCommands, RequestAndApprove) {
  const auto asked = must(a, {"trust", "request", "https://" + b.gateway->peers_address(), "--node", "orgb.example"});
  EXPECT_THAT(asked.out, HasSubstr("Who must act next: you: compare the fingerprint"));
  const auto pair = fingerprint_in(asked.out);
  ASSERT_NE(pair, "");
  const auto shown = must(b, {"trust", "show", "orga.example"});
  EXPECT_EQ(fingerprint_in(shown.out), pair);
  EXPECT_THAT(shown.out, HasSubstr("pending"));
  EXPECT_THAT(must(b, {"trust", "list"}).out, HasSubstr("orga.example"));
  EXPECT_THAT(must(b, {"status"}).out, HasSubstr("trust with orga.example waits for you"));
  EXPECT_EQ(run(b, {"trust", "approve", "orga.example"}).status, 2);
  must(b, {"trust", "approve", "orga.example", "--fingerprint", pair});
  std::string spoken = pair;
  for (char& c : spoken) c = c == '-' ? ' ' : static_cast<char>(std::tolower(c));
  must(a, {"trust", "approve", "orgb.example", "--fingerprint", spoken});
  EXPECT_THAT(must(a, {"trust", "verify", "orgb.example"}).out, HasSubstr("nobody: both sides trust each other"));
}

TEST_F(TrustCommands, InviteAndAccept) {
  const auto ca = directory.path("a.crt");
  std::ofstream(ca) << a.ca.certificate_pem;
  const auto made = must(b, {"trust", "invite", "orga.example", "--anchor", ca, "--expires", "2h"});
  EXPECT_THAT(made.out, testing::StartsWith("fgi1."));
  EXPECT_THAT(made.err, HasSubstr("Who must act next: the operator of orga.example"));
  EXPECT_THAT(must(b, {"trust", "show", "orga.example"}).out, HasSubstr("invite"));
  const auto token = made.out.substr(0, made.out.find('\n'));
  const auto accepted = must(a, {"trust", "accept", "--token-file", file_with(made.out)});
  EXPECT_THAT(accepted.out, HasSubstr("trusted"));
  EXPECT_THAT(accepted.out + accepted.err, Not(HasSubstr(token)));
  EXPECT_EQ(run(a, {"trust", "accept", token}).status, 2) << "never on the command line";
  EXPECT_EQ(run(a, {"trust", "accept", "--token-file", file_with("fgi1.damaged")}).status, 2);
  must(a, {"trust", "verify", "orgb.example"});

  EXPECT_EQ(run(b, {"trust", "revoke", "orga.example"}).status, 2) << "a reason is needed";
  EXPECT_THAT(must(b, {"trust", "revoke", "orga.example", "--reason", "a key was lost"}).out, HasSubstr("revoked"));
  const auto refused = run(a, {"trust", "verify", "orgb.example"});
  EXPECT_EQ(refused.status, 1);
  EXPECT_THAT(refused.out, HasSubstr("operator of orgb.example"));
  must(b, {"trust", "approve", "orga.example", "--reinstate"});
  EXPECT_THAT(must(a, {"trust", "verify", "orgb.example"}).out, HasSubstr("nobody: both sides trust each other"));
}

TEST_F(TrustCommands, CancelAndWrongUse) {
  must(b, {"trust", "invite", "orga.example"});
  EXPECT_THAT(must(b, {"trust", "cancel", "orga.example"}).out, HasSubstr("nothing is left of it"));
  EXPECT_EQ(run(b, {"trust", "show", "orga.example"}).status, 1);
  EXPECT_EQ(run(b, {"trust", "invite", "NotAName"}).status, 2);
  EXPECT_EQ(run(b, {"trust", "invite", "orga.example", "--anchor", "/no/such/file"}).status, 2);
  EXPECT_EQ(run(b, {"trust", "request", "http://x.example"}).status, 2);
  EXPECT_EQ(run(b, {"trust"}).status, 2);
}

}  // namespace
}  // namespace fedgate::test
