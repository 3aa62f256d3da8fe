// SPDX-License-Identifier: Apache-2.0
//
// The answering side of an enrolment: what the peers listener serves to strangers (ALPN fedgate-enrol/1), in front of
// trust/responder.h, which judges. One dialogue a connection, `trust/challenge` and then `trust`, and the connection
// ends. Strangers learn nothing of why they are refused. One per worker, on its thread.
#pragma once

#include <memory>
#include <vector>

#include "base/json.h"
#include "federation/trust_desk.h"
#include "net/http_server.h"

namespace fedgate::federation {

class EnrolmentResponder final : public net::Handler {
 public:
  explicit EnrolmentResponder(TrustDesk& desk);
  ~EnrolmentResponder() override;
  Task<> handle(const net::Connection& connection, net::Request& request, net::Response& response) override;

 private:
  struct Dialogue;
  std::shared_ptr<Dialogue> dialogue(const net::Connection& connection);
  Task<Result<std::string>> challenge(const net::Connection& connection, const net::Request& request);
  Task<Result<std::string>> trust(const net::Connection& connection, const net::Request& request);
  Task<Result<std::optional<Invite>>> invite(std::string id);

  TrustDesk& desk_;
  store::TrustRecords records_;
  json::Parser parser_;
  std::vector<std::shared_ptr<Dialogue>> dialogues_;  // as many as the listener lets strangers in
};

}  // namespace fedgate::federation
