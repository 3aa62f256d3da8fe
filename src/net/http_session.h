// SPDX-License-Identifier: Apache-2.0
//
// The inside of the HTTP server: what is shared by the connections of one HttpServer, and one connection with
// its buffers. Everything runs on the server's worker, except the count of connections. Used by
// http_server.cpp, http_session.cpp and listener.cpp only.
#pragma once

#include <atomic>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/steady_timer.hpp>
#include <limits>
#include <list>
#include <memory>
#include <string>
#include <unordered_map>

#include "net/admission.h"
#include "net/alarm.h"
#include "net/http_gate.h"
#include "net/http_parser.h"
#include "net/http_server.h"
#include "net/http_writer.h"
#include "net/input_buffer.h"

namespace fedgate::net {

/// What the listener knows of a connection when it hands it out.
struct Arrival {
  std::shared_ptr<TlsContext> tls;    ///< null: plain text
  Ticket ticket;                      ///< held while it counts as unauthenticated
  std::shared_ptr<Admission> behind;  ///< set: from a balancer; a PROXY header comes first, and who is in it counts
};

struct HttpServer::State : std::enable_shared_from_this<State> {
  struct Session;

  State(Worker& w, ServerOptions o, Handler& h, const log::Logger& l, Metrics& m);

  /// The connection is in `count` already: the listener counts it when it hands the socket out.
  void serve(Stream stream, Arrival arrival);
  [[nodiscard]] SteadyTime now() const { return worker.wheel().now(); }

  Task<> run(Session& session, Arrival arrival);
  Task<Result<void>> learn_source(Session& session, Arrival& arrival, SteadyTime deadline);
  Task<Result<void>> authenticate(Session& session, Arrival& arrival);
  Result<void> welcome_stranger(Session& session, SteadyTime begun);
  void end_expired();
  void review();
  [[nodiscard]] bool expired(const Session& session) const;
  void tell_refusal(const Session& session, const Error& error);
  [[nodiscard]] bool crowded(const Session& session);
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
  std::unordered_map<NodeId, std::size_t> sessions_of;  // of peers that are known
  std::atomic<std::size_t> count{0};
  std::uint64_t next_id = 1;
  bool ending = false;
  asio::steady_timer empty;

  /// Looks for connections whose peer's identity has expired, while there are any that can.
  Alarm sweep{worker.wheel(), std::chrono::seconds(1), [this] { end_expired(); }};
  /// Judges the peers of open connections again, a slice at each tick: so many connections must not stop a worker.
  Alarm reviewing{worker.wheel(), std::chrono::milliseconds(0), [this] { review(); }};
  std::uint64_t judgement = 0;  // counts how often everybody had to be judged again

  /// Whom we refused and why is for the operator to read; a stranger's flood of it is not.
  struct Told {
    SteadyTime since{};
    std::size_t lines = 0;
    std::size_t left_out = 0;
  } refusals;
};

struct HttpServer::State::Session {
  Session(const ServerLimits& limits, Stream s)
      : stream(std::move(s)), input(limits.header + 8192), parser({.header = limits.header, .body = limits.body}) {}

  /// Cancels whatever the connection's coroutine is doing; it ends without another answer.
  void leave() {
    leaving = true;
    cancel.emit(asio::cancellation_type::terminal);
  }

  /// Ends the connection however busy it is.
  class Lifetime final : public Expiry {
   public:
    explicit Lifetime(Session& session) : session_(session) {}

   private:
    void expired() noexcept override { session_.leave(); }
    Session& session_;
  };

  asio::cancellation_signal cancel;
  Ticket held;  // before the stream: given back when the socket is closed
  Stream stream;
  Connection info;
  Handler* handler = nullptr;
  std::size_t budget = std::numeric_limits<std::size_t>::max();  // bytes it may still send us
  Lifetime lifetime{*this};
  InputBuffer input;
  RequestParser parser;
  Request request;
  Response response;
  std::string output;
  std::uint64_t judged = 0;  // the State's judgement that its peer has passed
  bool idle = false;         // nothing of a request has arrived
  bool last = false;         // its next answer ends it
  bool leaving = false;
  bool quiet = false;  // what ended reading is the peer's leaving: no answer, no log
};

}  // namespace fedgate::net
