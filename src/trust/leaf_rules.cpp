// SPDX-License-Identifier: Apache-2.0
#include "trust/leaf_rules.h"

#include <openssl/core_names.h>
#include <openssl/objects.h>
#include <openssl/rsa.h>

#include <algorithm>
#include <array>

#include "trust/openssl.h"

namespace fedgate::trust {

namespace {

constexpr int most_names = 100;
constexpr int most_extensions = 64;

std::unexpected<Error> refuse(std::string why) { return fail(Code::identity_mismatch, std::move(why)); }

bool printable(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c > 0x20 && c < 0x7F; });
}

bool dns_characters(std::string_view text) {
  return std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
           c == '_';
  });
}

/// The text of the kinds of names that are text; nothing for the others.
const ASN1_STRING* text_of(const GENERAL_NAME* name) {
  switch (name->type) {
    case GEN_DNS:
      return name->d.dNSName;
    case GEN_EMAIL:
      return name->d.rfc822Name;
    case GEN_URI:
      return name->d.uniformResourceIdentifier;
    default:
      return nullptr;
  }
}

Result<void> check_serial(const X509* leaf) {
  const ASN1_INTEGER* serial = X509_get0_serialNumber(leaf);
  const auto bytes = view_of(serial);
  const bool zero = std::ranges::all_of(bytes, [](char c) { return c == 0; });
  if (ASN1_STRING_type(serial) == V_ASN1_NEG_INTEGER || zero) return refuse("its serial number is not positive");
  // As DER has it: a leading zero byte where the top bit is set (RFC 5280 section 4.1.2.2).
  const std::size_t sign = (static_cast<unsigned char>(bytes.front()) & 0x80) != 0 ? 1 : 0;
  if (bytes.size() + sign > 20) return refuse("its serial number is longer than 20 bytes");
  return {};
}

Result<void> check_validity(const X509* leaf, WallTime at) {
  const auto from = wall_time(X509_get0_notBefore(leaf));
  const auto until = wall_time(X509_get0_notAfter(leaf));
  if (!from || !until) return refuse("its validity cannot be read");
  if (at < *from) return refuse("it is not valid yet; compare the two clocks");
  if (at >= *until) return refuse("it has expired; its organisation must issue a new one");
  return {};
}

Result<void> check_extensions(X509* leaf) {
  const int count = X509_get_ext_count(leaf);
  if (count > most_extensions) return refuse("it has more than " + std::to_string(most_extensions) + " extensions");
  for (int i = 0; i < count; ++i) {
    const ASN1_OBJECT* object = X509_EXTENSION_get_object(X509_get_ext(leaf, i));
    if (X509_get_ext_by_OBJ(leaf, object, i) != -1) return refuse("an extension stands there more than once");
  }
  if ((X509_get_extension_flags(leaf) & EXFLAG_INVALID) != 0) return refuse("one of its extensions cannot be read");
  return {};
}

Result<void> check_usages(X509* leaf, Presented presented) {
  if (X509_check_ca(leaf) != 0) return refuse("it is a CA certificate, not a leaf");
  if ((X509_get_extension_flags(leaf) & EXFLAG_KUSAGE) != 0) {
    const auto usage = X509_get_key_usage(leaf);
    if ((usage & (KU_KEY_CERT_SIGN | KU_CRL_SIGN)) != 0)
      return refuse("its keyUsage lets it sign certificates or CRLs, which a leaf must not");
    if ((usage & KU_DIGITAL_SIGNATURE) == 0) return refuse("its keyUsage lacks digitalSignature");
  }
  const auto extended = extended_key_usage(leaf);
  if (!extended) return refuse(extended.error().detail);
  if (!*extended) return refuse("it has no extendedKeyUsage, which is required");
  const bool client = presented == Presented::by_client;
  if (contains(extended->get(), client ? NID_client_auth : NID_server_auth)) return {};
  const std::string needed = client ? "clientAuth" : "serverAuth";
  const bool any = contains(extended->get(), NID_anyExtendedKeyUsage);
  return refuse("its extendedKeyUsage lacks " + needed + (any ? " (anyExtendedKeyUsage is not enough)" : ""));
}

Result<void> check_rsa(const EVP_PKEY* key) {
  const int bits = EVP_PKEY_get_bits(key);
  if (bits >= 2048 && bits <= 4096) return {};
  return refuse("its RSA key has " + std::to_string(bits) + " bits; 2048 to 4096 are accepted");
}

Result<void> check_curve(const EVP_PKEY* key) {
  std::array<char, 64> name{};
  int spelled_out = 0;
  if (EVP_PKEY_get_int_param(key, OSSL_PKEY_PARAM_EC_DECODED_FROM_EXPLICIT_PARAMS, &spelled_out) == 1 &&
      spelled_out != 0)
    return refuse("its key spells out a curve's parameters instead of naming it");
  if (EVP_PKEY_get_group_name(key, name.data(), name.size(), nullptr) != 1)
    return refuse("its key's curve has no name");
  const int curve = OBJ_txt2nid(name.data());
  if (curve == NID_X9_62_prime256v1 || curve == NID_secp384r1 || curve == NID_secp521r1) return {};
  return refuse("its key is on the curve " + std::string(name.data()) + "; P-256, P-384 and P-521 are accepted");
}

}  // namespace

Result<std::vector<std::string>> dns_identities(const X509* leaf) {
  const auto names = alternative_names(leaf);
  if (!names) return refuse(names.error().detail);
  std::vector<std::string> found;
  const int count = *names ? sk_GENERAL_NAME_num(names->get()) : 0;
  if (count > most_names) return refuse("it has more than " + std::to_string(most_names) + " alternative names");
  for (int i = 0; i < count; ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names->get(), i);
    const ASN1_STRING* value = text_of(name);
    if (value == nullptr) continue;
    const auto text = view_of(value);
    if (!printable(text)) return refuse("an alternative name holds a NUL or other bytes that do not belong there");
    if (name->type != GEN_DNS) continue;
    if (text.contains('*')) return refuse("it has a wildcard name, " + shown(text) + ", which identifies nobody");
    if (text.empty() || !dns_characters(text)) return refuse(shown(text) + " is not a DNS name");
    found.emplace_back(text);
  }
  if (found.empty()) return refuse("it has no DNS name among its alternative names (the common name does not count)");
  return found;
}

std::string folded(std::string_view name) {
  if (name.ends_with('.')) name.remove_suffix(1);
  std::string lower(name);
  for (char& c : lower)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + ('a' - 'A'));
  return lower;
}

Result<void> check_key(const X509* certificate) {
  const EVP_PKEY* key = X509_get0_pubkey(certificate);
  if (key == nullptr) return refuse("its public key cannot be read");
  switch (EVP_PKEY_get_base_id(key)) {
    case EVP_PKEY_RSA:
      return check_rsa(key);
    case EVP_PKEY_EC:
      return check_curve(key);
    case EVP_PKEY_ED25519:
      return {};
    default:
      return refuse("its key is of a type that is not accepted; RSA, ECDSA and Ed25519 are");
  }
}

Result<void> check_leaf(X509* leaf, Presented presented, WallTime at) {
  if (X509_get_version(leaf) != X509_VERSION_3) return refuse("it is not an X.509 version 3 certificate");
  if (auto checked = check_extensions(leaf); !checked) return checked;
  if (auto checked = check_serial(leaf); !checked) return checked;
  if (auto checked = check_validity(leaf, at); !checked) return checked;
  if (auto checked = check_usages(leaf, presented); !checked) return checked;
  return check_key(leaf);
}

}  // namespace fedgate::trust
