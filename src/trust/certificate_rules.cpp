// SPDX-License-Identifier: Apache-2.0
#include "trust/certificate_rules.h"

#include <openssl/core_names.h>
#include <openssl/objects.h>
#include <openssl/rsa.h>

#include <algorithm>
#include <array>
#include <string>

#include "trust/extension_rules.h"
#include "trust/openssl.h"

namespace fedgate::trust {

namespace {

void check_serial(const About& about, const X509* certificate) {
  const ASN1_INTEGER* serial = X509_get0_serialNumber(certificate);
  const auto bytes = view_of(serial);
  const bool zero = std::ranges::all_of(bytes, [](char c) { return c == 0; });
  if (ASN1_STRING_type(serial) == V_ASN1_NEG_INTEGER || zero)
    return about.add(Reason::serial, "its serial number is not positive");
  // As DER has it: a leading zero byte where the top bit is set (RFC 5280 section 4.1.2.2).
  const std::size_t sign = (static_cast<unsigned char>(bytes.front()) & 0x80) != 0 ? 1 : 0;
  if (bytes.size() + sign > 20) about.add(Reason::serial, "its serial number is longer than 20 bytes");
}

void check_names(const About& about, const X509* certificate) {
  const X509_NAME* subject = X509_get_subject_name(certificate);
  const X509_NAME* issuer = X509_get_issuer_name(certificate);
  if (X509_NAME_entry_count(issuer) == 0) about.add(Reason::name_empty, "its issuer has no name");
  constexpr int most_entries = 50;
  if (X509_NAME_entry_count(subject) > most_entries || X509_NAME_entry_count(issuer) > most_entries)
    about.add(Reason::oversized, "its subject or issuer has more than 50 parts");
  const ASN1_BIT_STRING* issuer_id = nullptr;
  const ASN1_BIT_STRING* subject_id = nullptr;
  X509_get0_uids(certificate, &issuer_id, &subject_id);
  if (issuer_id != nullptr || subject_id != nullptr)
    about.add(Reason::unique_id, "it has issuerUniqueID or subjectUniqueID, which RFC 5280 forbids");
}

void check_signature_algorithm(const About& about, const X509* certificate) {
  const X509_ALGOR* stated = nullptr;
  const ASN1_BIT_STRING* signature = nullptr;
  X509_get0_signature(&signature, &stated, certificate);
  if (X509_ALGOR_cmp(stated, X509_get0_tbs_sigalg(certificate)) != 0)
    return about.add(Reason::signature_algorithm, "it states two different signature algorithms");
  if (!is_accepted_signature(stated))
    about.add(Reason::signature_algorithm, "it is signed with " +
                                               std::string(OBJ_nid2ln(X509_get_signature_nid(certificate))) +
                                               "; SHA-256 or better with RSA, ECDSA or Ed25519 is accepted");
}

void check_validity(const About& about, const X509* certificate) {
  const ASN1_TIME* not_before = X509_get0_notBefore(certificate);
  const ASN1_TIME* not_after = X509_get0_notAfter(certificate);
  const auto from = wall_time(not_before);
  const auto until = wall_time(not_after);
  if (!from || !until || !is_well_written(not_before) || !is_well_written(not_after))
    return about.add(Reason::validity_malformed, "its validity is not written as RFC 5280 demands");
  if (*until < *from) about.add(Reason::validity_malformed, "its validity ends before it begins");
}

void check_rsa(const About& about, const EVP_PKEY* key) {
  const int bits = EVP_PKEY_get_bits(key);
  if (bits < 2048 || bits > 4096 || bits % 8 != 0)
    return about.add(Reason::key,
                     "its RSA key has " + std::to_string(bits) + " bits; 2048 to 4096 are accepted, in multiples of 8");
  BIGNUM* raw = nullptr;
  const bool got = EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_E, &raw) == 1;
  const Owned<BIGNUM, BN_free> exponent(raw);
  constexpr BN_ULONG least = 65537;
  if (!got || BN_is_odd(raw) == 0 || BN_num_bits(raw) > 64 || (BN_num_bits(raw) <= 17 && BN_get_word(raw) < least))
    about.add(Reason::key, "its RSA key's public exponent is even, below 65537 or longer than 64 bits");
}

void check_curve(const About& about, const EVP_PKEY* key) {
  std::array<char, 64> name{};
  int spelled_out = 0;
  if (EVP_PKEY_get_int_param(key, OSSL_PKEY_PARAM_EC_DECODED_FROM_EXPLICIT_PARAMS, &spelled_out) == 1 &&
      spelled_out != 0)
    return about.add(Reason::key, "its key spells out a curve's parameters instead of naming it");
  if (EVP_PKEY_get_group_name(key, name.data(), name.size(), nullptr) != 1)
    return about.add(Reason::key, "its key's curve has no name");
  const int curve = OBJ_txt2nid(name.data());
  if (curve == NID_X9_62_prime256v1 || curve == NID_secp384r1 || curve == NID_secp521r1) return;
  about.add(Reason::key,
            "its key is on the curve " + std::string(name.data()) + "; P-256, P-384 and P-521 are accepted");
}

bool has_null_parameters(const X509_ALGOR* algorithm) {
  int type = V_ASN1_UNDEF;
  X509_ALGOR_get0(nullptr, &type, nullptr, algorithm);
  return type == V_ASN1_NULL;
}

bool has_no_parameters(const X509_ALGOR* algorithm) {
  int type = V_ASN1_UNDEF;
  X509_ALGOR_get0(nullptr, &type, nullptr, algorithm);
  return type == V_ASN1_UNDEF;
}

bool is_strong_hash(const X509_ALGOR* hash) {
  const ASN1_OBJECT* object = nullptr;
  if (hash == nullptr) return false;  // the default is SHA-1
  X509_ALGOR_get0(&object, nullptr, nullptr, hash);
  const int nid = OBJ_obj2nid(object);
  return nid == NID_sha256 || nid == NID_sha384 || nid == NID_sha512;
}

/// One hash for the message and for the mask, and a salt as long as it: RFC 8017's recommendation, TLS 1.3's demand.
bool is_accepted_pss(const X509_ALGOR* algorithm) {
  int type = V_ASN1_UNDEF;
  const void* value = nullptr;
  X509_ALGOR_get0(nullptr, &type, &value, algorithm);
  if (type != V_ASN1_SEQUENCE) return false;
  const auto* sequence = static_cast<const ASN1_STRING*>(value);
  const unsigned char* at = ASN1_STRING_get0_data(sequence);
  const Owned<RSA_PSS_PARAMS, RSA_PSS_PARAMS_free> params(
      d2i_RSA_PSS_PARAMS(nullptr, &at, ASN1_STRING_length(sequence)));
  if (!params || !is_strong_hash(params->hashAlgorithm) || params->maskGenAlgorithm == nullptr ||
      params->trailerField != nullptr)
    return false;
  const ASN1_OBJECT* mask = nullptr;
  X509_ALGOR_get0(&mask, &type, &value, params->maskGenAlgorithm);
  if (OBJ_obj2nid(mask) != NID_mgf1 || type != V_ASN1_SEQUENCE) return false;
  const auto* inner = static_cast<const ASN1_STRING*>(value);
  at = ASN1_STRING_get0_data(inner);
  const Owned<X509_ALGOR, X509_ALGOR_free> mask_hash(d2i_X509_ALGOR(nullptr, &at, ASN1_STRING_length(inner)));
  if (!is_strong_hash(mask_hash.get())) return false;
  const ASN1_OBJECT* hash = nullptr;
  const ASN1_OBJECT* other = nullptr;
  X509_ALGOR_get0(&hash, nullptr, nullptr, params->hashAlgorithm);
  X509_ALGOR_get0(&other, nullptr, nullptr, mask_hash.get());
  const EVP_MD* digest = EVP_get_digestbyobj(hash);
  return OBJ_cmp(hash, other) == 0 && digest != nullptr && params->saltLength != nullptr &&
         ASN1_INTEGER_get(params->saltLength) == EVP_MD_get_size(digest);
}

}  // namespace

