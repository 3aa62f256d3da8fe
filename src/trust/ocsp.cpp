// SPDX-License-Identifier: Apache-2.0
#include "trust/ocsp.h"

#include <openssl/objects.h>
#include <openssl/ocsp.h>

#include <array>
#include <string>

#include "trust/certificate_rules.h"
#include "trust/openssl.h"

namespace fedgate::trust {

namespace {

using ResponsePtr = Owned<OCSP_RESPONSE, OCSP_RESPONSE_free>;
using BasicPtr = Owned<OCSP_BASICRESP, OCSP_BASICRESP_free>;
using CertIdPtr = Owned<OCSP_CERTID, OCSP_CERTID_free>;

constexpr std::size_t largest = 64UL << 10;
constexpr int most_answers = 16;
constexpr int most_certificates = 4;

OcspAnswer unusable(Reason reason, std::string_view why) {
  return {OcspAnswer::Status::unusable, {reason, "the stapled OCSP response " + std::string(why)}, {}};
}

BasicPtr read(std::string_view der) {
  if (der.empty() || der.size() > largest) return nullptr;
  const auto* begin = reinterpret_cast<const unsigned char*>(der.data());
  const auto* at = begin;
  const ResponsePtr response(d2i_OCSP_RESPONSE(nullptr, &at, static_cast<long>(der.size())));
  if (!response || at != begin + der.size()) return nullptr;
  if (OCSP_response_status(response.get()) != OCSP_RESPONSE_STATUS_SUCCESSFUL) return nullptr;
  return BasicPtr(OCSP_response_get1_basic(response.get()));
}

bool has_critical_extension(OCSP_BASICRESP* basic, OCSP_SINGLERESP* single) {
  return OCSP_BASICRESP_get_ext_by_critical(basic, 1, -1) >= 0 ||
         OCSP_SINGLERESP_get_ext_by_critical(single, 1, -1) >= 0;
}

/// The one answer about this certificate; null where there is none, or more than one.
OCSP_SINGLERESP* answer_about(OCSP_BASICRESP* basic, X509* certificate, X509* issuer) {
  OCSP_SINGLERESP* found = nullptr;
  if (OCSP_resp_count(basic) > most_answers) return nullptr;
  // The hash in a CertID is a key for looking up, not a security measure: responders use SHA-1 to this day.
  for (const EVP_MD* digest : std::array{EVP_sha1(), EVP_sha256()}) {
    const CertIdPtr wanted(OCSP_cert_to_id(digest, certificate, issuer));
    if (!wanted) return nullptr;
    for (int i = 0; i < OCSP_resp_count(basic); ++i) {
      OCSP_SINGLERESP* one = OCSP_resp_get0(basic, i);
      if (OCSP_id_cmp(OCSP_SINGLERESP_get0_id(one), wanted.get()) != 0) continue;
      if (found != nullptr) return nullptr;
      found = one;
    }
  }
  return found;
}

bool is_identified_by(OCSP_BASICRESP* basic, X509* certificate) {
  const ASN1_OCTET_STRING* key_hash = nullptr;
  const X509_NAME* name = nullptr;
  if (OCSP_resp_get0_id(basic, &key_hash, &name) != 1) return false;
  if (name != nullptr) return X509_NAME_cmp(name, X509_get_subject_name(certificate)) == 0;
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  return key_hash != nullptr && X509_pubkey_digest(certificate, EVP_sha1(), digest.data(), &size) == 1 &&
         view_of(key_hash) == std::string_view(reinterpret_cast<char*>(digest.data()), size);
}

/// Directly issued by `issuer` for nothing but this, valid now, and not itself in need of a revocation check.
bool is_appointed(X509* responder, X509* issuer, WallTime at) {
  Findings findings(Findings::Extent::first);
  const About about(findings, "the OCSP responder", responder);
  check_form(about, responder);
  check_time(about, responder, at);
  if (!findings.none() || is_ca(responder)) return false;
  const auto usages = extension<ExtendedKeyUsagePtr>(responder, NID_ext_key_usage);
  const bool may_sign = (key_usage_of(responder).value_or(KU_DIGITAL_SIGNATURE) & KU_DIGITAL_SIGNATURE) != 0;
  EVP_PKEY* key = X509_get0_pubkey(issuer);
  return usages && contains(usages.get(), NID_OCSP_sign) && !contains(usages.get(), NID_anyExtendedKeyUsage) &&
         may_sign && X509_get_ext_by_NID(responder, NID_id_pkix_OCSP_noCheck, -1) >= 0 &&
         X509_check_issued(issuer, responder) == X509_V_OK && key != nullptr && X509_verify(responder, key) == 1;
}

/// Who signed, if they may; null otherwise.
X509* responder_of(OCSP_BASICRESP* basic, X509* issuer, WallTime at) {
  if (is_identified_by(basic, issuer)) return issuer;
  const STACK_OF(X509)* certificates = OCSP_resp_get0_certs(basic);
  const int count = certificates == nullptr ? 0 : sk_X509_num(certificates);
  if (count > most_certificates) return nullptr;
  for (int i = 0; i < count; ++i) {
    X509* one = sk_X509_value(certificates, i);
    if (is_identified_by(basic, one) && is_appointed(one, issuer, at)) return one;
  }
  return nullptr;
}

bool is_signed_by(OCSP_BASICRESP* basic, X509* responder) {
  if (!is_accepted_signature(OCSP_resp_get0_tbs_sigalg(basic))) return false;
  const BorrowedStack signer(sk_X509_new_null());
  if (!signer || sk_X509_push(signer.get(), responder) == 0) return false;
  // The responder's right to sign is judged here; OpenSSL checks the signature only.
  return OCSP_basic_verify(basic, signer.get(), nullptr, OCSP_NOINTERN | OCSP_TRUSTOTHER | OCSP_NOVERIFY) == 1;
}

}  // namespace

OcspAnswer judge_ocsp(std::string_view response, X509* certificate, X509* issuer, WallTime at) {
  const ErrorQueueScope scope;
  const auto basic = read(response);
  if (!basic) return unusable(Reason::ocsp_malformed, "cannot be read, or reports a failure");
  OCSP_SINGLERESP* single = answer_about(basic.get(), certificate, issuer);
  if (single == nullptr) return unusable(Reason::ocsp_mismatch, "is not one answer about this certificate");
  if (has_critical_extension(basic.get(), single))
    return unusable(Reason::ocsp_malformed, "has a critical extension that is not acted upon");
  X509* responder = responder_of(basic.get(), issuer, at);
  if (responder == nullptr || !is_signed_by(basic.get(), responder))
    return unusable(Reason::ocsp_signature, "is not signed by the issuer or a responder that it has appointed");

  ASN1_GENERALIZEDTIME* this_update = nullptr;
  ASN1_GENERALIZEDTIME* next_update = nullptr;
  const int status = OCSP_single_get0_status(single, nullptr, nullptr, &this_update, &next_update);
  const auto from = wall_time(this_update);
  const auto until = wall_time(next_update);
  if (!from || !until) return unusable(Reason::ocsp_malformed, "has no thisUpdate or no nextUpdate");
  if (at < *from || at >= *until) return unusable(Reason::ocsp_stale, "is not current");
  if (status == V_OCSP_CERTSTATUS_REVOKED)
    return {OcspAnswer::Status::revoked, {Reason::revoked, "its issuer has revoked it (stapled OCSP response)"}, {}};
  if (status != V_OCSP_CERTSTATUS_GOOD) return unusable(Reason::ocsp_mismatch, "does not know this certificate");
  return {OcspAnswer::Status::good, {}, *until};
}

}  // namespace fedgate::trust
