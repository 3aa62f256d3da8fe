// SPDX-License-Identifier: Apache-2.0
//
// The inside of the HTTP server: what is shared by the connections of one HttpServer, and one connection with
// its buffers. Everything runs on the server's worker, except the count of connections. Used by
// http_server.cpp, http_session.cpp and listener.cpp only.
#pragma once

#include <atomic>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/steady_timer.hpp>
#include <list>
#include <memory>
#include <string>

#include "net/http_gate.h"
#include "net/http_parser.h"
#include "net/http_server.h"
#include "net/http_writer.h"
#include "net/input_buffer.h"

namespace fedgate::net {

/// Held while a connection counts as unauthenticated; gives the place back when destroyed.
using Ticket = std::shared_ptr<void>;

struct HttpServer::State : std::enable_shared_from_this<State> {
  struct Session;

  State(Worker& w, ServerOptions o, Handler& h, const log::Logger& l, Metrics& m);

  /// `counted`: the listener has counted the connection when it handed the socket out.
  void serve(Stream stream, std::shared_ptr<TlsContext> tls, Ticket ticket);
  [[nodiscard]] SteadyTime now() const { return worker.wheel().now(); }

  Task<> run(Session& session, std::shared_ptr<TlsContext> tls);
  [[nodiscard]] bool crowded(const Session& session) const;
  Task<bool> serve_one(Session& session);
  Task<Result<HeadFacts>> read_head(Session& session);
  Task<Result<void>> read_body(Session& session, const HeadFacts& head, SteadyTime deadline);
  Task<Result<void>> fill(Session& session, SteadyTime deadline);
  Task<Result<void>> handle(Session& session);
  Task<> refuse(Session& session, const Error& error, std::uint16_t status);
  void ended(std::list<Session>::iterator session, std::exception_ptr thrown);

  Worker& worker;
  ServerOptions options;
  Handler& handler;
  const log::Logger& log;
  Metrics& metrics;
  prometheus::Gauge& gauge;
  prometheus::Counter& handshakes;
  prometheus::Counter& failed_handshakes;
  DateText date;
  std::list<Session> sessions;
  std::atomic<std::size_t> count{0};
  std::uint64_t next_id = 1;
  bool ending = false;
  asio::steady_timer empty;
};

struct HttpServer::State::Session {
  Session(const ServerLimits& limits, Stream s)
      : stream(std::move(s)), input(limits.header + 8192), parser({.header = limits.header, .body = limits.body}) {}

  /// Cancels whatever the connection's coroutine is doing; it ends without another answer.
  void leave() {
    leaving = true;
    cancel.emit(asio::cancellation_type::terminal);
  }

  asio::cancellation_signal cancel;
  Stream stream;
  Connection info;
  Ticket ticket;
  InputBuffer input;
  RequestParser parser;
  Request request;
  Response response;
  std::string output;
  bool idle = false;  // nothing of a request has arrived
  bool leaving = false;
  bool quiet = false;  // what ended reading is the peer's leaving: no answer, no log
};

}  // namespace fedgate::net
