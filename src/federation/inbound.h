// SPDX-License-Identifier: Apache-2.0
//
// A call that arrives here: from another organisation's gateway to one of our resources. Read invoke() first.
// The peer learns a fixed code and title; reasons stay in our trail and log. One per worker, on its thread.
#pragma once

#include <memory>
#include <unordered_map>

#include "adapters/adapter.h"
#include "base/json.h"
#include "base/task.h"
#include "base/worker.h"
#include "federation/call.h"
#include "federation/surroundings.h"
#include "fedgate/principal.h"
#include "net/http_client.h"
#include "net/http_message.h"

namespace fedgate::federation {

class Inbound {
 public:
  /// `upstreams`: the pool towards local services, this worker's.
  Inbound(const Surroundings& around, net::HttpClient& upstreams);
  ~Inbound();

  /// Carries the call and fills `response`. Cancelled when the peer leaves: the service's call is cancelled too,
  /// and the outcome is recorded before this returns.
  Task<> invoke(const PeerIdentity& peer, const net::Request& request, net::Response& response);

 private:
  struct Adapters;

  [[nodiscard]] Call open(const PeerIdentity& peer, const net::Request& request) const;
  Result<void> read_headers(Call& call, const net::Request& request);
  Result<void> read_body(Call& call, const Node& node, const net::Request& request);
  Task<> carry(Call& call, const Node& node, const net::Request& request);
  Task<> act(Call& call, std::shared_ptr<Adapters> adapters, const adapters::ResourceTable::Found& found);
  Task<> record(Call& call);
  void answer(Call& call, net::Response& response);
  std::shared_ptr<Adapters> current_adapters();

  const Surroundings& around_;
  net::HttpClient& upstreams_;
  Snapshot<CallOptions>::Reader options_;
  Snapshot<nodes::NodeTable>::Reader nodes_;
  Snapshot<policy::Rules>::Reader rules_;
  Snapshot<adapters::ResourceTable>::Reader resources_;
  Snapshot<std::string>::Reader own_head_;
  std::shared_ptr<Adapters> adapters_;
  json::Parser parser_;
  CallMetrics metrics_;
};

}  // namespace fedgate::federation
