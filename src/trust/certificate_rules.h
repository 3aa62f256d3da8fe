// SPDX-License-Identifier: Apache-2.0
//
// What every certificate of a chain must look like, whoever presents it and whatever signed it: RFC 5280's profile,
// read strictly, and nothing that two programs could read in two ways. OpenSSL lets most of this pass. Pure functions,
// any thread.
#pragma once

#include <openssl/types.h>

#include "fedgate/clock.h"
#include "trust/refusal.h"

namespace fedgate::trust {

inline constexpr int most_names = 100;
inline constexpr int most_extensions = 64;

/// Version, serial, names, key, signature algorithm, encoding of the validity, extensions. Needs no clock.
void check_form(const About& about, const X509* certificate);
/// `at` lies within its validity.
void check_time(const About& about, const X509* certificate, WallTime at);
/// RSA of 2048 to 4096 bits, ECDSA on P-256, P-384 or P-521 named, Ed25519.
void check_key(const About& about, const X509* certificate);
/// SHA-256, SHA-384 or SHA-512 with RSA (PKCS 1 or PSS), ECDSA or Ed25519; stated once or twice alike.
bool is_accepted_signature(const X509_ALGOR* algorithm);
/// As RFC 5280 section 4.1.2.5 writes times, which CRLs do too: UTCTime to 2049, GeneralizedTime from 2050, seconds, Z.
bool is_well_written(const ASN1_TIME* time);
/// Subject and issuer are the same and so are the key identifiers: what a root looks like.
bool is_self_signed(const X509* certificate);

}  // namespace fedgate::trust
