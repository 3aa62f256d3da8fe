// SPDX-License-Identifier: Apache-2.0
#include "trust/issuer_rules.h"

#include <string>

#include "trust/certificate_rules.h"
#include "trust/name_constraints.h"
#include "trust/openssl.h"

namespace fedgate::trust {

namespace {

void check_basic_constraints(const About& about, const X509* issuer) {
  int critical = 0;
  const auto constraints = extension<BasicConstraintsPtr>(issuer, NID_basic_constraints, &critical);
  if (!constraints)
    about.add(Reason::ca_basic_constraints, "it has no basicConstraints, so it is not a CA certificate");
  else if (constraints->ca == 0)
    about.add(Reason::ca_basic_constraints, "it is not a CA certificate (basicConstraints say CA:FALSE)");
  else if (critical == 0)
    about.add(Reason::ca_basic_constraints, "its basicConstraints are not critical, as a CA's must be");
  else if (constraints->pathlen != nullptr && ASN1_STRING_type(constraints->pathlen) == V_ASN1_NEG_INTEGER)
    about.add(Reason::ca_basic_constraints, "its path length is negative");
}

void check_usages(const About& about, const X509* issuer) {
  const auto usage = key_usage_of(issuer);
  if (!usage)
    about.add(Reason::ca_key_usage, "it has no keyUsage, which a CA must have");
  else if ((*usage & KU_KEY_CERT_SIGN) == 0)
    about.add(Reason::ca_key_usage, "its keyUsage lacks keyCertSign");
  if (is_self_signed(issuer) && X509_get_ext_by_NID(issuer, NID_ext_key_usage, -1) >= 0)
    about.add(Reason::ca_eku, "it is a root and has an extendedKeyUsage, which roots must not have");
}

void check_subject_key_id(const About& about, const X509* issuer) {
  const auto id = extension<Owned<ASN1_OCTET_STRING, ASN1_OCTET_STRING_free>>(issuer, NID_subject_key_identifier);
  constexpr int longest = 64;
  if (!id)
    about.add(Reason::key_identifier, "it has no subjectKeyIdentifier, which a CA must have");
  else if (ASN1_STRING_length(id.get()) == 0 || ASN1_STRING_length(id.get()) > longest)
    about.add(Reason::key_identifier, "its subjectKeyIdentifier is empty or longer than 64 bytes");
}

void check_policies(const About& about, const X509* issuer) {
  constexpr int most_policies = 32;
  using Policies = Owned<CERTIFICATEPOLICIES, CERTIFICATEPOLICIES_free>;
  using Mappings =
      Owned<POLICY_MAPPINGS, [](POLICY_MAPPINGS* list) { sk_POLICY_MAPPING_pop_free(list, POLICY_MAPPING_free); }>;
  const auto policies = extension<Policies>(issuer, NID_certificate_policies);
  const auto mappings = extension<Mappings>(issuer, NID_policy_mappings);
  if ((policies && sk_POLICYINFO_num(policies.get()) > most_policies) ||
      (mappings && sk_POLICY_MAPPING_num(mappings.get()) > most_policies))
    about.add(Reason::oversized, "it has more than 32 certificate policies or mappings");
}

}  // namespace

void check_authority_key_id(const About& about, const X509* certificate) {
  const auto id = extension<AuthorityKeyIdPtr>(certificate, NID_authority_key_identifier);
  const bool self_issued = X509_NAME_cmp(X509_get_subject_name(certificate), X509_get_issuer_name(certificate)) == 0;
  if (!id) {
    if (!self_issued)
      about.add(Reason::key_identifier, "it has no authorityKeyIdentifier, which only a root may leave out");
    return;
  }
  if (id->keyid == nullptr || ASN1_STRING_length(id->keyid) == 0)
    about.add(Reason::key_identifier, "its authorityKeyIdentifier has no key identifier");
  else if (id->issuer != nullptr || id->serial != nullptr)
    about.add(Reason::key_identifier,
              "its authorityKeyIdentifier names an issuer or a serial number; it must hold the key identifier only");
}

void check_issuer_usage(const About& about, const X509* issuer, Presented presented) {
  const auto usages = extension<ExtendedKeyUsagePtr>(issuer, NID_ext_key_usage);
  const bool client = presented == Presented::by_client;
  if (usages && !contains(usages.get(), client ? NID_client_auth : NID_server_auth))
    about.add(Reason::ca_eku, std::string("its extendedKeyUsage lacks ") + (client ? "clientAuth" : "serverAuth"));
}

void check_own_signature(const About& about, X509* anchor) {
  const ErrorQueueScope scope;
  if (X509_NAME_cmp(X509_get_subject_name(anchor), X509_get_issuer_name(anchor)) != 0) return;
  EVP_PKEY* key = X509_get0_pubkey(anchor);
  const bool own = key != nullptr && X509_verify(anchor, key) == 1;
  if (is_self_signed(anchor) && !own)
    about.add(Reason::signature_invalid, "it has not signed itself although it says so");
  if (!is_self_signed(anchor) && own)
    about.add(Reason::key_identifier, "it signed itself, but its two key identifiers differ");
}

void check_issuer(const About& about, const X509* issuer) {
  const ErrorQueueScope scope;
  check_form(about, issuer);
  if (X509_NAME_entry_count(X509_get_subject_name(issuer)) == 0)
    about.add(Reason::name_empty, "it is a CA without a name");
  check_basic_constraints(about, issuer);
  check_usages(about, issuer);
  check_subject_key_id(about, issuer);
  check_authority_key_id(about, issuer);
  check_policies(about, issuer);
  check_constraints_form(about, issuer);
}

}  // namespace fedgate::trust
