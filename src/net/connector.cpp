// SPDX-License-Identifier: Apache-2.0
#include "net/connector.h"

#include <boost/asio/ip/address.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstring>

namespace fedgate::net {
namespace {

constexpr std::size_t most_lookups = 64;
constexpr std::size_t most_addresses = 8;

/// Cancels whatever waits on `Object` when time runs out.
template <class Object>
class CancelLate final : public Expiry {
 public:
  explicit CancelLate(Object& object) : object_(object) {}

 private:
  void expired() noexcept override {
    try {
      object_.cancel();
    } catch (const std::exception&) {  // a socket that is closed has nothing to cancel
    }
  }
  Object& object_;
};

bool cancelled(const asio::cancellation_state& state) { return state.cancelled() != asio::cancellation_type::none; }
[[noreturn]] void abort_task() { throw boost::system::system_error(asio::error::operation_aborted); }

}  // namespace

struct Connector::Lookup {
  explicit Lookup(Executor executor) : answered(executor) { answered.expires_at(SteadyTime::max()); }
  asio::steady_timer answered;
  bool done = false;
  boost::system::error_code ec;
  asio::ip::tcp::resolver::results_type results;
};

Connector::Connector(Worker& worker)
    : worker_(worker), resolver_(worker.executor()), lookups_(std::make_shared<std::size_t>(0)) {}

void Connector::stop() { resolver_.cancel(); }

Task<Result<std::vector<Connector::Endpoint>>> Connector::resolve(const std::string& host, std::uint16_t port,
                                                                  SteadyTime deadline) {
  std::vector<Endpoint> endpoints;
  if (port == 0) {
    endpoints.emplace_back(asio::local::stream_protocol::endpoint(host));
    co_return endpoints;
  }
  boost::system::error_code not_numeric;
  const auto address = asio::ip::make_address(host, not_numeric);
  if (!not_numeric) {
    endpoints.emplace_back(asio::ip::tcp::endpoint(address, port));
    co_return endpoints;
  }
  if (*lookups_ >= most_lookups) co_return fail(Code::overloaded, "too many name lookups at once");
  // getaddrinfo() cannot be interrupted: the coroutine stops waiting, the lookup ends when it ends.
  const auto lookup = std::make_shared<Lookup>(worker_.executor());
  ++*lookups_;
  resolver_.async_resolve(host, std::to_string(port), asio::ip::resolver_base::numeric_service,
                          [lookup, lookups = lookups_](const boost::system::error_code& ec, auto results) {
                            --*lookups;
                            lookup->done = true;
                            lookup->ec = ec;
                            lookup->results = std::move(results);
                            lookup->answered.cancel();
                          });
  CancelLate<asio::steady_timer> late(lookup->answered);
  worker_.wheel().arm(late, deadline);
  while (!lookup->done && late.armed()) {
    auto [ec] = co_await lookup->answered.async_wait(use_tuple);
    (void)ec;
    if (cancelled(co_await asio::this_coro::cancellation_state)) abort_task();
  }
  if (!lookup->done) co_return fail(Code::peer_unreachable, "looking up '" + host + "' took too long");
  if (lookup->ec) co_return fail(Code::peer_unreachable, "looking up '" + host + "': " + lookup->ec.message());
  for (const auto& entry : lookup->results) {
    if (endpoints.size() < most_addresses) endpoints.emplace_back(entry.endpoint());
  }
  co_return endpoints;
}

Task<Result<Stream>> Connector::connect_to(Endpoint endpoint, SteadyTime deadline) {
  Socket socket(worker_.io());
  boost::system::error_code opened;
  socket.open(endpoint.protocol(), opened);
  if (opened) co_return fail(Code::peer_unreachable, "opening a socket: " + opened.message());
  CancelLate<Socket> late(socket);
  worker_.wheel().arm(late, deadline);
  auto [ec] = co_await socket.async_connect(endpoint, use_tuple);
  if (cancelled(co_await asio::this_coro::cancellation_state)) abort_task();
  if (ec && !late.armed()) co_return fail(Code::peer_unreachable, "no answer in time");
  if (ec) co_return fail(Code::peer_unreachable, ec.message());
  late.disarm();
  co_return Stream(worker_, socket.release());
}

Task<Result<Stream>> Connector::connect(std::string host, std::uint16_t port, SteadyTime deadline) {
  const std::string target = port == 0 ? "unix:" + host : host + ":" + std::to_string(port);
  if (port == 0 && host.size() > 107)
    co_return fail(Code::peer_unreachable, target + ": the path is too long for a unix socket");
  auto endpoints = co_await resolve(host, port, deadline);
  if (!endpoints) co_return fail(std::move(endpoints.error()));
  Error last(Code::peer_unreachable, "the name has no address");
  for (std::size_t i = 0; i < endpoints->size(); ++i) {
    const SteadyTime now = worker_.wheel().now();
    const auto share = (deadline - now) / static_cast<long>(endpoints->size() - i);
    auto stream = co_await connect_to((*endpoints)[i], now + share);
    if (stream) co_return stream;
    last = std::move(stream.error());
  }
  co_return fail(last.in("connecting to " + target));
}

std::string text_of(const Connector::Endpoint& endpoint) {
  asio::ip::tcp::endpoint known;
  if (endpoint.protocol().family() == AF_UNIX || endpoint.size() > known.capacity()) return "unix";
  std::memcpy(known.data(), endpoint.data(), endpoint.size());
  known.resize(endpoint.size());
  const auto host = known.address().to_string();
  return (known.address().is_v6() ? "[" + host + "]" : host) + ":" + std::to_string(known.port());
}

}  // namespace fedgate::net
