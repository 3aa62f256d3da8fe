// SPDX-License-Identifier: Apache-2.0
#include "fedgate/error.h"

#include <algorithm>
#include <array>
#include <cstddef>

namespace fedgate {

namespace {

constexpr std::size_t code_count = static_cast<std::size_t>(Code::usage) + 1;
constexpr bool again = true;
constexpr bool final = false;

constexpr std::array<CodeInfo, code_count> table{{
    {Code::bad_request, "bad_request", 400, "The request is malformed", final,
     "Compare the request with the documented form; the detail names the part that is wrong."},
    {Code::invalid_json, "invalid_json", 400, "The body is not strict JSON", final,
     "Send one UTF-8 JSON value without duplicate keys, byte order mark or anything after it."},
    {Code::invalid_arguments, "invalid_arguments", 400, "The arguments do not fit the capability", final,
     "Look at the capability's schema (fedgate resources show) and correct the arguments."},
    {Code::unauthenticated, "unauthenticated", 401, "Who is calling is not known", final,
     "Send a valid token or client certificate; tokens expire and can be revoked (fedgate token list)."},
    {Code::forbidden, "forbidden", 403, "The caller may not do this", final,
     "Ask an operator for a credential whose role allows it."},
    {Code::principal_mismatch, "principal_mismatch", 403, "The caller may not speak for this principal", final,
     "Leave principal_id out, or have the principal added to may_act_for of this credential."},
    {Code::identity_mismatch, "identity_mismatch", 403, "The request's source is not the connection's identity", final,
     "The calling gateway must name itself and principals of its own domains only."},
    {Code::policy_denied, "policy_denied", 403, "Policy denies this call", final,
     "Ask the operators of the side that decided (decided_by) for a rule that allows it."},
    {Code::node_not_trusted, "node_not_trusted", 403, "The node is not trusted or not enabled", final,
     "See who must act next with fedgate trust show, or enable the node."},
    {Code::not_found, "not_found", 404, "There is no such thing here", final, "Check the path and the identifier."},
    {Code::resource_not_found, "resource_not_found", 404, "The resource is not known", final,
     "List what may be used with fedgate resources list; check the spelling."},
    {Code::capability_not_found, "capability_not_found", 404, "The resource has no such capability", final,
     "List the resource's capabilities with fedgate resources show."},
    {Code::node_not_found, "node_not_found", 404, "The node is not known", final,
     "List the known nodes with fedgate nodes list, or add the node."},
    {Code::method_not_allowed, "method_not_allowed", 405, "The path does not take this method", final,
     "Use a method that the Allow header names."},
    {Code::conflict, "conflict", 409, "The present state does not allow this", final,
     "Read the present state again and decide afresh."},
    {Code::duplicate_call, "duplicate_call", 409, "This call was received before", final,
     "Do not send it again: look up how it ended by its correlation id."},
    {Code::outcome_unknown, "outcome_unknown", 409, "Whether this call took effect is not known", final,
     "Ask the service's owner or look into the service before the call is made again."},
    {Code::idempotency_mismatch, "idempotency_mismatch", 422, "The idempotency key belongs to another call", final,
     "Use a new Idempotency-Key for a call that differs."},
    {Code::payload_too_large, "payload_too_large", 413, "The body is too large", final,
     "Send less, or have limits.body raised on the side that refused."},
    {Code::uri_too_long, "uri_too_long", 414, "The request target is too long", final,
     "Shorten the path and the query."},
    {Code::unsupported_media_type, "unsupported_media_type", 415, "The body's media type is not accepted", final,
     "Send Content-Type: application/json."},
    {Code::headers_too_large, "headers_too_large", 431, "The header section is too large", final,
     "Send fewer or shorter headers, or have limits.header raised."},
    {Code::rate_limited, "rate_limited", 429, "Too many calls", again, "Wait for as long as Retry-After says."},
    {Code::overloaded, "overloaded", 503, "The gateway is at its limit", again,
     "Try again after a pause; operators: see the concurrency and queue limits."},
    {Code::cancelled, "cancelled", 499, "The caller went away", again,
     "Nothing, if this was meant; otherwise keep the connection open until the answer comes."},
    {Code::internal, "internal", 500, "The gateway failed", again,
     "Give the correlation id to the gateway's operators; the log names the cause."},
    {Code::peer_unreachable, "peer_unreachable", 502, "The other gateway cannot be reached", again,
     "Run fedgate nodes check for this node: it tests DNS, TCP and TLS in turn."},
    {Code::peer_refused, "peer_refused", 502, "The other gateway refused this gateway", final,
     "Run fedgate nodes check for this node and send the other side's operators what it prints."},
    {Code::peer_protocol_error, "peer_protocol_error", 502, "The other gateway's answer was not understood", final,
     "Compare the versions of both gateways; give the correlation id to the operators."},
    {Code::upstream_unreachable, "upstream_unreachable", 502, "The service cannot be reached", again,
     "The target's operators: check that the service runs at the configured address."},
    {Code::upstream_failed, "upstream_failed", 502, "The service failed", again,
     "The target's operators: look into the service's own log."},
    {Code::upstream_rejected, "upstream_rejected", 422, "The service rejected the call", final,
     "Correct the arguments; the service understood the call and would not do it."},
    {Code::upstream_protocol_error, "upstream_protocol_error", 502, "The service's answer was not understood", final,
     "The target's operators: check the adapter's type and the service's answer."},
    {Code::response_too_large, "response_too_large", 502, "The answer is too large", final,
     "Ask for less, or have limits.body raised."},
    {Code::audit_unavailable, "audit_unavailable", 503, "The call cannot be recorded", again,
     "Operators: free space for the audit journal or repair its disk; calls resume by themselves."},
    {Code::store_unavailable, "store_unavailable", 503, "The database cannot be used", again,
     "Operators: check the database and store.url."},
    {Code::draining, "draining", 503, "The gateway is shutting down", again,
     "Try again; another replica or the restarted gateway will answer."},
    {Code::deadline_exceeded, "deadline_exceeded", 504, "Time ran out", again,
     "Allow more time (Request-Timeout), or find out which part is slow from metadata.timing."},
    {Code::loop_detected, "loop_detected", 508, "The call came back to a gateway it had passed", final,
     "Operators: check the routes of the nodes that the call passed."},
    {Code::invalid_configuration, "invalid_configuration", 500, "The configuration is not valid", final,
     "Correct the named line and run fedgate check."},
    {Code::invalid_certificate, "invalid_certificate", 500, "The certificate is not acceptable", final,
     "Run fedgate pki verify to see every reason."},
    {Code::io_error, "io_error", 500, "A file or device failed", final,
     "Check that the named path exists, may be used by this user, and that its disk has space."},
    {Code::daemon_unreachable, "daemon_unreachable", 500, "The daemon cannot be reached", again,
     "Check that fedgate serve runs and that --url or the admin socket is the right one."},
    {Code::usage, "usage", 500, "The command was not understood", final, "Run the command with --help."},
}};

consteval bool in_order() {
  for (std::size_t i = 0; i < table.size(); ++i) {
    if (static_cast<std::size_t>(table[i].code) != i) return false;
  }
  return true;
}
static_assert(in_order(), "the table stands in the order of Code");

}  // namespace

const CodeInfo& code_info(Code code) {
  const auto index = static_cast<std::size_t>(code);
  return index < table.size() ? table[index] : table[static_cast<std::size_t>(Code::internal)];
}

std::span<const CodeInfo> all_codes() { return table; }

Code code_from_wire(std::string_view wire_name) {
  // A peer that sends an operators' code is not believed.
  const auto end = table.begin() + static_cast<std::ptrdiff_t>(Code::invalid_configuration);
  const auto found =
      std::find_if(table.begin(), end, [&](const CodeInfo& info) { return info.wire_name == wire_name; });
  return found == end ? Code::internal : found->code;
}

Error Error::in(std::string_view context) const {
  std::string text(context);
  text.append(": ").append(detail);
  return {code, std::move(text)};
}

}  // namespace fedgate
