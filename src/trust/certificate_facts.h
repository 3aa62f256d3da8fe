// SPDX-License-Identifier: Apache-2.0
//
// What a certificate says, for people and for the checks that need no chain: `pki show`, `check`, `status`, the expiry
// metric. Pure functions over OpenSSL.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "fedgate/clock.h"
#include "fedgate/id.h"
#include "fedgate/result.h"
#include "trust/leaf_rules.h"
#include "trust/refusal.h"

namespace fedgate::trust {

struct CertificateFacts {
  std::string subject, issuer;
  std::string named;   ///< what messages call it: its subject, or serial number and digest where that is empty
  std::string serial;  ///< hexadecimal
  std::vector<std::string> dns_names;
  std::vector<std::string> uris;
  std::vector<std::string> other_names;  ///< `IP 192.0.2.1`, `email a@b.example`, …
  WallTime not_before{};
  WallTime not_after{};
  bool server_auth = false;
  bool client_auth = false;
  std::vector<std::string> usages;           ///< keyUsage
  std::vector<std::string> extended_usages;  ///< by OpenSSL's short names
  bool is_ca = false;
  bool self_signed = false;
  bool must_staple = false;
  std::string key;        ///< `ECDSA P-256`, `RSA 2048`
  std::string signature;  ///< `ecdsa-with-SHA256`
  std::vector<std::string> crl_places;
  Sha256 sha256{};
  Sha256 public_key{};
};
/// Of the first certificate in the PEM text.
Result<CertificateFacts> certificate_facts(const std::string& pem);
/// Of each, at most 64.
Result<std::vector<CertificateFacts>> all_certificate_facts(const std::string& pem);

/// Code::invalid_certificate when the key does not belong to the first certificate.
Result<void> key_matches(const std::string& certificate_pem, const std::string& key_pem);

/// Why a peer's fedgate would refuse the first certificate of the text, whatever its chain: empty where it would not.
/// Time is left aside. Code::invalid_certificate.
Result<std::vector<Refusal>> flaws_of_leaf(const std::string& pem, Presented presented);

/// The same for a CA's certificate between a leaf and a trust anchor.
Result<std::vector<Refusal>> flaws_of_intermediate(const std::string& pem);
/// The same for a trust anchor: why no chain that ends there is believed.
Result<std::vector<Refusal>> flaws_of_anchor(const std::string& pem);

}  // namespace fedgate::trust
