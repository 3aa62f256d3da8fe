// SPDX-License-Identifier: Apache-2.0
//
// What the rows of the registry become under a configuration. A pure function of both, any thread.
#pragma once

#include <map>
#include <span>

#include "fedgate/clock.h"
#include "fedgate/node.h"
#include "fedgate/result.h"

namespace fedgate::nodes {

using Rows = std::map<NodeId, Node>;

/// What YAML says, of us and of others.
struct Configured {
  std::span<const Node> nodes{};
  std::span<const Domain> own_domains{};  ///< no other node may claim them
};

/// New ones are trusted (an anchor in YAML is the operator's decision), changed ones updated, ones that YAML no longer
/// names are kept as operator-defined and disabled. A row that is `revoked` stays revoked, whatever YAML says;
/// `enabled=false` set by a command stays; YAML's `enabled: false` always holds. Aliases and principal domains must
/// be unique among enabled nodes: Code::conflict; Code::bad_request for a node of a bad form.
Result<Rows> reconcile(const Rows& rows, const NodeId& own_id, const Configured& configured, WallTime now);

/// Whether more has changed than the line it stands on.
bool matters(const Node& before, Node after);

}  // namespace fedgate::nodes
