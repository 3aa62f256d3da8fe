// SPDX-License-Identifier: Apache-2.0
//
// Talks to other organisations' gateways: one pooled mutual-TLS connection per call in flight, and nobody else
// in this house opens any. One per worker, on its thread.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>

#include "base/json.h"
#include "base/task.h"
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
    std::size_t bytes = 0;
    std::chrono::seconds retry_after{0};
  };

  /// `tls` is asked for each call, so that a reload takes effect at the next connection.
  PeerClient(Worker& worker, net::ClientLimits limits, std::function<std::shared_ptr<net::TlsContext>()> tls,
             const log::Logger& log, Metrics& metrics);

  /// Sends the call, within its deadline. `intent`: our leaf of it, where there is one.
  Task<Reply> invoke(const Route& route, const Invocation& invocation, std::string_view call_nonce,
                     const std::optional<LeafReference>& intent);
  /// Ends every connection to this node, idle or busy.
  void purge(const NodeId& node);
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
