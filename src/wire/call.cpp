// SPDX-License-Identifier: Apache-2.0
#include "wire/call.h"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "base/hash.h"

namespace fedgate::wire {

namespace {

Error wrong(std::string_view member, std::string_view want) {
  return {Code::bad_request, "member \"" + std::string(member) + "\" must be " + std::string(want)};
}

template <class Id>
Result<void> take_id(const json::Field& field, Id& into) {
  if (field.kind != json::Kind::string) return fail(wrong(field.key, "a string"));
  auto id = Id::parse(field.text);
  if (!id) return fail(id.error().in("member \"" + std::string(field.key) + "\""));
  into = std::move(*id);
  return {};
}

template <class Id>
Result<void> take_id(const json::Field& field, std::optional<Id>& into) {
  if (field.kind == json::Kind::null) return {};
  return take_id(field, into.emplace());
}

Result<void> take_object(const json::Field& field, std::string& into) {
  if (field.kind == json::Kind::null) return {};
  if (field.kind != json::Kind::object) return fail(wrong(field.key, "an object"));
  into.assign(field.raw);
  return {};
}

Result<void> take_groups(const json::Parser& parser, const json::Field& field, InvokeBody& body) {
  const auto groups = parser.strings(field);
  if (!groups || groups->size() > 64) return fail(wrong(field.key, "an array of at most 64 strings"));
  for (const auto group : *groups) {
    if (group.empty() || group.size() > 128) return fail(wrong(field.key, "strings of 1 to 128 bytes"));
    body.groups.emplace_back(group);
  }
  return {};
}

/// The members of a peer's message that a client's does not have. False: not one of them.
Result<bool> take_peer_member(const json::Parser& parser, const json::Field& field, InvokeBody& body) {
  Result<void> taken;
  if (field.key == "source_node") {
    taken = take_id(field, body.source_node);
  } else if (field.key == "actor") {
    taken = take_id(field, body.actor);
  } else if (field.key == "groups") {
    taken = take_groups(parser, field, body);
  } else if (field.key == "attempt") {
    std::uint32_t attempt = 0;
    const auto* end = field.raw.data() + field.raw.size();
    const auto [at, problem] = std::from_chars(field.raw.data(), end, attempt);
    if (problem != std::errc{} || at != end || attempt == 0) return fail(wrong(field.key, "a number from 1"));
    body.attempt = attempt;
  } else {
    return false;
  }
  if (!taken) return fail(taken.error());
  return true;
}

enum class Sender : std::uint8_t { client, peer };

Result<InvokeBody> parse_invoke(json::Parser& parser, std::string_view text, Sender sender) {
  auto fields = parser.object(text);
  if (!fields) return fail(fields.error());
  InvokeBody body;
  for (const json::Field& field : *fields) {
    Result<void> taken;
    if (field.key == "resource_id") {
      taken = take_id(field, body.resource);
    } else if (field.key == "capability_id") {
      taken = take_id(field, body.capability);
    } else if (field.key == "target_node_id") {
      taken = take_id(field, body.target_node);
    } else if (field.key == "principal_id") {
      taken = take_id(field, body.principal);
    } else if (field.key == "arguments") {
      taken = take_object(field, body.arguments);
    } else if (field.key == "context") {
      taken = take_object(field, body.context);
    } else if (sender == Sender::peer) {
      auto known = take_peer_member(parser, field, body);
      if (!known) taken = fail(known.error());
    } else {
      taken = fail(Code::bad_request,
                   "unknown member \"" + std::string(field.key.substr(0, 64)) +
                       "\"; known are target_node_id, resource_id, capability_id, principal_id, arguments, context");
    }
    if (!taken) return fail(taken.error());
  }
  if (body.resource.empty()) return fail(Code::bad_request, "member \"resource_id\" is missing");
  if (body.capability.empty()) return fail(Code::bad_request, "member \"capability_id\" is missing");
  return body;
}

void member(std::string& out, std::string_view key, std::string_view text) {
  out += ",\"";
  out += key;
  out += "\":";
  json::append_string(out, text);
}

void append_integer(std::string& out, std::int64_t value) {
  std::array<char, 24> digits{};
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
  out.append(digits.data(), static_cast<std::size_t>(end - digits.data()));
}

void append_milliseconds(std::string& out, std::chrono::microseconds value) {
  const auto us = std::max<std::int64_t>(value.count(), 0);
  append_integer(out, us / 1000);
  const auto rest = us % 1000;
  if (rest == 0) return;
  out += '.';
  if (rest < 100) out += '0';
  if (rest < 10) out += '0';
  append_integer(out, rest);
  while (out.back() == '0') out.pop_back();
}

void append_metadata(std::string& out, const std::optional<Timing>& timing,
                     const std::optional<LeafReference>& receipt) {
  out += ",\"metadata\":{";
  if (timing) {
    out += "\"timing\":{\"origin\":";
    append_milliseconds(out, timing->origin);
    out += ",\"network\":";
    append_milliseconds(out, timing->network);
    out += ",\"target\":";
    append_milliseconds(out, timing->target);
    out += ",\"upstream\":";
    append_milliseconds(out, timing->upstream);
    out += '}';
  }
  if (receipt) {
    if (timing) out += ',';
    out += "\"receipt\":{\"log\":";
    json::append_string(out, receipt->log);
    out += ",\"index\":";
    append_integer(out, static_cast<std::int64_t>(receipt->index));
    out += ",\"leaf_hash\":\"";
    out += to_hex(receipt->hash);
    out += "\"}";
  }
  out += '}';
}

}  // namespace

Result<InvokeBody> parse_client_invoke(json::Parser& parser, std::string_view body) {
  return parse_invoke(parser, body, Sender::client);
}

Result<InvokeBody> parse_peer_invoke(json::Parser& parser, std::string_view body) {
  return parse_invoke(parser, body, Sender::peer);
}

std::string peer_invoke_body(const Invocation& invocation) {
  std::string out;
  out.reserve(256 + invocation.arguments.size() + invocation.context.size());
  out += "{\"source_node\":";
  json::append_string(out, invocation.origin.view());
  member(out, "target_node_id", invocation.target.view());
  member(out, "resource_id", invocation.resource.view());
  member(out, "capability_id", invocation.capability.view());
  member(out, "principal_id", invocation.principal.view());
  if (invocation.actor) member(out, "actor", invocation.actor->view());
  if (!invocation.groups.empty()) {
    out += ",\"groups\":[";
    for (std::size_t i = 0; i < invocation.groups.size(); ++i) {
      if (i > 0) out += ',';
      json::append_string(out, invocation.groups[i]);
    }
    out += ']';
  }
  if (invocation.attempt != 1) {
    out += ",\"attempt\":";
    append_integer(out, invocation.attempt);
  }
  out += ",\"arguments\":";
  out += invocation.arguments;
  out += ",\"context\":";
  out += invocation.context;
  out += '}';
  return out;
}

std::string answer_body(const InvokeAnswer& answer) {
  std::string out;
  out.reserve(512 + answer.result.size());
  out += "{\"success\":true";
  member(out, "node_id", answer.node.view());
  member(out, "resource_id", answer.resource.view());
  out += ",\"result\":";
  out += answer.result;
  out += ",\"error\":null";
  append_metadata(out, answer.timing, answer.receipt);
  out += ",\"duration_ms\":";
  append_milliseconds(out, answer.duration);
  member(out, "audit_correlation_id", answer.correlation_id);
  out += '}';
  return out;
}

std::string problem_body(const Problem& problem) {
  const CodeInfo& info = code_info(problem.code);
  std::string out;
  out.reserve(512 + problem.detail.size());
  out += "{\"type\":\"about:blank\"";
  member(out, "title", info.title);
  out += ",\"status\":";
  append_integer(out, info.http_status);
  if (!problem.detail.empty()) member(out, "detail", problem.detail);
  member(out, "code", info.wire_name);
  out += ",\"success\":false";
  if (!problem.node_id.empty()) member(out, "node_id", problem.node_id);
  if (!problem.resource_id.empty()) member(out, "resource_id", problem.resource_id);
  member(out, "error", problem.detail.empty() ? info.title : std::string_view(problem.detail));
  if (problem.decided_by != DecidedBy::none) member(out, "decided_by", to_string(problem.decided_by));
  out += info.retryable ? ",\"retryable\":true" : ",\"retryable\":false";
  if (problem.effect) member(out, "outcome", to_string(*problem.effect));
  if (problem.timing || problem.receipt) append_metadata(out, problem.timing, problem.receipt);
  if (!problem.correlation_id.empty()) member(out, "audit_correlation_id", problem.correlation_id);
  out += '}';
  return out;
}

Result<PeerAnswer> parse_peer_answer(json::Parser& parser, std::string_view body) {
  auto fields = parser.object(body);
  if (!fields)
    return fail(Code::peer_protocol_error, "the peer's answer is not the JSON we expect: " + fields.error().detail);
  PeerAnswer answer;
  bool saw_success = false;
  for (const json::Field& field : *fields) {
    if (field.key == "success") {
      if (field.kind != json::Kind::boolean)
        return fail(Code::peer_protocol_error, "the peer's \"success\" is not a boolean");
      answer.success = field.raw == "true";
      saw_success = true;
    } else if (field.key == "result") {
      answer.result.assign(field.raw);
    } else if (field.key == "code" && field.kind == json::Kind::string) {
      answer.code = code_from_wire(field.text);
    } else if (field.key == "decided_by" && field.kind == json::Kind::string) {
      answer.decided_by = field.text == "upstream" ? DecidedBy::upstream : DecidedBy::target;
    } else if (field.key == "outcome" && field.kind == json::Kind::string) {
      if (field.text == "unknown") answer.effect = Effect::unknown;
      if (field.text == "not_sent") answer.effect = Effect::not_sent;
    }
  }
  if (!saw_success) return fail(Code::peer_protocol_error, "the peer's answer has no \"success\"");
  if (answer.success) {
    if (answer.result.empty()) answer.result = "null";
    answer.effect = Effect::succeeded;
  } else if (!answer.code) {
    return fail(Code::peer_protocol_error, "the peer's refusal has no \"code\"");
  }
  return answer;
}

std::string leaf_header(const LeafReference& leaf) {
  std::string out = leaf.log;
  out += ';';
  append_integer(out, static_cast<std::int64_t>(leaf.index));
  out += ';';
  out += to_hex(leaf.hash);
  return out;
}

Result<LeafReference> parse_leaf_header(std::string_view text) {
  const auto first = text.find(';');
  const auto second = first == std::string_view::npos ? first : text.find(';', first + 1);
  if (second == std::string_view::npos || first == 0 || first > 512) {
    return fail(Code::bad_request, "Fedgate-Audit-Leaf is not `log;index;hash`");
  }
  LeafReference leaf;
  leaf.log = text.substr(0, first);
  const bool plain = std::all_of(leaf.log.begin(), leaf.log.end(), [](char c) { return c > 0x20 && c < 0x7f; });
  const auto number = text.substr(first + 1, second - first - 1);
  const auto [at, problem] = std::from_chars(number.data(), number.data() + number.size(), leaf.index);
  auto hash = sha256_from_hex(text.substr(second + 1));
  if (!plain || number.empty() || problem != std::errc{} || at != number.data() + number.size() ||
      leaf.index > (1ULL << 62) || !hash) {
    return fail(Code::bad_request, "Fedgate-Audit-Leaf is not `log;index;hash`");
  }
  leaf.hash = *hash;
  return leaf;
}

std::string via_header(const std::vector<NodeId>& via) {
  std::string out;
  for (const NodeId& node : via) {
    if (!out.empty()) out += ", ";
    out += node.view();
  }
  return out;
}

Result<std::vector<NodeId>> parse_via_header(std::string_view text) {
  std::vector<NodeId> via;
  while (!text.empty()) {
    const auto comma = text.find(',');
    auto item = text.substr(0, comma);
    while (!item.empty() && item.front() == ' ') item.remove_prefix(1);
    while (!item.empty() && item.back() == ' ') item.remove_suffix(1);
    auto node = NodeId::parse(item);
    if (!node) return fail(node.error().in("Fedgate-Via"));
    if (via.size() >= 8) return fail(Code::loop_detected, "Fedgate-Via names more than 8 nodes");
    via.push_back(std::move(*node));
    text = comma == std::string_view::npos ? std::string_view{} : text.substr(comma + 1);
  }
  return via;
}

std::string timing_header(const Timing& timing) {
  std::string out = "target;dur=";
  append_milliseconds(out, timing.target);
  out += ", upstream;dur=";
  append_milliseconds(out, timing.upstream);
  return out;
}

Timing parse_timing_header(std::string_view text) {
  Timing timing;
  const auto read = [&](std::string_view name) {
    const auto at = text.find(name);
    if (at == std::string_view::npos) return std::chrono::microseconds{0};
    double ms = 0;
    const char* begin = text.data() + at + name.size();
    std::from_chars(begin, text.data() + text.size(), ms);
    // A peer may claim anything; a day is more than any call lasts.
    if (!(ms >= 0) || ms > 86'400'000.0) ms = 0;
    return std::chrono::microseconds{static_cast<std::int64_t>(ms * 1000.0)};
  };
  timing.target = read("target;dur=");
  timing.upstream = read("upstream;dur=");
  return timing;
}

Result<std::string> parse_idempotency_key(std::string_view text) {
  const bool plain = std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c < 0x7f && c != '"'; });
  if (text.empty() || text.size() > 128 || !plain) {
    return fail(Code::bad_request, "Idempotency-Key must be 1 to 128 visible ASCII characters without quotes");
  }
  return std::string(text);
}

std::string parse_traceparent(std::string_view text) {
  if (text.size() != 55 || text.substr(0, 3) != "00-" || text[35] != '-' || text[52] != '-') return {};
  for (std::size_t i = 3; i < text.size(); ++i) {
    if (i == 35 || i == 52) continue;
    const char c = text[i];
    if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'))) return {};
  }
  return std::string(text);
}

Result<std::string> result_value(json::Parser& parser, std::string_view content_type, std::string body) {
  const auto type = content_type.substr(0, content_type.find(';'));
  const bool is_json = type == "application/json" || (type.starts_with("application/") && type.ends_with("+json"));
  if (is_json) {
    if (body.empty()) return std::string("null");
    if (auto valid = parser.validate(body); !valid) {
      return fail(Code::upstream_protocol_error, "the service's answer is not valid JSON: " + valid.error().detail);
    }
    return body;
  }
  if (body.empty()) return std::string("null");
  std::string out = "{\"content_type\":";
  json::append_string(out, content_type);
  out += ",\"body_base64\":\"";
  out += to_base64(body);
  out += "\"}";
  return out;
}

}  // namespace fedgate::wire
