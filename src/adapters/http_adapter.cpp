// SPDX-License-Identifier: Apache-2.0
#include "adapters/http_adapter.h"

#include <algorithm>
#include <utility>

#include "net/address.h"

namespace fedgate::adapters {
namespace {

Outcome refused(Effect effect, DecidedBy who, Error error) {
  Outcome outcome;
  outcome.effect = effect;
  outcome.decided_by = who;
  outcome.error = std::move(error);
  return outcome;
}

/// The client speaks of any HTTP server as a peer; here it is the service behind us.
Outcome from_client_error(const net::Exchange& exchange, const std::string& context) {
  const Error& error = exchange.response.error();
  const bool sent = exchange.sent == net::Sent::something;
  const Effect effect = sent ? Effect::unknown : Effect::not_sent;
  Code code = sent ? Code::upstream_protocol_error : Code::upstream_unreachable;
  DecidedBy who = DecidedBy::upstream;
  if (error.code == Code::deadline_exceeded || error.code == Code::response_too_large || error.code == Code::internal) {
    code = error.code;
  } else if (error.code == Code::overloaded || error.code == Code::draining) {
    code = error.code;
    who = DecidedBy::target;
  }
  return refused(effect, who, Error(code, context + ": " + error.detail));
}

/// What an answer's status means for the call; only 2xx gets a nullopt.
std::optional<Outcome> from_status(std::uint16_t status, Access access, const std::string& context) {
  if (status >= 200 && status < 300) return std::nullopt;
  const std::string detail = context + ": the service answered " + std::to_string(status);
  const Effect in_doubt = access == Access::write ? Effect::unknown : Effect::failed;
  if (status >= 400 && status < 500)
    return refused(Effect::failed, DecidedBy::upstream, Error(Code::upstream_rejected, detail));
  if (status >= 500 && status < 600) {
    // A proxy in front of the service answers these when it does not know what the service did.
    const bool from_between = status == 502 || status == 503 || status == 504;
    return refused(from_between ? in_doubt : Effect::failed, DecidedBy::upstream, Error(Code::upstream_failed, detail));
  }
  if (status >= 300 && status < 400) {
    return refused(in_doubt, DecidedBy::upstream,
                   Error(Code::upstream_protocol_error, detail + "; redirects are not followed: give the final URL"));
  }
  return refused(Effect::unknown, DecidedBy::upstream, Error(Code::upstream_protocol_error, detail));
}

/// Hex digits and dashes, as W3C Trace Context writes it.
bool well_formed_traceparent(std::string_view text) {
  return text.size() >= 55 && text.size() <= 128 &&
         std::ranges::all_of(text, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || c == '-'; });
}

}  // namespace

Result<std::unique_ptr<HttpAdapter>> HttpAdapter::make(const Resource& resource, net::HttpClient& client,
                                                       const Clock& clock) {
  const std::string context = "resource " + resource.id.str();
  const auto url = net::parse_url(resource.url);
  if (!url) return fail(url.error().in(context));
  if (url->scheme != "http") {
    return fail(Code::invalid_configuration, context + ": `" + resource.url +
                                                 "`: only http services are supported; reach one with TLS through a "
                                                 "proxy on this host that verifies its certificate");
  }
  std::map<CapabilityId, Prepared> prepared;
  for (const auto& capability : resource.capabilities) {
    auto request = RequestTemplate::parse(capability.request);
    if (!request) return fail(request.error().in(context + ", capability " + capability.id.str()));
    if (capability.arguments == Capability::Arguments::body &&
        (request->method() == "GET" || request->method() == "HEAD")) {
      return fail(Code::invalid_configuration, context + ", capability " + capability.id.str() +
                                                   ": `arguments: body` with " + request->method() +
                                                   ", which carries none; use query, or another method");
    }
    prepared.emplace(capability.id, Prepared{&capability, std::move(*request)});
  }
  net::Destination destination;
  const bool v6 = url->host.find(':') != std::string::npos;
  destination.host = url->host;
  destination.port = url->port;
  destination.host_header = v6 ? "[" + url->host + "]" : url->host;
  if (url->port != 80) destination.host_header += ":" + std::to_string(url->port);
  destination.pool_key = "http://" + destination.host_header;
  return std::unique_ptr<HttpAdapter>(
      new HttpAdapter(resource, client, clock, std::move(destination), url->path, std::move(prepared)));
}

