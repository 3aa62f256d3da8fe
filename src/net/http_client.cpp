// SPDX-License-Identifier: Apache-2.0
#include "net/http_client.h"

#include <boost/intrusive/list.hpp>
#include <unordered_map>
#include <vector>

#include "net/connector.h"
#include "net/http_gate.h"
#include "net/http_parser.h"
#include "net/http_writer.h"
#include "net/input_buffer.h"

namespace fedgate::net {
namespace {

constexpr int most_interim_answers = 8;

constexpr std::size_t many_pools = 256;

namespace intrusive = boost::intrusive;
/// Wakes one waiter when the time is over.
class Wake final : public Expiry {
 public:
  Wake(asio::steady_timer& timer, DeadlineWheel& wheel, SteadyTime at) : timer_(timer) { wheel.arm(*this, at); }

 private:
  // Which waiter is due is not known here: all of them look.
  void expired() noexcept override { timer_.cancel(); }
  asio::steady_timer& timer_;
};

/// In its pool's `all` from the first attempt to connect until it is closed.
struct InPool;
using PoolHook = intrusive::list_base_hook<intrusive::tag<InPool>, intrusive::link_mode<intrusive::auto_unlink>>;

}  // namespace

struct HttpClient::State : std::enable_shared_from_this<State> {
  struct Pool;
  class Member;
  using Handle = std::unique_ptr<Member>;

  State(Worker& w, ClientLimits l, const log::Logger& lg, Metrics& m)
      : worker(w),
        limits(l),
        log(lg),
        handshakes(m.tls_handshakes("client", "ok")),
        failed_handshakes(m.tls_handshakes("client", "failed")),
        connector(w) {}

  Pool& pool(const std::string& key);
  Handle take_idle(Pool& pool);
  void keep(Handle member);
  void drop_idle(Member& member);
  class Counted;
  Task<Result<Handle>> acquire(const Destination& destination, SteadyTime deadline);
  Task<Result<Handle>> connect(const Destination& destination, SteadyTime deadline);
  Task<Result<void>> open(Member& member, const Destination& destination, SteadyTime deadline);
  Task<Exchange> send(const Destination& destination, const Request& request, SteadyTime deadline);
  Task<Result<Response>> exchange(Member& member, std::string_view method, SteadyTime deadline);
  Task<Result<HeadFacts>> read_head(Member& member, std::string_view method, Response& response, SteadyTime deadline);
  Task<Result<void>> fill(Member& member, SteadyTime deadline);

  Worker& worker;
  ClientLimits limits;
  const log::Logger& log;
  prometheus::Counter& handshakes;
  prometheus::Counter& failed_handshakes;
  Connector connector;
  std::unordered_map<std::string, std::unique_ptr<Pool>> pools;
  std::size_t idle_count = 0;
  bool stopped = false;
};

/// One connection: idle in its pool, or owned by the coroutine that uses it.
class HttpClient::State::Member final : public Expiry, public PoolHook {
 public:
  Member(State& owner, Pool& pool);
  ~Member() override;
  Member(const Member&) = delete;
  Member& operator=(const Member&) = delete;

  std::weak_ptr<State> owner;  // an idle connection must not keep its client alive, nor outlive it unnoticed
  Pool* pool;
  std::optional<Stream> stream;
  InputBuffer input;
  ResponseParser parser;
  std::string output;
  bool purged = false;
  bool reusable = false;
  bool used = false;      // has carried a request before
  bool answered = false;  // a byte of an answer has come

 private:
  void expired() noexcept override {
    if (const auto state = owner.lock()) state->drop_idle(*this);
  }
};

struct HttpClient::State::Pool {
  explicit Pool(Executor executor) : changed(executor) { changed.expires_at(SteadyTime::max()); }

