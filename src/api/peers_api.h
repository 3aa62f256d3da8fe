// SPDX-License-Identifier: Apache-2.0
//
// What the peers listener serves: other organisations' gateways, each known by its certificate. They get fixed
// codes and titles only. One per worker.
#pragma once

#include <functional>

#include "api/answers.h"
#include "api/witness_api.h"
#include "base/snapshot.h"
#include "federation/audit_query.h"
#include "federation/bundle_exchange.h"
#include "federation/inbound.h"
#include "net/http_server.h"
#include "nodes/registry.h"

namespace fedgate::api {

class PeersApi final : public net::Handler {
 public:
  struct About {
    NodeId node_id;
    std::string name;
    std::string version;
  };
  /// `draining`: whether this gateway is about to stop; peers may send their calls elsewhere.
  PeersApi(About about, federation::Inbound& inbound, federation::BundleExchange& exchange, federation::Trail& trail,
           federation::AuditExchange& audit, const Snapshot<nodes::NodeTable>& nodes, std::function<bool()> draining);
  Task<> handle(const net::Connection& connection, net::Request& request, net::Response& response) override;

 private:
  Task<> serve_bundle(const PeerIdentity& peer, const net::Request& request, net::Response& response);
  Task<> tell_of_calls(const PeerIdentity& peer, net::Request& request, net::Response& response);
  Task<> take_acknowledgement(const PeerIdentity& peer, net::Request& request, net::Response& response);

  About about_;
  federation::Inbound& inbound_;
  federation::BundleExchange& exchange_;
  federation::Trail& trail_;
  WitnessApi witness_;
  Snapshot<nodes::NodeTable>::Reader nodes_;
  std::function<bool()> draining_;
};

}  // namespace fedgate::api
