// SPDX-License-Identifier: Apache-2.0
//
// The `http` adapter: method and path template, arguments into path, query or JSON body, a timeout, a status
// mapping. The template is parsed and checked once, when configuration is read. Arguments can never change
// host, path structure or headers: each is one percent-encoded path segment or query value, or lies in the body.
//
// Status mapping (docs/http-adapter.md): 2xx succeeded; 4xx upstream_rejected, failed; 5xx upstream_failed,
// failed (502, 503 and 504 of a write: unknown); nothing sent: upstream_unreachable, not_sent; timeout after
// sending: deadline_exceeded, unknown; broken answer: upstream_protocol_error, unknown.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/adapter.h"
#include "adapters/resource.h"
#include "base/json.h"
#include "net/http_client.h"

namespace fedgate::adapters {

/// `METHOD /path/{argument}/…`: alternating literals and argument names.
class RequestTemplate {
 public:
  /// The error says what is wrong and shows a right one.
  static Result<RequestTemplate> parse(std::string_view text);
  [[nodiscard]] const std::string& method() const { return method_; }
  /// Names in braces, in order.
  [[nodiscard]] std::vector<std::string> arguments() const;
  /// Target and body for these arguments. Code::invalid_arguments names what is missing or is not a string,
  /// number or boolean where the path or query wants one, path values that are empty, hold controls or would
  /// become dot segments (also for a service that decodes once too often), and a target over 8 KiB.
  [[nodiscard]] Result<net::Request> fill(std::string_view base_path, std::string_view arguments_json,
                                          Capability::Arguments mode, json::Parser& parser) const;

 private:
  /// A literal, then the argument that follows it; the last piece's argument may be empty.
  struct Piece {
    std::string literal;
    std::string argument;
  };
  [[nodiscard]] bool in_path(std::string_view argument) const;
  std::string method_;
  std::vector<Piece> pieces_;
};

class HttpAdapter final : public Adapter {
 public:
  /// `resource`, `client` and `clock` (the worker's) outlive the adapter. The error: a template or URL that
  /// configuration let pass (a bug), or an https URL: there is nothing yet that judges a service's certificate.
  static Result<std::unique_ptr<HttpAdapter>> make(const Resource& resource, net::HttpClient& client,
                                                   const Clock& clock);
  Task<Outcome> invoke(const Invocation& invocation, ReplySink& sink) override;
  [[nodiscard]] std::string_view protocol() const override { return "http"; }

 private:
  struct Prepared {
    const Capability* capability;
    RequestTemplate request;
  };
  HttpAdapter(const Resource& resource, net::HttpClient& client, const Clock& clock, net::Destination destination,
              std::string base_path, std::map<CapabilityId, Prepared> prepared);
  void add_headers(const Invocation& invocation, net::Request& request) const;

  const Resource& resource_;
  net::HttpClient& client_;
  const Clock& clock_;
  net::Destination destination_;
  std::string base_path_;
  std::map<CapabilityId, Prepared> prepared_;
  json::Parser parser_;
};

}  // namespace fedgate::adapters
