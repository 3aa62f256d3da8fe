// SPDX-License-Identifier: Apache-2.0
//
// Certificates and CRLs of every kind, right and wrong, signed by whoever the test wants: what dev_pki, which only
// makes right ones, cannot give.
#pragma once

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/dsa.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/rand.h>

#include <functional>
#include <memory>
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
inline KeyPtr rsa_key(unsigned bits) { return KeyPtr(EVP_RSA_gen(bits)); }
inline KeyPtr same_key(EVP_PKEY* key) {
  EVP_PKEY_up_ref(key);
  return KeyPtr(key);
}
inline KeyPtr key_with_spelled_out_curve() {
  auto key = ec_key("P-256");
  EVP_PKEY_set_utf8_string_param(key.get(), OSSL_PKEY_PARAM_EC_ENCODING, OSSL_PKEY_EC_ENCODING_EXPLICIT);
  return key;
}

/// A public key with a modulus that nobody can factor either: making a real one of 8192 bits takes a minute.
inline KeyPtr rsa_public_key(int bits, unsigned long exponent_value = 65537) {
  const Owned<BIGNUM, BN_free> modulus(BN_new());
  const Owned<BIGNUM, BN_free> exponent(BN_new());
  must(BN_rand(modulus.get(), bits, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ODD) == 1, "modulus");
  must(BN_set_word(exponent.get(), exponent_value) == 1, "exponent");
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

/// Small, since making its parameters takes long: it is the type that is refused.
inline KeyPtr dsa_key() {
  const auto generate = [](EVP_PKEY_CTX* context, int (*init)(EVP_PKEY_CTX*), auto&& set) {
    EVP_PKEY* key = nullptr;
    must(context != nullptr && init(context) == 1 && set(context) && EVP_PKEY_generate(context, &key) == 1, "DSA");
    return KeyPtr(key);
  };
  const Owned<EVP_PKEY_CTX, EVP_PKEY_CTX_free> of_type(EVP_PKEY_CTX_new_from_name(nullptr, "DSA", nullptr));
  const auto parameters = generate(of_type.get(), EVP_PKEY_paramgen_init,
                                   [](EVP_PKEY_CTX* c) { return EVP_PKEY_CTX_set_dsa_paramgen_bits(c, 1024) == 1; });
  const Owned<EVP_PKEY_CTX, EVP_PKEY_CTX_free> of_key(EVP_PKEY_CTX_new(parameters.get(), nullptr));
  return generate(of_key.get(), EVP_PKEY_keygen_init, [](EVP_PKEY_CTX*) { return true; });
}

struct Issued {
  CertificatePtr certificate;
  KeyPtr key;

  [[nodiscard]] X509* get() const { return certificate.get(); }
  [[nodiscard]] std::string pem() const;
  [[nodiscard]] std::string der() const;
  [[nodiscard]] std::string key_pem() const;  ///< empty where only the public half is known
};

struct AlternativeName {
  int type = GEN_DNS;
  std::string text;  ///< GEN_IPADD: the bytes; GEN_DIRNAME: a common name; GEN_OTHERNAME, GEN_RID: ignored
};

/// An extension as bytes.
struct RawExtension {
  std::string oid;
  bool critical = false;
  std::string der;
};

struct Recipe {
  std::string common_name;
  std::string second_common_name;
  std::string mail_in_subject;
  std::vector<AlternativeName> names;
  std::string basic_constraints = "critical,CA:FALSE";  // each as openssl.cnf has it; empty: none
  std::string key_usage = "critical,digitalSignature";
  std::string extended_key_usage = "serverAuth,clientAuth";
  std::string name_constraints;
  std::string authority_key_id = "keyid:always";  // left out where it signs itself
  std::string policy_constraints, crl_distribution_points, tls_feature;
  std::vector<RawExtension> raw;
  bool subject_key_id = true;
  bool own_authority_key_id = false;  // of one that signs itself
  bool names_critical = false;
  bool names_twice = false;
  int unknown_extensions = 0;
  bool unknown_critical = false;
  bool empty_issuer = false;
  long version = X509_VERSION_3;
  std::string serial = "0123456789abcdef";  // hexadecimal, `-` before it: negative
  WallTime not_before = test_now - std::chrono::hours(24);
  WallTime not_after = test_now + std::chrono::hours(24 * 30);
  std::string not_before_text, not_after_text;  // GeneralizedTime as written, in place of the above
  std::function<KeyPtr()> key = [] { return ec_key("P-256"); };
  const EVP_MD* digest = EVP_sha256();
  bool pss = false;
  std::function<void(std::string&)> spoil;  // changes the DER behind the signature's back

  static Recipe leaf(const std::string& name) {
    Recipe recipe;
    recipe.common_name = name;
    recipe.names = {{GEN_DNS, name}};
    return recipe;
  }
  static Recipe authority(const std::string& name) {
    Recipe recipe;
    recipe.common_name = name;
    recipe.basic_constraints = "critical,CA:TRUE";
    recipe.key_usage = "critical,keyCertSign,cRLSign";
    recipe.extended_key_usage.clear();
    return recipe;
  }
  static Recipe intermediate(const std::string& name) { return authority(name); }
};

inline std::string bytes_of(const BioPtr& bio) {
  char* text = nullptr;
  const auto size = BIO_get_mem_data(bio.get(), &text);
  return {text, static_cast<std::size_t>(size)};
}

inline std::string Issued::pem() const {
  const BioPtr out(BIO_new(BIO_s_mem()));
  must(PEM_write_bio_X509(out.get(), get()) == 1, "PEM");
  return bytes_of(out);
}

inline std::string Issued::der() const {
  std::string out(static_cast<std::size_t>(i2d_X509(get(), nullptr)), '\0');
  auto* at = reinterpret_cast<unsigned char*>(out.data());
  i2d_X509(get(), &at);
  return out;
}

inline std::string Issued::key_pem() const {
  const ErrorQueueScope scope;
  const BioPtr out(BIO_new(BIO_s_mem()));
  if (PEM_write_bio_PKCS8PrivateKey(out.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) != 1) return {};
  return bytes_of(out);
}

inline void add_text_extension(X509* certificate, X509* issuer, int nid, const std::string& value) {
  if (value.empty()) return;
  X509V3_CTX context{};
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  X509V3_set_ctx_nodb(&context);
  const ExtensionPtr extension(X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str()));
  must(extension && X509_add_ext(certificate, extension.get(), -1) == 1, value.c_str());
}

