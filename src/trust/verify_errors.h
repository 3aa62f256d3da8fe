// SPDX-License-Identifier: Apache-2.0
//
// OpenSSL's verification errors as reasons of ours. Pure functions, any thread.
#pragma once

#include <string_view>

#include "trust/refusal.h"

namespace fedgate::trust {

/// `error`: X509_V_ERR_…; Reason::chain_invalid for those that have no reason of their own, which are left out where
/// something plainer has been found: they repeat it in other words.
void add_verify_error(const About& about, int error, std::string_view node);

}  // namespace fedgate::trust
