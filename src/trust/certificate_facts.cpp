// SPDX-License-Identifier: Apache-2.0
#include "trust/certificate_facts.h"

#include <arpa/inet.h>
#include <openssl/core_names.h>
#include <openssl/objects.h>

#include <algorithm>
#include <array>
#include <cctype>

#include "base/hash.h"
#include "trust/certificate_rules.h"
#include "trust/issuer_rules.h"
#include "trust/openssl.h"

namespace fedgate::trust {

namespace {

constexpr std::size_t most = 64;

std::string address_text(std::string_view bytes) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (bytes.size() == 4) ::inet_ntop(AF_INET, bytes.data(), text.data(), text.size());
  if (bytes.size() == 16) ::inet_ntop(AF_INET6, bytes.data(), text.data(), text.size());
  return text.front() == '\0' ? "(malformed)" : text.data();
}

void read_names(const X509* certificate, CertificateFacts& facts) {
  const auto names = extension<GeneralNamesPtr>(certificate, NID_subject_alt_name);
  for (int i = 0; names && i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names.get(), i);
    switch (name->type) {
      case GEN_DNS:
        facts.dns_names.emplace_back(view_of(name->d.dNSName));
        break;
      case GEN_URI:
        facts.uris.emplace_back(view_of(name->d.uniformResourceIdentifier));
        break;
      case GEN_EMAIL:
        facts.other_names.push_back("email " + std::string(view_of(name->d.rfc822Name)));
        break;
      case GEN_IPADD:
        facts.other_names.push_back("IP " + address_text(view_of(name->d.iPAddress)));
        break;
      case GEN_DIRNAME:
        facts.other_names.push_back("directory " + name_text(name->d.directoryName));
        break;
      default:
        facts.other_names.emplace_back("a name of another kind");
    }
  }
}

void read_usages(const X509* certificate, CertificateFacts& facts) {
  constexpr std::array names{"digitalSignature", "nonRepudiation", "keyEncipherment", "dataEncipherment",
                             "keyAgreement",     "keyCertSign",    "cRLSign",         "encipherOnly"};
  const auto usage = key_usage_of(certificate).value_or(0);
  for (std::size_t i = 0; i < names.size(); ++i)
    if ((usage & (0x80U >> i)) != 0) facts.usages.emplace_back(names[i]);
  const auto extended = extension<ExtendedKeyUsagePtr>(certificate, NID_ext_key_usage);
  for (int i = 0; extended && i < sk_ASN1_OBJECT_num(extended.get()); ++i) {
    std::array<char, 80> text{};
    const ASN1_OBJECT* object = sk_ASN1_OBJECT_value(extended.get(), i);
    const int nid = OBJ_obj2nid(object);
    if (nid == NID_undef) OBJ_obj2txt(text.data(), static_cast<int>(text.size()), object, 1);
    facts.extended_usages.emplace_back(nid == NID_undef ? text.data() : OBJ_nid2sn(nid));
  }
  facts.server_auth = contains(extended.get(), NID_server_auth);
  facts.client_auth = contains(extended.get(), NID_client_auth);
}

std::string key_text(const X509* certificate) {
  const EVP_PKEY* key = X509_get0_pubkey(certificate);
  if (key == nullptr) return "unreadable";
  std::array<char, 64> curve{};
  switch (EVP_PKEY_get_base_id(key)) {
    case EVP_PKEY_RSA:
      return "RSA " + std::to_string(EVP_PKEY_get_bits(key));
    case EVP_PKEY_EC: {
      EVP_PKEY_get_group_name(key, curve.data(), curve.size(), nullptr);
      const char* nist = EC_curve_nid2nist(OBJ_txt2nid(curve.data()));
      return std::string("ECDSA ") + (nist != nullptr ? nist : curve.data());
    }
    default: {
      const char* name = EVP_PKEY_get0_type_name(key);
      return name != nullptr ? name : "of an unknown type";
    }
  }
}

void read_places(const X509* certificate, CertificateFacts& facts) {
  const auto points = extension<DistributionPointsPtr>(certificate, NID_crl_distribution_points);
  for (int i = 0; points && i < sk_DIST_POINT_num(points.get()); ++i) {
    const DIST_POINT_NAME* name = sk_DIST_POINT_value(points.get(), i)->distpoint;
    if (name == nullptr || name->type != 0) continue;
    for (int j = 0; j < sk_GENERAL_NAME_num(name->name.fullname); ++j) {
      const GENERAL_NAME* one = sk_GENERAL_NAME_value(name->name.fullname, j);
      if (one->type == GEN_URI) facts.crl_places.emplace_back(view_of(one->d.uniformResourceIdentifier));
    }
  }
}

