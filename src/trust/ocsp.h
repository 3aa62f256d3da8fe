// SPDX-License-Identifier: Apache-2.0
//
// A stapled OCSP response (RFC 6960; RFC 8446 section 4.4.2.1): what it says of one certificate, provided that
// it comes from the certificate's issuer or from a responder that the issuer has appointed. Nothing is fetched. Pure
// functions, any thread.
#pragma once

#include <openssl/types.h>

#include <optional>
#include <string_view>

#include "fedgate/clock.h"
#include "trust/refusal.h"

namespace fedgate::trust {

struct OcspAnswer {
  enum class Status : std::uint8_t { good, revoked, unusable };
  Status status = Status::unusable;
  Refusal refusal;         ///< why, unless it is good; `detail` reads on from the certificate's name
  WallTime valid_until{};  ///< nextUpdate, where it is good
};

/// `response`: DER, at most 64 KiB. One answer about `certificate`, signed by `issuer` or by a certificate that
/// `issuer` itself issued for OCSPSigning with id-pkix-ocsp-nocheck; thisUpdate ≤ `at` < nextUpdate. A nonce is neither
/// asked for nor minded.
OcspAnswer judge_ocsp(std::string_view response, X509* certificate, X509* issuer, WallTime at);

}  // namespace fedgate::trust
