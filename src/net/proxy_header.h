// SPDX-License-Identifier: Apache-2.0
//
// The PROXY protocol, versions 1 and 2 (haproxy's doc/proxy-protocol.txt): a balancer in front of us says whose
// connection it carries. Read from configured balancers only, before TLS begins. Pure functions but for the reading.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/task.h"
#include "fedgate/result.h"
#include "net/stream.h"

namespace fedgate::net {

constexpr std::size_t longest_proxy_header_v1 = 107;  // CR LF included
constexpr std::size_t longest_proxy_header_v2 = 16 + 1024;

/// Exactly the header, not a byte of what follows. The source as Stream::remote() writes it; empty where the balancer
/// speaks for itself (v1 UNKNOWN, v2 LOCAL and address families other than IP). Code::bad_request: no header, or not
/// a well-formed one; Code::deadline_exceeded, Code::io_error.
Task<Result<std::string>> read_proxy_header(Stream& stream, SteadyTime deadline);

// For read_proxy_header():
/// A whole line without its CR LF.
Result<std::string> parse_proxy_v1(std::string_view line);
/// A whole header of version 2; `payload` is what its length field announces.
Result<std::string> parse_proxy_v2(std::string_view fixed, std::string_view payload);

}  // namespace fedgate::net
