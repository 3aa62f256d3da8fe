// SPDX-License-Identifier: Apache-2.0
//
// The generic HTTP/1.1 client with a pool of connections, one per worker. A connection in the pool keeps a
// read pending, so one that the server closed is gone before it is taken. Follows no redirects, decodes no
// content, keeps no cookies. Strict about answers as the server is about requests.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/log.h"
#include "base/metrics.h"
#include "base/task.h"
#include "base/worker.h"
#include "net/admission.h"
#include "net/http_message.h"
#include "net/stream.h"
#include "net/tls.h"

namespace fedgate::net {

/// Where a request goes. Connections are shared between requests whose `pool_key` is the same.
struct Destination {
  std::string pool_key;
  std::string host;        ///< name or address to connect to, or the path of a unix socket
  std::uint16_t port = 0;  ///< 0: unix socket
  std::string host_header;
  std::shared_ptr<TlsContext> tls;  ///< null: plain text
  std::string server_name;          ///< SNI and the judge's `expected`; with tls only
};

struct ClientLimits {
  std::size_t header = 16 * 1024;
  std::size_t body = 1024 * 1024;
  std::size_t idle_per_destination = 256;
  std::size_t connections_per_destination = 1024;
  std::size_t connecting_per_destination = 8;  ///< at once; further calls wait for one of these
  std::chrono::milliseconds connect{5000};     ///< resolve, connect and handshake together
  std::chrono::milliseconds idle{240'000};     ///< kept in the pool unused; the server keeps longer
};

/// How far a request got: decides whether the call may have had an effect.
enum class Sent : std::uint8_t { nothing, something };

struct Exchange {
  Result<Response> response = Response{};
  Sent sent = Sent::nothing;
  std::optional<PeerIdentity> peer;  ///< who answered, where TLS established it
};

class HttpClient {
 public:
  HttpClient(Worker& worker, ClientLimits limits, const log::Logger& log, Metrics& metrics);
  ~HttpClient();
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  /// Errors: peer_unreachable (resolve, connect, handshake: nothing was sent), deadline_exceeded,
  /// peer_protocol_error (not HTTP, lying lengths, cut answer), response_too_large, overloaded (pool full).
  /// Cancelling closes the connection, so that the other side sees it.
  Task<Exchange> send(const Destination& destination, const Request& request, SteadyTime deadline);
  /// Closes idle connections of every key that starts so, at once, and busy ones too (their calls fail, and so do those
  /// that wait for one); how many. Each of them keeps `held` until it is closed.
  std::size_t purge(std::string_view pool_key, const Ticket& held = nullptr);
  /// Judges the servers of all open connections again, some at a time, within review_bound (review.h); closes the
  /// connections to those who are refused.
  void judge_again();
  /// Closes every idle connection and refuses further use; joins background work.
  Task<> stop();
  [[nodiscard]] std::size_t idle() const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace fedgate::net