inline GENERAL_NAME* general_name(const AlternativeName& name) {
  GENERAL_NAME* entry = GENERAL_NAME_new();
  switch (name.type) {
    case GEN_DIRNAME: {
      X509_NAME* directory = X509_NAME_new();
      X509_NAME_add_entry_by_txt(directory, "CN", MBSTRING_UTF8,
                                 reinterpret_cast<const unsigned char*>(name.text.c_str()), -1, -1, 0);
      GENERAL_NAME_set0_value(entry, GEN_DIRNAME, directory);
      break;
    }
    case GEN_RID:
      GENERAL_NAME_set0_value(entry, GEN_RID, OBJ_txt2obj("1.2.3.4", 1));
      break;
    case GEN_OTHERNAME: {
      ASN1_TYPE* value = ASN1_TYPE_new();
      ASN1_TYPE_set(value, V_ASN1_NULL, nullptr);
      GENERAL_NAME_set0_othername(entry, OBJ_txt2obj("1.3.6.1.4.1.55555.3", 1), value);
      break;
    }
    default: {
      ASN1_STRING* text = ASN1_STRING_type_new(name.type == GEN_IPADD ? V_ASN1_OCTET_STRING : V_ASN1_IA5STRING);
      must(ASN1_STRING_set(text, name.text.data(), static_cast<int>(name.text.size())) == 1, "name");
      GENERAL_NAME_set0_value(entry, name.type, text);
    }
  }
  return entry;
}

inline void add_names(X509* certificate, const Recipe& recipe) {
  const GeneralNamesPtr list(GENERAL_NAMES_new());
  for (const auto& name : recipe.names) sk_GENERAL_NAME_push(list.get(), general_name(name));
  for (int i = 0; i < (recipe.names_twice ? 2 : 1); ++i)
    must(X509_add1_ext_i2d(certificate, NID_subject_alt_name, list.get(), recipe.names_critical ? 1 : 0,
                           X509V3_ADD_APPEND) == 1,
         "names");
}

inline ExtensionPtr raw_extension(const RawExtension& raw) {
  const Owned<ASN1_OBJECT, ASN1_OBJECT_free> object(OBJ_txt2obj(raw.oid.c_str(), 1));
  const Owned<ASN1_OCTET_STRING, ASN1_OCTET_STRING_free> value(ASN1_OCTET_STRING_new());
  ASN1_OCTET_STRING_set(value.get(), reinterpret_cast<const unsigned char*>(raw.der.data()),
                        static_cast<int>(raw.der.size()));
  return ExtensionPtr(X509_EXTENSION_create_by_OBJ(nullptr, object.get(), raw.critical ? 1 : 0, value.get()));
}

inline const std::string unknown_oid = "1.3.6.1.4.1.55555.7";
inline const std::string der_null = std::string("\x05\x00", 2);

