// SPDX-License-Identifier: Apache-2.0
//
// What OpenSSL lets pass and we do not: the rules for a peer's leaf certificate that need no anchor. A refusal's
// detail is for the operator and reads on from the certificate's name. Pure functions, any thread.
#pragma once

#include <openssl/types.h>

#include <string>
#include <vector>

#include "fedgate/clock.h"
#include "fedgate/result.h"
#include "trust/peer_verifier.h"

namespace fedgate::trust {

/// A certificate's DNS names as they stand there. Code::identity_mismatch: none, too many, a wildcard, a NUL or
/// anything else that no DNS name has (in the other kinds of names too: who smuggles there is not to be believed here).
Result<std::vector<std::string>> dns_identities(const X509* leaf);

/// Lower case, without the final dot: how names are compared when they must differ.
std::string folded(std::string_view name);

/// Version, serial, validity at `at`, extensions that stand there once, not a CA, usages for the direction, key.
Result<void> check_leaf(X509* leaf, Presented presented, WallTime at);

/// RSA of 2048 to 4096 bits, ECDSA on P-256, P-384 or P-521 named, Ed25519.
Result<void> check_key(const X509* certificate);

}  // namespace fedgate::trust
