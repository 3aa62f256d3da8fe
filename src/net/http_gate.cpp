// SPDX-License-Identifier: Apache-2.0
#include "net/http_gate.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "net/ascii.h"

namespace fedgate::net {
namespace {

constexpr std::size_t most_fields = 128;
constexpr std::array<std::string_view, 7> methods{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"};

std::unexpected<Error> bad(std::string why) { return fail(Code::bad_request, std::move(why)); }

/// reg-name or IPv4 without brackets; no percent escapes: ours never need one.
bool is_host_name(std::string_view name) {
  return !name.empty() && std::ranges::all_of(name, [](char c) {
    return is_letter(c) || is_digit(c) || c == '-' || c == '.' || c == '_';
  });
}

/// The host of `value` without port, or an empty view where it is not `host[:port]`.
std::string_view host_of(std::string_view value) {
  std::string_view host = value;
  std::string_view rest;
  if (value.starts_with('[')) {
    const auto end = value.find(']');
    if (end == std::string_view::npos || end < 3) return {};
    const std::string_view inside = value.substr(1, end - 1);
    if (!std::ranges::all_of(inside, [](char c) { return hex_digit(c) >= 0 || c == ':' || c == '.'; })) return {};
    host = value.substr(0, end + 1);
    rest = value.substr(end + 1);
  } else {
    host = value.substr(0, value.find(':'));
    rest = value.substr(host.size());
    if (!is_host_name(host)) return {};
  }
  if (rest.empty()) return host;
  const std::string_view port = rest.substr(1);
  if (rest[0] != ':' || port.empty() || port.size() > 5 || !std::ranges::all_of(port, is_digit)) return {};
  return host;
}

Result<void> judge_host(const Headers& headers, const std::vector<std::string>& hosts) {
  if (headers.count("host") != 1) return bad("exactly one Host is required");
  const std::string_view host = host_of(*headers.find("host"));
  if (host.empty()) return bad("malformed Host");
  if (hosts.empty()) return {};
  const bool ours = std::ranges::any_of(hosts, [host](const std::string& name) {
    return same_text(name, host) || (host.starts_with('[') && same_text(name, host.substr(1, host.size() - 2)));
  });
  if (!ours) return bad("Host is not one of ours");
  return {};
}

Result<void> judge_fields(const Headers& headers) {
  if (headers.size() > most_fields) return fail(Code::headers_too_large, "more than 128 header fields");
  for (std::size_t i = 0; i < headers.size(); ++i) {
    const auto field = headers.at(i);
    if (!is_token(field.name)) return bad("malformed field name");
    if (!is_field_value(field.value)) return bad("control character in a field value");
  }
  return {};
}

/// RFC 9112 section 6: at most one way to say how long the body is, said once, in its plainest form.
Result<HeadFacts> judge_length(const Headers& headers, unsigned version) {
  HeadFacts facts;
  facts.version = version;
  const std::size_t lengths = headers.count("content-length");
  const std::size_t encodings = headers.count("transfer-encoding");
  if (lengths + encodings > 1) return bad("more than one Content-Length or Transfer-Encoding");
  if (encodings == 1) {
    if (version < 11) return bad("Transfer-Encoding in HTTP/1.0");
    if (!same_text(*headers.find("transfer-encoding"), "chunked")) return bad("Transfer-Encoding other than chunked");
    facts.chunked = true;
  }
  if (lengths == 1) {
    const std::string_view text = *headers.find("content-length");
    std::uint64_t value = 0;
    const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), value);
    // from_chars would take a sign for a signed type only; an empty text and trailing bytes are caught here.
    if (ec != std::errc{} || end != text.data() + text.size()) return bad("Content-Length is not a number");
    facts.content_length = value;
  }
  return facts;
}

}  // namespace

Result<HeadFacts> judge_request_head(const Request& head, unsigned version, const std::vector<std::string>& hosts) {
  if (version != 10 && version != 11) return bad("neither HTTP/1.1 nor HTTP/1.0");
  if (std::ranges::find(methods, head.method) == methods.end()) return bad("unknown method");
  if (!head.target.starts_with('/')) return bad("the request target is not in origin-form");
  const bool clean = std::ranges::all_of(head.target, [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte > 0x20 && byte < 0x7F && c != '#';
  });
  if (!clean) return bad("the request target has characters that must be escaped");
  if (auto fields = judge_fields(head.headers); !fields) return fail(std::move(fields.error()));
  if (auto host = judge_host(head.headers, hosts); !host) return fail(std::move(host.error()));
  const std::size_t expectations = head.headers.count("expect");
  if (expectations > 1 || (expectations == 1 && !same_text(*head.headers.find("expect"), "100-continue"))) {
    return bad("an expectation that cannot be met");
  }
  return judge_length(head.headers, version);
}

Result<HeadFacts> judge_response_head(const Response& head, unsigned version, std::string_view request_method) {
  const auto broken = [](Error error) { return fail(Code::peer_protocol_error, std::move(error.detail)); };
  if (version != 10 && version != 11) return broken({Code::bad_request, "neither HTTP/1.1 nor HTTP/1.0"});
  if (head.status < 100 || head.status > 599) return broken({Code::bad_request, "a status outside 100 to 599"});
  if (auto fields = judge_fields(head.headers); !fields) return broken(std::move(fields.error()));
  auto facts = judge_length(head.headers, version);
  if (!facts) return broken(std::move(facts.error()));
  const bool bodiless = head.status < 200 || head.status == 204;
  if (bodiless && (facts->chunked || facts->content_length.value_or(0) > 0)) {
    return broken({Code::bad_request, "a body length in an answer that has no body"});
  }
  if (bodiless || head.status == 304 || request_method == "HEAD") {
    return HeadFacts{.version = version, .content_length = 0, .chunked = false};
  }
  const bool closes = version < 11 || has_token(head.headers, "connection", "close");
  if (!facts->chunked && !facts->content_length && !closes) {
    return broken({Code::bad_request, "an answer without a length on a connection that stays open"});
  }
  return facts;
}

bool has_token(const Headers& headers, std::string_view name, std::string_view token) {
  for (std::size_t i = 0; i < headers.size(); ++i) {
    const auto field = headers.at(i);
    if (!same_text(field.name, name)) continue;
    std::string_view list = field.value;
    while (!list.empty()) {
      std::string_view item = list.substr(0, list.find(','));
      list.remove_prefix(std::min(item.size() + 1, list.size()));
      while (!item.empty() && (item.front() == ' ' || item.front() == '\t')) item.remove_prefix(1);
      while (!item.empty() && (item.back() == ' ' || item.back() == '\t')) item.remove_suffix(1);
      if (same_text(item, token)) return true;
    }
  }
  return false;
}

bool stays_open(const Headers& headers, unsigned version) {
  if (has_token(headers, "connection", "close")) return false;
  return version >= 11 || has_token(headers, "connection", "keep-alive");
}

}  // namespace fedgate::net
