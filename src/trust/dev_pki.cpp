// SPDX-License-Identifier: Apache-2.0
#include "trust/dev_pki.h"

#include <openssl/pem.h>
#include <openssl/rand.h>

#include <array>
#include <ctime>

#include "trust/openssl.h"

namespace fedgate::trust {

namespace {

std::unexpected<Error> openssl_failed(std::string_view doing) {
  return fail(Code::internal, std::string(doing) + ": " + openssl_reason());
}

Result<std::string> text_of(const BioPtr& bio) {
  char* text = nullptr;
  const auto size = BIO_get_mem_data(bio.get(), &text);
  if (size <= 0) return openssl_failed("writing PEM");
  return std::string(text, static_cast<std::size_t>(size));
}

/// `key` null: it is somebody else's.
Result<CertificateAndKey> to_pem(X509* certificate, EVP_PKEY* key) {
  const BioPtr certificate_out(BIO_new(BIO_s_mem()));
  if (!certificate_out || PEM_write_bio_X509(certificate_out.get(), certificate) != 1)
    return openssl_failed("writing a certificate");
  auto certificate_pem = text_of(certificate_out);
  if (!certificate_pem) return fail(certificate_pem.error());
  if (key == nullptr) return CertificateAndKey{std::move(*certificate_pem), {}};
  const BioPtr key_out(BIO_new(BIO_s_secmem()));  // wiped when freed
  if (!key_out || PEM_write_bio_PKCS8PrivateKey(key_out.get(), key, nullptr, nullptr, 0, nullptr, nullptr) != 1)
    return openssl_failed("writing a key");
  auto key_pem = text_of(key_out);
  if (!key_pem) return fail(key_pem.error());
  return CertificateAndKey{std::move(*certificate_pem), std::move(*key_pem)};
}

/// A new one, or that of the request that somebody else has signed with it. Of the request nothing but the key is
/// taken: names and usages are the issuer's to state.
Result<KeyPtr> key_for(const LeafRequest& request) {
  if (request.csr_pem.empty()) {
    KeyPtr key(EVP_EC_gen("P-256"));
    if (!key) return openssl_failed("making a key");
    return key;
  }
  const BioPtr input(BIO_new_mem_buf(request.csr_pem.data(), static_cast<int>(request.csr_pem.size())));
  const Owned<X509_REQ, X509_REQ_free> csr(PEM_read_bio_X509_REQ(input.get(), nullptr, nullptr, nullptr));
  if (!csr) return fail(Code::invalid_certificate, "no certificate request found: " + openssl_reason());
  KeyPtr key(X509_REQ_get_pubkey(csr.get()));
  if (!key || X509_REQ_verify(csr.get(), key.get()) != 1)
    return fail(Code::invalid_certificate, "the certificate request is not signed with its own key");
  return key;
}

bool set_serial(X509* certificate) {
  std::array<unsigned char, 20> bytes{};
  if (RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) != 1) return false;
  // The top bit is the sign, and a zero byte before it would be dropped: 20 bytes, positive, always.
  bytes[0] = static_cast<unsigned char>((bytes[0] & 0x7F) | 0x40);
  const Owned<BIGNUM, BN_free> number(BN_bin2bn(bytes.data(), static_cast<int>(bytes.size()), nullptr));
  return number && BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(certificate)) != nullptr;
}

bool set_validity(X509* certificate, WallTime not_before, std::chrono::hours lifetime) {
  const auto from = std::chrono::floor<std::chrono::seconds>(not_before);
  const auto seconds = [](auto time) { return static_cast<std::time_t>(time.time_since_epoch().count()); };
  return ASN1_TIME_set(X509_getm_notBefore(certificate), seconds(from)) != nullptr &&
         ASN1_TIME_set(X509_getm_notAfter(certificate), seconds(from + std::chrono::seconds(lifetime))) != nullptr;
}

bool add_name(X509_NAME* name, int nid, std::string_view text) {
  return X509_NAME_add_entry_by_NID(name, nid, MBSTRING_UTF8, reinterpret_cast<const unsigned char*>(text.data()),
                                    static_cast<int>(text.size()), -1, 0) == 1;
}

/// `value` as openssl.cnf writes it: fixed texts only, never anything from outside.
bool add_extension(X509* certificate, X509* issuer, int nid, const char* value) {
  X509V3_CTX context{};
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  const ExtensionPtr extension(X509V3_EXT_conf_nid(nullptr, &context, nid, value));
  return extension && X509_add_ext(certificate, extension.get(), -1) == 1;
}

bool add_name_of(GENERAL_NAMES* list, int type, const std::string& name) {
  Owned<GENERAL_NAME, GENERAL_NAME_free> entry(GENERAL_NAME_new());
  Owned<ASN1_IA5STRING, ASN1_IA5STRING_free> text(ASN1_IA5STRING_new());
  if (list == nullptr || !entry || !text ||
      ASN1_STRING_set(text.get(), name.data(), static_cast<int>(name.size())) != 1)
    return false;
  GENERAL_NAME_set0_value(entry.get(), type, text.release());
  if (sk_GENERAL_NAME_push(list, entry.get()) == 0) return false;
  static_cast<void>(entry.release());
  return true;
}

