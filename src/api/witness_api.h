// SPDX-License-Identifier: Apache-2.0
//
// What the peers listener serves of logs: POST /api/v2/federation/audit/add-checkpoint (C2SP tlog-witness), GET
// …/audit/checkpoint?log= and GET …/audit/proof. One per worker.
#pragma once

#include <string_view>

#include "api/answers.h"
#include "base/task.h"
#include "federation/audit_exchange.h"
#include "fedgate/id.h"

namespace fedgate::api {

class WitnessApi {
 public:
  explicit WitnessApi(federation::AuditExchange& exchange) : exchange_(exchange) {}

  /// Whether a path is one of those above.
  static bool serves(std::string_view path);
  /// For a peer that is trusted now.
  Task<> serve(const NodeId& peer, net::Request& request, net::Response& response);
  /// A peer has called, whatever for: it is not away.
  void contact(const NodeId& peer) { exchange_.contact(peer); }

 private:
  federation::AuditExchange& exchange_;
};

}  // namespace fedgate::api
