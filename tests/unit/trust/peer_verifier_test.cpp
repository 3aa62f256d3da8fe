// SPDX-License-Identifier: Apache-2.0
#include "trust/peer_verifier.h"

#include <gtest/gtest.h>
#include <openssl/err.h>

#include <atomic>
#include <random>
#include <set>
#include <thread>

#include "base/hash.h"
#include "certificate_builder.h"
#include "trust/dev_pki.h"

namespace fedgate::trust {
namespace {

using namespace std::chrono_literals;

NodeId id(const std::string& text) { return NodeId::parse(text).value(); }

Node trusted(const std::string& name, std::vector<std::string> anchors) {
  Node node;
  node.id = id(name);
  node.trust_anchors = std::move(anchors);
  node.trust_level = TrustLevel::trusted;
  return node;
}

std::string pin_of(const Issued& issued) { return to_hex(public_key_sha256(issued.get()).value()); }

/// The organisations that the cases are about: made once, the keys are what costs time.
struct World {
  Issued ca_b = issue(Recipe::authority("CA of B"));
  Issued ca_c = issue(Recipe::authority("CA of C"));
  Issued stranger = issue(Recipe::authority("CA of B"));  // the same name, another key
  Issued shared = issue(Recipe::authority("Shared CA"));
  Issued root_g = issue(Recipe::authority("Root of G"));
  Issued ca_h = issue(Recipe::intermediate("CA of H"), &root_g);
  std::vector<Node> nodes;

