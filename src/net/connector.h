// SPDX-License-Identifier: Apache-2.0
//
// From a name or address to a connected Stream, within a deadline. Numeric addresses and unix sockets need no
// resolver; names use the system's, on Asio's resolver thread: a lookup that hangs is left to itself, bounded.
// Belongs to one worker.
#pragma once

#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "base/task.h"
#include "base/worker.h"
#include "net/stream.h"

namespace fedgate::net {

class Connector {
 public:
  using Socket = asio::generic::stream_protocol::socket;
  using Endpoint = Socket::endpoint_type;
  explicit Connector(Worker& worker);

  /// Tries each address in turn, each with its share of the time. Code::peer_unreachable, Code::overloaded
  /// (too many lookups hang). `port` 0: `host` is the path of a unix socket.
  Task<Result<Stream>> connect(std::string host, std::uint16_t port, SteadyTime deadline);
  // The two steps of connect(), for who wants to see each. At most eight addresses.
  Task<Result<std::vector<Endpoint>>> resolve(const std::string& host, std::uint16_t port, SteadyTime deadline);
  Task<Result<Stream>> connect_to(Endpoint endpoint, SteadyTime deadline);
  /// Ends lookups; later ones fail.
  void stop();

 private:
  struct Lookup;

  Worker& worker_;
  asio::ip::tcp::resolver resolver_;
  std::shared_ptr<std::size_t> lookups_;
};

/// `192.0.2.1:4711`, `[2001:db8::1]:4711` or `unix`.
std::string text_of(const Connector::Endpoint& endpoint);

}  // namespace fedgate::net
