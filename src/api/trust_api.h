// SPDX-License-Identifier: Apache-2.0
//
// What the admin listener serves of trust: GET /api/v2/federation/trust[/NODE], and POST
// /api/v2/federation/nodes/NODE/trust/ACTION with the actions request, accept, approve, revoke, cancel, verify and
// invite. Reading needs the role viewer, everything else trust-admin. On worker 0 only.
#pragma once

#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "api/answers.h"
#include "audit/acts.h"
#include "federation/bundle_exchange.h"
#include "federation/trust_desk.h"
#include "fedgate/principal.h"
#include "nodes/changes.h"

namespace fedgate::api {

nlohmann::json relationship_view(const federation::Relationship& relationship);

class TrustApi {
 public:
  struct Parts {
    federation::TrustDesk& desk;
    federation::BundleExchange& exchange;
    Worker& worker;
    federation::PeerClient& peers;
    /// Takes something from a node at once, records and stores it: the answer's body.
    std::function<Task<Result<nlohmann::json>>(std::string name, nodes::Narrowing by, audit::Act act)> narrow;
    /// What of a node ends, and when.
    std::function<nlohmann::json(const Node&)> expiry;
  };
  explicit TrustApi(Parts parts) : parts_(std::move(parts)) {}

  /// Whether a path is one of those above.
  static bool serves(std::string_view path);
  Task<Result<void>> serve(const Operator& who, const net::Request& request, net::Response& response);

 private:
  Task<Result<void>> read(std::string_view path, net::Response& response);
  Task<Result<nlohmann::json>> act(std::string who, NodeId node, std::string action, nlohmann::json body);
  Task<Result<nlohmann::json>> invite(std::string who, NodeId node, nlohmann::json body);
  Task<Result<nlohmann::json>> revoke(std::string who, NodeId node, nlohmann::json body);

  Parts parts_;
};

}  // namespace fedgate::api
