// SPDX-License-Identifier: Apache-2.0
#include "policy/rules.h"

#include <gtest/gtest.h>

#include <random>

namespace fedgate::policy {
namespace {

using namespace std::chrono_literals;
const WallTime now = WallTime(std::chrono::seconds(1'800'000'000));
const NodeId org_b = NodeId::parse("orgb.example").value();

Invocation call(Direction direction = Direction::in) {
  Invocation made;
  made.direction = direction;
  made.origin = NodeId::parse(direction == Direction::in ? "orgb.example" : "orga.example").value();
  made.principal = PrincipalId::parse("alice@orgb.example").value();
  made.groups = {"dev", "ops"};
  made.resource = ResourceId::parse("inventory").value();
  made.capability = CapabilityId::parse("lookup").value();
  return made;
}

Rule allow(const std::string& id) {
  Rule rule;
  rule.id = id;
  rule.effect = Verdict::allow;
  return rule;
}

Decision decide(std::vector<Rule> rules, const Invocation& invocation = call(), Access access = Access::read,
                WallTime at = now) {
  return Rules(std::move(rules)).decide(invocation, org_b, access, at);
}

TEST(Rules, NoRuleDenies) {
  const auto decision = decide({});
  EXPECT_FALSE(decision.allowed());
  EXPECT_EQ(decision.rule, "default");
  EXPECT_EQ(decision.reason,
            "no rule allows alice@orgb.example of orgb.example to read inventory lookup (direction: in)");
  EXPECT_EQ(decide({}, call(Direction::out), Access::write).reason,
            "no rule allows alice@orgb.example to write inventory lookup at orgb.example (direction: out)");
}

TEST(Rules, FirstMatchWins) {
  auto deny = allow("no");
  deny.effect = Verdict::deny;
  deny.defined_at = "policy.yaml:12";
  const auto denied = decide({deny, allow("yes")});
  EXPECT_FALSE(denied.allowed());
  EXPECT_EQ(denied.rule, "no");
  EXPECT_EQ(denied.reason, "rule no denies (policy.yaml:12)");
  const auto allowed = decide({allow("yes"), deny});
  EXPECT_TRUE(allowed.allowed());
  EXPECT_EQ(allowed.rule, "yes");
  EXPECT_EQ(allowed.reason, "rule yes allows");
}

TEST(Rules, OfTheOtherDirectionDoNotApply) {
  auto out = allow("out");
  out.direction = Direction::out;
  EXPECT_FALSE(decide({out}).allowed());
  EXPECT_TRUE(decide({out}, call(Direction::out)).allowed());
  EXPECT_FALSE(decide({allow("in")}, call(Direction::out)).allowed());
}

struct Case {
  std::string name;
  std::function<void(Rule&)> restrict;
  bool allowed;
};
void PrintTo(const Case& one, std::ostream* out) { *out << one.name; }
class Field : public testing::TestWithParam<Case> {};

TEST_P(Field, DecidesWhetherTheRuleMatches) {
  auto rule = allow("r");
  GetParam().restrict(rule);
  EXPECT_EQ(decide({rule}).allowed(), GetParam().allowed);
}

INSTANTIATE_TEST_SUITE_P(Table, Field,
                         testing::ValuesIn(std::vector<Case>{
                             {"nothing", [](Rule&) {}, true},
                             {"node", [](Rule& r) { r.nodes = {"orgb.example"}; }, true},
                             {"node_of_several", [](Rule& r) { r.nodes = {"orgc.example", "orgb.example"}; }, true},
                             {"other_node", [](Rule& r) { r.nodes = {"orgc.example"}; }, false},
                             {"node_prefix", [](Rule& r) { r.nodes = {"orgb"}; }, false},
                             {"node_suffix_glob", [](Rule& r) { r.nodes = {"*.example"}; }, true},
                             {"node_star", [](Rule& r) { r.nodes = {"orgc.example", "*"}; }, true},
                             {"empty_pattern", [](Rule& r) { r.nodes = {""}; }, false},
                             {"principal", [](Rule& r) { r.principals = {"alice@orgb.example"}; }, true},
                             {"principal_glob", [](Rule& r) { r.principals = {"*@orgb.example"}; }, true},
                             {"principal_of_another_domain", [](Rule& r) { r.principals = {"*@orgb.exampl"}; }, false},
                             {"other_principal", [](Rule& r) { r.principals = {"bob@*"}; }, false},
                             {"case_matters", [](Rule& r) { r.principals = {"Alice@orgb.example"}; }, false},
                             {"group", [](Rule& r) { r.groups = {"ops"}; }, true},
                             {"one_group_of_several", [](Rule& r) { r.groups = {"sales", "de*"}; }, true},
                             {"other_group", [](Rule& r) { r.groups = {"sales"}; }, false},
                             {"resource", [](Rule& r) { r.resources = {"inventory"}; }, true},
                             {"other_resource", [](Rule& r) { r.resources = {"inventory2", "inv"}; }, false},
                             {"capability", [](Rule& r) { r.capabilities = {"look*"}; }, true},
                             {"other_capability", [](Rule& r) { r.capabilities = {"*upx"}; }, false},
                             {"all_match",
                              [](Rule& r) {
                                r.nodes = {"orgb.example"};
                                r.principals = {"*@orgb.example"};
                                r.groups = {"dev"};
                                r.resources = {"inventory"};
                                r.capabilities = {"*"};
                                r.access = Access::read;
                                r.until = now + 1us;
                              },
                              true},
                             {"all_but_one_match",
                              [](Rule& r) {
                                r.nodes = {"orgb.example"};
                                r.principals = {"*@orgb.example"};
                                r.groups = {"dev"};
                                r.resources = {"inventory"};
                                r.capabilities = {"update"};
                              },
                              false},
                             {"until_later", [](Rule& r) { r.until = now + 1us; }, true},
                             {"until_now", [](Rule& r) { r.until = now; }, false},
                             {"until_passed", [](Rule& r) { r.until = now - 1h; }, false},
                         }),
                         [](const auto& info) { return info.param.name; });

TEST(Rules, AnyGroupIsNotNoGroup) {
  auto rule = allow("grouped");
  rule.groups = {"*"};
  auto nobody = call();
  nobody.groups.clear();
  EXPECT_TRUE(decide({rule}).allowed());
  EXPECT_FALSE(decide({rule}, nobody).allowed());
}

TEST(Rules, AccessReadMatchesReadsOnly) {
  auto reads = allow("reads");
  reads.access = Access::read;
  EXPECT_TRUE(decide({reads}, call(), Access::read).allowed());
  EXPECT_FALSE(decide({reads}, call(), Access::write).allowed());
  auto writes = allow("writes");
  writes.access = Access::write;
  EXPECT_TRUE(decide({writes}, call(), Access::read).allowed());
  EXPECT_TRUE(decide({writes}, call(), Access::write).allowed());
}

TEST(Rules, AnExpiredRuleUncoversTheNext) {
  auto block = allow("block");
  block.effect = Verdict::deny;
  block.until = now;
  EXPECT_EQ(decide({block, allow("after")}, call(), Access::read, now - 1us).rule, "block");
  EXPECT_EQ(decide({block, allow("after")}, call(), Access::read, now).rule, "after");
}

// ---- globs ----------------------------------------------------------------------------------------------------

/// The definition itself, by trying everything.
bool by_definition(std::string_view pattern, std::string_view text) {
  if (pattern.empty()) return text.empty();
  if (pattern[0] != '*')
    return !text.empty() && text[0] == pattern[0] && by_definition(pattern.substr(1), text.substr(1));
  for (std::size_t i = 0; i <= text.size(); ++i)
    if (by_definition(pattern.substr(1), text.substr(i))) return true;
  return false;
}

TEST(Glob, AgreesWithItsDefinition) {
  std::mt19937 random(42);
  const auto word = [&](std::string_view letters, std::size_t most) {
    std::string text(random() % (most + 1), ' ');
    for (char& c : text) c = letters[random() % letters.size()];
    return text;
  };
  int matches = 0;
  for (int i = 0; i < 200'000; ++i) {
    const auto pattern = word("ab**", 7);
    const auto text = word("ab", 9);
    const bool expected = by_definition(pattern, text);
    matches += expected ? 1 : 0;
    ASSERT_EQ(glob_match(pattern, text), expected) << "\"" << pattern << "\" \"" << text << "\"";
  }
  EXPECT_GT(matches, 20'000);
}

TEST(Glob, OnlyTheStarIsSpecial) {
  EXPECT_TRUE(glob_match("a?[b].c\\d", "a?[b].c\\d"));
  EXPECT_FALSE(glob_match("a?c", "abc"));
  EXPECT_FALSE(glob_match("[a]", "a"));
  EXPECT_TRUE(glob_match(std::string_view("a\0*", 3), std::string_view("a\0b", 3)));
  EXPECT_FALSE(glob_match("", "a"));
  EXPECT_TRUE(glob_match("", ""));
  EXPECT_FALSE(glob_match("ab*bc", "abc"));  // what stands at the ends does not overlap
}

TEST(Glob, TimeStaysLinearForNastyPatterns) {
  // By backtracking these take longer than the universe has; by a naive search of each piece, seconds.
  const std::string text(200'000, 'a');
  std::string pieces = "*";
  for (int i = 0; i < 200; ++i) pieces += std::string(200, 'a') + "b*";
  const auto started = std::chrono::steady_clock::now();
  for (int i = 0; i < 20; ++i) {
    EXPECT_FALSE(glob_match(pieces, text));
    EXPECT_FALSE(glob_match("*" + std::string(1000, 'a') + "b" + std::string(1000, 'a') + "*", text));
  }
  EXPECT_TRUE(glob_match("*a*a*a*a*a*a*a*a*a*a*", text));
  EXPECT_LT(std::chrono::steady_clock::now() - started, 5s);
}

}  // namespace
}  // namespace fedgate::policy
