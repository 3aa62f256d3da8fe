// SPDX-License-Identifier: Apache-2.0
//
// From a name or address to a connected Stream, within a deadline. Numeric addresses and unix sockets need no
// resolver; names use the system's, on Asio's resolver thread: a lookup that hangs is left to itself, bounded.
// Belongs to one worker.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <cstddef>
#include <memory>
#include <string>

#include "base/task.h"
#include "base/worker.h"
#include "net/stream.h"

namespace fedgate::net {

class Connector {
 public:
  explicit Connector(Worker& worker);

  /// Tries each address in turn, each with its share of the time. Code::peer_unreachable, Code::overloaded
  /// (too many lookups hang). `port` 0: `host` is the path of a unix socket.
  Task<Result<Stream>> connect(std::string host, std::uint16_t port, SteadyTime deadline);
  /// Ends lookups; later ones fail.
  void stop();

 private:
  struct Lookup;
  using Endpoints = std::vector<Stream::Socket::endpoint_type>;
  Task<Result<Endpoints>> resolve(const std::string& host, std::uint16_t port, SteadyTime deadline);
  Task<Result<Stream>> connect_to(Stream::Socket::endpoint_type endpoint, SteadyTime deadline);

  Worker& worker_;
  asio::ip::tcp::resolver resolver_;
  std::shared_ptr<std::size_t> lookups_;
};

}  // namespace fedgate::net
