// SPDX-License-Identifier: Apache-2.0
//
// A small CA for trying fedgate out (`fedgate init --dev-pki`) and for tests: ECDSA P-256, a CA that may issue
// leaves only, leaves for both directions with the node_id as their one DNS SAN. Organisations in production
// bring their own PKI. Pure functions over OpenSSL.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "fedgate/clock.h"
#include "fedgate/id.h"
#include "fedgate/result.h"

namespace fedgate::trust {

struct CertificateAndKey {
  std::string certificate_pem;
  std::string key_pem;  ///< PKCS#8, secret
};

Result<CertificateAndKey> make_dev_ca(const std::string& organisation, WallTime not_before,
                                      std::chrono::hours lifetime = std::chrono::hours(24 * 3650));

struct LeafRequest {
  std::vector<std::string> dns_names;  ///< SANs, the first is the node_id
  bool server_auth = true;
  bool client_auth = true;
  bool is_ca = false;       ///< wrong on purpose: for tests of the verifier
  std::string common_name;  ///< empty: none
  WallTime not_before{};
  std::chrono::hours lifetime = std::chrono::hours(24 * 90);
};
Result<CertificateAndKey> issue_dev_leaf(const CertificateAndKey& ca, const LeafRequest& request);

/// Facts for `check`, `status` and the expiry metric.
struct CertificateFacts {
  std::string subject;
  std::vector<std::string> dns_names;
  WallTime not_before{};
  WallTime not_after{};
  bool server_auth = false;
  bool client_auth = false;
  bool is_ca = false;
  Sha256 sha256{};
  Sha256 public_key{};
};
/// Of the first certificate in the PEM text.
Result<CertificateFacts> certificate_facts(const std::string& pem);
/// Code::invalid_certificate when the key does not belong to the first certificate.
Result<void> key_matches(const std::string& certificate_pem, const std::string& key_pem);

}  // namespace fedgate::trust
