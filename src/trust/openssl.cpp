// SPDX-License-Identifier: Apache-2.0
#include "trust/openssl.h"

#include <openssl/err.h>
#include <openssl/pem.h>

#include <algorithm>
#include <ctime>
#include <initializer_list>

#include "base/hash.h"

namespace fedgate::trust {

namespace {

BioPtr memory_of(std::string_view text) { return BioPtr(BIO_new_mem_buf(text.data(), static_cast<int>(text.size()))); }

// Without a callback OpenSSL would ask on the terminal.
int no_passphrase(char*, int, int, void* asked) {
  *static_cast<bool*>(asked) = true;
  return -1;
}

}  // namespace

ErrorQueueScope::ErrorQueueScope() { ERR_set_mark(); }
ErrorQueueScope::~ErrorQueueScope() { ERR_pop_to_mark(); }

std::string openssl_reason() {
  const auto code = ERR_peek_last_error();
  if (code == 0) return "no reason given by OpenSSL";
  const char* reason = ERR_reason_error_string(code);
  return reason != nullptr ? reason : "OpenSSL error " + std::to_string(code);
}

namespace {

/// One PEM block at a time; what it holds may be secret.
struct PemBlock {
  char* name = nullptr;
  char* header = nullptr;
  unsigned char* data = nullptr;
  long size = 0;
  PemBlock() = default;
  PemBlock(const PemBlock&) = delete;
  PemBlock& operator=(const PemBlock&) = delete;
  ~PemBlock() {
    OPENSSL_free(name);
    OPENSSL_free(header);
    OPENSSL_clear_free(data, static_cast<std::size_t>(size));
  }
};

/// Exactly one object, nothing behind it.
template <class Pointer>
Pointer whole(typename Pointer::pointer (*read)(typename Pointer::pointer*, const unsigned char**, long),
              const unsigned char* data, long size) {
  const unsigned char* at = data;
  Pointer object(read(nullptr, &at, size));
  if (object && at != data + size) object.reset();
  return object;
}

template <class Pointer>
Result<std::vector<Pointer>> read_blocks(std::string_view pem, std::size_t most, std::string_view kind,
                                         std::initializer_list<std::string_view> names,
                                         typename Pointer::pointer (*read)(typename Pointer::pointer*,
                                                                           const unsigned char**, long)) {
  const ErrorQueueScope scope;
  const auto input = memory_of(pem);
  if (!input) return fail(Code::internal, "out of memory reading a " + std::string(kind));
  const auto refuse = [&](std::size_t count) {
    return fail(Code::invalid_certificate, std::string(kind) + " " + std::to_string(count + 1) +
                                               " of the PEM text cannot be read: " + openssl_reason());
  };
  std::vector<Pointer> found;
  while (true) {
    PemBlock block;
    if (PEM_read_bio(input.get(), &block.name, &block.header, &block.data, &block.size) != 1) {
      // The end of the text shows as "no start line"; anything else is a block that could not be read.
      if (ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE) return refuse(found.size());
      break;
    }
    if (std::ranges::find(names, std::string_view(block.name)) == names.end()) continue;
    if (found.size() == most)
      return fail(Code::invalid_certificate,
                  "more than " + std::to_string(most) + " " + std::string(kind) + "s in one PEM text");
    auto object = whole<Pointer>(read, block.data, block.size);
    if (!object) return refuse(found.size());
    found.push_back(std::move(object));
  }
  if (found.empty())
    return fail(Code::invalid_certificate, "no " + std::string(kind) +
                                               " found; expected PEM text with a line -----BEGIN " +
                                               std::string(*names.begin()) + "-----");
  return found;
}

}  // namespace

Result<std::vector<CertificatePtr>> read_certificates(std::string_view pem, std::size_t most) {
  return read_blocks<CertificatePtr>(pem, most, "certificate", {PEM_STRING_X509, PEM_STRING_X509_OLD}, d2i_X509);
}

Result<std::vector<CrlPtr>> read_crls(std::string_view text, std::size_t most) {
  if (text.contains("-----BEGIN ")) return read_blocks<CrlPtr>(text, most, "CRL", {PEM_STRING_X509_CRL}, d2i_X509_CRL);
  const ErrorQueueScope scope;
  auto crl =
      whole<CrlPtr>(d2i_X509_CRL, reinterpret_cast<const unsigned char*>(text.data()), static_cast<long>(text.size()));
  if (!crl) return fail(Code::invalid_certificate, "neither PEM nor DER of a CRL");
  std::vector<CrlPtr> one;
  one.push_back(std::move(crl));
  return one;
}

Result<KeyPtr> read_private_key(std::string_view pem) {
  const ErrorQueueScope scope;
  const auto input = memory_of(pem);
  if (!input) return fail(Code::internal, "out of memory reading a key");
  bool asked = false;
  KeyPtr key(PEM_read_bio_PrivateKey(input.get(), nullptr, no_passphrase, &asked));
  if (key) return key;
  if (asked)
    return fail(Code::invalid_certificate,
                "the private key is encrypted; a daemon cannot ask for its passphrase. Store it unencrypted, readable "
                "by the daemon's user only (openssl pkey -in KEY -out PLAIN)");
  return fail(Code::invalid_certificate, "no private key found: " + openssl_reason() +
                                             "; expected PEM text with a line -----BEGIN PRIVATE KEY-----");
}

std::string name_text(const X509_NAME* name) {
  const ErrorQueueScope scope;
  const BioPtr out(BIO_new(BIO_s_mem()));
  if (!out || X509_NAME_print_ex(out.get(), name, 0, XN_FLAG_RFC2253) < 0) return "?";
  char* text = nullptr;
  const auto size = BIO_get_mem_data(out.get(), &text);
  std::string subject(text, static_cast<std::size_t>(size > 0 ? size : 0));
  if (subject.size() > 200) subject = subject.substr(0, 197) + "...";
  return subject;
}

std::string subject_of(const X509* certificate) { return name_text(X509_get_subject_name(certificate)); }

std::string shown(std::string_view text) {
  constexpr std::size_t most = 80;
  std::string out = "\"";
  for (const char c : text.substr(0, most)) out += c >= 0x20 && c < 0x7F && c != '"' && c != '\\' ? c : '?';
  out += text.size() > most ? "...\"" : "\"";
  return out;
}

std::string described(const X509* certificate) {
  if (X509_NAME_entry_count(X509_get_subject_name(certificate)) > 0) return shown(subject_of(certificate));
  constexpr std::size_t longest_serial = 20;  // bytes, by RFC 5280
  const auto serial = view_of(X509_get0_serialNumber(certificate)).substr(0, longest_serial);
  const auto digest = certificate_sha256(certificate);
  return "without a subject (serial " + to_hex({reinterpret_cast<const std::uint8_t*>(serial.data()), serial.size()}) +
         ", SHA-256 " + (digest ? to_hex(*digest) : std::string("unknown")) + ")";
}

std::string_view view_of(const ASN1_STRING* text) {
  return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
          static_cast<std::size_t>(ASN1_STRING_length(text))};
}

