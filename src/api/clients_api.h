// SPDX-License-Identifier: Apache-2.0
//
// What the clients listener serves: this organisation's applications and agents, each authenticated by a bearer
// token. One per worker.
#pragma once

#include "api/answers.h"
#include "base/snapshot.h"
#include "federation/outbound.h"
#include "fedgate/clock.h"
#include "net/http_server.h"
#include "trust/client_tokens.h"

namespace fedgate::api {

class ClientsApi final : public net::Handler {
 public:
  ClientsApi(NodeId own_id, const Snapshot<trust::ClientTokens>& tokens, federation::Outbound& outbound,
             const Clock& clock, const log::Logger& log);
  Task<> handle(const net::Connection& connection, net::Request& request, net::Response& response) override;

 private:
  void whoami(const Caller& caller, net::Response& response) const;

  NodeId own_id_;
  Snapshot<trust::ClientTokens>::Reader tokens_;
  federation::Outbound& outbound_;
  const Clock& clock_;
  const log::Logger& log_;
};

}  // namespace fedgate::api
