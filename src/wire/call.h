// SPDX-License-Identifier: Apache-2.0
//
// JSON ↔ values for one call: what clients and peers send to /api/v2/federation/invoke, what they get back,
// and the headers of protocol.md section 1. Field names are SARK v2's. Pure functions; a json::Parser is
// passed in, one per worker.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "fedgate/decision.h"
#include "fedgate/id.h"
#include "fedgate/invocation.h"
#include "fedgate/outcome.h"
#include "fedgate/result.h"

namespace fedgate::wire {

// Header names, once.
namespace header {
inline constexpr std::string_view correlation_id = "Fedgate-Correlation-Id";
inline constexpr std::string_view deadline_ms = "Fedgate-Deadline-Ms";
inline constexpr std::string_view via = "Fedgate-Via";
inline constexpr std::string_view call_nonce = "Fedgate-Call-Nonce";
inline constexpr std::string_view audit_leaf = "Fedgate-Audit-Leaf";
/// The newest checkpoint of the sender's log: wire/witness_text.h, head_header().
inline constexpr std::string_view checkpoint = "Fedgate-Checkpoint";
inline constexpr std::string_view idempotency_key = "Idempotency-Key";
inline constexpr std::string_view request_timeout = "Request-Timeout";
inline constexpr std::string_view traceparent = "traceparent";
/// W3C Server-Timing: how a peer tells its own and its service's share, in milliseconds.
inline constexpr std::string_view server_timing = "Server-Timing";
}  // namespace header

/// The body of an invoke request. Texts of `arguments` and `context` are copies of the raw JSON.
struct InvokeBody {
  std::optional<NodeId> source_node;  ///< peers only: must be who the certificate says
  std::optional<NodeId> target_node;
  ResourceId resource;
  CapabilityId capability;
  std::optional<PrincipalId> principal;
  std::optional<PrincipalId> actor;  ///< peers only
  std::vector<std::string> groups;   ///< peers only; a claim
  std::string arguments = "{}";
  std::string context = "{}";
  std::uint32_t attempt = 1;  ///< peers only
};

/// From one of our clients: unknown members are refused (a misspelt `arguments` must not pass as none).
Result<InvokeBody> parse_client_invoke(json::Parser& parser, std::string_view body);
/// From a peer: unknown members are ignored (it may be newer than we are).
Result<InvokeBody> parse_peer_invoke(json::Parser& parser, std::string_view body);
/// What the origin's gateway sends.
std::string peer_invoke_body(const Invocation& invocation);

/// The answer to an invoke, on both hops. `result` is JSON text.
struct InvokeAnswer {
  NodeId node;
  ResourceId resource;
  std::string correlation_id;
  std::string result = "null";
  std::chrono::microseconds duration{};
  Timing timing;
  std::optional<LeafReference> receipt;
};
std::string answer_body(const InvokeAnswer& answer);

/// A failure, RFC 9457 and SARK at once. `detail` only where the reader may know it.
struct Problem {
  Code code = Code::internal;
  std::string detail;
  std::string node_id;
  std::string resource_id;
  std::string correlation_id;
  DecidedBy decided_by = DecidedBy::none;
  std::optional<Effect> effect;
  std::optional<Timing> timing;
  std::optional<LeafReference> receipt;
};
std::string problem_body(const Problem& problem);

/// What the origin reads from a peer's answer, good or bad.
struct PeerAnswer {
  bool success = false;
  std::string result;        ///< JSON text, where success
  std::optional<Code> code;  ///< where not
  DecidedBy decided_by = DecidedBy::target;
  Effect effect = Effect::failed;
};
/// Code::peer_protocol_error for anything that is not such an answer.
Result<PeerAnswer> parse_peer_answer(json::Parser& parser, std::string_view body);

/// `log;index;hex` ↔ LeafReference.
std::string leaf_header(const LeafReference& leaf);
Result<LeafReference> parse_leaf_header(std::string_view text);
/// `a, b` ↔ node ids; at most 8 are read.
std::string via_header(const std::vector<NodeId>& via);
Result<std::vector<NodeId>> parse_via_header(std::string_view text);
/// `target;dur=1.234, upstream;dur=0.5` ↔ the two shares.
std::string timing_header(const Timing& timing);
Timing parse_timing_header(std::string_view text);
/// 1 to 128 visible ASCII characters without quotes.
Result<std::string> parse_idempotency_key(std::string_view text);
/// W3C Trace Context version 00; empty where it is not one (it is dropped, not refused).
std::string parse_traceparent(std::string_view text);

/// A service's answer as a JSON value: JSON stays as it is (validated), anything else becomes
/// `{content_type, body_base64}`.
Result<std::string> result_value(json::Parser& parser, std::string_view content_type, std::string body);

}  // namespace fedgate::wire
