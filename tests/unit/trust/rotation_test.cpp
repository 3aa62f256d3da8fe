// SPDX-License-Identifier: Apache-2.0
//
// Which bundles of a trusted node are taken over, which wait for an operator, and which are refused.
#include "trust/rotation_rules.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/hash.h"
#include "support/certificate_builder.h"

namespace fedgate::trust {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

NodeId id(const std::string& text) { return NodeId::parse(text).value(); }
Sha256 hash_of(const Issued& one) { return certificate_sha256(one.get()).value(); }

/// Not canonical JSON, which is wire's: any text that changes with the bundle serves here.
StatedBundle stated(Bundle value) {
  std::string text = value.node.str() + std::to_string(value.seq);
  if (value.previous) text += to_hex(*value.previous);
  for (const auto& list : {value.endpoints, value.anchors, value.pins})
    for (const auto& item : list) text += "|" + item;
  for (const auto& domain : value.principal_domains) text += "|" + domain.str();
  const auto hash = sha256(text);
  return {std::move(value), std::move(text), hash};
}

/// The name and key of `to`, signed by `by`.
std::string cross(const Issued& to, const std::string& name, const Issued& by, bool ca = true) {
  Recipe recipe = Recipe::authority(name);
  if (!ca) recipe = Recipe::leaf("orga.example");
  if (!ca) recipe.common_name = name;
  recipe.key = [&to] { return same_key(to.key.get()); };
  return issue(recipe, &by).pem();
}

/// orga.example rotates from `old_ca` to `new_ca`; orgb.example reads. Each part can be changed before judge().
class RotationTest : public testing::Test {
 protected:
  static const Issued& made(int which) {
    static const Issued all[] = {issue(Recipe::authority("old")), issue(Recipe::authority("new")),
                                 issue(Recipe::authority("foreign"))};
    return all[which];
  }
  const Issued& old_ca = made(0);
  const Issued& new_ca = made(1);
  const Issued& foreign_ca = made(2);
  Issued leaf = issue(Recipe::leaf("orga.example"), &old_ca);
  Bundle first, next;
  BundleCase from;
  ServedBundle served;

