// SPDX-License-Identifier: Apache-2.0
//
// Certificates for tests of net, made on the spot: self-signed, because here the judge is the test's own.
#pragma once

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <memory>
#include <string>

#include "net/tls.h"

namespace fedgate::net::test {

struct Credential {
  std::string certificate;
  std::string key;
};

inline std::string text_of(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  std::string text(data, static_cast<std::size_t>(size));
  BIO_free(bio);
  return text;
}

/// Takes the key over.
inline Credential make_credential(const std::string& name, EVP_PKEY* key) {
  X509* certificate = X509_new();
  X509_set_version(certificate, 2);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
  X509_gmtime_adj(X509_getm_notBefore(certificate), -60);
  X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
  X509_set_pubkey(certificate, key);
  X509_NAME* subject = X509_get_subject_name(certificate);
  X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1,
                             0);
  X509_set_issuer_name(certificate, subject);
  X509_sign(certificate, key, EVP_sha256());
  Credential made;
  BIO* out = BIO_new(BIO_s_mem());
  PEM_write_bio_X509(out, certificate);
  made.certificate = text_of(out);
  out = BIO_new(BIO_s_mem());
  PEM_write_bio_PrivateKey(out, key, nullptr, nullptr, 0, nullptr, nullptr);
  made.key = text_of(out);
  X509_free(certificate);
  EVP_PKEY_free(key);
  return made;
}
inline Credential make_credential(const std::string& name) { return make_credential(name, EVP_EC_gen("P-256")); }
inline Credential make_rsa_credential(const std::string& name, std::size_t bits) {
  return make_credential(name, EVP_RSA_gen(bits));
}

inline X509* read_certificate(const Credential& credential) {
  BIO* bio = BIO_new_mem_buf(credential.certificate.data(), -1);
  X509* certificate = PEM_read_bio_X509(bio, nullptr, nullptr, nullptr);
  BIO_free(bio);
  return certificate;
}
inline void add_to_chain(SSL_CTX* ctx, const Credential& credential) {
  X509* certificate = read_certificate(credential);
  SSL_CTX_add1_chain_cert(ctx, certificate);
  X509_free(certificate);
}
/// DER.
inline std::string der_of(const Credential& credential) {
  X509* certificate = read_certificate(credential);
  std::string der(static_cast<std::size_t>(i2d_X509(certificate, nullptr)), '\0');
  auto* out = reinterpret_cast<unsigned char*>(der.data());
  i2d_X509(certificate, &out);
  X509_free(certificate);
  return der;
}

inline std::string common_name(X509* certificate) {
  char text[128] = {};
  X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, text, sizeof text);
  return text;
}

/// Believes what stands in the CN.
inline Result<PeerIdentity> believe(const PresentedChain& chain) {
  auto node = NodeId::parse(common_name(chain.leaf));
  if (!node) return fail(Code::identity_mismatch, "no node id in the certificate");
  PeerIdentity identity;
  identity.node = std::move(*node);
  return identity;
}

inline std::shared_ptr<TlsContext> context(TlsSide side, const std::string& name, Judge judge,
                                           std::string server_name = {}) {
  const Credential credential = make_credential(name);
  TlsOptions options;
  options.certificate_pem = credential.certificate;
  options.key_pem = credential.key;
  options.judge = std::move(judge);
  options.server_name = std::move(server_name);
  return TlsContext::make(side, options).value();
}

}  // namespace fedgate::net::test