inline void set_serial(ASN1_INTEGER* serial, const std::string& hex) {
  BIGNUM* parsed = nullptr;
  must(BN_hex2bn(&parsed, hex.c_str()) > 0, "serial");
  const Owned<BIGNUM, BN_free> number(parsed);
  must(BN_to_ASN1_INTEGER(number.get(), serial) != nullptr, "serial");
}

inline std::time_t seconds_of(WallTime time) {
  return std::chrono::duration_cast<std::chrono::seconds>(time.time_since_epoch()).count();
}

inline void set_time(ASN1_TIME* into, WallTime time, const std::string& text) {
  if (text.empty()) {
    ASN1_TIME_set(into, seconds_of(time));
    return;
  }
  ASN1_TIME* written = into;
  must(ASN1_STRING_set(written, text.data(), static_cast<int>(text.size())) == 1, "time");
  written->type = V_ASN1_GENERALIZEDTIME;
}

inline void add_extensions(X509* certificate, X509* signer, const Recipe& recipe, bool by_itself) {
  add_text_extension(certificate, signer, NID_basic_constraints, recipe.basic_constraints);
  add_text_extension(certificate, signer, NID_key_usage, recipe.key_usage);
  add_text_extension(certificate, signer, NID_ext_key_usage, recipe.extended_key_usage);
  add_text_extension(certificate, signer, NID_name_constraints, recipe.name_constraints);
  add_text_extension(certificate, signer, NID_policy_constraints, recipe.policy_constraints);
  add_text_extension(certificate, signer, NID_crl_distribution_points, recipe.crl_distribution_points);
  add_text_extension(certificate, signer, NID_tlsfeature, recipe.tls_feature);
  if (recipe.subject_key_id) add_text_extension(certificate, signer, NID_subject_key_identifier, "hash");
  if (by_itself ? recipe.own_authority_key_id : !recipe.authority_key_id.empty())
    add_text_extension(certificate, signer, NID_authority_key_identifier, recipe.authority_key_id);
  if (!recipe.names.empty()) add_names(certificate, recipe);
  for (int i = 0; i < recipe.unknown_extensions; ++i)
    must(X509_add_ext(certificate, raw_extension({unknown_oid, recipe.unknown_critical, der_null}).get(), -1) == 1,
         "unknown extension");
  for (const auto& raw : recipe.raw) must(X509_add_ext(certificate, raw_extension(raw).get(), -1) == 1, "extension");
}

inline void add_to_name(X509_NAME* name, const char* field, const std::string& text) {
  if (text.empty()) return;
  must(X509_NAME_add_entry_by_txt(name, field, MBSTRING_UTF8, reinterpret_cast<const unsigned char*>(text.c_str()), -1,
                                  -1, 0) == 1,
       field);
}

inline void sign_with(X509* certificate, EVP_PKEY* key, const Recipe& recipe) {
  const Owned<EVP_MD_CTX, EVP_MD_CTX_free> context(EVP_MD_CTX_new());
  EVP_PKEY_CTX* options = nullptr;
  const int type = EVP_PKEY_get_base_id(key);
  const bool own_digest = type == EVP_PKEY_ED25519 || type == EVP_PKEY_ED448;
  must(EVP_DigestSignInit(context.get(), &options, own_digest ? nullptr : recipe.digest, nullptr, key) == 1, "signing");
  if (recipe.pss) {
    must(EVP_PKEY_CTX_set_rsa_padding(options, RSA_PKCS1_PSS_PADDING) == 1, "PSS");
    must(EVP_PKEY_CTX_set_rsa_pss_saltlen(options, RSA_PSS_SALTLEN_DIGEST) == 1, "salt");
  }
  must(X509_sign_ctx(certificate, context.get()) > 0, "signature");
}

