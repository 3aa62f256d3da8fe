// SPDX-License-Identifier: Apache-2.0
//
// A call that starts here: from one of our own clients to another organisation's gateway. Read invoke() first.
// One per worker, on its thread.
#pragma once

#include "base/json.h"
#include "base/task.h"
#include "federation/call.h"
#include "federation/peer_client.h"
#include "federation/surroundings.h"
#include "federation/verifier.h"
#include "fedgate/principal.h"
#include "net/http_message.h"

namespace fedgate::federation {

class Outbound {
 public:
  Outbound(const Surroundings& around, PeerClient& peers, Verifier& verifier);

  /// Carries the call and fills `response`. Cancelled when the client leaves; even then the outcome is recorded
  /// before this returns.
  Task<> invoke(const Caller& caller, const net::Request& request, net::Response& response);

 private:
  [[nodiscard]] Call open(const Caller& caller, const net::Request& request) const;
  Result<void> read(Call& call, const Caller& caller, const net::Request& request);
  Task<> carry(Call& call, const Caller& caller, const net::Request& request);
  Task<> send(Call& call, const Route& route);
  Error why_no_answer(const NodeId& target, const Error& seen);
  Task<> record(Call& call);
  void answer(Call& call, net::Response& response);

  const Surroundings& around_;
  PeerClient& peers_;
  Verifier& verifier_;
  Snapshot<CallOptions>::Reader options_;
  Snapshot<nodes::NodeTable>::Reader nodes_;
  Snapshot<routing::StaticRoutes>::Reader routes_;
  Snapshot<policy::Rules>::Reader rules_;
  Snapshot<std::string>::Reader own_head_;
  json::Parser parser_;
  CallMetrics metrics_;
};

}  // namespace fedgate::federation
