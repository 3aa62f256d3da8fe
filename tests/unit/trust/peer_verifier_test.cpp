// SPDX-License-Identifier: Apache-2.0
#include "trust/peer_verifier.h"

#include <gtest/gtest.h>
#include <openssl/err.h>

#include <array>
#include <atomic>
#include <random>
#include <set>
#include <thread>

#include "base/hash.h"
#include "support/identities.h"
#include "trust/dev_pki.h"

namespace fedgate::trust {
namespace {

using namespace std::chrono_literals;
using test::authorities;
using test::by_root;
using test::no_change;
using test::other_node;
using test::pin_of;

NodeId id(const std::string& text) { return NodeId::parse(text).value(); }

std::vector<X509*> rest_of(const test::Identity& identity) {
  std::vector<X509*> rest;
  for (std::size_t i = 1; i < identity.chain.size(); ++i) rest.push_back(identity.chain[i]->get());
  return rest;
}

Result<PeerIdentity> judge(const std::vector<Node>& nodes, const test::Identity& identity, WallTime at = test_now) {
  return PeerVerifier::make(nodes)->judge(identity.chain.front()->get(), rest_of(identity), Presented::by_client, {},
                                          at);
}

TEST(PeerVerifier, NoCertificate) {
  const auto answer = PeerVerifier::make(std::vector<Node>{})->judge(nullptr, {}, Presented::by_client, {}, test_now);
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().detail, "no_certificate: no certificate was presented");
}

TEST(PeerVerifier, NobodyIsKnown) {
  const auto answer = judge({}, by_root(no_change));
  ASSERT_FALSE(answer);
  EXPECT_TRUE(answer.error().detail.starts_with("san_mismatch: ")) << answer.error().detail;
}

TEST(PeerVerifier, AnotherThanWasCalled) {
  const auto identity = by_root(no_change);
  const std::vector<Node> nodes{identity.node(), other_node("orgc.example", authorities().stranger->pem())};
  const auto verifier = PeerVerifier::make(nodes);
  for (const auto& called : {"orgc.example", "unknown.example"}) {
    const auto answer = verifier->judge(identity.chain[0]->get(), {}, Presented::by_server, id(called), test_now);
    ASSERT_FALSE(answer);
    EXPECT_TRUE(answer.error().detail.starts_with("san_mismatch: ")) << answer.error().detail;
  }
}

// What a person reads goes on after the first flaw, up to what another flaw hides.
TEST(PeerVerifier, EveryReasonIsTold) {
  auto identity = by_root([](Recipe& r) {
    r.names = {{GEN_DNS, "orgz.example"}};
    r.extended_key_usage = "serverAuth";
    r.not_after = test_now - 1h;
    r.serial = "00";
    r.digest = EVP_sha1();
  });
  identity.pins = {pin_of(*authorities().root)};
  const std::vector<Node> nodes{identity.node()};
  const auto judgement = PeerVerifier::make(nodes)->judge({.leaf = identity.chain[0]->get(),
                                                           .rest = {},
                                                           .presented = Presented::by_client,
                                                           .expected = id(test::peer_id),
                                                           .at = test_now,
                                                           .staple = {}},
                                                          Findings::Extent::every);
  std::set<std::string> ids;
  for (const auto& refusal : judgement.refusals) ids.emplace(refusal.id());
  EXPECT_EQ(ids, (std::set<std::string>{"san_mismatch", "cn_mismatch", "eku_wrong", "expired", "serial",
                                        "signature_algorithm", "pin_mismatch"}));
}

TEST(PeerVerifier, HoldsUntilTheFirstOfItsPartsEnds) {
  auto recipe = Recipe::intermediate("Short CA");
  recipe.not_after = test_now + 48h;
  const auto ca = shared(issue(recipe, authorities().root.get()));
  test::Identity identity{
      .chain = {test::leaf_of(ca), ca}, .anchors = {authorities().root->pem()}, .pins = {}, .crls = {}};
  const std::vector<Node> nodes{identity.node()};
  EXPECT_EQ(judge(nodes, identity).value().valid_until, test_now + 48h);

  CrlRecipe of_root;
  of_root.next_update = test_now + 5h;
  const std::vector<CrlSource> sources{{"root.crl", crl_pem(*authorities().root, of_root), {}},
                                       {"ca.crl", crl_pem(*ca), {}}};
  const auto verifier = PeerVerifier::make(nodes, nullptr, RevocationLists::make(sources));
  const auto answer = verifier->judge(identity.chain[0]->get(), rest_of(identity), Presented::by_client, {}, test_now);
  ASSERT_TRUE(answer) << answer.error().detail;
  EXPECT_EQ(answer->valid_until, test_now + 5h);
}

TEST(PeerVerifier, ACertificateWithoutASubjectIsCalledByWhatItHas) {
  const auto identity = by_root([](Recipe& r) {
    r.common_name.clear();
    r.names_critical = true;
    r.extended_key_usage.clear();
    r.serial = "0a0b";
  });
  const auto refused = judge({identity.node()}, identity);
  ASSERT_FALSE(refused);
  const auto digest = to_hex(certificate_sha256(identity.chain[0]->get()).value());
  EXPECT_NE(refused.error().detail.find("the certificate without a subject (serial 0a0b, SHA-256 " + digest + "):"),
            std::string::npos)
      << refused.error().detail;
}

TEST(ClaimsNode, ByDnsNameOrSpiffeIdWhateverTheCase) {
  const auto claims = [](const AlternativeName& name, const std::string& spiffe_id) {
    auto recipe = Recipe::leaf("somebody.example");
    recipe.names = {name};
    auto node = test::other_node(test::peer_id, "");
    node.spiffe_id = spiffe_id;
    return claims_node(issue(recipe).der(), node);
  };
  EXPECT_TRUE(claims({GEN_DNS, "OrgP.example"}, ""));
  EXPECT_TRUE(claims({GEN_URI, test::peer_spiffe_id}, test::peer_spiffe_id));
  EXPECT_TRUE(claims({GEN_DNS, test::peer_id}, test::peer_spiffe_id)) << "its id is its own all the same";
  EXPECT_FALSE(claims({GEN_URI, test::peer_spiffe_id + "/x"}, test::peer_spiffe_id));
  EXPECT_FALSE(claims({GEN_URI, test::peer_spiffe_id}, ""));
  EXPECT_FALSE(claims({GEN_DNS, "orgq.example"}, ""));
}

TEST(PeerVerifier, TwoAnchorsInOneText) {
  auto identity = by_root(no_change);
  identity.anchors = {authorities().stranger->pem() + authorities().root->pem()};
  EXPECT_TRUE(judge({identity.node()}, identity));
}

// During a rotation one bad new anchor must not cut the peer off, and its reason is told where it would have mattered.
TEST(PeerVerifier, ABadAnchorBesideAGoodOne) {
  auto recipe = Recipe::authority("Next root of P");
  recipe.basic_constraints = "CA:TRUE";
  const auto next = shared(issue(recipe));
  auto identity = by_root(no_change);
  identity.anchors.push_back(next->pem());
  std::vector<Error> problems;
  PeerVerifier::make(std::vector{identity.node()}, &problems);
  ASSERT_EQ(problems.size(), 1U);
  EXPECT_NE(problems[0].detail.find("orgp.example: the trust anchor \"CN=Next root of P\""), std::string::npos)
      << problems[0].detail;
  EXPECT_TRUE(judge({identity.node()}, identity));
  identity.chain = {test::leaf_of(next)};
  const auto answer = judge({identity.node()}, identity);
  ASSERT_FALSE(answer);
  EXPECT_TRUE(answer.error().detail.starts_with("ca_basic_constraints: ")) << answer.error().detail;
}

TEST(PeerVerifier, SharedRootIsReportedAndKnownByItsKey) {
  auto recipe = Recipe::authority("Root of P");
  recipe.key = [] { return same_key(authorities().root->key.get()); };
  recipe.serial = "77";
  const auto again = issue(recipe);  // a root that was issued again with the same key is the same root
  const auto identity = by_root(no_change);
  auto other = other_node("orgc.example", again.pem());
  std::vector<Error> problems;
  PeerVerifier::make(std::vector{identity.node(), other}, &problems);
  EXPECT_EQ(problems.size(), 2U);
  const auto answer = judge({identity.node(), other}, identity);
  ASSERT_FALSE(answer);
  EXPECT_TRUE(answer.error().detail.starts_with("anchor_shared: ")) << answer.error().detail;
}

TEST(PeerVerifier, DevPkiOfEachDirection) {
  const auto ca = make_dev_ca("orgb.example", test_now - 1h);
  ASSERT_TRUE(ca.has_value()) << ca.error().detail;
  LeafRequest request;
  request.dns_names = {"orgb.example"};
  request.not_before = test_now - 1h;
  const auto leaf = issue_dev_leaf(*ca, request);
  ASSERT_TRUE(leaf.has_value()) << leaf.error().detail;
  const auto certificates = read_certificates(leaf->certificate_pem, 1);
  const auto verifier = PeerVerifier::make(std::vector{other_node("orgb.example", ca->certificate_pem)});
  for (const auto presented : {Presented::by_client, Presented::by_server}) {
    const auto answer = verifier->judge(certificates->front().get(), {}, presented, {}, test_now);
    EXPECT_TRUE(answer.has_value()) << answer.error().detail;
  }
}

TEST(Problems, EachBrokenNodeIsReportedOnce) {
  const auto& good = authorities();
  auto bad_pin = other_node("pin.example", good.stranger->pem());
  bad_pin.pins = {"abc"};
  auto bad_spiffe = other_node("spiffe.example", good.same_name->pem());
  bad_spiffe.spiffe_id = "spiffe://example";
  std::string torn = good.root->pem();
  torn.replace(100, 10, "!!!!!!!!!!");
  auto none = other_node("none.example", "");
  none.trust_anchors.clear();
  const std::vector<Node> nodes{none,
                                other_node("text.example", "hello"),
                                other_node("torn.example", torn),
                                other_node("second.example", good.issuing->pem() + torn),
                                bad_pin,
                                bad_spiffe,
                                by_root(no_change).node()};
  std::vector<Error> problems;
  const auto verifier = PeerVerifier::make(nodes, &problems);
  std::set<std::string> named;
  for (const auto& problem : problems) named.insert(problem.detail.substr(0, problem.detail.find(':')));
  EXPECT_EQ(named, (std::set<std::string>{"none.example", "text.example", "torn.example", "second.example",
                                          "pin.example", "spiffe.example"}));
  EXPECT_EQ(problems.size(), 6U);
  const auto right = by_root(no_change);
  EXPECT_TRUE(verifier->judge(right.chain[0]->get(), {}, Presented::by_client, {}, test_now).has_value());
}

TEST(Hostile, SubjectCannotForgeALogLine) {
  const auto answer =
      judge({by_root(no_change).node()}, by_root([](Recipe& r) { r.common_name = "x\ndecision=allow \x1b[31m\""; }));
  ASSERT_FALSE(answer.has_value());
  for (const char c : answer.error().detail) EXPECT_TRUE(c >= 0x20 && c < 0x7F) << static_cast<int>(c);
}

TEST(Threads, OneVerifierJudgesForAll) {
  const auto right = by_root(no_change);
  const std::vector<CrlSource> sources{{"root.crl", crl_pem(*authorities().root), {}}};
  const auto verifier = PeerVerifier::make(std::vector{right.node()}, nullptr, RevocationLists::make(sources));
  const auto wrong = test::leaf_of(authorities().stranger);
  std::atomic<int> as_it_should{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&] {
      for (int j = 0; j < 50; ++j) {
        const bool accepted =
            verifier->judge(right.chain[0]->get(), {}, Presented::by_client, {}, test_now).has_value();
        const bool refused = !verifier->judge(wrong->get(), {}, Presented::by_client, {}, test_now).has_value();
        as_it_should += accepted && refused ? 1 : 0;
      }
    });
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(as_it_should.load(), 200);
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
  const auto sub = shared(issue(Recipe::intermediate("sub"), authorities().root.get()));
  const auto leaf = test::leaf_of(sub);
  const auto verifier = PeerVerifier::make(std::vector{by_root(no_change).node()});
  std::mt19937 random(20270115);
  int parsed = 0;
  for (int i = 0; i < 6000; ++i) {
    const bool mutate_leaf = i % 3 != 0;
    const std::string original = mutate_leaf ? leaf->der() : sub->der();
    const auto der = mutate(original, random);
    if (der == original) continue;
    const auto certificate = parse(der);
    if (!certificate) continue;
    ++parsed;
    X509* first = mutate_leaf ? certificate.get() : leaf->get();
    X509* second = mutate_leaf ? sub->get() : certificate.get();
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
  const auto leaf = test::leaf_of(authorities().root);
  const std::vector<CrlSource> sources{{"root.crl", crl_pem(*authorities().root), {}}};
  const auto verifier =
      PeerVerifier::make(std::vector{by_root(no_change).node()}, nullptr, RevocationLists::make(sources));
  std::mt19937 random(7);
  int judged = 0;
  for (int i = 0; i < 2000; ++i) {
    const auto certificate = parse(mutate(leaf->der(), random));
    const ErrorQueueScope scope;
    if (!certificate || X509_sign(certificate.get(), authorities().root->key.get(), EVP_sha256()) <= 0) continue;
    ++judged;
    for (const auto extent : {Findings::Extent::first, Findings::Extent::every}) {
      const auto judgement = verifier->judge({.leaf = certificate.get(),
                                              .rest = {},
                                              .presented = Presented::by_client,
                                              .expected = {},
                                              .at = test_now,
                                              .staple = {}},
                                             extent);
      EXPECT_NE(judgement.accepted(), !judgement.refusals.empty());
    }
  }
  EXPECT_GT(judged, 300);
}

// The same for a CA: it signs what it likes, and so does what it signs.
TEST(Hostile, GarbledAnchorsDoNotCrash) {
  std::mt19937 random(11);
  const auto right = by_root(no_change);
  for (int i = 0; i < 600; ++i) {
    const auto certificate = parse(mutate(authorities().root->der(), random));
    if (!certificate) continue;
    const ErrorQueueScope scope;
    X509_sign(certificate.get(), authorities().root->key.get(), EVP_sha256());
    const Issued anchor{CertificatePtr(X509_dup(certificate.get())), same_key(authorities().root->key.get())};
    if (!anchor.certificate) continue;
    auto node = right.node();
    node.trust_anchors = {anchor.pem()};
    const auto answer =
        PeerVerifier::make(std::vector{node})->judge(right.chain[0]->get(), {}, Presented::by_client, {}, test_now);
    if (!answer) EXPECT_FALSE(answer.error().detail.empty());
  }
  std::string text = authorities().root->pem();
  for (int i = 0; i < 300; ++i) {
    auto garbled = text;
    for (int j = 0; j < 3; ++j) garbled[random() % garbled.size()] = static_cast<char>(random());
    PeerVerifier::make(std::vector{other_node("orgb.example", garbled)});
  }
  EXPECT_EQ(ERR_peek_error(), 0U);
}

TEST(Hostile, GarbledRevocationListsDoNotCrash) {
  std::mt19937 random(13);
  CrlRecipe recipe;
  recipe.revoked = {"01", "0123456789abcdef"};
  const auto right = by_root(no_change);
  const auto der = read_crls(crl_pem(*authorities().root, recipe), 1).value();
  unsigned char* bytes = nullptr;
  const auto size = i2d_X509_CRL(der.front().get(), &bytes);
  const std::string original(reinterpret_cast<char*>(bytes), static_cast<std::size_t>(size));
  OPENSSL_free(bytes);
  for (int i = 0; i < 2000; ++i) {
    const std::vector<CrlSource> sources{{"root.crl", mutate(original, random), id(test::peer_id)}};
    const auto verifier = PeerVerifier::make(std::vector{right.node()}, nullptr, RevocationLists::make(sources));
    const auto answer = verifier->judge(right.chain[0]->get(), {}, Presented::by_client, {}, test_now);
    EXPECT_FALSE(answer) << "the certificate is revoked, and a spoilt list refuses";
  }
  EXPECT_EQ(ERR_peek_error(), 0U);
}

}  // namespace
}  // namespace fedgate::trust
