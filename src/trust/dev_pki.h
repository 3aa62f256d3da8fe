// SPDX-License-Identifier: Apache-2.0
//
// A small CA for organisations without a PKI (`fedgate pki ca`, `pki issue`), for trying fedgate out
// (`fedgate init --dev-pki`) and for tests: ECDSA P-256, a CA that may issue leaves only, leaves with the node_id as
// their DNS SAN. Pure functions over OpenSSL.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "fedgate/clock.h"
#include "fedgate/id.h"
#include "fedgate/result.h"
#include "trust/certificate_facts.h"

namespace fedgate::trust {

struct CertificateAndKey {
  std::string certificate_pem;
  std::string key_pem;  ///< PKCS#8, secret
};

/// `organisation` and `name` are its subject's O and CN, cut to the 64 characters that X.520 allows.
Result<CertificateAndKey> make_dev_ca(const std::string& organisation, WallTime not_before,
                                      std::chrono::hours lifetime = std::chrono::hours(24 * 3650),
                                      const std::string& name = "fedgate development CA");

struct LeafRequest {
  std::vector<std::string> dns_names{};  ///< SANs, the first is the node_id
  bool server_auth = true;
  bool client_auth = true;
  bool is_ca = false;       ///< wrong on purpose: for tests of the verifier
  std::string common_name;  ///< empty: none
  std::string spiffe_id{};  ///< a URI SAN; empty: none
  std::string csr_pem{};    ///< whose key is certified; empty: a new one is made
  WallTime not_before{};
  std::chrono::hours lifetime = std::chrono::hours(24 * 90);
};
/// Without a key where the request brought its own. Code::invalid_certificate.
Result<CertificateAndKey> issue_dev_leaf(const CertificateAndKey& ca, const LeafRequest& request);

}  // namespace fedgate::trust
