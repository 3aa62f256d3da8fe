// SPDX-License-Identifier: Apache-2.0
//
// Talks to other organisations' gateways: one pooled mutual-TLS connection per call in flight, and nobody else
// in this house opens any for calls. One per worker, on its thread.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>

#include "base/json.h"
#include "base/task.h"
#include "fedgate/checkpoint.h"
#include "fedgate/invocation.h"
#include "fedgate/outcome.h"
#include "fedgate/principal.h"
#include "fedgate/route.h"
#include "net/http_client.h"
#include "net/tls.h"
#include "wire/call.h"

namespace fedgate::federation {

class PeerClient {
 public:
  struct Reply {
    Result<wire::PeerAnswer> answer = fail(Code::peer_unreachable, "not asked");
    net::Sent sent = net::Sent::nothing;
    std::optional<PeerIdentity> peer;
    Timing timing;                      ///< target and upstream, as the peer states them
    std::optional<LeafReference> leaf;  ///< the peer's leaf for this call, as it states it
    std::optional<MentionedHead> head;  ///< its newest checkpoint, as it mentions it
    std::size_t bytes = 0;
    std::chrono::seconds retry_after{0};
  };

  /// `tls` is asked for each call, so that a reload takes effect at the next connection.
  PeerClient(Worker& worker, net::ClientLimits limits, std::function<std::shared_ptr<net::TlsContext>()> tls,
             const log::Logger& log, Metrics& metrics);

  /// Sends the call, within its deadline. `intent`: our leaf of it, where there is one; `own_head`: the header
  /// Fedgate-Checkpoint, empty: none.
  Task<Reply> invoke(const Route& route, const Invocation& invocation, std::string_view call_nonce,
                     const std::optional<LeafReference>& intent, std::string_view own_head);
  /// Any other request, as it comes back.
  Task<Result<net::Response>> ask(const Route& route, net::Request request, SteadyTime deadline);
  struct Introduced {
    net::Response response;
    PeerIdentity peer;
  };
  /// The same on a connection of its own, so that both sides show the certificates of now.
  Task<Result<Introduced>> ask_anew(const Route& route, net::Request request, SteadyTime deadline);
  /// Ends every connection to this node, idle or busy; how many. Each keeps `held` until it is closed.
  std::size_t purge(const NodeId& node, const net::Ticket& held = nullptr);
  /// Judges the servers of all open connections again; see net::HttpClient.
  void judge_again() { client_.judge_again(); }
  Task<> stop() { return client_.stop(); }

 private:
  [[nodiscard]] Result<std::shared_ptr<const net::Destination>> destination(const Route& route);
  [[nodiscard]] static Result<net::Destination> make_destination(const Route& route);
  void read(const net::Response& response, const NodeId& node, Reply& reply);

  Worker& worker_;
  std::function<std::shared_ptr<net::TlsContext>()> tls_;
  net::HttpClient client_;
  json::Parser parser_;
  // By endpoint; a call under way keeps the one it started with.
  std::unordered_map<std::string, std::shared_ptr<const net::Destination>> destinations_;
};

}  // namespace fedgate::federation
