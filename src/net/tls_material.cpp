// SPDX-License-Identifier: Apache-2.0
#include "net/tls_material.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

#include "net/tls_session.h"

namespace fedgate::net {
namespace {

struct FreeBio {
  void operator()(BIO* bio) const { BIO_free(bio); }
};
struct FreeX509 {
  void operator()(X509* certificate) const { X509_free(certificate); }
};
struct FreeKey {
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};
using Bio = std::unique_ptr<BIO, FreeBio>;

Bio memory(const std::string& text) { return Bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size()))); }

/// Never asks a terminal.
int no_passphrase(char*, int, int, void*) { return 0; }

}  // namespace

Result<void> use_certificate(SSL_CTX* ctx, const TlsOptions& options) {
  const auto wrong = [](std::string what) {
    return fail(Code::invalid_certificate, std::move(what) + ": " + tls_error("reading it").detail);
  };
  const Bio certificates = memory(options.certificate_pem);
  const std::unique_ptr<X509, FreeX509> leaf(PEM_read_bio_X509(certificates.get(), nullptr, no_passphrase, nullptr));
  if (!leaf) return wrong("the certificate is not PEM");
  if (SSL_CTX_use_certificate(ctx, leaf.get()) != 1) return wrong("the certificate cannot be used");
  while (true) {
    const std::unique_ptr<X509, FreeX509> next(PEM_read_bio_X509(certificates.get(), nullptr, no_passphrase, nullptr));
    if (!next) {
      const bool at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
      if (!at_end) return wrong("a certificate after the first is not PEM");
      ERR_clear_error();
      break;
    }
    if (SSL_CTX_add1_chain_cert(ctx, next.get()) != 1) return wrong("an intermediate certificate cannot be used");
  }
  const Bio keys = memory(options.key_pem);
  const std::unique_ptr<EVP_PKEY, FreeKey> key(PEM_read_bio_PrivateKey(keys.get(), nullptr, no_passphrase, nullptr));
  if (!key) return wrong("the key is not an unencrypted PEM private key");
  if (X509_check_private_key(leaf.get(), key.get()) != 1 || SSL_CTX_use_PrivateKey(ctx, key.get()) != 1) {
    return wrong("the key is not the certificate's");
  }
  return {};
}

}  // namespace fedgate::net