/// Signed by `issuer`, by itself where there is none.
inline Issued issue(const Recipe& recipe, const Issued* issuer = nullptr) {
  Issued made{CertificatePtr(X509_new()), recipe.key()};
  X509* certificate = made.get();
  must(made.key != nullptr, "key");
  X509* signer = issuer != nullptr ? issuer->get() : certificate;
  X509_set_version(certificate, recipe.version);
  set_serial(X509_get_serialNumber(certificate), recipe.serial);
  set_time(X509_getm_notBefore(certificate), recipe.not_before, recipe.not_before_text);
  set_time(X509_getm_notAfter(certificate), recipe.not_after, recipe.not_after_text);
  add_to_name(X509_get_subject_name(certificate), "CN", recipe.common_name);
  add_to_name(X509_get_subject_name(certificate), "CN", recipe.second_common_name);
  add_to_name(X509_get_subject_name(certificate), "emailAddress", recipe.mail_in_subject);
  if (!recipe.empty_issuer) X509_set_issuer_name(certificate, X509_get_subject_name(signer));
  must(X509_set_pubkey(certificate, made.key.get()) == 1, "public key");
  if (recipe.version == X509_VERSION_3) add_extensions(certificate, signer, recipe, issuer == nullptr);
  sign_with(certificate, issuer != nullptr ? issuer->key.get() : made.key.get(), recipe);
  // As it arrives over a connection: read from its bytes, nothing remembered from its making.
  auto der = made.der();
  if (recipe.spoil) recipe.spoil(der);
  const auto* at = reinterpret_cast<const unsigned char*>(der.data());
  made.certificate.reset(d2i_X509(nullptr, &at, static_cast<long>(der.size())));
  must(made.certificate != nullptr, "DER");
  return made;
}
inline std::shared_ptr<const Issued> shared(Issued issued) { return std::make_shared<const Issued>(std::move(issued)); }

struct CrlRecipe {
  std::vector<std::string> revoked;  // serial numbers, hexadecimal
  std::string number = "17";         // hexadecimal; empty: none
  bool authority_key_id = true;
  bool number_critical = false;
  std::vector<RawExtension> raw;
  std::vector<RawExtension> raw_of_entries;
  long version = 1;
  WallTime this_update = test_now - std::chrono::hours(1);
  WallTime next_update = test_now + std::chrono::hours(24);
  bool no_next_update = false;
  bool generalized_times = false;
  const EVP_MD* digest = EVP_sha256();
  const Issued* signer = nullptr;  // another than the issuer whose name it bears
};

inline std::string crl_pem(const Issued& issuer, const CrlRecipe& recipe = {}) {
  const CrlPtr crl(X509_CRL_new());
  X509_CRL_set_version(crl.get(), recipe.version);
  X509_CRL_set_issuer_name(crl.get(), X509_get_subject_name(issuer.get()));
  const auto moment = [&](WallTime time) {
    return recipe.generalized_times ? ASN1_GENERALIZEDTIME_set(nullptr, seconds_of(time))
                                    : ASN1_TIME_set(nullptr, seconds_of(time));
  };
  const Owned<ASN1_TIME, ASN1_TIME_free> from(moment(recipe.this_update));
  const Owned<ASN1_TIME, ASN1_TIME_free> until(moment(recipe.next_update));
  X509_CRL_set1_lastUpdate(crl.get(), from.get());
  if (!recipe.no_next_update) X509_CRL_set1_nextUpdate(crl.get(), until.get());
  for (const auto& serial : recipe.revoked) {
    X509_REVOKED* entry = X509_REVOKED_new();
    const IntegerPtr number(ASN1_INTEGER_new());
    set_serial(number.get(), serial);
    X509_REVOKED_set_serialNumber(entry, number.get());
    X509_REVOKED_set_revocationDate(entry, from.get());
    for (const auto& raw : recipe.raw_of_entries) X509_REVOKED_add_ext(entry, raw_extension(raw).get(), -1);
    X509_CRL_add0_revoked(crl.get(), entry);
  }
  if (recipe.version == 1) {
    X509V3_CTX context{};
    X509V3_set_ctx(&context, issuer.get(), nullptr, nullptr, crl.get(), 0);
    if (recipe.authority_key_id) {
      const ExtensionPtr id(X509V3_EXT_conf_nid(nullptr, &context, NID_authority_key_identifier, "keyid:always"));
      must(id && X509_CRL_add_ext(crl.get(), id.get(), -1) == 1, "key identifier");
    }
    if (!recipe.number.empty()) {
      const IntegerPtr number(ASN1_INTEGER_new());
      set_serial(number.get(), recipe.number);
      must(X509_CRL_add1_ext_i2d(crl.get(), NID_crl_number, number.get(), recipe.number_critical ? 1 : 0, 0) == 1,
           "CRL number");
    }
    for (const auto& raw : recipe.raw)
      must(X509_CRL_add_ext(crl.get(), raw_extension(raw).get(), -1) == 1, "extension");
  }
  X509_CRL_sort(crl.get());
  EVP_PKEY* key = (recipe.signer != nullptr ? *recipe.signer : issuer).key.get();
  must(X509_CRL_sign(crl.get(), key, recipe.digest) > 0, "CRL signature");
  const BioPtr out(BIO_new(BIO_s_mem()));
  must(PEM_write_bio_X509_CRL(out.get(), crl.get()) == 1, "PEM");
  return bytes_of(out);
}

}  // namespace fedgate::trust