  std::vector<Handle> idle;  // the one used last is taken first: the others may grow old and go
  intrusive::list<Member, intrusive::base_hook<PoolHook>, intrusive::constant_time_size<false>> all;
  std::size_t size = 0;
  std::size_t connecting = 0;
  std::size_t waiting = 0;
  asio::steady_timer changed;  // wakes one that waits for a connection
};

/// Counts something while a coroutine is at it; a waiter is woken when it is over, however it ends.
class HttpClient::State::Counted {
 public:
  Counted(Pool& pool, std::size_t Pool::* what) : pool_(pool), what_(what) { ++(pool_.*what_); }
  ~Counted() {
    --(pool_.*what_);
    pool_.changed.cancel_one();
  }
  Counted(const Counted&) = delete;
  Counted& operator=(const Counted&) = delete;

 private:
  Pool& pool_;
  std::size_t Pool::* what_;
};

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

HttpClient::State::Handle HttpClient::State::take_idle(Pool& pool) {
  while (!pool.idle.empty()) {
    Handle member = std::move(pool.idle.back());
    pool.idle.pop_back();
    --idle_count;
    member->disarm();
    member->stream->unwatch();
    if (member->stream->open() && !member->stream->readable()) return member;
  }
  return nullptr;
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
  auto done = co_await member.stream->connect_tls(destination.tls, destination.server_name, deadline);
  if (!done) {
    failed_handshakes.Increment();
    co_return fail(Code::peer_unreachable, std::move(done.error().detail));
  }
  handshakes.Increment();
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
  if (auto idle = take_idle(where)) co_return idle;
  const Wake alarm(where.changed, worker.wheel(), deadline);
  while (where.connecting >= limits.connecting_per_destination && !stopped) {
    const Counted waiting(where, &Pool::waiting);
    auto [ec] = co_await where.changed.async_wait(use_tuple);
    (void)ec;
    if ((co_await asio::this_coro::cancellation_state).cancelled() != asio::cancellation_type::none) {
      throw boost::system::system_error(asio::error::operation_aborted);
    }
    if (auto idle = take_idle(where)) co_return idle;
    if (worker.wheel().now() >= deadline) {
      co_return fail(Code::deadline_exceeded, "no connection to " + destination.host_header + " became free in time");
    }
  }
  co_return co_await connect(destination, deadline);
}

Task<Exchange> HttpClient::State::send(const Destination& destination, const Request& request, SteadyTime deadline) {
  const auto self = shared_from_this();
  Exchange result;
  Handle member;
  bool pooled = false;
  for (int attempt = 0;; ++attempt) {
    if (stopped) {
      result.response = fail(Code::draining, "this client has been stopped");
      co_return result;
    }
    auto acquired = attempt == 0 ? co_await acquire(destination, deadline) : co_await connect(destination, deadline);
    if (!acquired) {
      result.response = fail(std::move(acquired.error()));
      co_return result;
    }
    member = std::move(*acquired);
    pooled = member->used;
    member->used = true;
    if (auto made = write_request(member->output, request, destination.host_header); !made) {
      result.response = fail(std::move(made.error()));
      member->reusable = pooled;
      keep(std::move(member));
      co_return result;
    }
    member->reusable = false;
    member->answered = false;
    member->stream->forget_written();
    auto written = co_await member->stream->write(member->output, deadline);
    // A pooled connection that died while nobody looked has cost nothing: one fresh one is tried.
    if (!written && pooled && !member->stream->wrote() && written.error().code == Code::io_error && attempt == 0) {
      member.reset();
      continue;
    }
    result.sent = member->stream->wrote() ? Sent::something : Sent::nothing;
    result.peer = member->stream->peer();
    // A server may refuse a request before it has taken all of it, and its answer says why.
    if (!written && written.error().code == Code::deadline_exceeded) {
      result.response = fail(Code::deadline_exceeded, std::move(written.error().detail));
      co_return result;
    }
    result.response = co_await exchange(*member, request.method, deadline);
    if (!written) member->reusable = false;
    if (!request.keep_alive) member->reusable = false;
    keep(std::move(member));
    co_return result;
  }
}

Task<Result<void>> HttpClient::State::fill(Member& member, SteadyTime deadline) {
  auto got = co_await member.stream->read_some(member.input.room(), deadline);
  if (!got) co_return fail(std::move(got.error()));
  if (*got == 0) co_return fail(Code::io_error, "");  // an orderly end: the caller knows whether it is one
  member.answered = true;
  member.input.added(*got);
  co_return Result<void>{};
}

Task<Result<HeadFacts>> HttpClient::State::read_head(Member& member, std::string_view method, Response& response,
                                                     SteadyTime deadline) {
  const std::string& who = member.stream->remote();
  for (int interim = 0; interim <= most_interim_answers;) {
    member.parser.start(response);
    if (method == "HEAD") member.parser.expect_no_body();
    while (!member.parser.head_done()) {
      if (!member.input.empty()) {
        auto taken = member.parser.feed(member.input.bytes());
        if (!taken) co_return fail(Code::peer_protocol_error, who + " answered what is " + taken.error().detail);
        member.input.consume(*taken);
        if (member.parser.head_done()) break;
      }
      auto more = co_await fill(member, deadline);
      if (more) continue;
      if (more.error().code == Code::deadline_exceeded) co_return fail(std::move(more.error()));
      if (more.error().code == Code::peer_refused && !member.answered) co_return fail(std::move(more.error()));
      co_return fail(Code::peer_protocol_error,
                     who + " ended the connection without a whole answer " + more.error().detail);
    }
    auto facts = judge_response_head(response, member.parser.version(), method);
    if (!facts) co_return fail(facts.error().in(who));
    if (response.status >= 200) co_return facts;
    if (response.status == 101) co_return fail(Code::peer_protocol_error, who + " switched protocols unasked");
    ++interim;
  }
  co_return fail(Code::peer_protocol_error, who + " sends interim answers without end");
}

Task<Result<Response>> HttpClient::State::exchange(Member& member, std::string_view method, SteadyTime deadline) {
  Response response;
  const std::string& who = member.stream->remote();
  auto facts = co_await read_head(member, method, response, deadline);
  if (!facts) co_return fail(std::move(facts.error()));
  if (facts->content_length.value_or(0) > limits.body) {
    co_return fail(Code::response_too_large, who + " answered " + std::to_string(*facts->content_length) + " bytes");
  }
  const bool until_end = !facts->content_length && !facts->chunked;
  while (!member.parser.done()) {
    if (!member.input.empty()) {
      auto taken = member.parser.feed(member.input.bytes());
      if (!taken) {
        const bool large = taken.error().code == Code::payload_too_large;
        co_return fail(large ? Code::response_too_large : Code::peer_protocol_error, who + ": " + taken.error().detail);
      }
      member.input.consume(*taken);
      if (member.parser.done()) break;
    }
    auto more = co_await fill(member, deadline);
    if (more) continue;
    if (more.error().code == Code::deadline_exceeded) co_return fail(std::move(more.error()));
    const bool orderly = more.error().detail.empty();
    if (until_end && orderly && member.parser.feed_end()) break;
    co_return fail(Code::peer_protocol_error, who + " cut its answer short " + more.error().detail);
  }
  response.close = !stays_open(response.headers, facts->version);
  member.reusable = !until_end && !response.close;
  co_return response;
}

HttpClient::HttpClient(Worker& worker, ClientLimits limits, const log::Logger& log, Metrics& metrics)
    : state_(std::make_shared<State>(worker, limits, log, metrics)) {}
HttpClient::~HttpClient() = default;

Task<Exchange> HttpClient::send(const Destination& destination, const Request& request, SteadyTime deadline) {
  return state_->send(destination, request, deadline);
}

void HttpClient::purge(std::string_view pool_key) {
  for (auto& [key, pool] : state_->pools) {
    if (!key.starts_with(pool_key)) continue;
    for (auto& member : pool->all) {
      member.purged = true;
      if (member.stream) member.stream->abort();
    }
    state_->idle_count -= pool->idle.size();
    pool->idle.clear();
  }
}

Task<> HttpClient::stop() {
  state_->stopped = true;
  state_->connector.stop();
  for (auto& [key, pool] : state_->pools) {
    pool->idle.clear();
    pool->changed.cancel();
  }
  state_->idle_count = 0;
  co_return;
}

std::size_t HttpClient::idle() const { return state_->idle_count; }

}  // namespace fedgate::net
