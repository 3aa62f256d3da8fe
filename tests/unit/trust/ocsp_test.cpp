// SPDX-License-Identifier: Apache-2.0
#include "trust/ocsp.h"

#include <gtest/gtest.h>
#include <openssl/err.h>
#include <openssl/ocsp.h>

#include <random>
#include <source_location>

#include "support/identities.h"
#include "trust/peer_verifier.h"

namespace fedgate::trust {
namespace {

using namespace std::chrono_literals;
using Status = OcspAnswer::Status;
using test::authorities;

struct Answer {
  int status = V_OCSP_CERTSTATUS_GOOD;
  WallTime this_update = test_now - 1h;
  WallTime next_update = test_now + 1h;
  bool next_update_given = true;
  const Issued* about_issuer = nullptr;  // of another CA
  const EVP_MD* id_digest = EVP_sha1();
  const EVP_MD* digest = EVP_sha256();
  bool twice = false;
  bool by_key = true;
  bool critical_extension = false;
};

std::string response(const Issued& certificate, const Issued& issuer, const Issued& signer, const Answer& answer = {},
                     const Issued* impostor = nullptr) {
  const Owned<OCSP_BASICRESP, OCSP_BASICRESP_free> basic(OCSP_BASICRESP_new());
  const auto& of = answer.about_issuer != nullptr ? *answer.about_issuer : issuer;
  const Owned<OCSP_CERTID, OCSP_CERTID_free> id(OCSP_cert_to_id(answer.id_digest, certificate.get(), of.get()));
  const auto moment = [](WallTime time) { return ASN1_GENERALIZEDTIME_set(nullptr, seconds_of(time)); };
  const Owned<ASN1_TIME, ASN1_TIME_free> from(moment(answer.this_update));
  const Owned<ASN1_TIME, ASN1_TIME_free> until(moment(answer.next_update));
  const Owned<ASN1_TIME, ASN1_TIME_free> when(moment(test_now - 2h));
  for (int i = 0; i < (answer.twice ? 2 : 1); ++i) {
    OCSP_SINGLERESP* single = OCSP_basic_add1_status(basic.get(), id.get(), answer.status, 0,
                                                     answer.status == V_OCSP_CERTSTATUS_REVOKED ? when.get() : nullptr,
                                                     from.get(), answer.next_update_given ? until.get() : nullptr);
    if (answer.critical_extension)
      must(OCSP_SINGLERESP_add_ext(single, raw_extension({unknown_oid, true, der_null}).get(), -1) == 1, "extension");
  }
  EVP_PKEY* key = (impostor != nullptr ? *impostor : signer).key.get();
  const Owned<EVP_MD_CTX, EVP_MD_CTX_free> context(EVP_MD_CTX_new());
  must(EVP_DigestSignInit(context.get(), nullptr, answer.digest, nullptr, key) == 1, "signing");
  const Issued claimed{CertificatePtr(X509_dup(signer.get())), same_key(key)};
  if (impostor != nullptr) X509_set_pubkey(claimed.get(), key);  // or OpenSSL would not sign
  must(OCSP_basic_sign_ctx(basic.get(), claimed.get(), context.get(), nullptr,
                           answer.by_key && impostor == nullptr ? OCSP_RESPID_KEY : 0) == 1,
       "response");
  const Owned<OCSP_RESPONSE, OCSP_RESPONSE_free> made(
      OCSP_response_create(OCSP_RESPONSE_STATUS_SUCCESSFUL, basic.get()));
  unsigned char* der = nullptr;
  const int size = i2d_OCSP_RESPONSE(made.get(), &der);
  std::string out(reinterpret_cast<char*>(der), static_cast<std::size_t>(size));
  OPENSSL_free(der);
  return out;
}

Recipe responder_recipe() {
  auto recipe = Recipe::leaf("ocsp.orgp.example");
  recipe.extended_key_usage = "OCSPSigning";
  recipe.raw = {{"1.3.6.1.5.5.7.48.1.5", false, der_null}};
  return recipe;
}

struct Ocsp : testing::Test {
  const Issued& root = *authorities().root;
  test::IssuedPtr leaf = test::leaf_of(authorities().root);