// The arguments were validated against the listener's own limits before they came here.
HttpAdapter::HttpAdapter(const Resource& resource, net::HttpClient& client, const Clock& clock,
                         net::Destination destination, std::string base_path, std::map<CapabilityId, Prepared> prepared)
    : resource_(resource),
      client_(client),
      clock_(clock),
      destination_(std::move(destination)),
      base_path_(std::move(base_path)),
      prepared_(std::move(prepared)),
      parser_(json::Limits{.bytes = std::size_t{1} << 30, .depth = 1024}) {}

void HttpAdapter::add_headers(const Invocation& invocation, net::Request& request) const {
  auto& headers = request.headers;
  for (const auto& [name, value] : resource_.headers) headers.add(name, value);
  if (!resource_.authorization.empty()) headers.add("Authorization", resource_.authorization);
  headers.add("Fedgate-Correlation-Id", invocation.correlation_id.str());
  headers.add("Fedgate-Principal", invocation.principal.view());
  headers.add("Fedgate-Origin", invocation.origin.view());
  if (well_formed_traceparent(invocation.traceparent)) headers.add("traceparent", invocation.traceparent);
}

Task<Outcome> HttpAdapter::invoke(const Invocation& invocation, ReplySink& sink) {
  const std::string context = "resource " + resource_.id.str() + ", capability " + invocation.capability.str();
  const auto place = prepared_.find(invocation.capability);
  if (place == prepared_.end()) {
    co_return refused(Effect::not_sent, DecidedBy::target,
                      Error(Code::capability_not_found, context + ": there is none"));
  }
  const Capability& capability = *place->second.capability;
  auto request = place->second.request.fill(base_path_, invocation.arguments, capability.arguments, parser_);
  if (!request) co_return refused(Effect::not_sent, DecidedBy::target, request.error().in(context));
  add_headers(invocation, *request);

  const SteadyTime begun = clock_.steady();
  const SteadyTime deadline = std::min(invocation.deadline, begun + capability.timeout);
  const net::Exchange exchange = co_await client_.send(destination_, *request, deadline);
  const auto upstream = std::chrono::duration_cast<std::chrono::microseconds>(clock_.steady() - begun);

  Outcome outcome;
  if (!exchange.response) {
    outcome = from_client_error(exchange, context);
    outcome.timing.upstream = upstream;
    co_return outcome;
  }
  const net::Response& response = *exchange.response;
  const auto coding = response.headers.find("Content-Encoding");
  if (auto failed = from_status(response.status, capability.access, context)) {
    outcome = std::move(*failed);
  } else if (coding && *coding != "identity") {
    outcome = refused(Effect::unknown, DecidedBy::upstream,
                      Error(Code::upstream_protocol_error, context + ": the service compressed an answer unasked"));
  } else {
    const std::string_view fallback = response.body.empty() ? "" : "application/octet-stream";
    auto taken = co_await sink.begin(response.headers.find("Content-Type").value_or(fallback));
    if (taken && !response.body.empty()) taken = co_await sink.data(response.body);
    if (taken) {
      outcome.effect = Effect::succeeded;
    } else {
      outcome = refused(Effect::unknown, DecidedBy::target, taken.error().in(context));
    }
    outcome.response_bytes = response.body.size();
  }
  outcome.timing.upstream = upstream;
  co_return outcome;
}

}  // namespace fedgate::adapters
