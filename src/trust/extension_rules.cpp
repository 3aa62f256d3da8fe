// SPDX-License-Identifier: Apache-2.0
#include "trust/extension_rules.h"

#include <openssl/asn1t.h>
#include <openssl/objects.h>

#include <algorithm>
#include <array>
#include <string>

#include "trust/certificate_rules.h"
#include "trust/name_syntax.h"
#include "trust/openssl.h"

namespace fedgate::trust {

namespace {

/// What some rule here, or OpenSSL's verification, acts upon.
constexpr std::array acted_upon{NID_basic_constraints, NID_key_usage,          NID_ext_key_usage,
                                NID_subject_alt_name,  NID_name_constraints,   NID_certificate_policies,
                                NID_policy_mappings,   NID_policy_constraints, NID_inhibit_any_policy};
/// RFC 5280: conforming CAs MUST mark these as non-critical.
constexpr std::array never_critical{
    NID_authority_key_identifier,    NID_subject_key_identifier, NID_info_access, NID_sinfo_access, NID_freshest_crl,
    NID_subject_directory_attributes};
constexpr std::array always_critical{NID_name_constraints, NID_policy_constraints, NID_inhibit_any_policy};
/// SEQUENCE SIZE (1..MAX).
constexpr std::array never_empty{NID_subject_alt_name,   NID_issuer_alt_name,      NID_ext_key_usage,
                                 NID_info_access,        NID_sinfo_access,         NID_crl_distribution_points,
                                 NID_freshest_crl,       NID_certificate_policies, NID_policy_mappings,
                                 NID_policy_constraints, NID_name_constraints,     NID_subject_directory_attributes,
                                 NID_tlsfeature};

template <std::size_t n>
bool holds(const std::array<int, n>& list, int nid) {
  return std::ranges::find(list, nid) != list.end();
}

std::string name_of(X509_EXTENSION* extension) {
  std::array<char, 80> text{};
  OBJ_obj2txt(text.data(), static_cast<int>(text.size()), X509_EXTENSION_get_object(extension), 0);
  return shown(text.data());
}

void check_criticality(const About& about, X509_EXTENSION* extension, int nid) {
  const bool critical = X509_EXTENSION_get_critical(extension) != 0;
  if (!critical) {
    if (nid == NID_name_constraints)
      about.add(Reason::name_constraints_malformed, "its name constraints are not critical, as RFC 5280 demands");
    else if (holds(always_critical, nid))
      about.add(Reason::extension_criticality, "its extension " + name_of(extension) + " must be critical");
    return;
  }
  if (holds(never_critical, nid))
    about.add(Reason::extension_criticality, "its extension " + name_of(extension) + " must not be critical");
  else if (!holds(acted_upon, nid))
    about.add(Reason::unknown_critical_extension,
              "its extension " + name_of(extension) + " is critical and not one that is acted upon");
}

void check_text(const About& about, int type, std::string_view text) {
  const auto malformed = [&](std::string_view what) {
    about.add(Reason::san_malformed, "its alternative name " + shown(text) + " is not " + std::string(what));
  };
  switch (type) {
    case GEN_DNS:
      if (text.contains('*'))
        about.add(Reason::san_wildcard, "it has a wildcard name, " + shown(text) + ", which identifies nobody");
      else if (!is_dns_name(text))
        malformed("a DNS name");
      return;
    case GEN_EMAIL:
      if (!is_mailbox(text)) malformed("a mail address");
      return;
    case GEN_URI:
      if (!is_uri(text)) malformed("a URI");
      return;
    default:
      if (text.size() != 4 && text.size() != 16)
        about.add(Reason::san_malformed,
                  "an alternative name is not an IP address: it has " + std::to_string(text.size()) + " bytes");
  }
}

}  // namespace

bool is_well_formed(X509_EXTENSION* extension) {
  const ErrorQueueScope scope;
  const X509V3_EXT_METHOD* method = X509V3_EXT_get(extension);
  if (method == nullptr) return true;
  void* value = X509V3_EXT_d2i(extension);
  if (value == nullptr) return false;
  unsigned char* written = nullptr;
  int size = -1;
  if (method->it != nullptr) {
    const ASN1_ITEM* item = ASN1_ITEM_ptr(method->it);
    size = ASN1_item_i2d(static_cast<ASN1_VALUE*>(value), &written, item);
    ASN1_item_free(static_cast<ASN1_VALUE*>(value), item);
  } else {
    method->ext_free(value);
    return true;
  }
  const Owned<unsigned char, [](unsigned char* p) { OPENSSL_free(p); }> owned(written);
  const auto stands = view_of(X509_EXTENSION_get_data(extension));
  return size > 0 && stands == std::string_view(reinterpret_cast<char*>(written), static_cast<std::size_t>(size));
}

void check_extensions(const About& about, const X509* certificate) {
  const int count = X509_get_ext_count(certificate);
  if (count > most_extensions)
    return about.add(Reason::oversized, "it has more than " + std::to_string(most_extensions) + " extensions");
  for (int i = 0; i < count; ++i) {
    X509_EXTENSION* extension = X509_get_ext(certificate, i);
    const ASN1_OBJECT* object = X509_EXTENSION_get_object(extension);
    if (X509_get_ext_by_OBJ(certificate, object, i) != -1)
      about.add(Reason::extension_duplicate, "its extension " + name_of(extension) + " stands there more than once");
    const int nid = OBJ_obj2nid(object);
    check_criticality(about, extension, nid);
    constexpr std::string_view empty_sequence("\x30\x00", 2);
    const bool empty = holds(never_empty, nid) && view_of(X509_EXTENSION_get_data(extension)) == empty_sequence;
    if (!empty && is_well_formed(extension)) continue;
    const auto reason = nid == NID_subject_alt_name   ? Reason::san_malformed
                        : nid == NID_name_constraints ? Reason::name_constraints_malformed
                                                      : Reason::extension_malformed;
    about.add(reason, "its extension " + name_of(extension) + (empty ? " is empty" : " is not well-formed"));
  }
  // OpenSSL then believes none of them.
  if (about.none() && (X509_get_extension_flags(const_cast<X509*>(certificate)) & EXFLAG_INVALID) != 0)
    about.add(Reason::extension_malformed, "one of its extensions cannot be read");
}

void check_alternative_names(const About& about, const X509* certificate) {
  const auto names = extension<GeneralNamesPtr>(certificate, NID_subject_alt_name);
  const int count = names ? sk_GENERAL_NAME_num(names.get()) : 0;
  if (count > most_names)
    return about.add(Reason::oversized, "it has more than " + std::to_string(most_names) + " alternative names");
  for (int i = 0; i < count; ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names.get(), i);
    const int type = name->type;
    if (type == GEN_DNS || type == GEN_EMAIL || type == GEN_URI || type == GEN_IPADD)
      check_text(about, type, view_of(name->d.ia5));
  }
}

}  // namespace fedgate::trust
