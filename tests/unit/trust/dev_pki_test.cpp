// SPDX-License-Identifier: Apache-2.0
#include "trust/dev_pki.h"

#include <gtest/gtest.h>

#include <set>

#include "support/certificate_builder.h"

namespace fedgate::trust {
namespace {

using namespace std::chrono_literals;

CertificateAndKey ca() {
  static const auto made = make_dev_ca("orga.example", test_now).value();
  return made;
}

LeafRequest request(std::vector<std::string> names = {"orga.example"}) {
  LeafRequest wanted;
  wanted.dns_names = std::move(names);
  wanted.not_before = test_now;
  return wanted;
}

CertificatePtr parsed(const CertificateAndKey& made) {
  return std::move(read_certificates(made.certificate_pem, 1).value().front());
}

std::string extension(const X509* certificate, int nid) {
  const int at = X509_get_ext_by_NID(certificate, nid, -1);
  if (at < 0) return "absent";
  X509_EXTENSION* found = X509_get_ext(certificate, at);
  const BioPtr out(BIO_new(BIO_s_mem()));
  X509V3_EXT_print(out.get(), found, 0, 0);
  char* text = nullptr;
  const auto size = BIO_get_mem_data(out.get(), &text);
  return (X509_EXTENSION_get_critical(found) == 1 ? "critical " : "") +
         std::string(text, static_cast<std::size_t>(size));
}

TEST(DevPki, CaMayIssueLeavesOnly) {
  const auto certificate = parsed(ca());
  EXPECT_EQ(extension(certificate.get(), NID_basic_constraints), "critical CA:TRUE, pathlen:0");
  EXPECT_EQ(extension(certificate.get(), NID_key_usage), "critical Certificate Sign, CRL Sign");
  EXPECT_NE(extension(certificate.get(), NID_subject_key_identifier), "absent");
  EXPECT_EQ(subject_of(certificate.get()), "CN=fedgate development CA,O=orga.example");
}

TEST(DevPki, LeafSaysWhatWasAskedFor) {
  const auto leaf = issue_dev_leaf(ca(), request({"orga.example", "gate.orga.example"})).value();
  const auto certificate = parsed(leaf);
  EXPECT_EQ(extension(certificate.get(), NID_basic_constraints), "critical CA:FALSE");
  EXPECT_EQ(extension(certificate.get(), NID_key_usage), "critical Digital Signature");
  EXPECT_EQ(extension(certificate.get(), NID_ext_key_usage),
            "TLS Web Server Authentication, TLS Web Client Authentication");
  EXPECT_EQ(extension(certificate.get(), NID_subject_alt_name), "critical DNS:orga.example, DNS:gate.orga.example");
  EXPECT_NE(extension(certificate.get(), NID_authority_key_identifier), "absent");
  const auto facts = certificate_facts(leaf.certificate_pem).value();
  EXPECT_EQ(facts.dns_names, (std::vector<std::string>{"orga.example", "gate.orga.example"}));
  EXPECT_EQ(facts.not_before, test_now);
  EXPECT_EQ(facts.not_after, test_now + 24h * 90);
  EXPECT_TRUE(facts.server_auth && facts.client_auth);
  EXPECT_FALSE(facts.is_ca);
  EXPECT_EQ(facts.sha256, certificate_sha256(certificate.get()).value());
  EXPECT_EQ(facts.public_key, public_key_sha256(certificate.get()).value());
  EXPECT_TRUE(certificate_facts(ca().certificate_pem)->is_ca);
}

TEST(DevPki, WrongOnPurpose) {
  auto wanted = request();
  wanted.server_auth = false;
  wanted.is_ca = true;
  wanted.common_name = "orga.example";
  const auto facts = certificate_facts(issue_dev_leaf(ca(), wanted)->certificate_pem).value();
  EXPECT_TRUE(facts.is_ca);
  EXPECT_TRUE(facts.client_auth);
  EXPECT_FALSE(facts.server_auth);
  EXPECT_EQ(facts.subject, "CN=orga.example");
  wanted.client_auth = false;
  EXPECT_FALSE(certificate_facts(issue_dev_leaf(ca(), wanted)->certificate_pem)->client_auth);
}

TEST(DevPki, SerialsArePositiveTwentyBytesAndNew) {
  std::set<std::string> seen;
  for (int i = 0; i < 50; ++i) {
    const auto certificate = parsed(issue_dev_leaf(ca(), request()).value());
    const auto* serial = X509_get0_serialNumber(certificate.get());
    EXPECT_EQ(ASN1_STRING_type(serial), V_ASN1_INTEGER);
    EXPECT_EQ(ASN1_STRING_length(serial), 20);
    EXPECT_EQ(static_cast<unsigned char>(view_of(serial).front()) & 0x80, 0);
    seen.emplace(view_of(serial));
  }
  EXPECT_EQ(seen.size(), 50U);
}

TEST(DevPki, LongOrganisationNamesAreCut) {
  const auto made = make_dev_ca(std::string(200, 'a') + ".example", test_now);
  ASSERT_TRUE(made.has_value()) << made.error().detail;
}

TEST(DevPki, WrongCaKeyIsRefused) {
  auto mixed = ca();
  mixed.key_pem = make_dev_ca("other.example", test_now)->key_pem;
  const auto refused = issue_dev_leaf(mixed, request());
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, Code::invalid_certificate);
}

TEST(KeyMatches, TellsWhatIsWrong) {
  const auto leaf = issue_dev_leaf(ca(), request()).value();
  const auto other = issue_dev_leaf(ca(), request()).value();
  EXPECT_TRUE(key_matches(leaf.certificate_pem, leaf.key_pem).has_value());
  EXPECT_TRUE(key_matches(leaf.certificate_pem + ca().certificate_pem, leaf.key_pem).has_value());
  const auto detail = [](const Result<void>& result) {
    return result ? std::string("accepted")
                  : (result.error().code == Code::invalid_certificate ? result.error().detail : "wrong code");
  };
  EXPECT_NE(detail(key_matches(leaf.certificate_pem, other.key_pem)).find("does not belong"), std::string::npos);
  EXPECT_NE(detail(key_matches(ca().certificate_pem + leaf.certificate_pem, leaf.key_pem)).find("must be the first"),
            std::string::npos);
  EXPECT_NE(detail(key_matches("", leaf.key_pem)).find("no certificate found"), std::string::npos);
  EXPECT_NE(detail(key_matches(leaf.key_pem, leaf.key_pem)).find("no certificate found"), std::string::npos);
  EXPECT_NE(detail(key_matches(leaf.certificate_pem, leaf.certificate_pem)).find("no private key found"),
            std::string::npos);
}

TEST(KeyMatches, EncryptedKeysAreNamedAndNobodyIsAsked) {
  const auto leaf = issue_dev_leaf(ca(), request()).value();
  const auto key = read_private_key(leaf.key_pem).value();
  const BioPtr out(BIO_new(BIO_s_mem()));
  ASSERT_EQ(PEM_write_bio_PKCS8PrivateKey(out.get(), key.get(), EVP_aes_128_cbc(), "secret", 6, nullptr, nullptr), 1);
  char* text = nullptr;
  const auto size = BIO_get_mem_data(out.get(), &text);
  const auto refused = key_matches(leaf.certificate_pem, std::string(text, static_cast<std::size_t>(size)));
  ASSERT_FALSE(refused.has_value());
  EXPECT_NE(refused.error().detail.find("encrypted"), std::string::npos) << refused.error().detail;
}

TEST(CertificateFacts, UnreadableText) {
  for (const std::string text : {"", "hello", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"}) {
    const auto facts = certificate_facts(text);
    ASSERT_FALSE(facts.has_value());
    EXPECT_EQ(facts.error().code, Code::invalid_certificate);
  }
}

}  // namespace
}  // namespace fedgate::trust
