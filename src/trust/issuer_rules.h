// SPDX-License-Identifier: Apache-2.0
//
// What a CA certificate must be before anything that it signed is believed: anchors when they are loaded, intermediates
// when they are presented. On top of the rules for every certificate. Pure functions, any thread.
#pragma once

#include <openssl/types.h>

#include "trust/leaf_rules.h"
#include "trust/refusal.h"

namespace fedgate::trust {

/// A CA by basicConstraints and keyUsage, with a subject, key identifiers and well-formed constraints.
void check_issuer(const About& about, const X509* issuer);
/// Where it has an extendedKeyUsage, leaves for this direction are among what it may issue.
void check_issuer_usage(const About& about, const X509* issuer, Presented presented);
/// An anchor that signed itself did so with its own key.
void check_own_signature(const About& about, X509* anchor);
/// authorityKeyIdentifier: a key identifier and nothing else; missing only where the certificate signed itself.
void check_authority_key_id(const About& about, const X509* certificate);

}  // namespace fedgate::trust
