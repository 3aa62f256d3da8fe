// SPDX-License-Identifier: Apache-2.0
//
// What the client's two parts share: the connections and who may have one (http_client_pool.cpp), and what is said on
// one of them (http_client.cpp). Seen by these alone. On the client's worker.
#pragma once

#include <boost/asio/steady_timer.hpp>
#include <boost/intrusive/list.hpp>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "net/alarm.h"
#include "net/connector.h"
#include "net/http_client.h"
#include "net/http_gate.h"
#include "net/http_parser.h"
#include "net/input_buffer.h"

namespace fedgate::net {

namespace intrusive = boost::intrusive;
/// In its pool's `all` from the first attempt to connect until it is closed.
struct InPool;
using PoolHook = intrusive::list_base_hook<intrusive::tag<InPool>, intrusive::link_mode<intrusive::auto_unlink>>;

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
  Handle take_idle(Pool& pool, const Destination& destination);
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
  [[nodiscard]] static bool shows(const Member& member, const Destination& destination);
  [[nodiscard]] bool expired(const Member& member) const;
  void end_expired();
  void review();
  [[nodiscard]] bool passes(Member& member);

  Worker& worker;
  ClientLimits limits;
  const log::Logger& log;
  prometheus::Counter& handshakes;
  prometheus::Counter& failed_handshakes;
  Connector connector;
  std::unordered_map<std::string, std::unique_ptr<Pool>> pools;
  std::size_t idle_count = 0;
  bool stopped = false;

  /// Looks for connections whose peer's identity has expired, while there are any that can.
  Alarm sweep{worker.wheel(), std::chrono::seconds(1), [this] { end_expired(); }};
  /// Judges the servers of open connections again, a slice at each tick.
  Alarm reviewing{worker.wheel(), std::chrono::milliseconds(0), [this] { review(); }};
  std::uint64_t judgement = 0;  // counts how often everybody had to be judged again
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
  Ticket held;  // before the stream: given back when the socket is closed
  std::optional<Stream> stream;
  std::shared_ptr<TlsContext> tls;  // that the connection began with
  InputBuffer input;
  ResponseParser parser;
  std::string output;
  std::uint64_t judged = 0;  // the State's judgement that its server has passed
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
  std::size_t purges = 0;
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

}  // namespace fedgate::net