bool add_names(X509* certificate, const LeafRequest& request) {
  if (request.dns_names.empty() && request.spiffe_id.empty()) return true;
  const GeneralNamesPtr list(GENERAL_NAMES_new());
  for (const auto& name : request.dns_names)
    if (!add_name_of(list.get(), GEN_DNS, name)) return false;
  if (!request.spiffe_id.empty() && !add_name_of(list.get(), GEN_URI, request.spiffe_id)) return false;
  // RFC 5280 section 4.2.1.6: critical where the subject is empty.
  const int critical = request.common_name.empty() ? 1 : 0;
  return X509_add1_ext_i2d(certificate, NID_subject_alt_name, list.get(), critical, X509V3_ADD_DEFAULT) == 1;
}

const char* usages_of(const LeafRequest& request) {
  if (request.server_auth && request.client_auth) return "serverAuth,clientAuth";
  if (request.server_auth) return "serverAuth";
  return request.client_auth ? "clientAuth" : nullptr;
}

bool fill_leaf(X509* certificate, X509* issuer, EVP_PKEY* key, const LeafRequest& request) {
  const char* usages = usages_of(request);
  return X509_set_version(certificate, X509_VERSION_3) == 1 && set_serial(certificate) &&
         set_validity(certificate, request.not_before, request.lifetime) &&
         (request.common_name.empty() ||
          add_name(X509_get_subject_name(certificate), NID_commonName, request.common_name)) &&
         X509_set_issuer_name(certificate, X509_get_subject_name(issuer)) == 1 &&
         X509_set_pubkey(certificate, key) == 1 &&
         add_extension(certificate, issuer, NID_basic_constraints,
                       request.is_ca ? "critical,CA:TRUE" : "critical,CA:FALSE") &&
         add_extension(certificate, issuer, NID_key_usage,
                       request.is_ca ? "critical,digitalSignature,keyCertSign" : "critical,digitalSignature") &&
         (usages == nullptr || add_extension(certificate, issuer, NID_ext_key_usage, usages)) &&
         add_names(certificate, request) && add_extension(certificate, issuer, NID_subject_key_identifier, "hash") &&
         add_extension(certificate, issuer, NID_authority_key_identifier, "keyid:always");
}

}  // namespace

Result<CertificateAndKey> make_dev_ca(const std::string& organisation, WallTime not_before, std::chrono::hours lifetime,
                                      const std::string& name) {
  const ErrorQueueScope scope;
  const KeyPtr key(EVP_EC_gen("P-256"));
  const CertificatePtr made(X509_new());
  X509* certificate = made.get();
  if (!key || certificate == nullptr) return openssl_failed("making a CA key");
  X509_NAME* subject = X509_get_subject_name(certificate);
  constexpr std::size_t longest_name = 64;  // X.520's upper bound, which OpenSSL enforces
  const bool done = X509_set_version(certificate, X509_VERSION_3) == 1 && set_serial(certificate) &&
                    set_validity(certificate, not_before, lifetime) &&
                    (organisation.empty() ||
                     add_name(subject, NID_organizationName, std::string_view(organisation).substr(0, longest_name))) &&
                    add_name(subject, NID_commonName, std::string_view(name).substr(0, longest_name)) &&
                    X509_set_issuer_name(certificate, subject) == 1 && X509_set_pubkey(certificate, key.get()) == 1 &&
                    add_extension(certificate, certificate, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") &&
                    add_extension(certificate, certificate, NID_key_usage, "critical,keyCertSign,cRLSign") &&
                    add_extension(certificate, certificate, NID_subject_key_identifier, "hash") &&
                    X509_sign(certificate, key.get(), EVP_sha256()) > 0;
  if (!done) return openssl_failed("making a CA for " + shown(organisation));
  return to_pem(certificate, key.get());
}

Result<CertificateAndKey> issue_dev_leaf(const CertificateAndKey& ca, const LeafRequest& request) {
  const ErrorQueueScope scope;
  const auto issuers = read_certificates(ca.certificate_pem, 1);
  if (!issuers) return fail(issuers.error().in("the CA"));
  const auto issuer_key = read_private_key(ca.key_pem);
  if (!issuer_key) return fail(issuer_key.error().in("the CA"));
  X509* issuer = issuers->front().get();
  if (X509_check_private_key(issuer, issuer_key->get()) != 1)
    return fail(Code::invalid_certificate, "the CA's key does not belong to its certificate");
  const auto key = key_for(request);
  if (!key) return fail(key.error());
  const CertificatePtr made(X509_new());
  const bool own_digest = EVP_PKEY_get_base_id(issuer_key->get()) == EVP_PKEY_ED25519;
  if (!made || !fill_leaf(made.get(), issuer, key->get(), request) ||
      X509_sign(made.get(), issuer_key->get(), own_digest ? nullptr : EVP_sha256()) <= 0)
    return openssl_failed("issuing a certificate for " +
                          shown(request.dns_names.empty() ? request.common_name : request.dns_names.front()));
  return to_pem(made.get(), request.csr_pem.empty() ? key->get() : nullptr);
}

}  // namespace fedgate::trust