namespace {

template <class Pointer>
Result<Pointer> read_extension(const X509* certificate, int nid, const char* name) {
  int critical = 0;
  auto value = extension<Pointer>(certificate, nid, &critical);
  if (value || critical == -1) return value;
  return fail(Code::invalid_certificate, std::string("the extension ") + name +
                                             (critical == -2 ? " stands there more than once" : " cannot be read"));
}

}  // namespace

Result<GeneralNamesPtr> alternative_names(const X509* certificate) {
  return read_extension<GeneralNamesPtr>(certificate, NID_subject_alt_name, "subjectAltName");
}

Result<ExtendedKeyUsagePtr> extended_key_usage(const X509* certificate) {
  return read_extension<ExtendedKeyUsagePtr>(certificate, NID_ext_key_usage, "extendedKeyUsage");
}

bool contains(const EXTENDED_KEY_USAGE* usages, int nid) {
  for (int i = 0; usages != nullptr && i < sk_ASN1_OBJECT_num(usages); ++i)
    if (OBJ_obj2nid(sk_ASN1_OBJECT_value(usages, i)) == nid) return true;
  return false;
}

bool is_ca(const X509* certificate) {
  const ErrorQueueScope scope;
  const auto constraints = extension<BasicConstraintsPtr>(certificate, NID_basic_constraints);
  return (constraints && constraints->ca != 0) || X509_check_ca(const_cast<X509*>(certificate)) != 0;
}

std::optional<unsigned> key_usage_of(const X509* certificate) {
  const auto bits = extension<Owned<ASN1_BIT_STRING, ASN1_BIT_STRING_free>>(certificate, NID_key_usage);
  if (!bits) return std::nullopt;
  const auto bytes = view_of(bits.get());
  return bytes.empty() ? 0U : static_cast<unsigned char>(bytes.front());
}

std::optional<WallTime> wall_time(const ASN1_TIME* time) {
  const ErrorQueueScope scope;
  std::tm parts{};
  if (time == nullptr || ASN1_TIME_to_tm(time, &parts) != 1) return std::nullopt;
  return WallTime(std::chrono::seconds(timegm(&parts)));
}

Result<Sha256> certificate_sha256(const X509* certificate) {
  const ErrorQueueScope scope;
  Sha256 digest{};
  if (X509_digest(certificate, EVP_sha256(), digest.data(), nullptr) != 1)
    return fail(Code::internal, "hashing a certificate: " + openssl_reason());
  return digest;
}

Result<Sha256> public_key_sha256(const X509* certificate) {
  const ErrorQueueScope scope;
  unsigned char* der = nullptr;
  const int size = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &der);
  const Owned<unsigned char, [](unsigned char* p) { OPENSSL_free(p); }> owned(der);
  Sha256 digest{};
  if (size <= 0 || EVP_Digest(der, static_cast<std::size_t>(size), digest.data(), nullptr, EVP_sha256(), nullptr) != 1)
    return fail(Code::invalid_certificate, "the public key cannot be encoded: " + openssl_reason());
  return digest;
}

}  // namespace fedgate::trust
