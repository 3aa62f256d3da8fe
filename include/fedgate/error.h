// SPDX-License-Identifier: Apache-2.0
//
// Errors are values with context. An Error says what failed, on what, why, and what to try; its Code
// decides how it looks on the wire, whether a retry may help, and what a person can do about it. The
// table behind code_info() is the one list of codes; docs/http-api.md is made from it. Plain values,
// any thread.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace fedgate {

enum class Code : std::uint8_t {
  bad_request,
  invalid_json,
  invalid_arguments,
  unauthenticated,
  forbidden,
  principal_mismatch,
  identity_mismatch,
  policy_denied,
  node_not_trusted,
  not_found,
  resource_not_found,
  capability_not_found,
  node_not_found,
  method_not_allowed,
  conflict,
  duplicate_call,
  outcome_unknown,
  idempotency_mismatch,
  payload_too_large,
  uri_too_long,
  unsupported_media_type,
  headers_too_large,
  rate_limited,
  overloaded,
  cancelled,
  internal,
  peer_unreachable,
  peer_refused,
  peer_protocol_error,
  upstream_unreachable,
  upstream_failed,
  upstream_rejected,
  upstream_protocol_error,
  response_too_large,
  audit_unavailable,
  store_unavailable,
  draining,
  deadline_exceeded,
  loop_detected,
  // Never on the wire: what operators' commands and the start of the daemon report.
  invalid_configuration,
  invalid_certificate,
  io_error,
  daemon_unreachable,
  usage,
};

/// What one Code means, to whom. `wire_name` is what clients and peers script against (RFC 9457 `code`).
struct CodeInfo {
  Code code;
  std::string_view wire_name;
  std::uint16_t http_status;
  std::string_view title;   ///< fixed text, safe to show to a peer
  bool retryable;           ///< the same call may succeed later, unchanged
  std::string_view advice;  ///< what a person can do next
};

const CodeInfo& code_info(Code code);
/// The whole table, in the order of Code.
std::span<const CodeInfo> all_codes();
/// The code with this wire name; Code::internal where there is none (a peer may be newer than we are).
Code code_from_wire(std::string_view wire_name);

struct Error {
  Code code = Code::internal;
  /// For operators: what failed, on which file:line or peer, why, what to try. Never sent to a peer.
  std::string detail;

  Error() = default;
  Error(Code c, std::string d) : code(c), detail(std::move(d)) {}

  /// The same error seen from one level up: "context: detail".
  [[nodiscard]] Error in(std::string_view context) const;
  [[nodiscard]] const CodeInfo& info() const { return code_info(code); }
  bool operator==(const Error&) const = default;
};

}  // namespace fedgate
