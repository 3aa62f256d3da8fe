// SPDX-License-Identifier: Apache-2.0
//
// One connection's life: handshake, then request after request until one side ends it.
#include <boost/asio/this_coro.hpp>
#include <utility>

#include "net/address.h"
#include "net/http_session.h"
#include "net/proxy_header.h"

namespace fedgate::net {
namespace {

constexpr std::chrono::seconds linger_time{1};
constexpr std::string_view continue_line = "HTTP/1.1 100 Continue\r\n\r\n";

/// Code has no 408: a request that takes too long is the client's fault, not a deadline of ours.
std::uint16_t status_of(const Error& error) {
  return error.code == Code::deadline_exceeded ? std::uint16_t{408} : error.info().http_status;
}

}  // namespace

Task<> HttpServer::State::run(Session& session, Arrival arrival) {
  auto authentic = co_await authenticate(session, arrival);
  if (!authentic) {
    tell_refusal(session, authentic.error());
    // The alert must arrive although the client has sent its request already.
    co_await session.stream.linger(now() + linger_time);
    co_return;
  }
  arrival = {};
  bool go_on = true;
  while (go_on) go_on = co_await serve_one(session);
  session.stream.close();
}

void HttpServer::State::tell_refusal(const Session& session, const Error& error) {
  constexpr std::chrono::minutes interval{1};
  constexpr std::size_t most_lines = 10;
  // Scanners and balancers' probes break handshakes all day long.
  const bool judged = error.code == Code::identity_mismatch || error.code == Code::node_not_trusted;
  if (now() - refusals.since >= interval) refusals = {.since = now(), .lines = 0, .left_out = refusals.left_out};
  const bool told = judged && refusals.lines < most_lines;
  std::size_t left_out = 0;
  if (told) {
    ++refusals.lines;
    left_out = std::exchange(refusals.left_out, 0);
  } else if (judged) {
    ++refusals.left_out;
  }
  log.write(
      told ? log::Level::warning : log::Level::debug, "connection refused",
      {{"listener", options.name}, {"remote", session.info.remote}, {"error", error.detail}, {"left_out", left_out}});
}

// Everything before the first byte of HTTP. Holds the arrival's ticket meanwhile.
Task<Result<void>> HttpServer::State::authenticate(Session& session, Arrival& arrival) {
  const SteadyTime begun = now();
  const SteadyTime deadline = begun + options.limits.handshake;
  if (arrival.behind) {
    auto learnt = co_await learn_source(session, arrival, deadline);
    if (!learnt) co_return learnt;
  }
  if (!arrival.tls) co_return Result<void>{};
  auto done = co_await session.stream.accept_tls(arrival.tls, deadline);
  if (!done) {
    failed_handshakes.Increment();
    co_return done;
  }
  handshakes.Increment();
  if (session.stream.enrolment()) co_return welcome_stranger(session, begun);
  session.info.peer = session.stream.peer();
  session.judged = judgement;
  if (crowded(session)) {
    log.warning("too many connections of one node",
                {{"listener", options.name}, {"node", session.info.peer->node.view()}});
    co_return fail(Code::overloaded, "too many connections of one node");
  }
  if (session.info.peer && session.info.peer->valid_until != WallTime::max()) sweep.begin();
  co_return Result<void>{};
}

// A balancer's own address counts for nothing: the one that it names does, from here on.
Task<Result<void>> HttpServer::State::learn_source(Session& session, Arrival& arrival, SteadyTime deadline) {
  auto source = co_await read_proxy_header(session.stream, deadline);
  if (!source) {
    metrics.rejected_connections(options.name, "proxy_header").Increment();
    co_return fail(source.error().in("PROXY header"));
  }
  if (!source->empty()) {
    session.stream.comes_from(*source);
    session.info.remote = *source;
  }
  if (!arrival.tls) co_return Result<void>{};
  arrival.ticket.reset();
  auto answer = arrival.behind->admit(source_of(address_of(session.info.remote)));
  if (!answer.ticket) {
    metrics.rejected_connections(options.name, answer.full).Increment();
    co_return fail(Code::overloaded, "too many handshakes at once (" + std::string(answer.full) + ")");
  }
  arrival.ticket = std::move(answer.ticket);
  co_return Result<void>{};
}

Result<void> HttpServer::State::welcome_stranger(Session& session, SteadyTime begun) {
  auto seen = session.stream.presentation();
  if (!seen) return fail(std::move(seen.error()));
  if (options.enrolment == nullptr) return fail(Code::internal, "strangers are let in, but nobody serves them");
  const EnrolmentLimits& limits = options.enrolment_limits;
  if (seen->received >= limits.bytes) return fail(Code::payload_too_large, "a stranger's handshake is too long");
  session.budget = limits.bytes - seen->received;
  session.info.stranger = std::make_shared<const Presentation>(std::move(*seen));
  session.handler = options.enrolment;
  worker.wheel().arm(session.lifetime, begun + limits.time);
  return {};
}

// No node may take every place: a quarter of the listener's, on each worker, is the most.
// Counts it, too, until it ends.
bool HttpServer::State::crowded(const Session& session) {
  if (!session.info.peer) return false;
  return ++sessions_of[session.info.peer->node] > std::max<std::size_t>(1, options.limits.connections / 4);
}

Task<bool> HttpServer::State::serve_one(Session& session) {
  session.quiet = false;
  session.request.keep_alive = true;
  session.parser.start(session.request);
  auto head = co_await read_head(session);
  if (!head) {
    if (!session.quiet) co_await refuse(session, head.error(), status_of(head.error()));
    co_return false;
  }
  session.request.keep_alive = stays_open(session.request.headers, head->version);
  if (!session.parser.done()) {
    auto body = co_await read_body(session, *head, now() + options.limits.body_time);
    if (!body) {
      if (!session.quiet) co_await refuse(session, body.error(), status_of(body.error()));
      co_return false;
    }
  }
  session.response.status = 200;
  session.response.headers.clear();
  session.response.body.clear();
  session.response.close = false;
  if (expired(session)) co_return false;
  auto handled = co_await handle(session);
  if (session.leaving) co_return false;
  if (!handled) {
    co_await refuse(session, handled.error(), 500);
    co_return false;
  }
  const bool keep = session.request.keep_alive && !session.response.close && !session.last && !ending;
  auto written = write_response(session.output, session.response, session.request.method,
                                date.at(worker.clock().wall()), keep ? After::keep_open : After::close);
  if (!written) {
    log.error("an answer that cannot be sent", {{"listener", options.name}, {"error", written.error().detail}});
    co_await refuse(session, written.error(), 500);
    co_return false;
  }
  auto sent = co_await session.stream.write(session.output, now() + options.limits.write_time);
  if (!sent) {
    log.debug("answer not taken",
              {{"listener", options.name}, {"remote", session.info.remote}, {"error", sent.error().detail}});
    co_return false;
  }
  if (!keep) co_await session.stream.linger(now() + linger_time);
  session.input.shrink();
  co_return keep;
}

Task<Result<void>> HttpServer::State::fill(Session& session, SteadyTime deadline) {
  auto got = co_await session.stream.read_some(session.input.room(), deadline);
  if (!got) {
    if (got.error().code != Code::deadline_exceeded) session.quiet = true;
    co_return fail(std::move(got.error()));
  }
  if (*got == 0) {
    session.quiet = true;
    co_return fail(Code::io_error, "the client closed the connection");
  }
  if (*got > session.budget) {
    session.quiet = true;
    co_return fail(Code::payload_too_large, "more than this connection may send");
  }
  session.budget -= *got;
  session.input.added(*got);
  co_return Result<void>{};
}

Task<Result<HeadFacts>> HttpServer::State::read_head(Session& session) {
  if (session.input.empty()) {
    if (ending) {
      session.quiet = true;
      co_return fail(Code::draining, "no further request");
    }
    session.idle = true;
    auto first = co_await fill(session, now() + options.limits.idle);
    session.idle = false;
    if (!first) {
      session.quiet = true;
      co_return fail(std::move(first.error()));
    }
  }
  const SteadyTime deadline = now() + options.limits.header_time;
  bool begun = false;
  while (true) {
    // RFC 9112 section 2.2: one empty line before a request is forgiven.
    if (!begun && session.input.bytes().starts_with("\r\n")) session.input.consume(2);
    if (!session.input.empty() && session.input.bytes() != "\r") {
      begun = true;
      auto taken = session.parser.feed(session.input.bytes());
      if (!taken) co_return fail(std::move(taken.error()));
      session.input.consume(*taken);
      if (session.parser.head_done()) break;
    }
    auto more = co_await fill(session, deadline);
    if (!more) co_return fail(std::move(more.error()));
  }
  auto facts = judge_request_head(session.request, session.parser.version(), options.hosts);
  if (facts && facts->content_length.value_or(0) > options.limits.body) {
    co_return fail(Code::payload_too_large, "the body is larger than allowed");
  }
  co_return facts;
}

Task<Result<void>> HttpServer::State::read_body(Session& session, const HeadFacts& head, SteadyTime deadline) {
  if (head.version >= 11 && session.input.empty() && session.request.headers.find("expect")) {
    auto told = co_await session.stream.write(continue_line, deadline);
    if (!told) {
      session.quiet = true;
      co_return told;
    }
  }
  while (true) {
    if (!session.input.empty()) {
      auto taken = session.parser.feed(session.input.bytes());
      if (!taken) co_return fail(std::move(taken.error()));
      session.input.consume(*taken);
      if (session.parser.done()) co_return Result<void>{};
    }
    auto more = co_await fill(session, deadline);
    if (!more) co_return fail(std::move(more.error()));
  }
}

Task<Result<void>> HttpServer::State::handle(Session& session) {
  session.stream.watch([&session] { session.leave(); });
  std::optional<Error> failed;
  try {
    co_await session.handler->handle(session.info, session.request, session.response);
  } catch (const boost::system::system_error& error) {
    if (error.code() != asio::error::operation_aborted || !session.leaving)
      failed.emplace(Code::internal, error.what());
  } catch (const std::exception& error) {
    failed.emplace(Code::internal, error.what());
  }
  session.stream.unwatch();
  // A handler that shielded its ending leaves that state behind.
  co_await asio::this_coro::reset_cancellation_state(asio::enable_terminal_cancellation());
  if (!failed) co_return Result<void>{};
  log.error("a request's handler failed",
            {{"listener", options.name}, {"path", session.request.path()}, {"error", failed->detail}});
  co_return fail(std::move(*failed));
}

Task<> HttpServer::State::refuse(Session& session, const Error& error, std::uint16_t status) {
  metrics.errors(error.info().wire_name).Increment();
  log.debug("request refused",
            {{"listener", options.name}, {"remote", session.info.remote}, {"status", status}, {"error", error.detail}});
  Response& response = session.response;
  response.headers.clear();
  response.body.clear();
  response.status = status;
  session.handler->refuse(error, response);
  response.status = status;
  const bool is_head = session.parser.head_done() && session.request.method == "HEAD";
  auto written =
      write_response(session.output, response, is_head ? "HEAD" : "", date.at(worker.clock().wall()), After::close);
  if (!written) co_return;
  auto sent = co_await session.stream.write(session.output, now() + options.limits.write_time);
  if (sent) co_await session.stream.linger(now() + linger_time);
}

}  // namespace fedgate::net
