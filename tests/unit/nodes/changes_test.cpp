// SPDX-License-Identifier: Apache-2.0
#include "nodes/changes.h"

#include <gmock/gmock.h>

namespace fedgate::nodes {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

Node trusted() {
  Node node;
  node.id = NodeId::parse("orgb.example").value();
  node.trust_level = TrustLevel::trusted;
  node.trusted_since = WallTime{};
  node.trust_anchors = {"a", "b"};
  node.principal_domains = {Domain::parse("orgb.example").value()};
  return node;
}

bool cuts_off(const Node& before, const Node& after) {
  const NodeTable old({before});
  const NodeTable now({after});
  const auto found = differences(old, now);
  EXPECT_EQ(found.size(), before == after ? 0U : 1U);
  return !found.empty() && found.front().cut_off;
}

bool trusts_anew(const Node& before, const Node& after) {
  const NodeTable old({before});
  const NodeTable now({after});
  const auto found = differences(old, now);
  return !found.empty() && found.front().trusted_anew;
}

TEST(Narrowing, TakesNothingFromWhatIsWider) {
  auto wider = trusted();
  wider.trust_anchors.emplace_back("c");
  wider.principal_domains.push_back(Domain::parse("b.example").value());
  wider.endpoints = {"https://elsewhere"};
  EXPECT_TRUE(narrowing(trusted(), wider).empty());
  EXPECT_TRUE(narrowing(trusted(), trusted()).empty());
  auto pinned = trusted();
  pinned.pins = {"p"};
  EXPECT_TRUE(narrowing(pinned, trusted()).empty());
  auto low = trusted();
  low.trust_level = TrustLevel::revoked;
  low.enabled = false;
  EXPECT_TRUE(narrowing(low, trusted()).empty());
}

TEST(Narrowing, RevokedIsLowest) {
  auto revoked = trusted();
  revoked.trust_level = TrustLevel::revoked;
  auto untrusted = trusted();
  untrusted.trust_level = TrustLevel::untrusted;
  EXPECT_EQ(narrowing(untrusted, revoked).level, TrustLevel::revoked);
  EXPECT_EQ(narrowing(revoked, untrusted).level, std::nullopt);
  Narrowing{.level = TrustLevel::pending}.apply(revoked);
  EXPECT_EQ(revoked.trust_level, TrustLevel::revoked);
  auto node = trusted();
  Narrowing both{.level = TrustLevel::revoked};
  both.add({.level = TrustLevel::untrusted});
  both.apply(node);
  EXPECT_EQ(node.trust_level, TrustLevel::revoked);
  EXPECT_EQ(node.trusted_since, std::nullopt);
}

TEST(Narrowing, AppliesToWhateverTheNodeHasBecome) {
  auto after = trusted();
  after.trust_anchors = {"b"};
  after.pins = {"p", "q"};
  after.principal_domains.clear();
  const auto lost = narrowing(trusted(), after);
  auto meanwhile = trusted();
  meanwhile.trust_anchors = {"c", "b"};
  meanwhile.pins = {"q", "r"};
  meanwhile.name = "renamed";
  lost.apply(meanwhile);
  EXPECT_THAT(meanwhile.trust_anchors, ElementsAre("b"));
  EXPECT_THAT(meanwhile.pins, ElementsAre("q"));
  EXPECT_THAT(meanwhile.principal_domains, IsEmpty());
  EXPECT_EQ(meanwhile.name, "renamed");
  EXPECT_TRUE(meanwhile.enabled);
}

// An empty list of pins lets every key in: it must never be what is left.
TEST(Narrowing, PinsThatHaveNothingInCommonLetNobodyIn) {
  auto pinned = trusted();
  pinned.pins = {"p"};
  auto other = pinned;
  other.pins = {"q"};
  auto node = pinned;
  narrowing(pinned, other).apply(node);
  EXPECT_FALSE(node.usable());
  EXPECT_THAT(node.pins, ElementsAre("p"));

  Narrowing both{.pins = std::vector<std::string>{"p"}};
  both.add({.pins = std::vector<std::string>{"q"}});
  node = trusted();
  both.apply(node);
  EXPECT_FALSE(node.usable());
}

TEST(Narrowing, AnOperatorsDisablingOutlivesYamls) {
  Narrowing both{.disabled = NodeSource::configuration};
  both.add({.disabled = NodeSource::operator_command});
  both.add({.disabled = NodeSource::configuration});
  auto node = trusted();
  both.apply(node);
  EXPECT_EQ(who_disabled(node), NodeSource::operator_command);
  Narrowing{.disabled = NodeSource::configuration}.apply(node);
  EXPECT_EQ(who_disabled(node), NodeSource::operator_command);
}

TEST(Differences, CutOffIsWhoLosesWhatMayStandBehindAConnection) {
  auto after = trusted();
  after.trust_anchors.emplace_back("c");
  EXPECT_FALSE(cuts_off(trusted(), after)) << "an anchor more, as in a rotation, ends nothing";
  EXPECT_TRUE(trusts_anew(trusted(), after));
  EXPECT_TRUE(cuts_off(after, trusted())) << "one less does";
  auto pinned = trusted();
  pinned.pins = {"p"};
  EXPECT_TRUE(cuts_off(trusted(), pinned));
  EXPECT_FALSE(cuts_off(pinned, trusted()));
  auto next = pinned;
  next.pins = {"p", "q"};
  EXPECT_FALSE(cuts_off(pinned, next));
  EXPECT_TRUE(cuts_off(next, pinned));
  after = trusted();
  after.enabled = false;
  EXPECT_TRUE(cuts_off(trusted(), after));
  EXPECT_FALSE(cuts_off(after, trusted()));
  EXPECT_FALSE(trusts_anew(after, trusted())) << "it was trusted before";
  after = trusted();
  after.trust_level = TrustLevel::revoked;
  EXPECT_TRUE(cuts_off(trusted(), after));
  EXPECT_TRUE(trusts_anew(after, trusted()));
  after = trusted();
  after.endpoints = {"https://elsewhere"};
  EXPECT_FALSE(cuts_off(trusted(), after));
  EXPECT_FALSE(cuts_off(trusted(), trusted()));
}

TEST(Differences, ComeAndGo) {
  const NodeTable none({});
  const NodeTable one({trusted()});
  const auto gone = differences(one, none);
  ASSERT_EQ(gone.size(), 1U);
  EXPECT_TRUE(gone.front().cut_off);
  EXPECT_EQ(gone.front().after, nullptr);
  const auto come = differences(none, one);
  ASSERT_EQ(come.size(), 1U);
  EXPECT_TRUE(come.front().trusted_anew);
  EXPECT_EQ(come.front().before, nullptr);
}

}  // namespace
}  // namespace fedgate::nodes
