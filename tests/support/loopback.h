// SPDX-License-Identifier: Apache-2.0
//
// TCP on 127.0.0.1, for tests that look at it from outside.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>

namespace fedgate::test {

inline sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

/// Whether `call` (::bind, ::connect) succeeds with a fresh socket on this port.
inline bool succeeds(int (*call)(int, const sockaddr*, socklen_t), std::uint16_t port) {
  const int probe = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_in address = loopback(port);
  const void* place = &address;
  const bool good = call(probe, static_cast<const sockaddr*>(place), sizeof address) == 0;
  ::close(probe);
  return good;
}

}  // namespace fedgate::test