  World() {
    nodes.push_back(trusted("orgb.example", {ca_b.pem()}));
    nodes.push_back(trusted("orgc.example", {ca_c.pem()}));
    nodes.push_back(trusted("revoked.example", {ca_b.pem()}));
    nodes.back().trust_anchors = {issue(Recipe::authority("CA of D")).pem()};
    nodes.back().trust_level = TrustLevel::revoked;
    nodes.push_back(nodes.back());
    nodes.back().id = id("pending.example");
    nodes.back().trust_level = TrustLevel::pending;
    nodes.push_back(nodes.back());
    nodes.back().id = id("disabled.example");
    nodes.back().trust_level = TrustLevel::trusted;
    nodes.back().enabled = false;
    nodes.push_back(trusted("orge.example", {shared.pem()}));
    nodes.push_back(trusted("orgf.example", {shared.pem()}));
    nodes.push_back(trusted("orgg.example", {root_g.pem()}));
    nodes.push_back(trusted("orgh.example", {ca_h.pem()}));
    nodes.push_back(trusted("broken.example", {"not a certificate"}));
  }
};
const World& world() {
  static const World made;
  return made;
}

Result<PeerIdentity> judge(const std::vector<Node>& nodes, const std::vector<const Issued*>& chain,
                           Presented presented = Presented::by_client, const std::string& expected = {},
                           WallTime at = test_now) {
  std::vector<X509*> rest;
  for (std::size_t i = 1; i < chain.size(); ++i) rest.push_back(chain[i]->get());
  auto answer = PeerVerifier::make(nodes)->judge(chain.front()->get(), rest, presented,
                                                 expected.empty() ? NodeId() : id(expected), at);
  EXPECT_EQ(ERR_peek_error(), 0U) << "left in the thread's error queue, where TLS would stumble over it";
  return answer;
}

// ---- wrong identities -----------------------------------------------------------------------------------------

struct Wrong {
  std::string name;
  std::string reason;                   // part of what the operator reads
  std::function<void(Recipe&)> change;  // of a leaf of orgb.example that would be accepted
  const Issued World::* issuer = &World::ca_b;
  Presented presented = Presented::by_client;
  std::string expected = {};
  WallTime at = test_now;
  Code code = Code::identity_mismatch;
};

void PrintTo(const Wrong& wrong, std::ostream* out) { *out << wrong.name; }

void only_name(Recipe& r, std::string name) { r.names = {{GEN_DNS, std::move(name)}}; }

std::vector<Wrong> wrong_identities() {
  return {
      {"issued_by_another_nodes_ca", "does not verify", [](Recipe&) {}, &World::ca_c},
      {"issued_by_a_ca_of_the_same_name", "does not verify", [](Recipe& r) { r.authority_key_id = true; },
       &World::stranger},
      {"another_nodes_name_by_this_ca", "does not verify", [](Recipe& r) { only_name(r, "orgc.example"); }},
      {"common_name_only", "no DNS name",
       [](Recipe& r) {
         r.common_name = "orgb.example";
         r.names.clear();
       }},
      {"common_name_beside_another_name", "name no node",
       [](Recipe& r) {
         r.common_name = "orgb.example";
         only_name(r, "x.example");
       }},
      {"wildcard", "wildcard", [](Recipe& r) { only_name(r, "*.example"); }},
      {"wildcard_beside_the_right_name", "wildcard", [](Recipe& r) { r.names.push_back({GEN_DNS, "*.orgb.example"}); }},
      {"partial_wildcard", "wildcard", [](Recipe& r) { r.names.push_back({GEN_DNS, "g*.orgb.example"}); }},
      {"two_peers", "two peers", [](Recipe& r) { r.names.push_back({GEN_DNS, "orgc.example"}); }},
      {"two_peers_in_another_case", "two peers", [](Recipe& r) { r.names.push_back({GEN_DNS, "ORGC.Example."}); }},
      {"two_peers_one_revoked", "two peers", [](Recipe& r) { r.names.push_back({GEN_DNS, "revoked.example"}); }},
      {"two_peers_one_broken", "two peers", [](Recipe& r) { r.names.push_back({GEN_DNS, "broken.example"}); }},
      {"upper_case", "lower case", [](Recipe& r) { only_name(r, "OrgB.example"); }},
      {"final_dot", "final dot", [](Recipe& r) { only_name(r, "orgb.example."); }},
      {"subdomain", "name no node", [](Recipe& r) { only_name(r, "gate.orgb.example"); }},
      {"parent_domain", "name no node", [](Recipe& r) { only_name(r, "example"); }},
      {"longer_name", "name no node", [](Recipe& r) { only_name(r, "orgb.example.evil.example"); }},
      {"nul_in_the_name", "NUL", [](Recipe& r) { only_name(r, std::string("orgb.example\0.evil.example", 26)); }},
      {"nul_in_another_name", "NUL", [](Recipe& r) { r.names.push_back({GEN_DNS, std::string("a\0b", 3)}); }},
      {"nul_in_a_uri", "NUL", [](Recipe& r) { r.names.push_back({GEN_URI, std::string("spiffe://a\0b", 12)}); }},
      {"not_ia5", "do not belong", [](Recipe& r) { r.names.push_back({GEN_DNS, "orgb.ex\xC3\xA4mple"}); }},
      {"newline", "do not belong", [](Recipe& r) { r.names.push_back({GEN_EMAIL, "a\n@orgb.example"}); }},
      {"leading_space", "do not belong", [](Recipe& r) { only_name(r, " orgb.example"); }},
      {"not_a_dns_name", "not a DNS name", [](Recipe& r) { r.names.push_back({GEN_DNS, "orgb.example:8443"}); }},
      {"empty_name", "not a DNS name", [](Recipe& r) { r.names.push_back({GEN_DNS, ""}); }},
      {"uri_only", "no DNS name", [](Recipe& r) { r.names = {{GEN_URI, "orgb.example"}}; }},
      {"email_only", "no DNS name", [](Recipe& r) { r.names = {{GEN_EMAIL, "orgb.example"}}; }},
      {"too_many_names", "more than 100",
       [](Recipe& r) {
         for (int i = 0; i < 101; ++i) r.names.push_back({GEN_DNS, "x.example"});
       }},
      {"names_twice", "more than once", [](Recipe& r) { r.names_twice = true; }},
      {"no_eku", "no extendedKeyUsage", [](Recipe& r) { r.extended_key_usage.clear(); }},
      {"any_eku", "not enough", [](Recipe& r) { r.extended_key_usage = "anyExtendedKeyUsage"; }},
      {"other_eku", "lacks clientAuth", [](Recipe& r) { r.extended_key_usage = "codeSigning"; }},
      {"server_as_client", "lacks clientAuth", [](Recipe& r) { r.extended_key_usage = "serverAuth"; }},
      {"client_as_server", "lacks serverAuth", [](Recipe& r) { r.extended_key_usage = "clientAuth"; }, &World::ca_b,
       Presented::by_server, "orgb.example"},
      {"leaf_is_a_ca", "CA certificate",
       [](Recipe& r) {
         r.basic_constraints = "critical,CA:TRUE";
         r.key_usage = "critical,digitalSignature,keyCertSign";
       }},
      {"leaf_may_sign_certificates", "CA certificate",
       [](Recipe& r) {
         r.basic_constraints.clear();
         r.key_usage = "critical,digitalSignature,keyCertSign";
       }},
      {"leaf_not_ca_but_key_cert_sign", "sign certificates",
       [](Recipe& r) { r.key_usage = "critical,digitalSignature,keyCertSign"; }},
      {"leaf_may_sign_crls", "CRLs", [](Recipe& r) { r.key_usage = "critical,digitalSignature,cRLSign"; }},
      {"no_digital_signature", "lacks digitalSignature", [](Recipe& r) { r.key_usage = "critical,keyAgreement"; }},
      {"expired", "expired", [](Recipe& r) { r.not_after = test_now - 1h; }},
      {"expires_at_this_instant", "expired", [](Recipe& r) { r.not_after = test_now; }},
      {"not_valid_yet", "not valid yet", [](Recipe& r) { r.not_before = test_now + 1s; }},
      {"valid_only_by_the_machines_clock", "expired", [](Recipe&) {}, &World::ca_b, Presented::by_client, "",
       test_now + 24h * 400},
      {"rsa_1024", "1024 bits", [](Recipe& r) { r.key = [] { return rsa_public_key(1024); }; }},
      {"rsa_2040", "2040 bits", [](Recipe& r) { r.key = [] { return rsa_public_key(2040); }; }},
      {"rsa_8192", "8192 bits", [](Recipe& r) { r.key = [] { return rsa_public_key(8192); }; }},
      {"curve_secp256k1", "curve secp256k1", [](Recipe& r) { r.key = [] { return ec_key("secp256k1"); }; }},
      {"curve_brainpool", "curve brainpoolP256r1", [](Recipe& r) { r.key = [] { return ec_key("brainpoolP256r1"); }; }},
      {"curve_spelled_out", "spells out",
       [](Recipe& r) {
         r.key = [] {
           auto key = ec_key("P-256");
           EVP_PKEY_set_utf8_string_param(key.get(), OSSL_PKEY_PARAM_EC_ENCODING, OSSL_PKEY_EC_ENCODING_EXPLICIT);
           return key;
         };
       }},
      {"ed448", "type that is not accepted", [](Recipe& r) { r.key = [] { return plain_key("ED448"); }; }},
      {"sha1", "too weak", [](Recipe& r) { r.digest = EVP_sha1(); }},
      {"serial_zero", "not positive", [](Recipe& r) { r.serial = "00"; }},
      {"serial_negative", "not positive", [](Recipe& r) { r.serial = "-0123"; }},
      {"serial_21_bytes", "longer than 20", [](Recipe& r) { r.serial = std::string(42, '1'); }},
      {"serial_20_bytes_and_a_sign", "longer than 20", [](Recipe& r) { r.serial = std::string(40, 'f'); }},
      {"unknown_critical_extension", "unhandled critical",
       [](Recipe& r) {
         r.unknown_extensions = 1;
         r.unknown_critical = true;
       }},
      {"an_extension_twice", "more than once", [](Recipe& r) { r.unknown_extensions = 2; }},
      {"too_many_extensions", "more than 64", [](Recipe& r) { r.unknown_extensions = 65; }},
      {"no_authority_key_id", "uthority", [](Recipe& r) { r.authority_key_id = false; }},
      {"empty_subject_names_not_critical", "critical", [](Recipe& r) { r.common_name.clear(); }},
      {"unknown_node", "name no node", [](Recipe& r) { only_name(r, "orgz.example"); }},
      {"broken_node", "cannot be judged", [](Recipe& r) { only_name(r, "broken.example"); }},
      {"not_who_was_called", "not orgc.example", [](Recipe&) {}, &World::ca_b, Presented::by_server, "orgc.example"},
      {"called_node_is_not_in_the_registry", "not orgz.example", [](Recipe& r) { only_name(r, "orgz.example"); },
       &World::ca_b, Presented::by_server, "orgz.example"},
      {"also_who_was_called", "two peers", [](Recipe& r) { r.names.push_back({GEN_DNS, "orgc.example"}); },
       &World::ca_b, Presented::by_server, "orgb.example"},
      {"shared_root_without_pin", "shared root", [](Recipe& r) { only_name(r, "orge.example"); }, &World::shared},
      {"revoked_node", "not trusted", [](Recipe& r) { only_name(r, "revoked.example"); }, &World::ca_b,
       Presented::by_client, "", test_now, Code::node_not_trusted},
      {"pending_node", "not trusted", [](Recipe& r) { only_name(r, "pending.example"); }, &World::ca_b,
       Presented::by_client, "", test_now, Code::node_not_trusted},
      {"disabled_node", "not enabled", [](Recipe& r) { only_name(r, "disabled.example"); }, &World::ca_b,
       Presented::by_server, "disabled.example", test_now, Code::node_not_trusted},
  };
}

class WrongIdentity : public testing::TestWithParam<Wrong> {};

TEST_P(WrongIdentity, IsRefusedWithItsReason) {
  const Wrong& wrong = GetParam();
  auto recipe = Recipe::leaf("orgb.example");
  wrong.change(recipe);
  const auto& issuer = world().*wrong.issuer;
  const auto leaf = issue(recipe, &issuer);
  // With and without the issuer beside it: what is presented must not matter.
  for (const auto& chain : {std::vector<const Issued*>{&leaf}, std::vector<const Issued*>{&leaf, &issuer}}) {
    const auto answer = judge(world().nodes, chain, wrong.presented, wrong.expected, wrong.at);
    ASSERT_FALSE(answer.has_value()) << "accepted as " << answer->node.str();
    EXPECT_EQ(answer.error().code, wrong.code);
    EXPECT_NE(answer.error().detail.find(wrong.reason), std::string::npos) << answer.error().detail;
  }
}

INSTANTIATE_TEST_SUITE_P(Leaf, WrongIdentity, testing::ValuesIn(wrong_identities()),
                         [](const auto& info) { return info.param.name; });

void expect_refused(const Result<PeerIdentity>& answer, std::string_view reason) {
  ASSERT_FALSE(answer.has_value()) << "accepted as " << answer->node.str();
  EXPECT_EQ(answer.error().code, Code::identity_mismatch);
  EXPECT_NE(answer.error().detail.find(reason), std::string::npos) << answer.error().detail;
}

TEST(WrongChain, NoCertificate) {
  expect_refused(PeerVerifier::make(world().nodes)->judge(nullptr, {}, Presented::by_client, {}, test_now),
                 "no certificate");
}

TEST(WrongChain, SelfSignedLeaf) {
  const auto leaf = issue(Recipe::leaf("orgb.example"));
  expect_refused(judge(world().nodes, {&leaf}), "does not verify");
}

TEST(WrongChain, VersionOne) {
  auto recipe = Recipe::leaf("orgb.example");
  recipe.version = X509_VERSION_1;
  const auto leaf = issue(recipe, &world().ca_b);
  expect_refused(judge(world().nodes, {&leaf}), "no DNS name");
}

TEST(WrongChain, AnchorItselfPresented) {
  auto recipe = Recipe::authority("CA and leaf");
  recipe.names = {{GEN_DNS, "orgb.example"}};
  recipe.extended_key_usage = "clientAuth";
  recipe.key_usage = "critical,digitalSignature,keyCertSign";
  const auto ca = issue(recipe);
  expect_refused(judge({trusted("orgb.example", {ca.pem()})}, {&ca}), "CA certificate");
}

TEST(WrongChain, LeafAsAnchorIsNoAnchor) {
  const auto leaf = issue(Recipe::leaf("orgb.example"));
  std::vector<Error> problems;
  const std::vector<Node> nodes{trusted("orgb.example", {leaf.pem()})};
  ASSERT_NE(PeerVerifier::make(nodes, &problems), nullptr);
  ASSERT_EQ(problems.size(), 1U);
  EXPECT_NE(problems[0].detail.find("orgb.example"), std::string::npos);
  EXPECT_NE(problems[0].detail.find("not a CA"), std::string::npos);
  expect_refused(judge(nodes, {&leaf}), "not a CA");
}

TEST(WrongChain, IssuerIsALeaf) {
  const auto bad = issue(Recipe::leaf("orgb.example"), &world().ca_b);
  const auto leaf = issue(Recipe::leaf("orgb.example"), &bad);
  expect_refused(judge(world().nodes, {&leaf, &bad}), "does not verify");
}

TEST(WrongChain, SubCaBelowPathLengthZero) {
  auto recipe = Recipe::authority("narrow CA");
  recipe.basic_constraints = "critical,CA:TRUE,pathlen:0";
  const auto root = issue(recipe);
  const auto sub = issue(Recipe::intermediate("sub"), &root);
  const auto leaf = issue(Recipe::leaf("orgb.example"), &sub);
  expect_refused(judge({trusted("orgb.example", {root.pem()})}, {&leaf, &sub}), "path length");
}

TEST(WrongChain, FiveCertificates) {
  const auto sub1 = issue(Recipe::intermediate("sub1"), &world().ca_b);
  const auto sub2 = issue(Recipe::intermediate("sub2"), &sub1);
  const auto leaf = issue(Recipe::leaf("orgb.example"), &sub2);
  EXPECT_TRUE(judge(world().nodes, {&leaf, &sub2, &sub1}).has_value());
  EXPECT_TRUE(judge(world().nodes, {&leaf, &sub2, &sub1, &world().ca_b}).has_value());
  expect_refused(judge(world().nodes, {&leaf, &sub2, &sub1, &world().ca_b, &world().ca_c}), "more than 4");
}

TEST(WrongChain, MissingIntermediate) {
  const auto sub = issue(Recipe::intermediate("sub"), &world().ca_b);
  const auto leaf = issue(Recipe::leaf("orgb.example"), &sub);
  expect_refused(judge(world().nodes, {&leaf}), "does not verify");
}

TEST(WrongChain, IntermediateForAnotherPurpose) {
  auto recipe = Recipe::intermediate("mail CA");
  recipe.extended_key_usage = "emailProtection";
  const auto sub = issue(recipe, &world().ca_b);
  const auto leaf = issue(Recipe::leaf("orgb.example"), &sub);
  expect_refused(judge(world().nodes, {&leaf, &sub}), "purpose");
}

TEST(WrongChain, IntermediateOnAnotherCurve) {
  auto recipe = Recipe::intermediate("odd CA");
  recipe.key = [] { return ec_key("brainpoolP256r1"); };
  const auto sub = issue(recipe, &world().ca_b);
  const auto leaf = issue(Recipe::leaf("orgb.example"), &sub);
  expect_refused(judge(world().nodes, {&leaf, &sub}), "brainpool");
}

TEST(WrongChain, ExpiredAnchorAndExpiredIntermediate) {
  auto recipe = Recipe::authority("old CA");
  recipe.not_after = test_now - 1h;
  const auto root = issue(recipe);
  const auto leaf = issue(Recipe::leaf("orgb.example"), &root);
  expect_refused(judge({trusted("orgb.example", {root.pem()})}, {&leaf}), "expired");

  recipe = Recipe::intermediate("old sub");
  recipe.not_after = test_now - 1h;
  const auto sub = issue(recipe, &world().ca_b);
  const auto below = issue(Recipe::leaf("orgb.example"), &sub);
  expect_refused(judge(world().nodes, {&below, &sub}), "expired");
}

TEST(WrongChain, NameOutsideTheCasConstraints) {
  auto recipe = Recipe::authority("constrained CA");
  recipe.name_constraints = "critical,permitted;DNS:elsewhere.example";
  const auto root = issue(recipe);
  const auto leaf = issue(Recipe::leaf("orgb.example"), &root);
  expect_refused(judge({trusted("orgb.example", {root.pem()})}, {&leaf}), "subtree");
}

// H's CA was certified by G's root, so what H's CA issues leads to G's anchor too.
TEST(WrongChain, AnotherNodesCaBelowThisNodesAnchor) {
  const auto leaf = issue(Recipe::leaf("orgg.example"), &world().ca_h);
  expect_refused(judge(world().nodes, {&leaf, &world().ca_h}), "anchor of orgh.example too");
  const auto right = issue(Recipe::leaf("orgh.example"), &world().ca_h);
  EXPECT_EQ(judge(world().nodes, {&right}).value().node.str(), "orgh.example");
}

TEST(WrongChain, PinOfAnotherKey) {
  const auto leaf = issue(Recipe::leaf("orgb.example"), &world().ca_b);
  auto node = trusted("orgb.example", {world().ca_b.pem()});
  node.pins = {pin_of(world().ca_b), pin_of(world().ca_c)};  // an issuer's key is not the leaf's
  expect_refused(judge({node}, {&leaf}), "none of the pins");
  node.pins.push_back(pin_of(leaf));
  EXPECT_TRUE(judge({node}, {&leaf}).has_value());
}

// ---- right identities -----------------------------------------------------------------------------------------

struct Right {
  std::string name;
  std::function<void(Recipe&)> change;
  Presented presented = Presented::by_client;
  std::string expected = {};
};
void PrintTo(const Right& right, std::ostream* out) { *out << right.name; }

class RightIdentity : public testing::TestWithParam<Right> {};

TEST_P(RightIdentity, IsExactlyThatNode) {
  auto recipe = Recipe::leaf("orgb.example");
  GetParam().change(recipe);
  const auto leaf = issue(recipe, &world().ca_b);
  const auto answer = judge(world().nodes, {&leaf}, GetParam().presented, GetParam().expected);
  ASSERT_TRUE(answer.has_value()) << answer.error().detail;
  EXPECT_EQ(answer->node.str(), "orgb.example");
  EXPECT_EQ(answer->certificate, sha256(leaf.der()));
  EXPECT_EQ(to_hex(answer->public_key), pin_of(leaf));
}

INSTANTIATE_TEST_SUITE_P(Leaf, RightIdentity,
                         testing::ValuesIn(std::vector<Right>{
                             {"client", [](Recipe&) {}},
                             {"client_expected", [](Recipe&) {}, Presented::by_client, "orgb.example"},
                             {"server", [](Recipe&) {}, Presented::by_server, "orgb.example"},
                             {"client_auth_only", [](Recipe& r) { r.extended_key_usage = "clientAuth"; }},
                             {"server_auth_only", [](Recipe& r) { r.extended_key_usage = "serverAuth"; },
                              Presented::by_server, "orgb.example"},
                             {"further_names_that_are_no_peers",
                              [](Recipe& r) {
                                r.names.insert(r.names.begin(), {{GEN_DNS, "gate.orgb.example"},
                                                                 {GEN_URI, "spiffe://orgb.example/gate"}});
                              }},
                             {"empty_subject",
                              [](Recipe& r) {
                                r.common_name.clear();
                                r.names_critical = true;
                              }},
                             {"common_name_of_another", [](Recipe& r) { r.common_name = "orgc.example"; }},
                             {"no_basic_constraints", [](Recipe& r) { r.basic_constraints.clear(); }},
                             {"no_key_usage", [](Recipe& r) { r.key_usage.clear(); }},
                             {"unknown_extension", [](Recipe& r) { r.unknown_extensions = 1; }},
                             {"valid_from_this_instant", [](Recipe& r) { r.not_before = test_now; }},
                             {"valid_one_second_more", [](Recipe& r) { r.not_after = test_now + 1s; }},
                             {"after_2050", [](Recipe& r) { r.not_after = test_now + 24h * 365 * 40; }},
                             {"serial_20_bytes", [](Recipe& r) { r.serial = std::string(40, '7'); }},
                             {"rsa_2048", [](Recipe& r) { r.key = [] { return rsa_public_key(2048); }; }},
                             {"rsa_4096", [](Recipe& r) { r.key = [] { return rsa_public_key(4096); }; }},
                             {"p384", [](Recipe& r) { r.key = [] { return ec_key("P-384"); }; }},
                             {"p521", [](Recipe& r) { r.key = [] { return ec_key("P-521"); }; }},
                             {"ed25519", [](Recipe& r) { r.key = [] { return plain_key("ED25519"); }; }},
                             {"sha384", [](Recipe& r) { r.digest = EVP_sha384(); }},
                         }),
                         [](const auto& info) { return info.param.name; });

TEST(RightChain, IssuingCaAsAnchorWithoutItsRoot) {
  const auto sub = issue(Recipe::intermediate("issuing CA"), &world().ca_b);
  const auto leaf = issue(Recipe::leaf("orgb.example"), &sub);
  const std::vector<Node> nodes{trusted("orgb.example", {sub.pem()})};
  EXPECT_TRUE(judge(nodes, {&leaf}).has_value());
  EXPECT_TRUE(judge(nodes, {&leaf, &sub}).has_value());
  EXPECT_TRUE(judge(nodes, {&leaf, &sub, &world().ca_b}).has_value());
  const auto beside = issue(Recipe::leaf("orgb.example"), &world().ca_b);  // by the root, which is no anchor here
  expect_refused(judge(nodes, {&beside, &world().ca_b}), "does not verify");
}

TEST(RightChain, TwoAnchorsDuringRotationAlsoInOneText) {
  const auto next = issue(Recipe::authority("next CA of B"));
  const auto old_leaf = issue(Recipe::leaf("orgb.example"), &world().ca_b);
  const auto new_leaf = issue(Recipe::leaf("orgb.example"), &next);
  for (const auto& anchors :
       {std::vector{world().ca_b.pem(), next.pem()}, std::vector{world().ca_b.pem() + next.pem()}}) {
    const std::vector<Node> nodes{trusted("orgb.example", anchors)};
    EXPECT_TRUE(judge(nodes, {&old_leaf}).has_value());
    EXPECT_TRUE(judge(nodes, {&new_leaf}).has_value());
  }
}

TEST(RightChain, SharedRootWithPins) {
  const auto leaf_e = issue(Recipe::leaf("orge.example"), &world().shared);
  const auto leaf_f = issue(Recipe::leaf("orgf.example"), &world().shared);
  auto e = trusted("orge.example", {world().shared.pem()});
  auto f = trusted("orgf.example", {world().shared.pem()});
  std::vector<Error> problems;
  e.pins = {pin_of(leaf_e)};
  const std::vector<Node> nodes{e, f};
  PeerVerifier::make(nodes, &problems);
  ASSERT_EQ(problems.size(), 1U);  // of F, which has no pins
  EXPECT_NE(problems[0].detail.find("orgf.example: its trust anchor is orge.example's too"), std::string::npos)
      << problems[0].detail;
  EXPECT_EQ(judge(nodes, {&leaf_e}).value().node.str(), "orge.example");
  expect_refused(judge(nodes, {&leaf_f}), "shared root");
  const auto false_e = issue(Recipe::leaf("orge.example"), &world().shared);
  expect_refused(judge(nodes, {&false_e}), "none of the pins");
}

// A root that was issued again with the same key is the same root.
TEST(RightChain, SharedRootIsKnownByItsKey) {
  auto recipe = Recipe::authority("Shared CA");
  recipe.key = [] {
    EVP_PKEY_up_ref(world().shared.key.get());
    return KeyPtr(world().shared.key.get());
  };
  recipe.serial = "77";
  const auto again = issue(recipe);
  const auto leaf = issue(Recipe::leaf("orge.example"), &world().shared);
  expect_refused(
      judge({trusted("orge.example", {world().shared.pem()}), trusted("orgf.example", {again.pem()})}, {&leaf}),
      "shared root");
}

TEST(RightChain, DevPkiOfEachDirection) {
  const auto ca = make_dev_ca("orgb.example", test_now - 1h);
  ASSERT_TRUE(ca.has_value()) << ca.error().detail;
  LeafRequest request;
  request.dns_names = {"orgb.example"};
  request.not_before = test_now - 1h;
  const auto leaf = issue_dev_leaf(*ca, request);
  ASSERT_TRUE(leaf.has_value()) << leaf.error().detail;
  const auto certificates = read_certificates(leaf->certificate_pem, 1);
  const std::vector<Node> nodes{trusted("orgb.example", {ca->certificate_pem})};
  const auto verifier = PeerVerifier::make(nodes);
  for (const auto presented : {Presented::by_client, Presented::by_server}) {
    const auto answer = verifier->judge(certificates->front().get(), {}, presented, {}, test_now);
    EXPECT_TRUE(answer.has_value()) << answer.error().detail;
  }
}

TEST(Problems, EachBrokenNodeIsReportedOnce) {
  auto bad_pin = trusted("pin.example", {world().ca_c.pem()});
  bad_pin.pins = {"abc"};
  std::string torn = world().ca_b.pem();
  torn.replace(100, 10, "!!!!!!!!!!");
  const std::vector<Node> nodes{trusted("none.example", {}),
                                trusted("text.example", {"hello"}),
                                trusted("torn.example", {torn}),
                                trusted("second.example", {world().root_g.pem() + torn}),
                                bad_pin,
                                trusted("orgb.example", {world().ca_b.pem()})};
  std::vector<Error> problems;
  const auto verifier = PeerVerifier::make(nodes, &problems);
  std::set<std::string> named;
  for (const auto& problem : problems) named.insert(problem.detail.substr(0, problem.detail.find(':')));
  EXPECT_EQ(named,
            (std::set<std::string>{"none.example", "text.example", "torn.example", "second.example", "pin.example"}));
  EXPECT_EQ(problems.size(), 5U);
  const auto leaf = issue(Recipe::leaf("orgb.example"), &world().ca_b);
  EXPECT_TRUE(verifier->judge(leaf.get(), {}, Presented::by_client, {}, test_now).has_value());
}

TEST(Hostile, SubjectCannotForgeALogLine) {
  auto recipe = Recipe::leaf("orgz.example");
  recipe.common_name = "x\ndecision=allow \x1b[31m\"";
  const auto leaf = issue(recipe, &world().ca_b);
  const auto answer = judge(world().nodes, {&leaf});
  ASSERT_FALSE(answer.has_value());
  for (const char c : answer.error().detail) EXPECT_TRUE(c >= 0x20 && c < 0x7F) << static_cast<int>(c);
}

TEST(Threads, OneVerifierJudgesForAll) {
  const auto verifier = PeerVerifier::make(world().nodes);
  const auto leaf = issue(Recipe::leaf("orgb.example"), &world().ca_b);
  const auto false_leaf = issue(Recipe::leaf("orgb.example"), &world().ca_c);
  std::atomic<int> right{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&] {
      for (int j = 0; j < 50; ++j) {
        const bool accepted = verifier->judge(leaf.get(), {}, Presented::by_client, {}, test_now).has_value();
        const bool refused = !verifier->judge(false_leaf.get(), {}, Presented::by_client, {}, test_now).has_value();
        right += accepted && refused ? 1 : 0;
      }
    });
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(right.load(), 200);
}

// ---- mutated and random certificates --------------------------------------------------------------------------

CertificatePtr parse(const std::string& der) {
  const ErrorQueueScope scope;
  const auto* at = reinterpret_cast<const unsigned char*>(der.data());
  return CertificatePtr(d2i_X509(nullptr, &at, static_cast<long>(der.size())));
}

std::string mutate(std::string der, std::mt19937& random) {
  const auto place = [&] { return random() % der.size(); };
  switch (random() % 5) {
    case 0:
      der[place()] = static_cast<char>(random());
      break;
    case 1:
      der[place()] ^= static_cast<char>(1U << (random() % 8));
      break;
    case 2:
      der.insert(place(), 1, static_cast<char>(random()));
      break;
    case 3:
      der.erase(place(), 1 + random() % 4);
      break;
    default: {
      const auto from = place();
      der.replace(place(), 8, der.substr(from, 8));
    }
  }
  return der;
}

TEST(Hostile, MutatedCertificatesAreNeverAccepted) {
  const auto sub = issue(Recipe::intermediate("sub"), &world().ca_b);
  const auto leaf = issue(Recipe::leaf("orgb.example"), &sub);
  const auto verifier = PeerVerifier::make(world().nodes);
  std::mt19937 random(20270115);
  int parsed = 0;
  for (int i = 0; i < 6000; ++i) {
    const bool mutate_leaf = i % 3 != 0;
    const std::string original = mutate_leaf ? leaf.der() : sub.der();
    const auto der = mutate(original, random);
    if (der == original) continue;
    const auto certificate = parse(der);
    if (!certificate) continue;
    ++parsed;
    X509* first = mutate_leaf ? certificate.get() : leaf.get();
    X509* second = mutate_leaf ? sub.get() : certificate.get();
    const auto answer = verifier->judge(first, std::array{second}, Presented::by_client, {}, test_now);
    ASSERT_FALSE(answer.has_value()) << "round " << i << ": "
                                     << to_hex({reinterpret_cast<const std::uint8_t*>(der.data()), der.size()});
  }
  EXPECT_GT(parsed, 1000);
  EXPECT_EQ(ERR_peek_error(), 0U);
}

// Whatever is signed by the right CA must still be judged without a crash: here everything but the signature is
// garbled.
TEST(Hostile, GarbledButWellSignedCertificatesDoNotCrash) {
  const auto leaf = issue(Recipe::leaf("orgb.example"), &world().ca_b);
  const auto verifier = PeerVerifier::make(world().nodes);
  std::mt19937 random(7);
  int judged = 0;
  for (int i = 0; i < 2000; ++i) {
    const auto certificate = parse(mutate(leaf.der(), random));
    const ErrorQueueScope scope;
    if (!certificate || X509_sign(certificate.get(), world().ca_b.key.get(), EVP_sha256()) <= 0) continue;
    ++judged;
    const auto answer = verifier->judge(certificate.get(), {}, Presented::by_client, {}, test_now);
    if (answer)
      EXPECT_EQ(answer->node.str(), "orgb.example");
    else
      EXPECT_FALSE(answer.error().detail.empty());
  }
  EXPECT_GT(judged, 300);
}

TEST(Hostile, GarbageAsAnchorDoesNotCrash) {
  std::mt19937 random(11);
  for (int i = 0; i < 300; ++i) {
    std::string text = world().ca_b.pem();
    for (int j = 0; j < 3; ++j) text[random() % text.size()] = static_cast<char>(random());
    PeerVerifier::make(std::vector{trusted("orgb.example", {text})});
  }
  EXPECT_EQ(ERR_peek_error(), 0U);
}

}  // namespace
}  // namespace fedgate::trust
