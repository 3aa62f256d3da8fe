// SPDX-License-Identifier: Apache-2.0
//
// Certificates of every kind, right and wrong, signed by whoever the test wants: what dev_pki, which only makes
// right ones, cannot give.
#pragma once

#include <gtest/gtest.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/rand.h>

#include <functional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "trust/openssl.h"

namespace fedgate::trust {

inline const WallTime test_now = WallTime(std::chrono::seconds(1'800'000'000));  // in January 2027

inline void must(bool condition, const char* what) {
  if (!condition) throw std::runtime_error(std::string(what) + ": " + openssl_reason());
}

inline KeyPtr ec_key(const char* curve) { return KeyPtr(EVP_EC_gen(curve)); }
inline KeyPtr plain_key(const char* type) { return KeyPtr(EVP_PKEY_Q_keygen(nullptr, nullptr, type)); }

/// A public key with a modulus that nobody can factor either: making a real one of 8192 bits takes a minute.
inline KeyPtr rsa_public_key(int bits) {
  const Owned<BIGNUM, BN_free> modulus(BN_new());
  const Owned<BIGNUM, BN_free> exponent(BN_new());
  must(BN_rand(modulus.get(), bits, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ODD) == 1, "modulus");
  must(BN_set_word(exponent.get(), 65537) == 1, "exponent");
  const Owned<OSSL_PARAM_BLD, OSSL_PARAM_BLD_free> build(OSSL_PARAM_BLD_new());
  OSSL_PARAM_BLD_push_BN(build.get(), OSSL_PKEY_PARAM_RSA_N, modulus.get());
  OSSL_PARAM_BLD_push_BN(build.get(), OSSL_PKEY_PARAM_RSA_E, exponent.get());
  const Owned<OSSL_PARAM, OSSL_PARAM_free> params(OSSL_PARAM_BLD_to_param(build.get()));
  const Owned<EVP_PKEY_CTX, EVP_PKEY_CTX_free> context(EVP_PKEY_CTX_new_from_name(nullptr, "RSA", nullptr));
  EVP_PKEY* key = nullptr;
  must(EVP_PKEY_fromdata_init(context.get()) == 1 &&
           EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_PUBLIC_KEY, params.get()) == 1,
       "RSA key");
  return KeyPtr(key);
}

struct Issued {
  CertificatePtr certificate;
  KeyPtr key;

  [[nodiscard]] X509* get() const { return certificate.get(); }
  [[nodiscard]] std::string pem() const;
  [[nodiscard]] std::string der() const;
};

struct AlternativeName {
  int type = GEN_DNS;
  std::string text;
};

struct Recipe {
  std::string common_name;
  std::vector<AlternativeName> names;
  std::string basic_constraints = "critical,CA:FALSE";  // each as openssl.cnf has it; empty: none
  std::string key_usage = "critical,digitalSignature";
  std::string extended_key_usage = "serverAuth,clientAuth";
  std::string name_constraints;
  bool subject_key_id = true;
  bool authority_key_id = true;
  bool names_critical = false;
  bool names_twice = false;
  int unknown_extensions = 0;
  bool unknown_critical = false;
  long version = X509_VERSION_3;
  std::string serial = "0123456789abcdef";  // hexadecimal, `-` before it: negative
  WallTime not_before = test_now - std::chrono::hours(24);
  WallTime not_after = test_now + std::chrono::hours(24 * 30);
  std::function<KeyPtr()> key = [] { return ec_key("P-256"); };
  const EVP_MD* digest = EVP_sha256();

  static Recipe leaf(const std::string& name) {
    Recipe recipe;
    recipe.common_name = "gateway";
    recipe.names = {{GEN_DNS, name}};
    return recipe;
  }
  static Recipe authority(const std::string& name) {
    Recipe recipe;
    recipe.common_name = name;
    recipe.basic_constraints = "critical,CA:TRUE";
    recipe.key_usage = "critical,keyCertSign,cRLSign";
    recipe.extended_key_usage.clear();
    recipe.authority_key_id = false;
    return recipe;
  }
  static Recipe intermediate(const std::string& name) {
    Recipe recipe = authority(name);
    recipe.authority_key_id = true;
    return recipe;
  }
};

inline std::string Issued::pem() const {
  const BioPtr out(BIO_new(BIO_s_mem()));
  must(PEM_write_bio_X509(out.get(), get()) == 1, "PEM");
  char* text = nullptr;
  const auto size = BIO_get_mem_data(out.get(), &text);
  return {text, static_cast<std::size_t>(size)};
}

inline std::string Issued::der() const {
  std::string out(static_cast<std::size_t>(i2d_X509(get(), nullptr)), '\0');
  auto* at = reinterpret_cast<unsigned char*>(out.data());
  i2d_X509(get(), &at);
  return out;
}

inline void add_text_extension(X509* certificate, X509* issuer, int nid, const std::string& value) {
  if (value.empty()) return;
  X509V3_CTX context{};
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  const ExtensionPtr extension(X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str()));
  must(extension && X509_add_ext(certificate, extension.get(), -1) == 1, value.c_str());
}

inline void add_names(X509* certificate, const Recipe& recipe) {
  const GeneralNamesPtr list(GENERAL_NAMES_new());
  for (const auto& name : recipe.names) {
    GENERAL_NAME* entry = GENERAL_NAME_new();
    ASN1_IA5STRING* text = ASN1_IA5STRING_new();
    must(ASN1_STRING_set(text, name.text.data(), static_cast<int>(name.text.size())) == 1, "name");
    GENERAL_NAME_set0_value(entry, name.type, text);
    sk_GENERAL_NAME_push(list.get(), entry);
  }
  for (int i = 0; i < (recipe.names_twice ? 2 : 1); ++i)
    must(X509_add1_ext_i2d(certificate, NID_subject_alt_name, list.get(), recipe.names_critical ? 1 : 0,
                           X509V3_ADD_APPEND) == 1,
         "names");
}

inline void add_unknown_extension(X509* certificate, bool critical) {
  const Owned<ASN1_OBJECT, ASN1_OBJECT_free> object(OBJ_txt2obj("1.3.6.1.4.1.55555.7", 1));
  const Owned<ASN1_OCTET_STRING, ASN1_OCTET_STRING_free> value(ASN1_OCTET_STRING_new());
  const unsigned char bytes[] = {0x05, 0x00};
  ASN1_OCTET_STRING_set(value.get(), bytes, sizeof bytes);
  const ExtensionPtr extension(X509_EXTENSION_create_by_OBJ(nullptr, object.get(), critical ? 1 : 0, value.get()));
  must(X509_add_ext(certificate, extension.get(), -1) == 1, "unknown extension");
}

inline void set_serial(X509* certificate, const std::string& hex) {
  BIGNUM* parsed = nullptr;
  must(BN_hex2bn(&parsed, hex.c_str()) > 0, "serial");
  const Owned<BIGNUM, BN_free> number(parsed);
  must(BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(certificate)) != nullptr, "serial");
}

