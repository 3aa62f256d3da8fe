// SPDX-License-Identifier: Apache-2.0
//
// Why a certificate was not believed: a fixed list of reasons that logs, metrics and scripts may rely on, each refusal
// with a sentence for the operator. The peer learns none of it. docs/trust.md is checked against the list. Plain
// values, any thread.
#pragma once

#include <openssl/types.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace fedgate::trust {

enum class Reason : std::uint8_t {
  // what was presented
  no_certificate,
  chain_too_long,
  oversized,
  input_malformed,
  // whose it is
  san_missing,
  san_malformed,
  san_wildcard,
  san_mismatch,
  san_ambiguous,
  san_criticality,
  cn_mismatch,
  spiffe_not_alone,
  node_not_trusted,
  pin_mismatch,
  // how any certificate must look
  version,
  serial,
  name_empty,
  unique_id,
  validity_malformed,
  not_yet_valid,
  expired,
  key,
  signature_algorithm,
  signature_invalid,
  extension_duplicate,
  extension_malformed,
  extension_criticality,
  extension_misplaced,
  unknown_critical_extension,
  // what a leaf may do
  leaf_is_ca,
  key_usage,
  eku_missing,
  eku_wrong,
  eku_foreign,
  // what an issuer may do
  ca_basic_constraints,
  ca_key_usage,
  ca_eku,
  path_length,
  key_identifier,
  name_constraints_malformed,
  name_not_permitted,
  policy,
  // the chain
  anchor_missing,
  anchor_unusable,
  anchor_shared,
  issuer_unknown,
  chain_invalid,
  // revocation
  revoked,
  crl_missing,
  crl_malformed,
  crl_signature,
  crl_issuer,
  crl_scope,
  crl_not_yet_valid,
  crl_stale,
  ocsp_missing,
  ocsp_malformed,
  ocsp_signature,
  ocsp_mismatch,
  ocsp_stale,
  internal,
};

struct ReasonInfo {
  Reason reason;
  std::string_view id;       ///< what logs, metrics and `pki verify` print
  std::string_view meaning;  ///< one sentence
};
const ReasonInfo& reason_info(Reason reason);
/// The whole table, in the order of Reason.
std::span<const ReasonInfo> all_reasons();

struct Refusal {
  Reason reason = Reason::internal;
  std::string detail;  ///< which certificate, what is wrong with it, what to do; printable ASCII
  [[nodiscard]] std::string_view id() const { return reason_info(reason).id; }
  bool operator==(const Refusal&) const = default;
};

/// What a judgement found. A listener needs one reason to refuse; a person wants all of them.
class Findings {
 public:
  enum class Extent : std::uint8_t { first, every };
  static constexpr std::size_t most = 32;

  explicit Findings(Extent extent) : extent_(extent) {}
  /// Each reason stands once for one certificate (`about`), however many rules found it.
  void add(Reason reason, std::string_view about, std::string_view detail);
  [[nodiscard]] bool none() const { return refusals_.empty(); }
  /// Nothing that could still be found would be reported.
  [[nodiscard]] bool enough() const { return extent_ == Extent::first && !refusals_.empty(); }
  [[nodiscard]] Extent extent() const { return extent_; }
  [[nodiscard]] const std::vector<Refusal>& refusals() const { return refusals_; }
  [[nodiscard]] std::vector<Refusal> take() && { return std::move(refusals_); }

 private:
  Extent extent_;
  std::vector<Refusal> refusals_;
  std::vector<std::string> about_;
};

/// Findings about one certificate; its name is only written where something is wrong with it.
class About {
 public:
  About(Findings& findings, std::string_view role, const X509* certificate)
      : findings_(findings), role_(role), certificate_(certificate), before_(findings.refusals().size()) {}
  /// `detail` reads on from the certificate's name: "it has expired".
  void add(Reason reason, std::string_view detail) const;
  [[nodiscard]] Findings& all() const { return findings_; }
  /// Nothing was found since this was made.
  [[nodiscard]] bool none() const { return findings_.refusals().size() == before_; }

 private:
  Findings& findings_;
  std::string_view role_;
  const X509* certificate_;
  std::size_t before_;
};

}  // namespace fedgate::trust