  OcspAnswer judge(const std::string& der, WallTime at = test_now) {
    auto answer = judge_ocsp(der, leaf->get(), root.get(), at);
    EXPECT_EQ(ERR_peek_error(), 0U);
    return answer;
  }
  void expect(const std::string& der, Reason reason, Status status = Status::unusable,
              std::source_location where = std::source_location::current()) {
    const auto answer = judge(der);
    EXPECT_EQ(answer.status, status) << "line " << where.line();
    EXPECT_EQ(answer.refusal.id(), reason_info(reason).id) << "line " << where.line() << answer.refusal.detail;
  }
};

TEST_F(Ocsp, GoodByTheIssuer) {
  const auto answer = judge(response(*leaf, root, root));
  EXPECT_EQ(answer.status, Status::good) << answer.refusal.detail;
  EXPECT_EQ(answer.valid_until, test_now + 1h);
  EXPECT_EQ(judge(response(*leaf, root, root, {.id_digest = EVP_sha256(), .by_key = false})).status, Status::good);
}

TEST_F(Ocsp, GoodByAnAppointedResponder) {
  const auto responder = issue(responder_recipe(), &root);
  EXPECT_EQ(judge(response(*leaf, root, responder)).status, Status::good);
  EXPECT_EQ(judge(response(*leaf, root, responder, {.by_key = false})).status, Status::good);
}

TEST_F(Ocsp, Revoked) {
  expect(response(*leaf, root, root, {.status = V_OCSP_CERTSTATUS_REVOKED}), Reason::revoked, Status::revoked);
}

TEST_F(Ocsp, NotAboutThisCertificate) {
  auto other = Recipe::leaf("orgq.example");
  other.serial = "55";
  expect(response(issue(other, &root), root, root), Reason::ocsp_mismatch);
  expect(response(*leaf, root, root, {.about_issuer = authorities().same_name.get()}), Reason::ocsp_mismatch);
  expect(response(*leaf, root, root, {.twice = true}), Reason::ocsp_mismatch);
  expect(response(*leaf, root, root, {.status = V_OCSP_CERTSTATUS_UNKNOWN}), Reason::ocsp_mismatch);
}

TEST_F(Ocsp, NotCurrent) {
  expect(response(*leaf, root, root, {.this_update = test_now - 2h, .next_update = test_now}), Reason::ocsp_stale);
  expect(response(*leaf, root, root, {.this_update = test_now + 1s}), Reason::ocsp_stale);
  expect(response(*leaf, root, root, {.next_update_given = false}), Reason::ocsp_malformed);
}

TEST_F(Ocsp, SignedByWhoMayNot) {
  expect(response(*leaf, root, *authorities().stranger), Reason::ocsp_signature);
  expect(response(*leaf, root, *authorities().same_name), Reason::ocsp_signature);
  expect(response(*leaf, root, root, {}, authorities().stranger.get()), Reason::ocsp_signature);
  expect(response(*leaf, root, root, {.digest = EVP_sha1()}), Reason::ocsp_signature);
  expect(response(*leaf, root, *leaf), Reason::ocsp_signature);  // its own judge
  const auto by = [&](const test::Change& change, const Issued& issuer,
                      std::source_location where = std::source_location::current()) {
    auto recipe = responder_recipe();
    change(recipe);
    expect(response(*leaf, root, issue(recipe, &issuer)), Reason::ocsp_signature, Status::unusable, where);
  };
  by([](Recipe& r) { r.extended_key_usage = "serverAuth"; }, root);
  by([](Recipe& r) { r.extended_key_usage = "OCSPSigning,anyExtendedKeyUsage"; }, root);
  by([](Recipe& r) { r.raw.clear(); }, root);  // without nocheck
  by([](Recipe& r) { r.not_after = test_now - 1h; }, root);
  by([](Recipe& r) { r.basic_constraints = "critical,CA:TRUE"; }, root);
  by([](Recipe& r) { r.key_usage = "critical,keyAgreement"; }, root);
  by([](Recipe& r) { r.digest = EVP_sha1(); }, root);
  by(test::no_change, *authorities().stranger);
  by(test::no_change, *authorities().issuing);  // below the issuer, not by it
}

TEST_F(Ocsp, NotAResponse) {
  expect("", Reason::ocsp_malformed);
  expect("hello", Reason::ocsp_malformed);
  const auto good = response(*leaf, root, root);
  expect(good + "x", Reason::ocsp_malformed);
  expect(good.substr(0, good.size() - 1), Reason::ocsp_malformed);
  expect(std::string(100'000, 'x'), Reason::ocsp_malformed);
  expect(response(*leaf, root, root, {.critical_extension = true}), Reason::ocsp_malformed);
  expect(std::string("\x30\x03\x0a\x01\x03", 5), Reason::ocsp_malformed);  // tryLater
}

TEST_F(Ocsp, SpoiltResponsesNeverSayGood) {
  const auto good = response(*leaf, root, issue(responder_recipe(), &root));
  std::mt19937 random(17);
  for (int i = 0; i < 3000; ++i) {
    auto spoilt = good;
    spoilt[random() % spoilt.size()] ^= static_cast<char>(1U << (random() % 8));
    const auto answer = judge_ocsp(spoilt, leaf->get(), root.get(), test_now);
    // The responder's certificate may hold bits that nobody signed or reads; the answer itself may not change.
    if (answer.status == Status::good) EXPECT_EQ(answer.valid_until, test_now + 1h);
    EXPECT_NE(answer.status, Status::revoked);
  }
  EXPECT_EQ(ERR_peek_error(), 0U);
}

TEST_F(Ocsp, AStapleDecidesBesideTheChain) {
  const auto identity = test::by_root([](Recipe& r) { r.tls_feature = "status_request"; });
  const auto verifier = PeerVerifier::make(std::vector{identity.node()});
  const auto judged = [&](const std::string& staple) {
    return verifier->judge({.leaf = identity.chain[0]->get(),
                            .rest = {},
                            .presented = Presented::by_server,
                            .expected = {},
                            .at = test_now,
                            .staple = staple});
  };
  const auto good = judged(response(*identity.chain[0], root, root));
  ASSERT_TRUE(good.accepted()) << good.refusals.front().detail;
  EXPECT_EQ(good.identity->valid_until, test_now + 1h);
  EXPECT_EQ(judged("").refusals.front().reason, Reason::ocsp_missing);
  EXPECT_EQ(judged("x").refusals.front().reason, Reason::ocsp_malformed);
  EXPECT_EQ(
      judged(response(*identity.chain[0], root, root, {.status = V_OCSP_CERTSTATUS_REVOKED})).refusals.front().reason,
      Reason::revoked);
  EXPECT_EQ(judged(response(*identity.chain[0], root, root, {.next_update = test_now})).refusals.front().reason,
            Reason::ocsp_stale);
}

}  // namespace
}  // namespace fedgate::trust
