// SPDX-License-Identifier: Apache-2.0
//
// The connections of a client: made, kept, judged again, ended.
#include "net/http_client_state.h"
#include "net/review.h"

namespace fedgate::net {
namespace {

constexpr std::size_t many_pools = 256;

/// Wakes one waiter when the time is over.
class Wake final : public Expiry {
 public:
  Wake(asio::steady_timer& timer, DeadlineWheel& wheel, SteadyTime at) : timer_(timer) { wheel.arm(*this, at); }

 private:
  // Which waiter is due is not known here: all of them look.
  void expired() noexcept override { timer_.cancel(); }
  asio::steady_timer& timer_;
};

}  // namespace

HttpClient::State::Member::Member(State& state, Pool& p)
    : owner(state.weak_from_this()),
      pool(&p),
      input(state.limits.header + 8192),
      parser({.header = state.limits.header, .body = state.limits.body}) {
  pool->all.push_back(*this);
  ++pool->size;
}

HttpClient::State::Member::~Member() {
  if (!owner.expired()) --pool->size;
}

HttpClient::State::Pool& HttpClient::State::pool(const std::string& key) {
  const auto found = pools.find(key);
  if (found != pools.end()) return *found->second;
  // Destinations come and go; a pool without connections holds nothing.
  if (pools.size() >= many_pools)
    std::erase_if(pools, [](const auto& entry) { return entry.second->size == 0 && entry.second->waiting == 0; });
  return *pools.emplace(key, std::make_unique<Pool>(worker.executor())).first->second;
}

HttpClient::State::Handle HttpClient::State::take_idle(Pool& pool, const Destination& destination) {
  while (!pool.idle.empty()) {
    Handle member = std::move(pool.idle.back());
    pool.idle.pop_back();
    --idle_count;
    member->disarm();
    member->stream->unwatch();
    if (member->stream->open() && !member->stream->readable() && !expired(*member) && shows(*member, destination))
      return member;
  }
  return nullptr;
}

// A connection shows the certificate that was ours when it began; with another one it is not used again.
bool HttpClient::State::shows(const Member& member, const Destination& destination) {
  if (member.tls == destination.tls) return true;
  return member.tls && destination.tls &&
         member.tls->options().certificate_pem == destination.tls->options().certificate_pem;
}

bool HttpClient::State::expired(const Member& member) const {
  const auto& peer = member.stream->peer();
  return peer && peer->valid_until <= worker.clock().wall();
}

void HttpClient::State::end_expired() {
  bool more = false;
  for (auto& [key, pool] : pools) {
    for (auto& member : pool->all) {
      if (member.purged || !member.stream || !member.stream->peer()) continue;
      if (expired(member)) {
        member.purged = true;
        member.stream->abort();  // whoever reads or watches it sees its end
      } else {
        more = more || member.stream->peer()->valid_until != WallTime::max();
      }
    }
  }
  if (more) sweep.begin();
}

bool HttpClient::State::passes(Member& member) {
  member.judged = judgement;
  const auto node = member.stream->peer() ? member.stream->peer()->node : NodeId();
  const auto judged = member.stream->judge_again();
  const auto& peer = member.stream->peer();
  if (judged && peer && peer->node == node) {
    if (peer->valid_until != WallTime::max()) sweep.begin();
    return true;
  }
  log.warning("a connection ends: its server is refused now",
              {{"node", node.view()}, {"detail", judged ? "it is another node now" : judged.error().detail}});
  return false;
}

void HttpClient::State::review() {
  std::size_t all = 0;
  for (const auto& [key, pool] : pools) all += pool->size;
  std::size_t left = review_slice(all);
  for (auto& [key, pool] : pools) {
    for (auto& member : pool->all) {
      if (member.judged == judgement || member.purged || !member.stream || !member.stream->peer()) continue;
      if (left-- == 0) return reviewing.begin();
      if (passes(member)) continue;
      member.purged = true;
      member.stream->abort();
    }
  }
}

void HttpClient::State::keep(Handle member) {
  Pool& pool = *member->pool;
  if (stopped || member->purged || !member->reusable || !member->input.empty() ||
      pool.idle.size() >= limits.idle_per_destination)
    return;
  member->input.shrink();
  worker.wheel().arm(*member, worker.wheel().now() + limits.idle);
  Member& kept = *member;
  pool.idle.push_back(std::move(member));
  ++idle_count;
  pool.changed.cancel_one();
  const auto drop = [&kept] {
    if (const auto state = kept.owner.lock()) state->drop_idle(kept);
  };
  // Bytes that nobody asked for would be taken for the next answer.
  kept.stream->watch(drop, Stream::Until::anything);
}

void HttpClient::State::drop_idle(Member& member) {
  auto& idle = member.pool->idle;
  const auto found = std::ranges::find_if(idle, [&](const Handle& handle) { return handle.get() == &member; });
  if (found == idle.end()) return;
  const Handle dropped = std::move(*found);
  idle.erase(found);
  --idle_count;
}

Task<Result<void>> HttpClient::State::open(Member& member, const Destination& destination, SteadyTime deadline) {
  auto stream = co_await connector.connect(destination.host, destination.port, deadline);
  if (!stream) co_return fail(std::move(stream.error()));
  member.stream.emplace(std::move(*stream));
  if (member.purged) co_return fail(Code::peer_unreachable, "the destination was withdrawn");
  if (!destination.tls) co_return Result<void>{};
  member.tls = destination.tls;
  const auto begun = judgement;
  auto done = co_await member.stream->connect_tls(destination.tls, destination.server_name, deadline);
  if (!done) {
    failed_handshakes.Increment();
    co_return fail(Code::peer_unreachable, std::move(done.error().detail));
  }
  handshakes.Increment();
  member.judged = begun;
  // It was judged when its certificate came, which may be a while ago.
  if (member.stream->peer() && begun != judgement && !passes(member))
    co_return fail(Code::peer_unreachable, "the server is refused since a moment ago");
  if (member.stream->peer() && member.stream->peer()->valid_until != WallTime::max()) sweep.begin();
  if (member.purged) co_return fail(Code::peer_unreachable, "the destination was withdrawn");
  co_return Result<void>{};
}

Task<Result<HttpClient::State::Handle>> HttpClient::State::connect(const Destination& destination,
                                                                   SteadyTime deadline) {
  Pool& where = pool(destination.pool_key);
  if (where.size >= limits.connections_per_destination) {
    co_return fail(Code::overloaded,
                   "all " + std::to_string(where.size) + " connections to " + destination.host_header + " are busy");
  }
  const Counted connecting(where, &Pool::connecting);
  auto member = std::make_unique<Member>(*this, where);
  const SteadyTime last = std::min(deadline, worker.wheel().now() + limits.connect);
  auto opened = co_await open(*member, destination, last);
  if (!opened) {
    if (worker.wheel().now() >= deadline) co_return fail(Code::deadline_exceeded, std::move(opened.error().detail));
    co_return fail(std::move(opened.error()));
  }
  co_return member;
}

// A burst of calls to a peer must not become a burst of handshakes, which the peer would refuse: they wait for a
// connection that is being made, or given back.
Task<Result<HttpClient::State::Handle>> HttpClient::State::acquire(const Destination& destination,
                                                                   SteadyTime deadline) {
  Pool& where = pool(destination.pool_key);
  if (auto idle = take_idle(where, destination)) co_return idle;
  const Wake alarm(where.changed, worker.wheel(), deadline);
  const auto purges = where.purges;
  while (where.connecting >= limits.connecting_per_destination && !stopped) {
    const Counted waiting(where, &Pool::waiting);
    auto [ec] = co_await where.changed.async_wait(use_tuple);
    (void)ec;
    if ((co_await asio::this_coro::cancellation_state).cancelled() != asio::cancellation_type::none) {
      throw boost::system::system_error(asio::error::operation_aborted);
    }
    if (where.purges != purges) co_return fail(Code::peer_unreachable, "the destination was withdrawn");
    if (auto idle = take_idle(where, destination)) co_return idle;
    if (worker.wheel().now() >= deadline) {
      co_return fail(Code::deadline_exceeded, "no connection to " + destination.host_header + " became free in time");
    }
  }
  co_return co_await connect(destination, deadline);
}

}  // namespace fedgate::net
