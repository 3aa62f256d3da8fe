// SPDX-License-Identifier: Apache-2.0
#include "audit/signing_key.h"

#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "audit/durable_file.h"

namespace fedgate::audit {

namespace {

using BioPtr = std::unique_ptr<BIO, decltype([](BIO* bio) { BIO_free(bio); })>;
using KeyPtr = std::unique_ptr<EVP_PKEY, decltype([](EVP_PKEY* key) { EVP_PKEY_free(key); })>;

struct Seed {
  std::array<std::uint8_t, 32> bytes{};
  ~Seed() { OPENSSL_cleanse(bytes.data(), bytes.size()); }
};

/// OpenSSL's error queue is shared with the TLS code of the same thread.
struct QuietErrors {
  QuietErrors() { ERR_set_mark(); }
  ~QuietErrors() { ERR_pop_to_mark(); }
};

int no_passphrase(char*, int, int, void*) { return -1; }

}  // namespace

std::string make_signing_key(const Entropy& entropy) {
  const QuietErrors quiet;
  Seed seed;
  entropy.fill(seed.bytes);
  const KeyPtr key(EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, seed.bytes.data(), seed.bytes.size()));
  const BioPtr out(BIO_new(BIO_s_mem()));
  if (!key || !out || PEM_write_bio_PKCS8PrivateKey(out.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) != 1)
    std::abort();  // only without memory
  char* text = nullptr;
  const auto size = BIO_get_mem_data(out.get(), &text);
  std::string pem(text, static_cast<std::size_t>(size));
  OPENSSL_cleanse(text, static_cast<std::size_t>(size));
  return pem;
}

Result<wire::NoteSigner> signer_from(std::string_view pem, std::string name, wire::NoteAlgorithm algorithm) {
  const QuietErrors quiet;
  const BioPtr in(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  const KeyPtr key(in ? PEM_read_bio_PrivateKey(in.get(), nullptr, no_passphrase, nullptr) : nullptr);
  if (!key || EVP_PKEY_get_base_id(key.get()) != EVP_PKEY_ED25519)
    return fail(
        Code::invalid_configuration,
        "it is not an unencrypted Ed25519 private key in PEM; make one with: openssl genpkey -algorithm ed25519");
  Seed seed;
  std::size_t size = seed.bytes.size();
  if (EVP_PKEY_get_raw_private_key(key.get(), seed.bytes.data(), &size) != 1 || size != seed.bytes.size())
    return fail(Code::invalid_configuration, "its Ed25519 key cannot be read");
  return wire::NoteSigner(std::move(name), algorithm, seed.bytes);
}

Result<wire::NoteSigner> read_signer(const std::string& path, std::string name, wire::NoteAlgorithm algorithm) {
  auto pem = read_secret_file(path);
  if (!pem) return fail(pem.error());
  if (!*pem) return fail(Code::not_found, "there is no key at " + path);
  auto signer = signer_from(**pem, std::move(name), algorithm);
  OPENSSL_cleanse((*pem)->data(), (*pem)->size());
  if (!signer) return fail(signer.error().in(path));
  return signer;
}

Result<KeyFound> ensure_signing_key(const std::string& path, const Entropy& entropy) {
  const auto there = read_secret_file(path);
  if (!there) return fail(there.error());
  if (*there) return KeyFound::there;
  const auto directory = directory_of(path);
  if (::mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST)
    return fail(Code::io_error, "cannot make " + directory + ": " + ::strerrordesc_np(errno));
  auto pem = make_signing_key(entropy);
  const auto made = create_file(path, pem);
  OPENSSL_cleanse(pem.data(), pem.size());
  if (made) return KeyFound::made;
  if (made.error().code == Code::conflict) return KeyFound::there;  // another process was quicker
  return fail(made.error());
}

std::string log_name(std::string_view node, std::string_view replica, std::uint64_t generation) {
  return std::string(node) + "/fedgate/log/" + std::string(replica) + "/" + std::to_string(generation);
}

std::string witness_name(std::string_view node) { return std::string(node) + "/fedgate/witness"; }

}  // namespace fedgate::audit