  void SetUp() override {
    first.node = id("orga.example");
    first.endpoints = {"https://gate.orga.example:8443"};
    first.principal_domains = {Domain::parse("orga.example").value()};
    first.anchors = {old_ca.pem()};
    from.known = stated(first);
    next = first;
    next.seq = 2;
    next.previous = from.known->sha256;
    next.anchors = {old_ca.pem(), new_ca.pem()};
    from.row.id = first.node;
    from.row.endpoints = first.endpoints;
    from.row.trust_anchors = first.anchors;
    from.row.principal_domains = first.principal_domains;
    from.row.trust_level = TrustLevel::trusted;
    from.own.node = id("orgb.example");
    from.own.principal_domains = {Domain::parse("orgb.example").value()};
    from.nonce.fill(7);
    from.at = test_now;
    served.cross_certificates = {cross(new_ca, "new", old_ca)};
  }
  /// As orga.example signs it, with its leaf of now.
  void serve() {
    served.bundle = stated(next);
    served.chain = leaf.pem();
    from.leaf = hash_of(leaf);
    served.signature = sign_bundle(leaf.key_pem(), served, id("orgb.example"), from.nonce).value();
  }
  Result<BundleJudgement> judge() {
    serve();
    from.nodes = {from.row};
    return judge_bundle(served, from);
  }
  std::string refusal() {
    const auto judged = judge();
    EXPECT_FALSE(judged);
    if (judged) return {};
    EXPECT_EQ(judged.error().code, Code::identity_mismatch);
    return judged.error().detail;
  }
  /// Why an operator must decide; nothing of the row changes until then.
  std::string left_to_operator() {
    const auto judged = judge();
    if (!judged) return "refused: " + judged.error().detail;
    EXPECT_EQ(judged->verdict, BundleVerdict::operator_decides);
    EXPECT_EQ(judged->after, from.row);
    return judged->why;
  }
};

TEST_F(RotationTest, ACertifiedAnchorIsPutBesideTheOldOne) {
  const auto judged = judge();
  ASSERT_TRUE(judged) << judged.error().detail;
  EXPECT_EQ(judged->verdict, BundleVerdict::accepted) << judged->why;
  EXPECT_THAT(judged->after.trust_anchors, ElementsAre(old_ca.pem(), new_ca.pem()));
  EXPECT_THAT(judged->added, ElementsAre(hash_of(new_ca)));
  EXPECT_THAT(judged->dropped, IsEmpty());
}

/// The connection has shown the staple; a bundle brings none.
TEST_F(RotationTest, ALeafThatDemandsAStapleVouchesForItsBundle) {
  auto recipe = Recipe::leaf("orga.example");
  recipe.tls_feature = "status_request";
  leaf = issue(recipe, &old_ca);
  const auto judged = judge();
  ASSERT_TRUE(judged) << judged.error().detail;
  EXPECT_EQ(judged->verdict, BundleVerdict::accepted) << judged->why;
  EXPECT_TRUE(stands_on(id("orga.example"), leaf.pem(), std::vector{old_ca.pem()}, test_now));
}

TEST_F(RotationTest, AConfiguredIntermediateStandsBehindTheLeafThatSigns) {
  const auto issuing = issue(Recipe::intermediate("issuing"), &old_ca);
  leaf = issue(Recipe::leaf("orga.example"), &issuing);
  EXPECT_THAT(refusal(), HasSubstr("do not stand behind"));
  from.row.intermediates = {issuing.pem()};
  const auto judged = judge();
  ASSERT_TRUE(judged) << judged.error().detail;
  EXPECT_EQ(judged->verdict, BundleVerdict::accepted) << judged->why;
}

TEST_F(RotationTest, TheSameBundleAgainIsKnown) {
  next = first;
  EXPECT_EQ(judge().value().verdict, BundleVerdict::known);
}

TEST_F(RotationTest, AnAnchorIsDroppedOnceTheOthersStandBehindTheLeaf) {
  from.known = stated(next);
  from.row.trust_anchors = next.anchors;
  next.seq = 3;
  next.previous = from.known->sha256;
  next.anchors = {new_ca.pem()};
  EXPECT_THAT(refusal(), HasSubstr("do not stand behind"));
  leaf = issue(Recipe::leaf("orga.example"), &new_ca);
  const auto judged = judge();
  ASSERT_TRUE(judged) << judged.error().detail;
  EXPECT_EQ(judged->verdict, BundleVerdict::accepted);
  EXPECT_THAT(judged->after.trust_anchors, ElementsAre(new_ca.pem()));
  EXPECT_THAT(judged->dropped, ElementsAre(hash_of(old_ca)));
}

TEST_F(RotationTest, WhatAnOperatorGaveItOtherwiseIsNotDropped) {
  from.row.trust_anchors.push_back(foreign_ca.pem());
  const auto judged = judge();
  ASSERT_TRUE(judged) << judged.error().detail;
  EXPECT_THAT(judged->after.trust_anchors, ElementsAre(old_ca.pem(), foreign_ca.pem(), new_ca.pem()));
}

TEST_F(RotationTest, ASeqMayBeMissedButNotTheChainWhereItCanBeSeen) {
  next.seq = 5;
  next.previous = sha256("one that was never seen");
  EXPECT_EQ(judge().value().verdict, BundleVerdict::accepted);
  next.seq = 2;
  EXPECT_THAT(refusal(), HasSubstr("does not follow"));
}

TEST_F(RotationTest, WithoutAKnownBundleTheRowCounts) {
  from.known.reset();
  EXPECT_EQ(judge().value().verdict, BundleVerdict::accepted);
  served.cross_certificates.clear();
  EXPECT_THAT(left_to_operator(), HasSubstr("not certified"));
}

TEST_F(RotationTest, NobodyVouchesForTheNewAnchor) {
  served.cross_certificates.clear();
  EXPECT_THAT(left_to_operator(), HasSubstr("not certified"));
  const std::vector<std::pair<const char*, std::string>> worthless{
      {"signed by another CA", cross(new_ca, "new", foreign_ca)}, {"signed by itself", new_ca.pem()},
      {"for another key", cross(foreign_ca, "new", old_ca)},      {"for another name", cross(new_ca, "newer", old_ca)},
      {"not a CA's", cross(new_ca, "new", old_ca, false)},        {"not a certificate", "garbage"},
  };
  for (const auto& [what, pem] : worthless) {
    served.cross_certificates = {pem};
    EXPECT_THAT(left_to_operator(), HasSubstr("not certified")) << what;
  }
  Recipe expired = Recipe::authority("new");
  expired.key = [&] { return same_key(new_ca.key.get()); };
  expired.not_before = test_now - std::chrono::hours(48);
  expired.not_after = test_now - std::chrono::hours(24);
  served.cross_certificates = {issue(expired, &old_ca).pem()};
  EXPECT_THAT(left_to_operator(), HasSubstr("not certified"));
}

TEST_F(RotationTest, DomainsAndPinsAreAnOperatorsToDecide) {
  next.anchors = first.anchors;
  next.principal_domains.push_back(Domain::parse("more.example").value());
  EXPECT_THAT(left_to_operator(), HasSubstr("principal domains"));
  next.principal_domains.clear();
  EXPECT_THAT(left_to_operator(), HasSubstr("principal domains")) << "fewer are others, too";
  next.principal_domains = first.principal_domains;
  next.pins = {std::string(64, 'a')};
  EXPECT_THAT(left_to_operator(), HasSubstr("pins"));
}

TEST_F(RotationTest, EndpointsFollowTheBundleThatTheyCameFrom) {
  next.anchors = first.anchors;
  next.endpoints = {"https://new.orga.example:8443"};
  EXPECT_EQ(judge().value().after.endpoints, next.endpoints);
  from.row.endpoints = {"https://10.1.2.3:8443"};
  EXPECT_EQ(judge().value().after.endpoints, from.row.endpoints) << "an operator's stay";
}

TEST_F(RotationTest, WhatYamlDefinesYamlChanges) {
  from.row.source = NodeSource::configuration;
  from.row.defined_at = "fedgate.yaml:7";
  auto judged = judge();
  ASSERT_TRUE(judged);
  EXPECT_EQ(judged->verdict, BundleVerdict::configuration_decides);
  EXPECT_EQ(judged->after, from.row);
  EXPECT_THAT(judged->why, HasSubstr(to_hex(hash_of(new_ca)).substr(0, 16)));
  from.row.trust_anchors.push_back(new_ca.pem());
  judged = judge();
  ASSERT_TRUE(judged);
  EXPECT_EQ(judged->verdict, BundleVerdict::accepted) << "it has it already: that is to be acknowledged";
  EXPECT_EQ(judged->after, from.row);
}

TEST_F(RotationTest, AnOlderOneIsRefused) {
  from.known = stated(next);
  next = first;
  const auto judged = judge();
  ASSERT_FALSE(judged);
  EXPECT_EQ(judged.error().code, Code::conflict);
  EXPECT_THAT(judged.error().detail, HasSubstr("older"));
}

TEST_F(RotationTest, ASecondOneWithTheSameSeqIsAViolation) {
  from.known = stated(next);
  next.endpoints = {"https://other.orga.example"};
  EXPECT_THAT(refusal(), HasSubstr("second, different bundle"));
}

TEST_F(RotationTest, SomebodyElsesBundleNameOrAnchor) {
  next.node = id("orgc.example");
  EXPECT_THAT(refusal(), HasSubstr("bundle of orgc.example"));
  next.node = first.node;
  next.principal_domains.push_back(Domain::parse("orgb.example").value());
  EXPECT_THAT(refusal(), HasSubstr("our own principal domain"));
  next.principal_domains = first.principal_domains;

  // Its own CA may certify any public key, so this one, too.
  next.anchors = {old_ca.pem(), foreign_ca.pem()};
  served.cross_certificates = {cross(foreign_ca, "foreign", old_ca)};
  Node victim;
  victim.id = id("orgc.example");
  victim.trust_anchors = {foreign_ca.pem()};
  victim.trust_level = TrustLevel::trusted;
  serve();
  from.nodes = {from.row, victim};
  const auto shared = judge_bundle(served, from);
  ASSERT_FALSE(shared) << "the victim could not be told apart any more";
  EXPECT_THAT(shared.error().detail, HasSubstr("orgc.example's too"));
  from.own.anchors = {foreign_ca.pem()};
  EXPECT_THAT(refusal(), HasSubstr("orgb.example's too"));
}

TEST_F(RotationTest, AnchorsThatAreNone) {
  next.anchors = {old_ca.pem(), leaf.pem()};
  EXPECT_THAT(refusal(), HasSubstr("not usable"));
  next.anchors = {old_ca.pem(), new_ca.pem() + foreign_ca.pem()};
  EXPECT_FALSE(judge());
  next.anchors = {};
  EXPECT_THAT(refusal(), HasSubstr("one certificate each"));
}

TEST_F(RotationTest, TheSignatureIsForThisBundleReaderNonceAndConnection) {
  const auto refused = [&](const char* what) {
    const auto judged = judge_bundle(served, from);
    ASSERT_FALSE(judged) << what;
    EXPECT_EQ(judged.error().code, Code::identity_mismatch) << what;
  };
  serve();
  from.nodes = {from.row};
  ASSERT_TRUE(judge_bundle(served, from));

  from.nonce.fill(8);
  refused("replayed");
  from.nonce.fill(7);
  from.own.node = id("orgc.example");
  refused("made for another reader");
  from.own.node = id("orgb.example");
  const auto crosses = std::exchange(served.cross_certificates, {});
  refused("a cross certificate taken away");
  served.cross_certificates = crosses;
  auto other = next;
  other.endpoints.clear();
  const auto bundle = std::exchange(served.bundle, stated(other));
  refused("another bundle");
  served.bundle = bundle;
  const auto signature = std::exchange(served.signature, std::string(70, 'x'));
  refused("forged");
  served.signature = signature;
  const auto thief = issue(Recipe::leaf("orga.example"), &old_ca);
  served.chain = thief.pem();
  served.signature = sign_bundle(thief.key_pem(), served, id("orgb.example"), from.nonce).value();
  refused("another leaf than the connection's");
}

TEST_F(RotationTest, AcknowledgementsAreTheNodesOwn) {
  Acknowledgement one{id("orga.example"), 2, sha256("bundle"), test_now, leaf.pem(), {}};
  one.signature = sign_acknowledgement(leaf.key_pem(), one).value();
  ASSERT_TRUE(check_acknowledgement(one, id("orga.example"), hash_of(leaf)));
  EXPECT_FALSE(check_acknowledgement(one, id("orgb.example"), hash_of(leaf)));
  EXPECT_FALSE(check_acknowledgement(one, id("orga.example"), hash_of(old_ca)));
  auto changed = one;
  changed.seq = 3;
  EXPECT_FALSE(check_acknowledgement(changed, id("orga.example"), hash_of(leaf)));
  changed = one;
  changed.bundle = sha256("another");
  EXPECT_FALSE(check_acknowledgement(changed, id("orga.example"), hash_of(leaf)));
  changed = one;
  changed.time += std::chrono::seconds(1);
  EXPECT_FALSE(check_acknowledgement(changed, id("orga.example"), hash_of(leaf)));
  // A signature under one context is none under the other.
  serve();
  changed = one;
  changed.signature = served.signature;
  EXPECT_FALSE(check_acknowledgement(changed, id("orga.example"), hash_of(leaf)));
}

TEST_F(RotationTest, WhatAnOperatorAnnounces) {
  const std::vector<std::string> anchors{old_ca.pem(), new_ca.pem()};
  EXPECT_EQ(certified_anchor(cross(new_ca, "new", old_ca), anchors, test_now).value(), 1U);
  EXPECT_FALSE(certified_anchor(cross(new_ca, "new", foreign_ca), anchors, test_now));
  EXPECT_FALSE(certified_anchor(new_ca.pem(), anchors, test_now)) << "signed by itself says nothing";
  EXPECT_FALSE(certified_anchor("garbage", anchors, test_now));
  EXPECT_TRUE(stands_on(id("orga.example"), leaf.pem(), {anchors.data(), 1}, test_now));
  EXPECT_FALSE(stands_on(id("orga.example"), leaf.pem(), {anchors.data() + 1, 1}, test_now));
  EXPECT_EQ(certificates_only(leaf.key_pem() + leaf.pem() + leaf.key_pem()).value(), leaf.pem());
}

}  // namespace
}  // namespace fedgate::trust
