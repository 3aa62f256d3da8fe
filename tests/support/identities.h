// SPDX-License-Identifier: Apache-2.0
//
// Wrong identities of every kind, and right ones, each with the reasons for which it must be refused: one table for the
// verifier, for `fedgate pki verify` and for a listening gateway.
#pragma once

#include "support/identities/chains.h"
#include "support/identities/constraints.h"
#include "support/identities/leaves.h"
#include "support/identities/names.h"
#include "support/identities/revocation.h"
#include "support/identities/right.h"

namespace fedgate::test {

inline std::vector<IdentityCase> wrong_identities() {
  auto all = wrong_names();
  for (const auto& part : {wrong_leaves(), wrong_chains(), wrong_constraints(), wrong_revocation()})
    all.insert(all.end(), part.begin(), part.end());
  return all;
}

}  // namespace fedgate::test