bool is_accepted_signature(const X509_ALGOR* algorithm) {
  const ErrorQueueScope scope;
  const ASN1_OBJECT* object = nullptr;
  X509_ALGOR_get0(&object, nullptr, nullptr, algorithm);
  switch (OBJ_obj2nid(object)) {
    case NID_sha256WithRSAEncryption:
    case NID_sha384WithRSAEncryption:
    case NID_sha512WithRSAEncryption:
      return has_null_parameters(algorithm);
    case NID_ecdsa_with_SHA256:
    case NID_ecdsa_with_SHA384:
    case NID_ecdsa_with_SHA512:
    case NID_ED25519:
      return has_no_parameters(algorithm);
    case NID_rsassaPss:
      return is_accepted_pss(algorithm);
    default:
      return false;
  }
}

bool is_well_written(const ASN1_TIME* time) {
  const auto text = view_of(time);
  const bool utc = ASN1_STRING_type(time) == V_ASN1_UTCTIME;
  if (!utc && ASN1_STRING_type(time) != V_ASN1_GENERALIZEDTIME) return false;
  if (text.size() != (utc ? 13U : 15U) || text.back() != 'Z') return false;
  if (!std::ranges::all_of(text.substr(0, text.size() - 1), [](char c) { return c >= '0' && c <= '9'; })) return false;
  return utc || text.substr(0, 4) >= "2050";
}

