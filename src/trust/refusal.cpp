// SPDX-License-Identifier: Apache-2.0
#include "trust/refusal.h"

#include <algorithm>
#include <array>
#include <cstddef>

#include "trust/openssl.h"

namespace fedgate::trust {

namespace {

constexpr std::array table{
    ReasonInfo{Reason::no_certificate, "no_certificate", "No certificate was presented."},
    ReasonInfo{Reason::chain_too_long, "chain_too_long", "More than four certificates were presented."},
    ReasonInfo{Reason::oversized, "oversized", "More names, constraints, extensions or policies than are judged."},
    ReasonInfo{Reason::input_malformed, "input_malformed", "What `pki verify` was given cannot be read."},
    ReasonInfo{Reason::san_missing, "san_missing", "The leaf has no DNS name, or no URI where one is configured."},
    ReasonInfo{Reason::san_malformed, "san_malformed", "An alternative name is not well-formed."},
    ReasonInfo{Reason::san_wildcard, "san_wildcard", "A DNS name has a wildcard, which identifies nobody."},
    ReasonInfo{Reason::san_mismatch, "san_mismatch", "The leaf names nobody we know, or not whom we expected."},
    ReasonInfo{Reason::san_ambiguous, "san_ambiguous", "The leaf names more than one configured peer."},
    ReasonInfo{Reason::san_criticality, "san_criticality",
               "subjectAltName is critical beside a subject, or not critical without one."},
    ReasonInfo{Reason::cn_mismatch, "cn_mismatch", "The common name is not one of the alternative names."},
    ReasonInfo{Reason::spiffe_not_alone, "spiffe_not_alone", "A SPIFFE leaf must hold exactly one URI."},
    ReasonInfo{Reason::node_not_trusted, "node_not_trusted", "The node is not trusted, or not enabled."},
    ReasonInfo{Reason::pin_mismatch, "pin_mismatch", "The leaf's key is none of the node's pins."},
    ReasonInfo{Reason::version, "version", "Not an X.509 version 3 certificate."},
    ReasonInfo{Reason::serial, "serial", "The serial number is not positive, or longer than 20 bytes."},
    ReasonInfo{Reason::name_empty, "name_empty", "The issuer has no name, or a CA's subject has none."},
    ReasonInfo{Reason::unique_id, "unique_id", "It has the unique identifiers that RFC 5280 forbids."},
    ReasonInfo{Reason::validity_malformed, "validity_malformed",
               "The validity is not written as RFC 5280 demands, or ends before it begins."},
    ReasonInfo{Reason::not_yet_valid, "not_yet_valid", "A certificate of the chain is not valid yet."},
    ReasonInfo{Reason::expired, "expired", "A certificate of the chain has expired."},
    ReasonInfo{Reason::key, "key", "The public key's type, size or curve is not accepted."},
    ReasonInfo{Reason::signature_algorithm, "signature_algorithm",
               "The signature's algorithm is not accepted, or is stated in two ways."},
    ReasonInfo{Reason::signature_invalid, "signature_invalid", "A signature of the chain is wrong."},
    ReasonInfo{Reason::extension_duplicate, "extension_duplicate", "An extension stands there more than once."},
    ReasonInfo{Reason::extension_malformed, "extension_malformed", "An extension is not well-formed DER."},
    ReasonInfo{Reason::extension_criticality, "extension_criticality",
               "An extension is critical that must not be, or the other way round."},
    ReasonInfo{Reason::extension_misplaced, "extension_misplaced", "A leaf has an extension that is for CAs only."},
    ReasonInfo{Reason::unknown_critical_extension, "unknown_critical_extension",
               "A critical extension is none of those that are acted upon."},
    ReasonInfo{Reason::leaf_is_ca, "leaf_is_ca", "The leaf is a CA certificate."},
    ReasonInfo{Reason::key_usage, "key_usage", "The leaf's keyUsage does not fit a gateway."},
    ReasonInfo{Reason::eku_missing, "eku_missing", "The leaf has no extendedKeyUsage."},
    ReasonInfo{Reason::eku_wrong, "eku_wrong", "The leaf's extendedKeyUsage lacks this direction."},
    ReasonInfo{Reason::eku_foreign, "eku_foreign",
               "The leaf's extendedKeyUsage has more than serverAuth and clientAuth."},
    ReasonInfo{Reason::ca_basic_constraints, "ca_basic_constraints",
               "An issuer's basicConstraints are missing, not critical, or not a CA's."},
    ReasonInfo{Reason::ca_key_usage, "ca_key_usage", "An issuer's keyUsage is missing or lacks keyCertSign."},
    ReasonInfo{Reason::ca_eku, "ca_eku", "An issuer's extendedKeyUsage forbids this direction, or a root has one."},
    ReasonInfo{Reason::path_length, "path_length", "More issuers follow than a CA allows."},
    ReasonInfo{Reason::key_identifier, "key_identifier",
               "authorityKeyIdentifier or subjectKeyIdentifier is missing or wrong."},
    ReasonInfo{Reason::name_constraints_malformed, "name_constraints_malformed",
               "A CA's name constraints are empty, not critical or not well-formed."},
    ReasonInfo{Reason::name_not_permitted, "name_not_permitted", "A name lies outside a CA's name constraints."},
    ReasonInfo{Reason::policy, "policy", "The chain's certificate policies do not satisfy its constraints."},
    ReasonInfo{Reason::anchor_missing, "anchor_missing", "The node has no trust anchor."},
    ReasonInfo{Reason::anchor_unusable, "anchor_unusable", "The node's trust anchors or pins cannot be read."},
    ReasonInfo{Reason::anchor_shared, "anchor_shared", "An issuer is another node's anchor too, and there is no pin."},
    ReasonInfo{Reason::issuer_unknown, "issuer_unknown", "The chain does not lead to an anchor of this node."},
    ReasonInfo{Reason::chain_invalid, "chain_invalid", "The chain does not verify, for a reason not listed here."},
    ReasonInfo{Reason::revoked, "revoked", "Its issuer has revoked it."},
    ReasonInfo{Reason::crl_missing, "crl_missing", "CRLs are configured, but none for this issuer."},
    ReasonInfo{Reason::crl_malformed, "crl_malformed", "The issuer's CRL is not well-formed."},
    ReasonInfo{Reason::crl_signature, "crl_signature", "The CRL is not signed by its issuer's key."},
    ReasonInfo{Reason::crl_issuer, "crl_issuer", "The CRL's issuer may not sign CRLs."},
    ReasonInfo{Reason::crl_scope, "crl_scope", "The CRL does not cover this certificate, or not all reasons."},
    ReasonInfo{Reason::crl_not_yet_valid, "crl_not_yet_valid", "The CRL is from the future."},
    ReasonInfo{Reason::crl_stale, "crl_stale", "The CRL's nextUpdate has passed."},
    ReasonInfo{Reason::ocsp_missing, "ocsp_missing", "The certificate demands a stapled OCSP response; there is none."},
    ReasonInfo{Reason::ocsp_malformed, "ocsp_malformed", "The stapled OCSP response is not well-formed."},
    ReasonInfo{Reason::ocsp_signature, "ocsp_signature", "The OCSP response is not signed by who may sign it."},
    ReasonInfo{Reason::ocsp_mismatch, "ocsp_mismatch", "The OCSP response is not about this certificate."},
    ReasonInfo{Reason::ocsp_stale, "ocsp_stale", "The OCSP response is not current."},
    ReasonInfo{Reason::internal, "internal", "The judgement itself failed; refused to be safe."},
};

consteval bool in_order() {
  for (std::size_t i = 0; i < table.size(); ++i)
    if (static_cast<std::size_t>(table[i].reason) != i) return false;
  return table.size() == static_cast<std::size_t>(Reason::internal) + 1;
}
static_assert(in_order());

}  // namespace

const ReasonInfo& reason_info(Reason reason) { return table[static_cast<std::size_t>(reason)]; }
std::span<const ReasonInfo> all_reasons() { return table; }

void Findings::add(Reason reason, std::string_view about, std::string_view detail) {
  if (enough() || refusals_.size() == most) return;
  for (std::size_t i = 0; i < refusals_.size(); ++i)
    if (refusals_[i].reason == reason && about_[i] == about) return;
  std::string text(about);
  if (!text.empty()) text += ": ";
  text += detail;
  // Whoever made the certificate must not write our operator's log.
  std::ranges::replace_if(
      text, [](char c) { return c < 0x20 || c == 0x7F || static_cast<unsigned char>(c) > 0x7F; }, '?');
  refusals_.push_back({reason, std::move(text)});
  about_.emplace_back(about);
}

void About::add(Reason reason, std::string_view detail) const {
  if (findings_.enough()) return;
  std::string about(role_);
  if (certificate_ != nullptr) about.append(" ").append(described(certificate_));
  findings_.add(reason, about, detail);
}

}  // namespace fedgate::trust
