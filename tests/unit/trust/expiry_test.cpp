// SPDX-License-Identifier: Apache-2.0
#include "trust/expiry.h"

#include <gtest/gtest.h>

#include "support/identities.h"
#include "trust/seen_leaves.h"

namespace fedgate::trust {
namespace {

using namespace std::chrono_literals;
using std::chrono::days;
using std::chrono::seconds;

constexpr std::array<seconds, 4> marks{days(30), days(7), days(14), days(1)};

Expiring thing(WallTime ends, const std::string& what = "certificate") {
  return {Expiring::Kind::own_certificate, "orga.example", what, ends};
}

TEST(ExpiryWarnings, OnceForEachMarkAndOnceAtTheEnd) {
  ExpiryWarnings warnings;
  const std::vector things{thing(test_now)};
  const auto due_at = [&](auto before) { return warnings.due(things, marks, test_now - before).size(); };
  EXPECT_EQ(due_at(days(31)), 0U);
  EXPECT_EQ(due_at(days(30)), 1U);
  EXPECT_EQ(due_at(days(29)), 0U);
  EXPECT_EQ(due_at(days(14)), 1U);
  EXPECT_EQ(due_at(days(6)), 1U);
  EXPECT_EQ(due_at(days(2)), 0U);
  EXPECT_EQ(due_at(1h), 1U);
  EXPECT_EQ(due_at(1min), 0U);
  const auto ended = warnings.due(things, marks, test_now + 1h);
  ASSERT_EQ(ended.size(), 1U);
  EXPECT_EQ(ended[0].left, -1h);
  EXPECT_EQ(warnings.due(things, marks, test_now + 2h).size(), 0U);
}

TEST(ExpiryWarnings, AFirstLookSaysTheNearestMarkOnly) {
  ExpiryWarnings warnings;
  const std::vector things{thing(test_now)};
  EXPECT_EQ(warnings.due(things, marks, test_now - days(3)).size(), 1U);
  EXPECT_EQ(warnings.due(things, marks, test_now - days(2)).size(), 0U);
}

TEST(ExpiryWarnings, WhatIsRenewedStartsAnewAndWhatIsGoneIsForgotten) {
  ExpiryWarnings warnings;
  EXPECT_EQ(warnings.due(std::vector{thing(test_now)}, marks, test_now - days(3)).size(), 1U);
  EXPECT_EQ(warnings.due(std::vector{thing(test_now + days(90))}, marks, test_now - days(3)).size(), 0U);
  EXPECT_EQ(warnings.due(std::vector{thing(test_now + days(90))}, marks, test_now + days(61)).size(), 1U);
  EXPECT_EQ(warnings.due({}, marks, test_now + days(61)).size(), 0U);
  EXPECT_EQ(warnings.due(std::vector{thing(test_now + days(90))}, marks, test_now + days(61)).size(), 1U);
}

TEST(ExpiryWarnings, TheOldAnchorAndTheNewHaveOneNameAndTheSameThingMayStandThereTwice) {
  ExpiryWarnings warnings;
  const std::vector things{thing(test_now), thing(test_now + days(20)), thing(test_now)};
  EXPECT_EQ(warnings.due(things, marks, test_now - days(3)).size(), 2U);
  EXPECT_EQ(warnings.due(things, marks, test_now - days(3)).size(), 0U);
}

TEST(ExpiryWarnings, ThingsAreToldApart) {
  ExpiryWarnings warnings;
  const std::vector things{thing(test_now, "leaf"), thing(test_now, "issuer")};
  EXPECT_EQ(warnings.due(things, marks, test_now - days(3)).size(), 2U);
}

TEST(Expiry, OfOwnCertificateAnchorsAndLists) {
  const auto& root = *test::authorities().root;
  auto recipe = Recipe::leaf("orga.example");
  recipe.not_after = test_now + days(3);
  const auto leaf = issue(recipe, &root);
  const auto own = expiring_of_own(NodeId::parse("orga.example").value(), leaf.pem() + root.pem());
  ASSERT_EQ(own.size(), 2U);
  EXPECT_EQ(own[0], (Expiring{Expiring::Kind::own_certificate, "orga.example", "certificate \"CN=orga.example\"",
                              test_now + days(3)}));
  EXPECT_DOUBLE_EQ(days_left(own[0].ends, test_now), 3.0);
  EXPECT_DOUBLE_EQ(days_left(own[0].ends, test_now + days(4)), -1.0);

  auto node = test::other_node("orgp.example", root.pem());
  auto disabled = test::other_node("orgq.example", root.pem());
  disabled.enabled = false;
  const auto anchors = expiring_anchors(std::vector{node, disabled});
  ASSERT_EQ(anchors.size(), 1U);
  EXPECT_EQ(anchors[0].subject, "orgp.example");

  const std::vector<CrlSource> sources{{"root.crl", crl_pem(root), {}}};
  const auto lists = expiring_lists(*RevocationLists::make(sources));
  ASSERT_EQ(lists.size(), 1U);
  EXPECT_EQ(lists[0].ends, test_now + 24h);
}

TEST(SeenLeaves, AreKeptByEndAndSurviveARestart) {
  const auto& root = *test::authorities().root;
  const auto node = test::other_node("orgp.example", root.pem());
  const auto leaf_until = [&](WallTime end) {
    auto recipe = Recipe::leaf("orgp.example");
    recipe.not_after = end;
    return issue(recipe, &root);
  };
  const auto first = leaf_until(test_now + days(3));
  SeenLeaves seen;
  EXPECT_TRUE(seen.take_news().empty());
  seen.saw(node.id, Presented::by_client, first.get());
  seen.saw(node.id, Presented::by_server, leaf_until(test_now + days(90)).get());
  EXPECT_EQ(seen.expiring({&node, 1}).size(), 2U);
  const auto news = seen.take_news();
  ASSERT_EQ(news.size(), 2U);
  EXPECT_EQ(news[0], (SeenLeaf{node.id, ShownBy::client, "\"CN=orgp.example\"", test_now + days(3)}));
  seen.saw(node.id, Presented::by_client, first.get());
  EXPECT_TRUE(seen.take_news().empty()) << "it has only come again";
  seen.put_back(news);
  EXPECT_EQ(seen.take_news(), news);

  SeenLeaves restarted;
  restarted.saw(node.id, Presented::by_server, leaf_until(test_now + days(180)).get());
  restarted.restore(news);
  const auto ends = restarted.expiring({&node, 1});
  ASSERT_EQ(ends.size(), 2U);
  EXPECT_EQ(ends[0].ends, test_now + days(3));
  EXPECT_EQ(ends[1].ends, test_now + days(180)) << "what was seen since";
  restarted.keep_only({});
  EXPECT_TRUE(restarted.expiring({&node, 1}).empty());
}

}  // namespace
}  // namespace fedgate::trust