bool is_self_signed(const X509* certificate) {
  if (X509_NAME_cmp(X509_get_subject_name(certificate), X509_get_issuer_name(certificate)) != 0) return false;
  const auto authority = extension<AuthorityKeyIdPtr>(certificate, NID_authority_key_identifier);
  if (!authority || authority->keyid == nullptr) return true;
  const auto subject =
      extension<Owned<ASN1_OCTET_STRING, ASN1_OCTET_STRING_free>>(certificate, NID_subject_key_identifier);
  return subject && ASN1_OCTET_STRING_cmp(subject.get(), authority->keyid) == 0;
}

void check_key(const About& about, const X509* certificate) {
  const ErrorQueueScope scope;
  const EVP_PKEY* key = X509_get0_pubkey(certificate);
  if (key == nullptr) return about.add(Reason::key, "its public key cannot be read");
  switch (EVP_PKEY_get_base_id(key)) {
    case EVP_PKEY_RSA:
      return check_rsa(about, key);
    case EVP_PKEY_EC:
      return check_curve(about, key);
    case EVP_PKEY_ED25519:
      return;
    default:
      about.add(Reason::key, "its key is of a type that is not accepted; RSA, ECDSA and Ed25519 are");
  }
}

void check_form(const About& about, const X509* certificate) {
  if (X509_get_version(certificate) != X509_VERSION_3)
    about.add(Reason::version, "it is not an X.509 version 3 certificate");
  check_extensions(about, certificate);
  check_alternative_names(about, certificate);
  check_serial(about, certificate);
  check_names(about, certificate);
  check_validity(about, certificate);
  check_signature_algorithm(about, certificate);
  check_key(about, certificate);
}

void check_time(const About& about, const X509* certificate, WallTime at) {
  const auto from = wall_time(X509_get0_notBefore(certificate));
  const auto until = wall_time(X509_get0_notAfter(certificate));
  if (!from || !until) return about.add(Reason::validity_malformed, "its validity cannot be read");
  if (at < *from) about.add(Reason::not_yet_valid, "it is not valid yet; compare the two clocks");
  if (at >= *until) about.add(Reason::expired, "it has expired; its organisation must issue a new one");
}

}  // namespace fedgate::trust
