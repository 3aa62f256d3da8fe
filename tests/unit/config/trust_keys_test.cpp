// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "folder.h"
#include "support/certificate_builder.h"

namespace fedgate::config {
namespace {

using trust::CrlRecipe;
using trust::issue;
using trust::Issued;
using trust::Recipe;

class TrustKeys : public ::testing::Test {
 protected:
  static Recipe dated(Recipe recipe) {
    recipe.not_before = today().wall() - std::chrono::hours(1);
    recipe.not_after = today().wall() + std::chrono::hours(24 * 300);
    return recipe;
  }
  static CrlRecipe current() {
    CrlRecipe recipe;
    recipe.this_update = today().wall() - std::chrono::hours(1);
    recipe.next_update = today().wall() + std::chrono::hours(24);
    return recipe;
  }
  static std::string node(const std::string& more) {
    return "nodes: [ { node_id: orgb.example, trust_anchors: [anchors/ca.crt], " + more + " } ]\n";
  }
  /// Folder::enough with more below `tls`.
  static std::string tls(const std::string& more) {
    return "node: { id: orga.example }\ntls: { certificate: tls/node.crt, key: tls/node.key, " + more +
           " }\nstore: { url: \"sqlite:state.db\" }\naudit: { journal: journal }\n";
  }
  void SetUp() override { folder.write("anchors/ca.crt", ca.pem()); }

