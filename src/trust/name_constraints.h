// SPDX-License-Identifier: Apache-2.0
//
// Name constraints (RFC 5280 section 4.2.1.10), beside OpenSSL's own check of them, which takes `.example.com` and
// `*.example.com` for DNS constraints and lets some kinds of names pass. Both must agree. Directory names are left to
// OpenSSL. Bounded: at most 100 constraints in a CA, 100 names in a certificate. Pure functions, any thread.
#pragma once

#include <openssl/types.h>

#include <span>

#include "trust/refusal.h"

namespace fedgate::trust {

/// A CA's constraints say something, without distances, in the syntax of their kind.
void check_constraints_form(const About& about, const X509* issuer);

/// Every name in the chain lies within the constraints of every CA above it. Leaf first; well-formed throughout.
void check_constrained_names(Findings& findings, std::span<X509* const> chain);

}  // namespace fedgate::trust
