// SPDX-License-Identifier: Apache-2.0
//
// Addresses, networks and URLs as configuration writes them, parsed by Boost.URL and Asio. Pure functions.
#pragma once

#include <boost/asio/ip/address.hpp>
#include <cstdint>
#include <string>
#include <string_view>

#include "fedgate/result.h"

namespace fedgate::net {

/// `host:port`, `[v6]:port`, `unix:/path`.
struct Address {
  std::string host;  ///< without brackets; the path where is_unix
  std::uint16_t port = 0;
  bool is_unix = false;
  [[nodiscard]] bool loopback() const;  ///< unix, 127.0.0.0/8, ::1, localhost
};
Result<Address> parse_address(std::string_view text);

/// An IP network as configuration writes it: `192.0.2.0/24`, `2001:db8::/32`, or one address.
struct Network {
  boost::asio::ip::address base;  ///< never a v4-mapped one
  unsigned bits = 0;
  [[nodiscard]] bool contains(const boost::asio::ip::address& address) const;
  bool operator==(const Network&) const = default;
};
/// Code::invalid_configuration; bits set beyond the prefix are refused: a typing error is likelier than intent.
Result<Network> parse_network(std::string_view text);

/// The other end's address as Stream::remote() writes it; unspecified where it is none (`unix`).
boost::asio::ip::address address_of(std::string_view remote);
/// What one party commands at least: an IPv4 address, an IPv6 /64. The key by which strangers are counted.
std::string source_of(const boost::asio::ip::address& address);

struct Url {
  std::string scheme;  ///< http or https
  std::string host;
  std::uint16_t port = 0;  ///< explicit or the scheme's own
  std::string path;        ///< without trailing slash; may be empty
};
/// http and https only, no user info, no query, no fragment.
Result<Url> parse_url(std::string_view text);

}  // namespace fedgate::net