std::string serial_text(const X509* certificate) {
  const ASN1_INTEGER* serial = X509_get0_serialNumber(certificate);
  const auto bytes = view_of(serial);
  return (ASN1_STRING_type(serial) == V_ASN1_NEG_INTEGER ? "-" : "") +
         to_hex({reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()});
}

Result<CertificateFacts> facts_of(const X509* certificate) {
  const ErrorQueueScope scope;
  CertificateFacts facts;
  facts.subject = subject_of(certificate);
  facts.named = described(certificate);
  facts.issuer = name_text(X509_get_issuer_name(certificate));
  facts.serial = serial_text(certificate);
  const auto not_before = wall_time(X509_get0_notBefore(certificate));
  const auto not_after = wall_time(X509_get0_notAfter(certificate));
  if (!not_before || !not_after) return fail(Code::invalid_certificate, "the certificate's validity cannot be read");
  facts.not_before = *not_before;
  facts.not_after = *not_after;
  if (const auto names = alternative_names(certificate); !names) return fail(names.error());
  if (const auto usages = extended_key_usage(certificate); !usages) return fail(usages.error());
  read_names(certificate, facts);
  read_usages(certificate, facts);
  read_places(certificate, facts);
  facts.is_ca = is_ca(certificate);
  facts.self_signed = is_self_signed(certificate);
  facts.must_staple = demands_staple(certificate);
  facts.key = key_text(certificate);
  facts.signature = OBJ_nid2ln(X509_get_signature_nid(certificate));
  const auto digest = certificate_sha256(certificate);
  const auto key_digest = public_key_sha256(certificate);
  if (!digest) return fail(digest.error());
  if (!key_digest) return fail(key_digest.error());
  facts.sha256 = *digest;
  facts.public_key = *key_digest;
  return facts;
}

}  // namespace

Result<CertificateFacts> certificate_facts(const std::string& pem) {
  const auto certificates = read_certificates(pem, most);
  if (!certificates) return fail(certificates.error());
  return facts_of(certificates->front().get());
}

Result<std::vector<CertificateFacts>> all_certificate_facts(const std::string& pem) {
  const auto certificates = read_certificates(pem, most);
  if (!certificates) return fail(certificates.error());
  std::vector<CertificateFacts> all;
  for (const auto& certificate : *certificates) {
    auto facts = facts_of(certificate.get());
    if (!facts) return fail(facts.error());
    all.push_back(std::move(*facts));
  }
  return all;
}

Result<void> key_matches(const std::string& certificate_pem, const std::string& key_pem) {
  const ErrorQueueScope scope;
  const auto certificates = read_certificates(certificate_pem, most);
  if (!certificates) return fail(certificates.error());
  const auto key = read_private_key(key_pem);
  if (!key) return fail(key.error());
  if (X509_check_private_key(certificates->front().get(), key->get()) == 1) return {};
  return fail(Code::invalid_certificate, "the private key does not belong to the certificate " +
                                             described(certificates->front().get()) +
                                             " (in a file with several, the node's own must be the first)");
}

Result<std::vector<Refusal>> flaws_of_leaf(const std::string& pem, Presented presented) {
  const auto certificates = read_certificates(pem, most);
  if (!certificates) return fail(certificates.error());
  const X509* leaf = certificates->front().get();
  Findings findings(Findings::Extent::every);
  const About about(findings, "the certificate", leaf);
  check_form(about, leaf);
  check_leaf(about, leaf, presented);
  return std::move(findings).take();
}

Result<std::vector<Refusal>> flaws_of_intermediate(const std::string& pem) {
  const auto certificates = read_certificates(pem, most);
  if (!certificates) return fail(certificates.error());
  Findings findings(Findings::Extent::every);
  check_issuer(About(findings, "the intermediate", certificates->front().get()), certificates->front().get());
  return std::move(findings).take();
}

Result<std::vector<Refusal>> flaws_of_anchor(const std::string& pem) {
  const auto certificates = read_certificates(pem, most);
  if (!certificates) return fail(certificates.error());
  X509* anchor = certificates->front().get();
  Findings findings(Findings::Extent::every);
  const About about(findings, "the trust anchor", anchor);
  check_issuer(about, anchor);
  check_own_signature(about, anchor);
  return std::move(findings).take();
}

}  // namespace fedgate::trust
