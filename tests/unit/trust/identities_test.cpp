// SPDX-License-Identifier: Apache-2.0
#include "support/identities.h"

#include <gtest/gtest.h>
#include <openssl/err.h>

#include <algorithm>
#include <set>

#include "trust/peer_verifier.h"

namespace fedgate::trust {
namespace {

using test::Ends;
using test::IdentityCase;

std::vector<Presented> ends_of(const IdentityCase& one) {
  if (one.ends == Ends::client_only) return {Presented::by_client};
  if (one.ends == Ends::server_only) return {Presented::by_server};
  return {Presented::by_client, Presented::by_server};
}

struct Judged {
  Judgement first, every;
};

/// As a listener asks (any node, the first reason) or as a caller does (this node), and as a person does.
Judged judge(const test::Identity& identity, Presented presented, const NodeId& expected) {
  std::vector<Node> nodes = identity.others;
  nodes.push_back(identity.node());
  std::vector<CrlSource> sources;
  for (const auto& text : identity.crls) sources.push_back({"test.crl", text, nodes.back().id});
  const auto verifier = PeerVerifier::make(nodes, nullptr, RevocationLists::make(sources));
  std::vector<X509*> rest;
  for (std::size_t i = 1; i < identity.chain.size(); ++i) rest.push_back(identity.chain[i]->get());
  const Evidence evidence{.leaf = identity.chain.front()->get(),
                          .rest = rest,
                          .presented = presented,
                          .expected = expected,
                          .at = test_now,
                          .staple = {}};
  Judged judged{verifier->judge(evidence), verifier->judge(evidence, Findings::Extent::every)};
  EXPECT_EQ(ERR_peek_error(), 0U) << "left in the thread's error queue, where TLS would stumble over it";
  return judged;
}

std::set<std::string> ids(const std::vector<Refusal>& refusals) {
  std::set<std::string> found;
  for (const auto& refusal : refusals) found.emplace(refusal.id());
  return found;
}

std::string told(const std::vector<Refusal>& refusals) {
  std::string text;
  for (const auto& refusal : refusals) text.append(refusal.id()).append(": ").append(refusal.detail).append("\n");
  return text;
}

class WrongIdentity : public testing::TestWithParam<IdentityCase> {};

TEST_P(WrongIdentity, IsRefusedForExactlyTheseReasons) {
  const auto identity = GetParam().make();
  const std::set<std::string> wanted(GetParam().reasons.begin(), GetParam().reasons.end());
  for (const auto presented : ends_of(GetParam())) {
    const auto called = judge(identity, presented, NodeId::parse(test::peer_id).value());
    EXPECT_FALSE(called.first.accepted());
    EXPECT_FALSE(called.every.accepted());
    EXPECT_EQ(ids(called.every.refusals), wanted) << told(called.every.refusals);
    ASSERT_EQ(called.first.refusals.size(), 1U);
    EXPECT_TRUE(wanted.contains(std::string(called.first.refusals[0].id()))) << told(called.first.refusals);
    EXPECT_EQ(called.first.result().error().code, called.first.refusals[0].reason == Reason::node_not_trusted
                                                      ? Code::node_not_trusted
                                                      : Code::identity_mismatch);
    for (const auto& refusal : called.every.refusals) {
      EXPECT_FALSE(refusal.detail.empty());
      EXPECT_TRUE(std::ranges::all_of(refusal.detail, [](char c) { return c >= 0x20 && c < 0x7F; }));
    }
    const auto listened = judge(identity, presented, {});
    EXPECT_FALSE(listened.first.accepted());
    EXPECT_FALSE(listened.every.accepted());
    ASSERT_EQ(listened.first.refusals.size(), 1U);
    EXPECT_EQ(listened.first.refusals[0].id(), called.first.refusals[0].id()) << told(listened.first.refusals);
  }
}

std::string name_of(const testing::TestParamInfo<IdentityCase>& info) { return info.param.name; }
INSTANTIATE_TEST_SUITE_P(All, WrongIdentity, testing::ValuesIn(test::wrong_identities()), name_of);

class RightIdentity : public testing::TestWithParam<IdentityCase> {};

TEST_P(RightIdentity, IsExactlyThatNode) {
  const auto identity = GetParam().make();
  for (const auto presented : ends_of(GetParam())) {
    for (const auto& expected : {NodeId(), NodeId::parse(test::peer_id).value()}) {
      const auto judged = judge(identity, presented, expected);
      ASSERT_TRUE(judged.first.accepted()) << told(judged.first.refusals);
      ASSERT_TRUE(judged.every.accepted()) << told(judged.every.refusals);
      EXPECT_EQ(judged.first.identity->node.str(), test::peer_id);
      EXPECT_EQ(judged.first.identity->certificate, sha256(identity.chain.front()->der()));
      EXPECT_EQ(to_hex(judged.first.identity->public_key), test::pin_of(*identity.chain.front()));
      EXPECT_GT(judged.first.identity->valid_until, test_now);
      EXPECT_LE(judged.first.identity->valid_until, test_now + std::chrono::hours(24 * 30));
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, RightIdentity, testing::ValuesIn(test::right_identities()), name_of);

TEST(Identities, NamesAreUniqueAndMany) {
  std::set<std::string> names;
  for (const auto& one : test::wrong_identities()) EXPECT_TRUE(names.insert(one.name).second) << one.name;
  EXPECT_GE(names.size(), 60U);
  for (const auto& one : test::right_identities()) EXPECT_TRUE(names.insert("right " + one.name).second) << one.name;
}

TEST(Identities, EveryReasonIsSeenOrNamedHere) {
  std::set<std::string> seen{
      // in other tests of this folder
      "no_certificate", "unique_id", "ocsp_malformed", "ocsp_signature", "ocsp_mismatch", "ocsp_stale",
      // of the command line
      "input_malformed",
      // of flaws that have no other reason
      "chain_invalid", "internal"};
  for (const auto& one : test::wrong_identities()) seen.insert(one.reasons.begin(), one.reasons.end());
  std::set<std::string> known;
  for (const auto& info : all_reasons()) known.emplace(info.id);
  EXPECT_EQ(seen, known);
}

}  // namespace
}  // namespace fedgate::trust
