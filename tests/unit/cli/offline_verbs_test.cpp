// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>

#include "running.h"
#include "trust/client_tokens.h"

namespace fedgate::cli {
namespace {

using testing::HasSubstr;
using testing::Not;

class Offline : public Folder {
 protected:
  void SetUp() override {
    Folder::SetUp();
    const auto ran = run_words({"init", "--node-id", "orga.example", "--dir", path("a"), "--dev-pki"});
    ASSERT_EQ(ran.status, 0) << ran.err;
    ASSERT_THAT(ran.out, HasSubstr("made " + path("a/fedgate.yaml")));
    config_ = path("a/fedgate.yaml");
  }
  Ran with_config(std::vector<std::string> words) const {
    words.insert(words.end(), {"--config", config_});
    return run_words(std::move(words));
  }
  /// The starter's text with one part replaced.
  void edit(const std::string& what, const std::string& with) const {
    auto text = read("a/fedgate.yaml");
    const auto place = text.find(what);
    ASSERT_NE(place, std::string::npos) << what;
    write("a/fedgate.yaml", text.replace(place, what.size(), with), 0644);
  }
  std::string config_;
};

TEST_F(Offline, AStarterConfigurationIsValid) {
  const auto ran = with_config({"check"});
  EXPECT_EQ(ran.status, 0) << ran.err;
  EXPECT_THAT(ran.out, HasSubstr("is valid: node orga.example, 0 peers"));
}

TEST_F(Offline, InitOverwritesNothing) {
  const auto before = read("a/fedgate.yaml");
  EXPECT_EQ(run_words({"init", "--node-id", "orga.example", "--dir", path("a"), "--dev-pki"}).status, 1);
  EXPECT_EQ(read("a/fedgate.yaml"), before);
  EXPECT_EQ(run_words({"init", "--node-id", "not a name", "--dir", path("b")}).status, 2);
}

TEST_F(Offline, CheckNamesThePlaceOfEachProblem) {
  edit("\nstore:", "\nunknown_key: 1\nstore:");
  edit("level: info", "level: shouting");
  const auto ran = with_config({"check"});
  EXPECT_EQ(ran.status, 2);
  EXPECT_EQ(ran.out, "");
  EXPECT_THAT(ran.err, testing::ContainsRegex("fedgate.yaml:[0-9]+:[0-9]+: error: .*unknown_key"));
  EXPECT_THAT(ran.err, HasSubstr("shouting"));
  EXPECT_THAT(ran.err, HasSubstr("2 errors"));
  const auto as_json = with_config({"check", "--output", "json"});
  EXPECT_EQ(as_json.status, 2);
  EXPECT_THAT(as_json.out, HasSubstr("\"valid\": false"));
  EXPECT_EQ(run_words({"check", "--config", path("none.yaml")}).status, 2);
}

TEST_F(Offline, ConfigReferenceIsMarkdown) {
  const auto ran = run_words({"config-reference"});
  EXPECT_EQ(ran.status, 0);
  EXPECT_THAT(ran.out, HasSubstr("# "));
  EXPECT_THAT(ran.out, HasSubstr("principal_domains"));
}

TEST_F(Offline, ATokenIsPrintedOnceAndStoredHashed) {
  const auto ran = with_config({"token", "issue", "alice@orga.example", "--group", "dev", "--expires", "2099-01-01"});
  ASSERT_EQ(ran.status, 0) << ran.err;
  ASSERT_FALSE(ran.out.empty());
  const std::string token = ran.out.substr(0, ran.out.size() - 1);
  EXPECT_THAT(token, testing::MatchesRegex("fgt_[A-Za-z0-9_-]+"));
  EXPECT_THAT(ran.err, Not(HasSubstr(token)));
  EXPECT_EQ(read("a/tokens/alice"), trust::token_file_text(token));
  EXPECT_EQ(mode("a/tokens/alice"), 0600U);

  // The printed lines, put into the configuration, are right as they are.
  const auto lines = ran.err.find("clients:\n");
  ASSERT_NE(lines, std::string::npos) << ran.err;
  EXPECT_THAT(ran.err, HasSubstr("token_file: tokens/alice"));
  edit("clients:\n", ran.err.substr(lines));
  const auto checked = with_config({"check"});
  EXPECT_EQ(checked.status, 0) << checked.err;
  EXPECT_THAT(checked.out, HasSubstr("1 client,"));
}

TEST_F(Offline, ATokenFileIsNotOverwritten) {
  ASSERT_EQ(with_config({"token", "issue", "alice@orga.example"}).status, 0);
  const auto before = read("a/tokens/alice");
  const auto again = with_config({"token", "issue", "alice@orga.example"});
  EXPECT_EQ(again.status, 1);
  EXPECT_EQ(again.out, "");
  EXPECT_THAT(again.err, HasSubstr("not overwritten"));
  EXPECT_EQ(read("a/tokens/alice"), before);
  const auto other = with_config({"token", "issue", "alice@orga.example", "--file", "alice-laptop"});
  EXPECT_EQ(other.status, 0) << other.err;
  EXPECT_NE(read("a/tokens/alice-laptop"), before);
}

TEST_F(Offline, ATokenIsNotIssuedForOthersOrOutsideItsFolder) {
  EXPECT_EQ(with_config({"token", "issue", "mallory@orgb.example"}).status, 2);
  EXPECT_EQ(with_config({"token", "issue", "nobody"}).status, 2);
  EXPECT_EQ(with_config({"token", "issue", "alice@orga.example", "--file", "../alice"}).status, 2);
  EXPECT_EQ(with_config({"token", "issue", "..@orga.example"}).status, 2);
  EXPECT_EQ(with_config({"token", "issue", "alice@orga.example", "--group", "a, b]"}).status, 2);
  EXPECT_EQ(run_words({"token", "issue", "alice@orga.example", "--config", path("none.yaml")}).status, 2);
  EXPECT_TRUE(std::filesystem::is_empty(path("a/tokens")));
}

TEST_F(Offline, MigrationsGoUpAndDown) {
  const auto before = with_config({"migrate", "status"});
  ASSERT_EQ(before.status, 0) << before.err;
  EXPECT_THAT(before.out, testing::ContainsRegex("\n1 .* no\n"));
  const auto up = with_config({"migrate", "up"});
  ASSERT_EQ(up.status, 0) << up.err;
  EXPECT_THAT(up.out, HasSubstr("applied"));
  EXPECT_THAT(with_config({"migrate", "status"}).out, Not(testing::ContainsRegex(" no\n")));
  EXPECT_THAT(with_config({"migrate", "up"}).out, HasSubstr("0 migrations applied"));
  const auto down = with_config({"migrate", "down", "1"});
  ASSERT_EQ(down.status, 0) << down.err;
  EXPECT_THAT(down.out, HasSubstr("1 migration reverted"));
  EXPECT_THAT(with_config({"migrate", "status"}).out, testing::ContainsRegex(" no\n"));
}

class Policy : public Offline {
 protected:
  void SetUp() override {
    Offline::SetUp();
    edit("  rules:\n", R"(  rules:
    - { id: reads, direction: in, effect: allow, nodes: [orgb.example], principals: ["*@orgb.example"], resources: [inventory], access: read }
    - { id: devs, direction: out, effect: allow, groups: [dev] }
    - { id: nobody-else, direction: out, effect: deny }
    - { id: too-late, direction: out, effect: allow, principals: ["bob@*"] }
)");
  }
  Ran judge(std::vector<std::string> more) const {
    std::vector<std::string> words{"policy",     "test",      "--node",       "orgb.example",
                                   "--resource", "inventory", "--capability", "lookup"};
    words.insert(words.end(), more.begin(), more.end());
    return with_config(std::move(words));
  }
};

TEST_F(Policy, TestNamesTheRuleAndItsPlace) {
  const auto allowed = judge({"--direction", "in", "--principal", "bob@orgb.example", "--access", "read"});
  EXPECT_EQ(allowed.status, 0) << allowed.err;
  EXPECT_THAT(allowed.out, HasSubstr("allow\n"));
  EXPECT_THAT(allowed.out, testing::ContainsRegex("rule +reads \\(.*fedgate.yaml:[0-9]+"));
  const auto denied = judge({"--direction", "in", "--principal", "bob@orgb.example", "--access", "write"});
  EXPECT_EQ(denied.status, 1);
  EXPECT_THAT(denied.out, HasSubstr("deny\n"));
  EXPECT_THAT(denied.out, HasSubstr("default"));
}

TEST_F(Policy, TestKnowsGroups) {
  EXPECT_EQ(judge({"--direction", "out", "--principal", "alice@orga.example", "--group", "dev"}).status, 0);
  const auto denied = judge({"--direction", "out", "--principal", "alice@orga.example", "--output", "json"});
  EXPECT_EQ(denied.status, 1);
  EXPECT_THAT(denied.out, HasSubstr("\"rule\": \"nobody-else\""));
}

TEST_F(Policy, TestTakesTheGroupsOfAClient) {
  ASSERT_EQ(with_config({"token", "issue", "alice@orga.example"}).status, 0);
  edit("clients:\n", "clients:\n  - { principal: alice@orga.example, token_file: tokens/alice, groups: [dev] }\n");
  const auto ran = judge({"--direction", "out", "--principal", "alice@orga.example"});
  EXPECT_EQ(ran.status, 0) << ran.out << ran.err;
}

TEST_F(Policy, CheckNamesRulesThatCannotDecide) {
  const auto ran = with_config({"policy", "check"});
  EXPECT_EQ(ran.status, 0) << ran.err;
  EXPECT_THAT(ran.out, HasSubstr("4 rules are valid"));
  EXPECT_THAT(ran.err, HasSubstr("too-late is never reached: nobody-else"));
  EXPECT_THAT(ran.err, Not(HasSubstr("devs is")));
}

TEST_F(Policy, AnInvalidConfigurationJudgesNothing) {
  edit("level: info", "level: shouting");
  EXPECT_EQ(judge({"--principal", "bob@orgb.example"}).status, 2);
  EXPECT_EQ(with_config({"policy", "check"}).status, 2);
  EXPECT_EQ(with_config({"migrate", "status"}).status, 2);
}

}  // namespace
}  // namespace fedgate::cli
