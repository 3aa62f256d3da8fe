// SPDX-License-Identifier: Apache-2.0
//
// Who is calling: what authentication at a listener established. Plain values, any thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "fedgate/clock.h"
#include "fedgate/id.h"

namespace fedgate {

/// One of this organisation's applications, people or agents, after its credential was checked.
struct Caller {
  PrincipalId principal;
  std::vector<std::string> groups;
  std::vector<PrincipalId> may_act_for;
  std::string credential_id;  ///< names the credential, reveals nothing of it; goes into the audit trail
};

/// Another organisation's gateway, after its certificate was judged: exactly one node.
struct PeerIdentity {
  NodeId node;
  Sha256 certificate{};  ///< SHA-256 of the leaf certificate (DER)
  Sha256 public_key{};   ///< SHA-256 of its SubjectPublicKeyInfo (DER)
  /// What it stands on (certificates, CRLs, OCSP answers) holds until then; its connections end there.
  WallTime valid_until = WallTime::max();
};

/// What an operator's credential allows, in rising order except auditor, which reads the trail only.
enum class Role : std::uint8_t { viewer, auditor, operator_role, trust_admin };
std::string_view to_string(Role role);

struct Operator {
  std::string name;  ///< `uid:0` or a token's name; "who" in the audit trail
  Role role = Role::viewer;
};

}  // namespace fedgate
