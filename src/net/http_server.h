// SPDX-License-Identifier: Apache-2.0
//
// The generic HTTP/1.1 server. A Listener binds an address and hands each socket to the worker with the
// fewest connections; an HttpServer serves the connections of one listener on one worker. Beast parses; before
// a request reaches the handler it passes our own strict gate (http_gate.h). One request at a time per
// connection; while a handler runs, one read stays pending to see the peer leave, and then the handler is
// cancelled. All limits answer at once: 400, 408, 413, 414, 431, 501, 503, then close.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/log.h"
#include "base/metrics.h"
#include "base/task.h"
#include "base/worker.h"
#include "fedgate/principal.h"
#include "net/address.h"
#include "net/admission.h"
#include "net/enrolment_gate.h"
#include "net/http_message.h"
#include "net/stream.h"
#include "net/tls.h"

namespace fedgate::net {

struct ServerLimits {
  std::size_t header = 16 * 1024;                ///< request line and fields together, bytes
  std::size_t body = 1024 * 1024;                ///< bytes
  std::size_t connections = 4096;                ///< on this listener, all workers
  std::size_t unauthenticated = 1024;            ///< connections whose handshake is not done, all workers
  std::size_t unauthenticated_per_address = 64;  ///< of them, those of one IP (IPv6: /64)
  std::chrono::milliseconds handshake{5000};
  std::chrono::milliseconds header_time{10'000};  ///< from the first byte of a request to the end of its head
  std::chrono::milliseconds body_time{30'000};    ///< from there to the end of the body
  std::chrono::milliseconds write_time{30'000};   ///< for an answer to be taken
  std::chrono::milliseconds idle{300'000};        ///< between requests; our client gives up earlier (240 s)
};

/// What is known of a connection before its first request. It ends, with whatever runs on it, within two seconds after
/// `peer->valid_until` has passed.
struct Connection {
  std::uint64_t id = 0;
  std::string remote;
  std::optional<PeerIdentity> peer;                 ///< mutual TLS
  std::optional<UnixCredentials> unix_credentials;  ///< unix socket
  /// A stranger who wants to begin trust: what it presented, judged by nobody. Set for the enrolment handler only,
  /// where `peer` is empty.
  std::shared_ptr<const Presentation> stranger;
};

class Handler {
 public:
  virtual ~Handler() = default;
  /// Fills `response`. Cancelled when the peer leaves; whatever must be recorded then is shielded. Runs on the
  /// server's worker. `request` and `response` belong to the connection and live until the answer is written.
  virtual Task<> handle(const Connection& connection, Request& request, Response& response) = 0;
  /// The body of an answer that the server itself gives (a refused request); default: problem+json with `code`.
  /// `response.status` is set already, and stays: a slow request is 408, for which Code has no entry.
  virtual void refuse(const Error& error, Response& response);
};

struct ServerOptions {
  std::string name;  ///< peers, clients, admin: for metrics and logs
  ServerLimits limits;
  /// Host header values that are ours, lower case, without port; empty: any single well-formed Host.
  std::vector<std::string> hosts;
  /// Serves the connections of strangers that the TLS context's enrolment gate let in, within its bounds; null: such
  /// connections are closed.
  Handler* enrolment = nullptr;
  EnrolmentLimits enrolment_limits{};
};

class HttpServer {
 public:
  HttpServer(Worker& worker, ServerOptions options, Handler& handler, const log::Logger& log, Metrics& metrics);
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  /// On the worker: takes over a connected socket. `tls` null: plain text.
  void serve(Stream stream, std::shared_ptr<TlsContext> tls);
  /// On the worker: closes every connection for which `which` holds, cancelling what runs on it; how many.
  std::size_t close_if(const std::function<bool(const Connection&)>& which);
  /// On the worker: the same for those who must be gone at once: their sockets are dead when this returns, whatever
  /// still runs on them. Each of them keeps `held` until it is closed.
  std::size_t cut(const std::function<bool(const Connection&)>& which, const Ticket& held);
  /// On the worker: whoever let the peers in decides otherwise now, perhaps. Judges all of them again within
  /// review_bound (review.h), some at a time, and ends the connections of those who are refused; the others notice
  /// nothing.
  void judge_again();
  /// On the worker: the connections that are open now end, each with its next answer: they show a certificate that is
  /// no longer ours. An idle one is left alone, because a request may be under way to it.
  void renew();
  /// On the worker: answers from now on carry `Connection: close`, idle connections end.
  void announce_end();
  /// On the worker: waits until no connection is left; at `deadline` cancels what still runs, and waits for that.
  Task<> drain(SteadyTime deadline);
  /// Any thread.
  [[nodiscard]] std::size_t connections() const;
  [[nodiscard]] Worker& worker();

 private:
  friend class Listener;
  struct State;
  std::shared_ptr<State> state_;
};

class Listener {
 public:
  struct Options {
    std::string address;  ///< `host:port`, `[v6]:port` or `unix:/path`; port 0: any
    std::uint32_t unix_mode = 0660;
    ServerLimits limits;
    /// Balancers: each of their connections must begin with a PROXY protocol header (v1 or v2) that says whose it is;
    /// from anywhere else no such header is read.
    std::vector<Network> proxy_protocol_from{};
  };
  /// Binds and listens, does not accept yet. Code::io_error naming the address, the reason, what to try. A stale
  /// unix socket that nobody answers is replaced; one that answers means another daemon: refused.
  static Result<std::unique_ptr<Listener>> bind(Worker& acceptor, const Options& options, const log::Logger& log);
  ~Listener();

  /// Accepts on the acceptor's worker and hands out by fewest connections. `tls` is asked for each connection, so
  /// that a reload takes effect at the next one; empty, or answering null: plain text.
  void start(std::vector<HttpServer*> servers, std::function<std::shared_ptr<TlsContext>()> tls);
  /// On the acceptor's worker: no new connections; the descriptor is closed (a unix path removed).
  void stop();
  /// Where it listens, with the port that was chosen: `127.0.0.1:41234`.
  [[nodiscard]] const std::string& local() const;

 private:
  struct State;
  explicit Listener(std::shared_ptr<State> state);
  std::shared_ptr<State> state_;  // shared with the one pending accept
};

}  // namespace fedgate::net