  Folder folder;
  Issued ca = issue(dated(Recipe::authority("CA of B")));
};

TEST_F(TrustKeys, CrlsOfNodesAndOfAll) {
  folder.write("b.crl", crl_pem(ca, current()));
  const auto of_node = folder.load(node("crl: [b.crl]"));
  ASSERT_NE(of_node.settings, nullptr) << testing::PrintToString(folder.texts(of_node));
  ASSERT_EQ(of_node.settings->crls.size(), 1U);
  EXPECT_EQ(of_node.settings->crls[0].node.str(), "orgb.example");
  EXPECT_EQ(folder.without_path(of_node.settings->crls[0].name), "b.crl");
  EXPECT_NE(std::ranges::find(of_node.files, folder.at("b.crl")), of_node.files.end()) << "it is watched";
  const auto of_all = folder.load_whole(tls("crl: [b.crl]"));
  ASSERT_NE(of_all.settings, nullptr);
  EXPECT_TRUE(of_all.settings->crls.at(0).node.empty());
}

TEST_F(TrustKeys, ABadCrlLeavesTheOldInUseAnOldOneDoesNot) {
  auto bad = current();
  bad.number.clear();
  folder.write("bad.crl", crl_pem(ca, bad));
  folder.write("text.crl", "hello");
  auto old = current();
  old.next_update = today().wall();
  folder.write("old.crl", crl_pem(ca, old));
  auto early = current();
  early.this_update = today().wall() + std::chrono::hours(1);
  folder.write("early.crl", crl_pem(ca, early));
  expect_findings(
      folder,
      {{node("crl: [bad.crl]"),
        {"fedgate.yaml:5:74: error: `nodes[].crl`: the CRL bad.crl of \"CN=CA of B\": it has no CRL number"}},
       {node("crl: [text.crl]"), {"fedgate.yaml:5:74: error: `nodes[].crl`: text.crl: neither PEM nor DER of a CRL"}},
       {node("crl: [none.crl]"),
        {"fedgate.yaml:5:74: error: `nodes[].crl`: cannot read none.crl: No such file or directory"}},
       {node("crl: [old.crl]"),
        {"fedgate.yaml:5:74: warning: `nodes[].crl`: old.crl was to be replaced by 2026-06-15: every certificate that "
         "it covers is refused; fetch the newest one"}},
       {node("crl: [early.crl]"),
        {"fedgate.yaml:5:74: warning: `nodes[].crl`: early.crl is not valid before 2026-06-15: every certificate that "
         "it covers is refused; is this machine's clock right?"}}});
}

TEST_F(TrustKeys, SpiffeId) {
  const auto loaded = folder.load(node("spiffe_id: \"spiffe://orgb.example/gateway\""));
  ASSERT_NE(loaded.settings, nullptr);
  EXPECT_EQ(loaded.settings->nodes[0].spiffe_id, "spiffe://orgb.example/gateway");
  expect_findings(folder,
                  {{node("spiffe_id: \"spiffe://orgb.example\""),
                    {"fedgate.yaml:5:79: error: `nodes[].spiffe_id`: `spiffe://orgb.example` is not a SPIFFE ID "
                     "(spiffe://trust-domain/path): it names a trust domain only, and a gateway needs a path"}}});
}

TEST_F(TrustKeys, Intermediates) {
  const auto issuing = issue(dated(Recipe::intermediate("Issuing CA of B")), &ca);
  folder.write("issuing.crt", issuing.pem());
  const auto loaded = folder.load(node("intermediates: [issuing.crt]"));
  ASSERT_NE(loaded.settings, nullptr) << testing::PrintToString(folder.texts(loaded));
  EXPECT_EQ(loaded.settings->nodes[0].intermediates, std::vector{issuing.pem()});
  EXPECT_NE(std::ranges::find(loaded.files, folder.at("issuing.crt")), loaded.files.end()) << "it is watched";
  folder.write("leaf.crt", issue(dated(Recipe::leaf("orgb.example")), &ca).pem());
  folder.write("text.crt", "hello");
  auto odd = dated(Recipe::intermediate("Odd CA"));
  odd.basic_constraints = "CA:TRUE";
  folder.write("odd.crt", issue(odd, &ca).pem());
  auto old = dated(Recipe::intermediate("Old CA"));
  old.not_after = today().wall();
  folder.write("old.crt", issue(old, &ca).pem());
  expect_findings(
      folder,
      {{node("intermediates: [anchors/ca.crt]"),
        {"fedgate.yaml:5:84: error: `nodes[].intermediates`: anchors/ca.crt is a root (CN=CA of B); an intermediate is "
         "a "
         "CA that another CA has certified"}},
       {node("intermediates: [leaf.crt]"),
        {"fedgate.yaml:5:84: error: `nodes[].intermediates`: leaf.crt is not a CA certificate (CN=orgb.example); an "
         "intermediate is a CA that another CA has certified"}},
       {node("intermediates: [text.crt]"),
        {"fedgate.yaml:5:84: error: `nodes[].intermediates`: text.crt holds no PEM certificate (-----BEGIN "
         "CERTIFICATE-----)"}},
       {node("intermediates: [odd.crt]"),
        {"fedgate.yaml:5:84: error: `nodes[].intermediates`: odd.crt: the intermediate \"CN=Odd CA\": its "
         "basicConstraints are not critical, as a CA's must be (ca_basic_constraints, docs/trust.md)"}},
       {node("intermediates: [old.crt]"),
        {"fedgate.yaml:5:84: warning: `nodes[].intermediates`: old.crt expired on 2026-06-15; certificates that need "
         "it "
         "are refused until it is replaced"}}});
}

TEST_F(TrustKeys, OurOwnCertificateMayNameUsByASpiffeIdWhereThatIsConfigured) {
  const std::string uri = "spiffe://orga.example/gateway";
  const auto own = [&](std::vector<trust::AlternativeName> names) {
    auto recipe = dated(Recipe::leaf(""));
    recipe.common_name = "";
    recipe.names = std::move(names);
    recipe.names_critical = true;
    const auto leaf = issue(recipe, &ca);
    folder.write("tls/node.crt", leaf.pem());
    folder.write("tls/node.key", leaf.key_pem(), 0600);
  };
  const auto with_id = [](const std::string& spiffe_id) {
    return "node: { id: orga.example, spiffe_id: \"" + spiffe_id +
           "\" }\ntls: { certificate: tls/node.crt, key: tls/node.key }\nstore: { url: \"sqlite:state.db\" }\n"
           "audit: { journal: journal }\n";
  };
  own({{GEN_URI, uri}});
  const auto loaded = folder.load_whole(with_id(uri));
  ASSERT_NE(loaded.settings, nullptr) << testing::PrintToString(folder.texts(loaded));
  EXPECT_EQ(loaded.settings->node.spiffe_id, uri);
  EXPECT_EQ(
      folder.texts(folder.load("")),
      (std::vector<std::string>{"fedgate.yaml:2:21: error: `tls.certificate` does not hold `node.id` orga.example as "
                                "a DNS SAN (it holds none); peers would refuse it: issue it for that name, or give "
                                "`node.spiffe_id` if every peer knows this gateway by " +
                                uri}));
  EXPECT_EQ(folder.texts(folder.load_whole(with_id("spiffe://orga.example/other"))),
            (std::vector<std::string>{"fedgate.yaml:2:21: error: `tls.certificate` does not hold `node.spiffe_id` "
                                      "spiffe://orga.example/other as its one URI SAN (it holds " +
                                      uri + "); peers would refuse it: issue it for that URI"}));
  EXPECT_EQ(folder.load_whole(with_id("spiffe://orga.example")).settings, nullptr);
  own({{GEN_URI, uri}, {GEN_URI, uri + "/x"}});
  EXPECT_EQ(folder.load_whole(with_id(uri)).settings, nullptr) << "a SPIFFE identity stands alone";
  own({{GEN_DNS, "orga.example"}});
  EXPECT_EQ(folder.load_whole(with_id(uri)).settings, nullptr) << "peers that know us by it would refuse this one";
  own({{GEN_DNS, "orga.example"}, {GEN_URI, uri}});
  EXPECT_NE(folder.load_whole(with_id(uri)).settings, nullptr);
}

TEST_F(TrustKeys, ExpiryWarnings) {
  using std::chrono::days;
  EXPECT_EQ(folder.load("").settings->expiry_warnings,
            (std::vector<std::chrono::seconds>{days(30), days(14), days(7), days(1)}));
  EXPECT_EQ(folder.load_whole(tls("expiry_warnings: [12h, 60d]")).settings->expiry_warnings,
            (std::vector<std::chrono::seconds>{days(60), std::chrono::hours(12)}));
  EXPECT_TRUE(folder.load_whole(tls("expiry_warnings: []")).settings->expiry_warnings.empty());
  const auto wrong = folder.load_whole(tls("expiry_warnings: [soon]"));
  EXPECT_EQ(folder.texts(wrong),
            (std::vector<std::string>{
                "fedgate.yaml:2:72: error: `tls.expiry_warnings`: `soon` is not a duration such as 30d or 12h"}));
}

TEST_F(TrustKeys, AnAnchorThatVerifiesNothingIsAnError) {
  auto recipe = dated(Recipe::authority("Odd CA"));
  recipe.basic_constraints = "CA:TRUE";
  folder.write("anchors/ca.crt", issue(recipe).pem());
  expect_findings(folder, {{node("enabled: true"),
                            {"fedgate.yaml:5:51: error: `nodes[].trust_anchors`: anchors/ca.crt: the trust anchor "
                             "\"CN=Odd CA\": its basicConstraints are not critical, as a CA's must be "
                             "(ca_basic_constraints, docs/trust.md)"}}});
}

TEST_F(TrustKeys, WhatPeersWouldRefuseOfOursIsAnError) {
  auto recipe = dated(Recipe::leaf("orga.example"));
  recipe.common_name = "Gateway of A";
  const auto leaf = issue(recipe, &ca);
  folder.write("tls/node.crt", leaf.pem());
  folder.write("tls/node.key", leaf.key_pem(), 0600);
  EXPECT_EQ(folder.texts(folder.load("")),
            (std::vector<std::string>{
                "fedgate.yaml:2:21: error: `tls.certificate`: the certificate \"CN=Gateway of A\": its common name "
                "\"Gateway of A\" is not one of its DNS names, letter by letter; leave the common name out, or repeat "
                "the node's id in it; peers would refuse it (cn_mismatch, docs/trust.md)"}));
}

}  // namespace
}  // namespace fedgate::config
