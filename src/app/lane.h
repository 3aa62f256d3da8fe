// SPDX-License-Identifier: Apache-2.0
//
// Everything one worker needs to carry calls, in dependency order. A lane is built before its worker serves and
// destroyed after it has drained; in between only its worker's thread touches it.
#pragma once

#include <functional>
#include <memory>

#include "api/clients_api.h"
#include "api/peers_api.h"
#include "base/worker.h"
#include "federation/enrolment_responder.h"
#include "federation/inbound.h"
#include "federation/outbound.h"
#include "federation/peer_client.h"
#include "federation/surroundings.h"
#include "federation/verifier.h"
#include "net/http_client.h"
#include "net/http_server.h"

namespace fedgate::app {

struct LaneParts {
  Worker& worker;
  const federation::Surroundings& around;
  federation::Verifications& verifications;
  federation::TrustDesk& desk;
  federation::BundleExchange& exchange;
  federation::Trail& trail;
  federation::AuditExchange& audit;
  const Snapshot<trust::ClientTokens>& tokens;
  std::function<std::shared_ptr<net::TlsContext>()> client_tls;
  api::PeersApi::About about;
  std::function<bool()> draining;
  net::ClientLimits client_limits;
  net::ServerOptions clients_options;
  net::ServerOptions peers_options;
};

class Lane {
 public:
  explicit Lane(const LaneParts& parts)
      : worker(parts.worker),
        upstreams(parts.worker, parts.client_limits, parts.around.log, parts.around.metrics),
        peers(parts.worker, parts.client_limits, parts.client_tls, parts.around.log, parts.around.metrics),
        verifier(parts.verifications, peers, parts.worker.wheel()),
        outbound(parts.around, peers, verifier),
        inbound(parts.around, upstreams),
        clients_api(parts.around.own_id, parts.tokens, outbound, parts.around.clock, parts.around.log),
        enrolment(parts.desk),
        peers_api(parts.about, inbound, parts.exchange, parts.trail, parts.audit, parts.around.nodes, parts.draining),
        clients_server(parts.worker, parts.clients_options, clients_api, parts.around.log, parts.around.metrics),
        peers_server(parts.worker, with_enrolment(parts.peers_options, enrolment), peers_api, parts.around.log,
                     parts.around.metrics) {}

  Worker& worker;
  net::HttpClient upstreams;
  federation::PeerClient peers;
  federation::Verifier verifier;
  federation::Outbound outbound;
  federation::Inbound inbound;
  api::ClientsApi clients_api;
  federation::EnrolmentResponder enrolment;
  api::PeersApi peers_api;
  net::HttpServer clients_server;
  net::HttpServer peers_server;

 private:
  static net::ServerOptions with_enrolment(net::ServerOptions options, net::Handler& handler) {
    options.enrolment = &handler;
    return options;
  }
};

}  // namespace fedgate::app
