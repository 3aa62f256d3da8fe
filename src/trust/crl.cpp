// SPDX-License-Identifier: Apache-2.0
#include "trust/crl.h"

#include <openssl/objects.h>

#include <algorithm>
#include <array>

#include "trust/certificate_rules.h"
#include "trust/extension_rules.h"

namespace fedgate::trust {

namespace {

constexpr std::size_t most_remembered = 8;

template <class Pointer>
Pointer crl_extension(const X509_CRL* crl, int nid, int* critical) {
  const ErrorQueueScope scope;
  return Pointer(static_cast<typename Pointer::pointer>(X509_CRL_get_ext_d2i(crl, nid, critical, nullptr)));
}

std::string_view key_id_of(const X509* certificate) {
  const ASN1_OCTET_STRING* id = X509_get0_subject_key_id(const_cast<X509*>(certificate));
  return id == nullptr ? std::string_view() : view_of(id);
}

/// URIs of a full name; nothing where it holds anything else, or is relative.
std::optional<std::vector<std::string>> uris_of(const DIST_POINT_NAME* name) {
  constexpr int full_name = 0;
  if (name == nullptr || name->type != full_name) return std::nullopt;
  std::vector<std::string> uris;
  for (int i = 0; i < sk_GENERAL_NAME_num(name->name.fullname); ++i) {
    const GENERAL_NAME* one = sk_GENERAL_NAME_value(name->name.fullname, i);
    if (one->type != GEN_URI) return std::nullopt;
    uris.emplace_back(view_of(one->d.uniformResourceIdentifier));
  }
  if (uris.empty()) return std::nullopt;
  return uris;
}

using AlgorithmPtr = Owned<X509_ALGOR, X509_ALGOR_free>;

enum class Step : std::uint8_t { into, over };
/// Steps into, or over, the object at `at`; null where it is not of this tag.
const unsigned char* step(const unsigned char* at, const unsigned char* end, int wanted, Step how) {
  long length = 0;
  int tag = 0;
  int kind = 0;
  constexpr int wrong = 0x80;
  if (at == nullptr || (ASN1_get_object(&at, &length, &tag, &kind, end - at) & wrong) != 0 || tag != wanted)
    return nullptr;
  return how == Step::over ? at + length : at;
}

/// The signature algorithm inside what is signed, for which OpenSSL 3.0 has no accessor: behind the version.
AlgorithmPtr inner_algorithm(const X509_CRL* crl) {
  unsigned char* der = nullptr;
  const int size = i2d_X509_CRL(crl, &der);
  const Owned<unsigned char, [](unsigned char* p) { OPENSSL_free(p); }> owned(der);
  if (size <= 0) return nullptr;
  const unsigned char* const end = der + size;
  const unsigned char* at = step(der, end, V_ASN1_SEQUENCE, Step::into);
  at = step(step(at, end, V_ASN1_SEQUENCE, Step::into), end, V_ASN1_INTEGER, Step::over);
  return at == nullptr ? nullptr : AlgorithmPtr(d2i_X509_ALGOR(nullptr, &at, end - at));
}

/// Each once and critical only where an entry may be; empty where all is well.
std::string entry_problem(const X509_REVOKED* entry) {
  const int count = X509_REVOKED_get_ext_count(entry);
  for (int i = 0; i < count; ++i) {
    X509_EXTENSION* extension = X509_REVOKED_get_ext(entry, i);
    const int nid = OBJ_obj2nid(X509_EXTENSION_get_object(extension));
    if (nid == NID_certificate_issuer) return "an entry names another issuer: it is an indirect CRL";
    if (X509_EXTENSION_get_critical(extension) != 0) return "an entry has a critical extension that is not acted upon";
    if (X509_REVOKED_get_ext_by_OBJ(entry, X509_EXTENSION_get_object(extension), i) != -1)
      return "an entry has an extension twice";
    if (!is_well_formed(extension)) return "an entry has an extension that is not well-formed";
  }
  if (!is_well_written(X509_REVOKED_get0_revocationDate(entry))) return "an entry's date is not well written";
  const ASN1_INTEGER* serial = X509_REVOKED_get0_serialNumber(entry);
  if (ASN1_STRING_type(serial) == V_ASN1_NEG_INTEGER) return "an entry's serial number is negative";
  return {};
}

}  // namespace

Crl::Crl(CrlPtr crl, std::string source, NodeId node)
    : crl_(std::move(crl)), source_(std::move(source)), node_(std::move(node)) {
  const ErrorQueueScope scope;
  check_form();
  check_times();
  check_extensions();
  check_identifiers();
  read_scope();
  read_entries();
}

std::string Crl::issuer() const {
  const ErrorQueueScope scope;
  return name_text(X509_CRL_get_issuer(crl_.get()));
}

void Crl::refuse(Reason reason, std::string_view why) {
  problems_.push_back({reason, "the CRL " + source_ + " of " + shown(issuer()) + ": " + std::string(why)});
}

void Crl::check_form() {
  constexpr long version_2 = 1;
  if (X509_CRL_get_version(crl_.get()) != version_2) refuse(Reason::crl_malformed, "it is not of version 2");
  if (X509_NAME_entry_count(X509_CRL_get_issuer(crl_.get())) == 0)
    refuse(Reason::crl_malformed, "its issuer has no name");
  const X509_ALGOR* algorithm = nullptr;
  const ASN1_BIT_STRING* signature = nullptr;
  X509_CRL_get0_signature(crl_.get(), &signature, &algorithm);
  const auto inner = inner_algorithm(crl_.get());
  if (!inner || X509_ALGOR_cmp(algorithm, inner.get()) != 0 || !is_accepted_signature(algorithm))
    refuse(Reason::crl_malformed, "its signature's algorithm is not accepted, or stated in two ways");
}

void Crl::check_times() {
  const ASN1_TIME* from = X509_CRL_get0_lastUpdate(crl_.get());
  const ASN1_TIME* until = X509_CRL_get0_nextUpdate(crl_.get());
  if (until == nullptr) return refuse(Reason::crl_malformed, "it has no nextUpdate");
  const auto this_update = wall_time(from);
  const auto next_update = wall_time(until);
  if (!this_update || !next_update || !is_well_written(from) || !is_well_written(until))
    return refuse(Reason::crl_malformed, "its times are not written as RFC 5280 demands");
  this_update_ = *this_update;
  next_update_ = *next_update;
  if (next_update_ <= this_update_) refuse(Reason::crl_malformed, "its nextUpdate is not after its thisUpdate");
}

void Crl::check_extensions() {
  const int count = X509_CRL_get_ext_count(crl_.get());
  if (count > most_extensions) return refuse(Reason::crl_malformed, "it has too many extensions");
  for (int i = 0; i < count; ++i) {
    X509_EXTENSION* extension = X509_CRL_get_ext(crl_.get(), i);
    const ASN1_OBJECT* object = X509_EXTENSION_get_object(extension);
    const int nid = OBJ_obj2nid(object);
    const bool critical = X509_EXTENSION_get_critical(extension) != 0;
    if (X509_CRL_get_ext_by_OBJ(crl_.get(), object, i) != -1)
      refuse(Reason::crl_malformed, "an extension stands there more than once");
    if (nid == NID_delta_crl)
      refuse(Reason::crl_scope, "it is a delta CRL; configure complete ones");
    else if (nid == NID_issuing_distribution_point && !critical)
      refuse(Reason::crl_malformed, "its issuingDistributionPoint is not critical");
    else if (nid != NID_issuing_distribution_point && critical)
      refuse(Reason::crl_malformed, "a critical extension is not one that is acted upon");
    if (!is_well_formed(extension)) refuse(Reason::crl_malformed, "an extension is not well-formed");
  }
}

void Crl::check_identifiers() {
  int critical = 0;
  const auto number = crl_extension<IntegerPtr>(crl_.get(), NID_crl_number, &critical);
  constexpr int longest = 20;
  if (!number)
    refuse(Reason::crl_malformed, "it has no CRL number");
  else if (ASN1_STRING_type(number.get()) == V_ASN1_NEG_INTEGER || ASN1_STRING_length(number.get()) > longest)
    refuse(Reason::crl_malformed, "its CRL number is negative or longer than 20 bytes");
  const auto authority = crl_extension<AuthorityKeyIdPtr>(crl_.get(), NID_authority_key_identifier, &critical);
  if (!authority || authority->keyid == nullptr || ASN1_STRING_length(authority->keyid) == 0)
    return refuse(Reason::crl_malformed, "it has no authorityKeyIdentifier with a key identifier");
  authority_ = view_of(authority->keyid);
}

void Crl::read_scope() {
  int critical = 0;
  const auto point = crl_extension<IssuingPointPtr>(crl_.get(), NID_issuing_distribution_point, &critical);
  if (!point) {
    if (critical != -1) refuse(Reason::crl_malformed, "its issuingDistributionPoint cannot be read");
    return;
  }
  if (point->indirectCRL > 0) refuse(Reason::crl_scope, "it is an indirect CRL");
  if (point->onlyattr > 0) refuse(Reason::crl_scope, "it is for attribute certificates only");
  if (point->onlysomereasons != nullptr) refuse(Reason::crl_scope, "it covers some reasons only");
  if (point->onlyuser > 0 && point->onlyCA > 0) refuse(Reason::crl_malformed, "it is for leaves only and for CAs only");
  if (point->onlyuser > 0) scope_ = Scope::leaves;
  if (point->onlyCA > 0) scope_ = Scope::authorities;
  if (point->distpoint == nullptr) {
    if (point->onlyuser <= 0 && point->onlyCA <= 0 && point->onlyattr <= 0 && point->indirectCRL <= 0 &&
        point->onlysomereasons == nullptr)
      refuse(Reason::crl_malformed, "its issuingDistributionPoint says nothing");
    return;
  }
  partitioned_ = true;
  if (auto uris = uris_of(point->distpoint))
    places_ = std::move(*uris);
  else
    refuse(Reason::crl_scope, "its distribution point is not a URI");
}

void Crl::read_entries() {
  const STACK_OF(X509_REVOKED)* entries = X509_CRL_get_REVOKED(crl_.get());
  const int count = entries == nullptr ? 0 : sk_X509_REVOKED_num(entries);
  revoked_.reserve(static_cast<std::size_t>(count));
  std::string problem;
  for (int i = 0; i < count; ++i) {
    const X509_REVOKED* entry = sk_X509_REVOKED_value(entries, i);
    if (problem.empty()) problem = entry_problem(entry);
    revoked_.emplace_back(view_of(X509_REVOKED_get0_serialNumber(entry)));
  }
  std::ranges::sort(revoked_);
  if (std::ranges::adjacent_find(revoked_) != revoked_.end()) problem = "a serial number stands there more than once";
  if (!problem.empty()) refuse(Reason::crl_malformed, problem);
}

bool Crl::issued_by(const X509* issuer) const {
  return X509_NAME_cmp(X509_CRL_get_issuer(crl_.get()), X509_get_subject_name(issuer)) == 0;
}

bool Crl::signed_by(const X509* issuer) const { return authority_.empty() || authority_ == key_id_of(issuer); }

bool Crl::covers(const X509* certificate) const {
  const bool authority = is_ca(certificate);
  if (scope_ != Scope::all && (scope_ == Scope::authorities) != authority) return false;
  if (!partitioned_) return true;
  const auto points = extension<DistributionPointsPtr>(certificate, NID_crl_distribution_points);
  for (int i = 0; points && i < sk_DIST_POINT_num(points.get()); ++i) {
    const DIST_POINT* point = sk_DIST_POINT_value(points.get(), i);
    if (point->reasons != nullptr || point->CRLissuer != nullptr) continue;
    const auto uris = uris_of(point->distpoint);
    if (uris && std::ranges::find_first_of(*uris, places_) != uris->end()) return true;
  }
  return false;
}

bool Crl::verifies(X509* issuer) const {
  const auto key = public_key_sha256(issuer);
  EVP_PKEY* public_key = X509_get0_pubkey(issuer);
  if (!key || public_key == nullptr) return false;
  const std::lock_guard lock(verified_mutex_);
  for (const auto& [known, right] : verified_)
    if (known == *key) return right;
  const bool right = X509_CRL_verify(crl_.get(), public_key) == 1;
  if (verified_.size() == most_remembered) verified_.erase(verified_.begin());
  verified_.emplace_back(*key, right);
  return right;
}

std::optional<Refusal> Crl::unusable(const X509* certificate, X509* issuer, WallTime at) const {
  const ErrorQueueScope scope;
  const auto because = [&](Reason reason, std::string_view why) {
    return Refusal{reason, "the CRL " + source_ + " of " + shown(this->issuer()) + ": " + std::string(why)};
  };
  if (!problems_.empty()) return problems_.front();
  if ((key_usage_of(issuer).value_or(0) & KU_CRL_SIGN) == 0)
    return because(Reason::crl_issuer, "its issuer's keyUsage lacks cRLSign");
  if (!verifies(issuer)) return because(Reason::crl_signature, "it is not signed by its issuer's key");
  if (at < this_update_) return because(Reason::crl_not_yet_valid, "its thisUpdate lies in the future");
  if (at >= next_update_)
    return because(Reason::crl_stale, "its nextUpdate has passed; fetch the newest one from its issuer");
  if (!covers(certificate)) return because(Reason::crl_scope, "it does not cover this kind of certificate");
  return std::nullopt;
}

bool Crl::lists(const X509* certificate) const {
  const std::string serial(view_of(X509_get0_serialNumber(certificate)));
  return std::ranges::binary_search(revoked_, serial);
}

}  // namespace fedgate::trust
