// SPDX-License-Identifier: Apache-2.0
#include "trust/leaf_rules.h"

#include <openssl/objects.h>

#include <algorithm>
#include <array>

#include "trust/certificate_rules.h"
#include "trust/issuer_rules.h"
#include "trust/name_syntax.h"
#include "trust/openssl.h"

namespace fedgate::trust {

namespace {

void check_key_usage(const About& about, const X509* leaf) {
  const auto usage = key_usage_of(leaf);
  if (!usage) return;
  if ((*usage & (KU_KEY_CERT_SIGN | KU_CRL_SIGN)) != 0)
    about.add(Reason::key_usage, "its keyUsage lets it sign certificates or CRLs, which a leaf must not");
  else if ((*usage & KU_DIGITAL_SIGNATURE) == 0)
    about.add(Reason::key_usage, "its keyUsage lacks digitalSignature");
}

void check_extended_key_usage(const About& about, const X509* leaf, Presented presented) {
  int critical = 0;
  const auto usages = extension<ExtendedKeyUsagePtr>(leaf, NID_ext_key_usage, &critical);
  if (!usages || sk_ASN1_OBJECT_num(usages.get()) == 0)
    return about.add(Reason::eku_missing, "it has no extendedKeyUsage, which is required");
  if (critical != 0) about.add(Reason::extension_criticality, "its extendedKeyUsage must not be critical");
  const bool client = presented == Presented::by_client;
  const std::string needed = client ? "clientAuth" : "serverAuth";
  if (!contains(usages.get(), client ? NID_client_auth : NID_server_auth)) {
    const bool any = contains(usages.get(), NID_anyExtendedKeyUsage);
    about.add(Reason::eku_wrong,
              "its extendedKeyUsage lacks " + needed + (any ? " (anyExtendedKeyUsage is not enough)" : ""));
  }
  for (int i = 0; i < sk_ASN1_OBJECT_num(usages.get()); ++i) {
    const int usage = OBJ_obj2nid(sk_ASN1_OBJECT_value(usages.get(), i));
    if (usage == NID_server_auth || usage == NID_client_auth) continue;
    // A key that also signs code, mail or OCSP responses is not a gateway's alone.
    return about.add(Reason::eku_foreign, "its extendedKeyUsage holds more than serverAuth and clientAuth");
  }
}

void check_subject(const About& about, const X509* leaf) {
  const X509_NAME* subject = X509_get_subject_name(leaf);
  int critical = 0;
  const auto names = extension<GeneralNamesPtr>(leaf, NID_subject_alt_name, &critical);
  const bool empty = X509_NAME_entry_count(subject) == 0;
  if (names && empty && critical == 0)
    about.add(Reason::san_criticality, "its subject is empty, so its subjectAltName must be critical");
  if (names && !empty && critical > 0)
    about.add(Reason::san_criticality, "its subject is not empty, so its subjectAltName must not be critical");
  const auto known = names_of(leaf);
  int count = 0;
  for (int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1); at >= 0;
       at = X509_NAME_get_index_by_NID(subject, NID_commonName, at)) {
    const auto text = std::string(view_of(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at))));
    const bool listed = std::ranges::find(known.dns, text) != known.dns.end() ||
                        std::ranges::find(known.uris, text) != known.uris.end();
    if (++count == 1 && listed) continue;
    return about.add(Reason::cn_mismatch,
                     "its common name " + shown(text) +
                         (listed ? " is not its only one" : " is not one of its DNS names, letter by letter") +
                         "; leave the common name out, or repeat the node's id in it");
  }
}

void check_misplaced(const About& about, const X509* leaf) {
  constexpr std::array of_issuers{NID_name_constraints, NID_policy_constraints, NID_policy_mappings,
                                  NID_inhibit_any_policy};
  for (const int nid : of_issuers)
    if (X509_get_ext_by_NID(leaf, nid, -1) >= 0)
      about.add(Reason::extension_misplaced,
                std::string("it has the extension ") + OBJ_nid2sn(nid) + ", which is for CA certificates only");
  const auto constraints = extension<BasicConstraintsPtr>(leaf, NID_basic_constraints);
  if (constraints && constraints->ca == 0 && constraints->pathlen != nullptr)
    about.add(Reason::extension_malformed, "its basicConstraints limit a path although it is no CA");
}

}  // namespace

void check_leaf(const About& about, const X509* leaf, Presented presented) {
  const ErrorQueueScope scope;
  if (is_ca(leaf)) about.add(Reason::leaf_is_ca, "it is a CA certificate, not a leaf");
  check_key_usage(about, leaf);
  check_extended_key_usage(about, leaf, presented);
  check_subject(about, leaf);
  check_misplaced(about, leaf);
  check_authority_key_id(about, leaf);
}

LeafNames names_of(const X509* leaf) {
  LeafNames found;
  const auto names = extension<GeneralNamesPtr>(leaf, NID_subject_alt_name);
  const int count = names ? std::min(sk_GENERAL_NAME_num(names.get()), most_names) : 0;
  for (int i = 0; i < count; ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names.get(), i);
    if (name->type == GEN_DNS) found.dns.emplace_back(view_of(name->d.dNSName));
    if (name->type == GEN_URI) found.uris.emplace_back(view_of(name->d.uniformResourceIdentifier));
  }
  return found;
}

bool claims_node(std::string_view der, const Node& node) {
  const ErrorQueueScope scope;
  const auto* at = reinterpret_cast<const unsigned char*>(der.data());
  const CertificatePtr leaf(d2i_X509(nullptr, &at, static_cast<long>(der.size())));
  if (!leaf) return false;
  const auto names = names_of(leaf.get());
  const auto same = [](std::string_view wanted) {
    return [wanted = folded(wanted)](const std::string& name) { return folded(name) == wanted; };
  };
  return std::ranges::any_of(names.dns, same(node.id.view())) ||
         (!node.spiffe_id.empty() && std::ranges::any_of(names.uris, same(node.spiffe_id)));
}

bool demands_staple(const X509* leaf) {
  constexpr long status_request = 5;
  const auto features = extension<TlsFeaturePtr>(leaf, NID_tlsfeature);
  for (int i = 0; features && i < sk_ASN1_INTEGER_num(features.get()); ++i)
    if (ASN1_INTEGER_get(sk_ASN1_INTEGER_value(features.get(), i)) == status_request) return true;
  return false;
}

}  // namespace fedgate::trust
