// SPDX-License-Identifier: Apache-2.0
//
// Addresses and URLs as configuration writes them, parsed by Boost.URL and Asio. Pure functions.
#pragma once

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

struct Url {
  std::string scheme;  ///< http or https
  std::string host;
  std::uint16_t port = 0;  ///< explicit or the scheme's own
  std::string path;        ///< without trailing slash; may be empty
};
/// http and https only, no user info, no query, no fragment.
Result<Url> parse_url(std::string_view text);

}  // namespace fedgate::net
