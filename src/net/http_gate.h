// SPDX-License-Identifier: Apache-2.0
//
// What Beast 1.81 lets pass and we do not: request smuggling by unknown or quoted Transfer-Encoding, TE in
// HTTP/1.0, TE together with Content-Length, repeated or odd Content-Length; missing, double, foreign or
// malformed Host; CONNECT, absolute-form and asterisk-form targets; controls or bytes over 0x7F in a target;
// unknown methods (RFC 9112 sections 3.2, 6.1, 6.3, 11.2). Judged after the head is read, before anything acts
// on it. Pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "fedgate/result.h"
#include "net/http_message.h"

namespace fedgate::net {

struct HeadFacts {
  unsigned version = 11;  ///< 10 or 11
  std::optional<std::uint64_t> content_length;
  bool chunked = false;
};

/// Errors: bad_request (400), method_not_allowed is never used here: an unknown method is bad_request.
Result<HeadFacts> judge_request_head(const Request& head, unsigned version, const std::vector<std::string>& hosts);
/// Errors: peer_protocol_error. Without `chunked` and `content_length` the body ends with the connection, which
/// is allowed only where the head says that it closes. Answers that have no body get a `content_length` of 0.
Result<HeadFacts> judge_response_head(const Response& head, unsigned version, std::string_view request_method);

/// `token` stands in the comma-separated list(s) of this field, whatever its case.
bool has_token(const Headers& headers, std::string_view name, std::string_view token);
/// RFC 9112 section 9.3: the connection goes on after this message.
bool stays_open(const Headers& headers, unsigned version);

}  // namespace fedgate::net
