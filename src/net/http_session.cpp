// SPDX-License-Identifier: Apache-2.0
//
// One connection's life: handshake, then request after request until one side ends it.
#include <boost/asio/this_coro.hpp>

#include "net/http_session.h"

namespace fedgate::net {
namespace {

constexpr std::chrono::seconds linger_time{1};
constexpr std::string_view continue_line = "HTTP/1.1 100 Continue\r\n\r\n";

/// Code has no 408: a request that takes too long is the client's fault, not a deadline of ours.
std::uint16_t status_of(const Error& error) {
  return error.code == Code::deadline_exceeded ? std::uint16_t{408} : error.info().http_status;
}

}  // namespace

Task<> HttpServer::State::run(Session& session, std::shared_ptr<TlsContext> tls) {
  if (tls) {
    auto done = co_await session.stream.accept_tls(std::move(tls), now() + options.limits.handshake);
    if (!done) {
      failed_handshakes.Increment();
      log.debug("handshake failed",
                {{"listener", options.name}, {"remote", session.info.remote}, {"error", done.error().detail}});
      // The alert must arrive although the client has sent its request already.
      co_await session.stream.linger(now() + linger_time);
      co_return;
    }
    handshakes.Increment();
    session.info.peer = session.stream.peer();
    if (crowded(session)) {
      log.warning("too many connections of one node",
                  {{"listener", options.name}, {"node", session.info.peer->node.view()}});
      co_return;
    }
  }
  session.ticket.reset();
  bool go_on = true;
  while (go_on) go_on = co_await serve_one(session);
  session.stream.close();
}

// No node may take every place: a quarter of the listener's, on each worker, is the most.
bool HttpServer::State::crowded(const Session& session) const {
  if (!session.info.peer) return false;
  const auto of_node = std::ranges::count_if(sessions, [&](const Session& other) {
    return other.info.peer && other.info.peer->node == session.info.peer->node;
  });
  return static_cast<std::size_t>(of_node) > std::max<std::size_t>(1, options.limits.connections / 4);
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
  auto handled = co_await handle(session);
  if (session.leaving) co_return false;
  if (!handled) {
    co_await refuse(session, handled.error(), 500);
    co_return false;
  }
  const bool keep = session.request.keep_alive && !session.response.close && !ending;
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
    co_await handler.handle(session.info, session.request, session.response);
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
  handler.refuse(error, response);
  response.status = status;
  const bool is_head = session.parser.head_done() && session.request.method == "HEAD";
  auto written =
      write_response(session.output, response, is_head ? "HEAD" : "", date.at(worker.clock().wall()), After::close);
  if (!written) co_return;
  auto sent = co_await session.stream.write(session.output, now() + options.limits.write_time);
  if (sent) co_await session.stream.linger(now() + linger_time);
}

}  // namespace fedgate::net
