// SPDX-License-Identifier: Apache-2.0
//
// The extensions of a certificate: each once, each well-formed DER, critical where it must be and not where it must
// not, and none critical that nobody here acts upon; and the syntax of alternative names. Pure functions, any thread.
#pragma once

#include <openssl/x509.h>

#include "trust/refusal.h"

namespace fedgate::trust {

void check_extensions(const About& about, const X509* certificate);
/// Every name in subjectAltName is written as names of its kind are, and is no wildcard.
void check_alternative_names(const About& about, const X509* certificate);

/// Reads what OpenSSL knows and writes it again: what differs was not DER, or had something behind it.
bool is_well_formed(X509_EXTENSION* extension);

}  // namespace fedgate::trust