/// Signed by `issuer`, by itself where there is none.
inline Issued issue(const Recipe& recipe, const Issued* issuer = nullptr) {
  Issued made{CertificatePtr(X509_new()), recipe.key()};
  X509* certificate = made.get();
  must(made.key != nullptr, "key");
  X509* signer = issuer != nullptr ? issuer->get() : certificate;
  const auto seconds = [](WallTime time) {
    return std::chrono::duration_cast<std::chrono::seconds>(time.time_since_epoch()).count();
  };
  X509_set_version(certificate, recipe.version);
  set_serial(certificate, recipe.serial);
  ASN1_TIME_set(X509_getm_notBefore(certificate), seconds(recipe.not_before));
  ASN1_TIME_set(X509_getm_notAfter(certificate), seconds(recipe.not_after));
  if (!recipe.common_name.empty())
    X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_UTF8,
                               reinterpret_cast<const unsigned char*>(recipe.common_name.c_str()), -1, -1, 0);
  X509_set_issuer_name(certificate, X509_get_subject_name(signer));
  must(X509_set_pubkey(certificate, made.key.get()) == 1, "public key");
  if (recipe.version == X509_VERSION_3) {
    add_text_extension(certificate, signer, NID_basic_constraints, recipe.basic_constraints);
    add_text_extension(certificate, signer, NID_key_usage, recipe.key_usage);
    add_text_extension(certificate, signer, NID_ext_key_usage, recipe.extended_key_usage);
    add_text_extension(certificate, signer, NID_name_constraints, recipe.name_constraints);
    if (recipe.subject_key_id) add_text_extension(certificate, signer, NID_subject_key_identifier, "hash");
    if (recipe.authority_key_id && issuer != nullptr)
      add_text_extension(certificate, signer, NID_authority_key_identifier, "keyid:always");
    if (!recipe.names.empty()) add_names(certificate, recipe);
    for (int i = 0; i < recipe.unknown_extensions; ++i) add_unknown_extension(certificate, recipe.unknown_critical);
  }
  EVP_PKEY* signing = issuer != nullptr ? issuer->key.get() : made.key.get();
  const bool own_digest = EVP_PKEY_get_base_id(signing) == EVP_PKEY_ED25519;
  must(X509_sign(certificate, signing, own_digest ? nullptr : recipe.digest) > 0, "signature");
  // As it arrives over a connection: read from its bytes, nothing remembered from its making.
  const auto der = made.der();
  const auto* at = reinterpret_cast<const unsigned char*>(der.data());
  made.certificate.reset(d2i_X509(nullptr, &at, static_cast<long>(der.size())));
  must(made.certificate != nullptr, "DER");
  return made;
}

}  // namespace fedgate::trust
