// SPDX-License-Identifier: Apache-2.0
#include "net/http_server.h"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>

#include "base/json.h"
#include "net/http_session.h"
#include "net/review.h"

namespace fedgate::net {

void Handler::refuse(const Error& error, Response& response) {
  const std::string_view title = error.info().title;
  response.headers.add("Content-Type", "application/problem+json");
  std::string& body = response.body;
  body = R"({"type":"about:blank","title":)";
  json::append_string(body, title);
  body.append(R"(,"status":)").append(std::to_string(response.status)).append(R"(,"code":)");
  json::append_string(body, error.info().wire_name);
  body.append(R"(,"success":false,"error":)");
  json::append_string(body, title);
  body.push_back('}');
}

HttpServer::State::State(Worker& w, ServerOptions o, Handler& h, const log::Logger& l, Metrics& m)
    : worker(w),
      options(std::move(o)),
      handler(h),
      log(l),
      metrics(m),
      gauge(m.connections(options.name)),
      handshakes(m.tls_handshakes("server", "ok")),
      failed_handshakes(m.tls_handshakes("server", "failed")),
      empty(w.executor()) {
  empty.expires_at(SteadyTime::max());
}

void HttpServer::State::serve(Stream stream, Arrival arrival) {
  if (ending) {
    count.fetch_sub(1, std::memory_order_relaxed);
    return;
  }
  gauge.Increment();
  const auto session = sessions.emplace(sessions.end(), options.limits, std::move(stream));
  session->info.id = next_id++;
  session->info.remote = session->stream.remote();
  session->info.unix_credentials = session->stream.unix_credentials();
  session->handler = &handler;
  // The coroutine's owner: this list, which drain() joins. The frame keeps the list alive, so that the event
  // loop may be destroyed with connections still open.
  auto ending_of = [self = shared_from_this(), session](std::exception_ptr thrown) { self->ended(session, thrown); };
  asio::co_spawn(worker.executor(), run(*session, std::move(arrival)),
                 asio::bind_cancellation_slot(session->cancel.slot(), std::move(ending_of)));
}

void HttpServer::State::ended(std::list<Session>::iterator session, std::exception_ptr thrown) {
  if (thrown) {
    try {
      std::rethrow_exception(thrown);
    } catch (const boost::system::system_error& error) {
      if (error.code() != asio::error::operation_aborted) log.error("a connection failed", {{"error", error.what()}});
    } catch (const std::exception& error) {
      log.error("a connection failed", {{"error", error.what()}});
    }
  }
  if (const auto& peer = session->info.peer) {
    const auto others = sessions_of.find(peer->node);
    if (others != sessions_of.end() && --others->second == 0) sessions_of.erase(others);
  }
  sessions.erase(session);
  gauge.Decrement();
  count.fetch_sub(1, std::memory_order_relaxed);
  if (!sessions.empty()) return;
  sweep.disarm();
  reviewing.disarm();
  empty.cancel();
}

void HttpServer::State::review() {
  std::size_t left = review_slice(sessions.size());
  for (auto it = sessions.begin(); it != sessions.end();) {
    auto& session = *it++;
    if (session.judged == judgement || session.leaving || !session.info.peer) continue;
    if (left-- == 0) return reviewing.begin();
    session.judged = judgement;
    auto& peer = *session.info.peer;
    const auto judged = session.stream.judge_again();
    if (judged && session.stream.peer() && session.stream.peer()->node == peer.node) {
      peer = *session.stream.peer();
      if (peer.valid_until != WallTime::max()) sweep.begin();
      continue;
    }
    log.warning("a connection ends: its peer is refused now",
                {{"listener", options.name},
                 {"node", peer.node.view()},
                 {"detail", judged ? "it is another node now" : judged.error().detail}});
    session.leave();
  }
}

bool HttpServer::State::expired(const Session& session) const {
  return session.info.peer && session.info.peer->valid_until <= worker.clock().wall();
}

void HttpServer::State::end_expired() {
  bool more = false;
  for (auto it = sessions.begin(); it != sessions.end();) {
    auto& session = *it++;
    if (session.leaving || !session.info.peer) continue;
    if (!expired(session)) {
      more = more || session.info.peer->valid_until != WallTime::max();
      continue;
    }
    log.warning("a connection ends with its peer's identity",
                {{"listener", options.name}, {"node", session.info.peer->node.view()}});
    session.leave();
  }
  if (more) sweep.begin();
}

HttpServer::HttpServer(Worker& worker, ServerOptions options, Handler& handler, const log::Logger& log,
                       Metrics& metrics)
    : state_(std::make_shared<State>(worker, std::move(options), handler, log, metrics)) {}
HttpServer::~HttpServer() = default;

void HttpServer::serve(Stream stream, std::shared_ptr<TlsContext> tls) {
  state_->count.fetch_add(1, std::memory_order_relaxed);
  state_->serve(std::move(stream), {.tls = std::move(tls), .ticket = nullptr, .behind = nullptr});
}

std::size_t HttpServer::close_if(const std::function<bool(const Connection&)>& which) {
  std::size_t closed = 0;
  for (auto it = state_->sessions.begin(); it != state_->sessions.end();) {
    auto& session = *it++;
    if (session.leaving || !which(session.info)) continue;
    session.leave();
    ++closed;
  }
  return closed;
}

std::size_t HttpServer::cut(const std::function<bool(const Connection&)>& which, const Ticket& held) {
  std::size_t closed = 0;
  for (auto it = state_->sessions.begin(); it != state_->sessions.end();) {
    auto& session = *it++;
    if (!which(session.info)) continue;
    session.held = held;
    session.stream.abort();
    if (session.leaving) continue;
    session.leave();
    ++closed;
  }
  return closed;
}

void HttpServer::judge_again() {
  ++state_->judgement;
  if (!state_->sessions.empty()) state_->reviewing.begin();
}

void HttpServer::renew() {
  for (auto& session : state_->sessions) session.last = true;
}

void HttpServer::announce_end() {
  state_->ending = true;
  for (auto it = state_->sessions.begin(); it != state_->sessions.end();) {
    auto& session = *it++;
    if (session.idle) session.leave();
  }
}

Task<> HttpServer::drain(SteadyTime deadline) {
  const auto state = state_;
  class Alarm final : public Expiry {
   public:
    explicit Alarm(asio::steady_timer& timer) : timer_(timer) {}

   private:
    void expired() noexcept override { timer_.cancel(); }
    asio::steady_timer& timer_;
  } alarm(state->empty);
  announce_end();
  state->worker.wheel().arm(alarm, deadline);
  while (!state->sessions.empty() && alarm.armed()) {
    auto [ec] = co_await state->empty.async_wait(use_tuple);
    (void)ec;
  }
  alarm.disarm();
  if (!state->sessions.empty()) {
    const std::size_t cut = close_if([](const Connection&) { return true; });
    state->log.warning("connections cut at the end of draining",
                       {{"listener", state->options.name}, {"connections", cut}});
  }
  while (!state->sessions.empty()) {
    auto [ec] = co_await state->empty.async_wait(use_tuple);
    (void)ec;
  }
}

std::size_t HttpServer::connections() const { return state_->count.load(std::memory_order_relaxed); }
Worker& HttpServer::worker() { return state_->worker; }

}  // namespace fedgate::net
