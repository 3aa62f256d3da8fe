// SPDX-License-Identifier: Apache-2.0
//
// Ownership of OpenSSL's objects for this folder, and the few readings of a certificate that more than one of its
// files needs. Free functions, any thread. None of them leaves entries in OpenSSL's error queue: it is shared with
// the TLS code of the same thread, which would take them for its own.
#pragma once

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/ocsp.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "fedgate/clock.h"
#include "fedgate/id.h"
#include "fedgate/result.h"

namespace fedgate::trust {

template <auto release>
struct FreeWith {
  template <class T>
  void operator()(T* object) const {
    release(object);
  }
};
template <class T, auto release>
using Owned = std::unique_ptr<T, FreeWith<release>>;

using BioPtr = Owned<BIO, BIO_free>;
using CertificatePtr = Owned<X509, X509_free>;
using ExtensionPtr = Owned<X509_EXTENSION, X509_EXTENSION_free>;
using KeyPtr = Owned<EVP_PKEY, EVP_PKEY_free>;
using StorePtr = Owned<X509_STORE, X509_STORE_free>;
using StoreContextPtr = Owned<X509_STORE_CTX, X509_STORE_CTX_free>;
using GeneralNamesPtr = Owned<GENERAL_NAMES, GENERAL_NAMES_free>;
using ExtendedKeyUsagePtr = Owned<EXTENDED_KEY_USAGE, EXTENDED_KEY_USAGE_free>;
using BasicConstraintsPtr = Owned<BASIC_CONSTRAINTS, BASIC_CONSTRAINTS_free>;
using NameConstraintsPtr = Owned<NAME_CONSTRAINTS, NAME_CONSTRAINTS_free>;
using AuthorityKeyIdPtr = Owned<AUTHORITY_KEYID, AUTHORITY_KEYID_free>;
using DistributionPointsPtr = Owned<CRL_DIST_POINTS, CRL_DIST_POINTS_free>;
using IssuingPointPtr = Owned<ISSUING_DIST_POINT, ISSUING_DIST_POINT_free>;
using IntegerPtr = Owned<ASN1_INTEGER, ASN1_INTEGER_free>;
using TlsFeaturePtr = Owned<TLS_FEATURE, TLS_FEATURE_free>;
using CrlPtr = Owned<X509_CRL, X509_CRL_free>;
/// Not the owner of what is in it.
inline void free_only_stack(STACK_OF(X509) * stack) { sk_X509_free(stack); }
using BorrowedStack = Owned<STACK_OF(X509), free_only_stack>;

/// While it lives, what OpenSSL adds to this thread's error queue is forgotten at its end.
class ErrorQueueScope {
 public:
  ErrorQueueScope();
  ~ErrorQueueScope();
  ErrorQueueScope(const ErrorQueueScope&) = delete;
  ErrorQueueScope& operator=(const ErrorQueueScope&) = delete;
};

/// What OpenSSL said last, for an error's detail.
std::string openssl_reason();

/// Every certificate of a PEM text, at most `most`; other blocks and what stands between them are passed over.
/// Code::invalid_certificate where there is none, or one that is not exactly one certificate.
Result<std::vector<CertificatePtr>> read_certificates(std::string_view pem, std::size_t most);
/// The same for CRLs; a text without PEM marks is read as DER.
Result<std::vector<CrlPtr>> read_crls(std::string_view text, std::size_t most);
/// Never asks for a passphrase. Code::invalid_certificate; says so when the key is encrypted.
Result<KeyPtr> read_private_key(std::string_view pem);

/// RFC 2253, escaped to printable ASCII, at most 200 bytes: safe in a log line whoever made the certificate.
std::string subject_of(const X509* certificate);
std::string name_text(const X509_NAME* name);
/// What a message calls a certificate: its subject in quotes; where that is empty, serial number and SHA-256.
std::string described(const X509* certificate);
/// Someone else's text, made safe for a log line: printable ASCII, at most 80 bytes, in quotes.
std::string shown(std::string_view text);

std::string_view view_of(const ASN1_STRING* text);

/// Null where the certificate has no such extension, one that cannot be read, or more than one; `critical` then tells
/// which (X509_get_ext_d2i: -1 absent, -2 more than one).
template <class Pointer>
Pointer extension(const X509* certificate, int nid, int* critical = nullptr) {
  const ErrorQueueScope scope;
  return Pointer(static_cast<typename Pointer::pointer>(X509_get_ext_d2i(certificate, nid, critical, nullptr)));
}
/// The subject alternative names; empty pointer where there is no such extension. Code::invalid_certificate where it is
/// unreadable or there is more than one.
Result<GeneralNamesPtr> alternative_names(const X509* certificate);
/// The same for the extended key usage.
Result<ExtendedKeyUsagePtr> extended_key_usage(const X509* certificate);
bool contains(const EXTENDED_KEY_USAGE* usages, int nid);
/// By its basicConstraints, or by anything else that OpenSSL takes for it.
bool is_ca(const X509* certificate);
/// KU_…, of the first eight bits; nothing where there is no keyUsage that can be read.
std::optional<unsigned> key_usage_of(const X509* certificate);

/// Empty where the encoding is wrong.
std::optional<WallTime> wall_time(const ASN1_TIME* time);
/// Over the DER of the whole certificate, and of its SubjectPublicKeyInfo.
Result<Sha256> certificate_sha256(const X509* certificate);
Result<Sha256> public_key_sha256(const X509* certificate);

}  // namespace fedgate::trust
