// SPDX-License-Identifier: Apache-2.0
#include "cli/connection.h"

#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <utility>

#include "base/json.h"
#include "cli/server_judge.h"
#include "cli/table.h"
#include "config/loader.h"
#include "net/address.h"

namespace fedgate::cli {
namespace {

constexpr std::string_view default_socket = "/run/fedgate/admin.sock";
constexpr std::size_t max_answer = 64ULL << 20;

Error invalid(const std::string& file, const config::Loaded& loaded) {
  std::string detail = file + " is not a valid configuration";
  for (const auto& finding : loaded.findings) {
    if (finding.severity != config::Severity::error) continue;
    detail += ": " + finding.text();
    break;
  }
  return {Code::invalid_configuration, detail + "; see `fedgate check --config " + file + "`"};
}

Result<std::shared_ptr<const config::Settings>> settings_of(const std::string& file) {
  const auto loaded = config::load(file, system_clock());
  if (!loaded.settings) return fail(invalid(file, loaded));
  return loaded.settings;
}

Result<std::string> admin_socket(const Whereabouts& where) {
  if (!where.socket.empty()) return where.socket.starts_with("unix:") ? where.socket.substr(5) : where.socket;
  if (!where.config.empty()) {
    // The daemon runs on with what it accepted: to ask it, the newest files need not be valid, nor readable keys.
    const auto loaded = config::load(where.config, system_clock());
    if (loaded.admin_address.empty()) return fail(invalid(where.config, loaded));
    const auto address = net::parse_address(loaded.admin_address);
    if (!address || !address->is_unix) {
      return fail(Code::invalid_configuration,
                  where.config + ": listen.admin.address is not a unix socket; give --socket PATH");
    }
    return address->host;
  }
  if (const char* path = std::getenv("FEDGATE_SOCKET"); path != nullptr && *path != '\0') return std::string(path);
  return std::string(default_socket);
}

Result<std::string> read_token(const std::string& file) {
  if (file.empty())
    return fail(Code::usage, "a token is needed: give --token-file F (`fedgate token issue` makes one)");
  std::ifstream in(file);
  std::string token;
  if (!in || !std::getline(in, token)) {
    return fail(Code::io_error,
                "cannot read a token from " + file + ": " + (in ? "it is empty" : std::strerror(errno)));
  }
  while (!token.empty() && (token.back() == ' ' || token.back() == '\r')) token.pop_back();
  if (token.starts_with("sha256:")) {
    return fail(Code::usage,
                file +
                    " holds the hash of a token, which is for the daemon; give the file that holds the token "
                    "itself, which `fedgate token issue` printed once");
  }
  for (const char c : token) {
    if (c <= ' ' || c > '~')
      return fail(Code::usage, file + " does not hold a token: one line of printable characters");
  }
  if (token.empty()) return fail(Code::usage, file + " is empty; it should hold the token");
  return token;
}

Result<std::string> clients_url(const std::string& file) {
  const auto settings = settings_of(file);
  if (!settings) return fail(settings.error());
  const std::string& text = (*settings)->clients.address;
  if (text.empty())
    return fail(Code::invalid_configuration, file + ": listen.clients is off; there is nothing to send a call to");
  const auto address = net::parse_address(text);
  if (!address) return fail(address.error());
  if (address->is_unix) return text;
  if (address->port == 0) {
    return fail(Code::usage,
                file + ": listen.clients.address has port 0; give --url with the port that `fedgate serve` printed");
  }
  if ((*settings)->clients_tls || !address->loopback()) {
    return fail(Code::usage, file + ": the clients listener is not on loopback; give --url https://HOST:" +
                                 std::to_string(address->port) + " with the name in its certificate");
  }
  return "http://" + text;
}

}  // namespace

Connection::Place Connection::unix_place(const std::string& path) {
  Place place;
  place.name = path;
  place.destination.pool_key = "unix:" + path;
  place.destination.host = path;
  place.destination.host_header = "localhost";
  return place;
}

Result<Connection::Place> Connection::url_place(const Whereabouts& where) {
  if (where.url.starts_with("unix:")) return unix_place(where.url.substr(5));
  const auto url = net::parse_url(where.url);
  if (!url) return fail(Code::usage, "--url: " + url.error().detail);
  if (!url->path.empty())
    return fail(Code::usage, "--url: give scheme, host and port only, such as https://gate.orga.example:8080");
  Place place;
  place.name = where.url;
  net::Destination& destination = place.destination;
  const bool v6 = url->host.find(':') != std::string::npos;
  destination.host = url->host;
  destination.port = url->port;
  destination.host_header = (v6 ? "[" + url->host + "]" : url->host) + ":" + std::to_string(url->port);
  destination.pool_key = where.url;
  if (url->scheme == "https") {
    auto judge = make_server_judge(where.ca_file, url->host);
    if (!judge) return fail(judge.error());
    destination.tls = std::move(judge->context);
    destination.server_name = url->host;
    place.refusal = std::move(judge->refusal);
  } else if (!(net::Address{.host = url->host, .port = url->port}.loopback())) {
    return fail(Code::usage,
                "--url: " + where.url + " would send the token in plain text over a network; use https://");
  }
  return place;
}

Connection::Connection(Place place, std::string token)
    : place_(std::move(place)), token_(std::move(token)), worker_(0, system_clock()) {
  net::ClientLimits limits;
  limits.header = 64 * 1024;
  limits.body = max_answer;
  worker_.start([](const std::exception&) {});
  client_ = std::make_unique<net::HttpClient>(worker_, limits, log::silent(), metrics_);
}

Connection::~Connection() {
  worker_.run_and_wait([this]() -> Task<> { co_await client_->stop(); });
  worker_.finish();
}

Result<std::unique_ptr<Connection>> Connection::to_admin(const Whereabouts& where) {
  auto path = admin_socket(where);
  if (!path) return fail(path.error());
  return std::unique_ptr<Connection>(new Connection(unix_place(*path), {}));
}

Result<std::unique_ptr<Connection>> Connection::to_clients(const Whereabouts& where) {
  auto found = where;
  if (found.url.empty()) {
    if (found.config.empty()) {
      return fail(Code::usage,
                  "where is the gateway? Give --url U and --token-file F, or --config F on the gateway's own host");
    }
    auto url = clients_url(found.config);
    if (!url) return fail(url.error());
    found.url = std::move(*url);
  }
  auto token = read_token(found.token_file);
  if (!token) return fail(token.error());
  auto place = url_place(found);
  if (!place) return fail(place.error());
  return std::unique_ptr<Connection>(new Connection(std::move(*place), std::move(*token)));
}

Error Connection::unreachable(const Error& error) const {
  if (place_.refusal && *place_.refusal) return **place_.refusal;
  if (place_.destination.port != 0) {
    return {Code::daemon_unreachable,
            "cannot reach a gateway at " + place_.name + ": " + error.detail + "; is `fedgate serve` running there?"};
  }
  const std::string other = "; for another socket: --socket PATH, --config F or FEDGATE_SOCKET";
  const std::string& path = place_.destination.host;
  if (::access(path.c_str(), F_OK) != 0 && errno == ENOENT) {
    return {Code::daemon_unreachable, "is `fedgate serve` running? There is no socket at " + path + other};
  }
  if (::access(path.c_str(), W_OK) != 0 && errno == EACCES) {
    return {Code::daemon_unreachable, "uid " + std::to_string(::geteuid()) + " may not open " + path +
                                          "; run as root or as the daemon's user, or join the socket's group"};
  }
  return {Code::daemon_unreachable,
          "nobody answers at " + path + " (" + error.detail + "); is `fedgate serve` running?" + other};
}

Result<Answer> Connection::call(std::string method, std::string target, std::string body) {
  net::Request request;
  request.method = std::move(method);
  request.target = std::move(target);
  request.headers.add("Accept", "application/json");
  if (!token_.empty()) request.headers.add("Authorization", "Bearer " + token_);
  if (!body.empty()) request.headers.add("Content-Type", "application/json");
  request.body = std::move(body);

  net::Exchange exchange;
  worker_.run_and_wait([&]() -> Task<> {
    exchange = co_await client_->send(place_.destination, request, worker_.clock().steady() + patience);
  });
  if (!exchange.response) {
    const Error& error = exchange.response.error();
    if (exchange.sent == net::Sent::nothing) return fail(unreachable(error));
    return fail(error.in(place_.name + ", " + request.method + " " + request.target));
  }
  auto parsed = json::parse(exchange.response->body, json::Limits{.bytes = max_answer, .depth = 64});
  if (!parsed) {
    return fail(Code::peer_protocol_error, place_.name + " answered " + std::to_string(exchange.response->status) +
                                               " without JSON; is it a fedgate listener, the right one for this verb?");
  }
  return Answer{exchange.response->status, std::move(*parsed)};
}

Result<nlohmann::json> Connection::ask(std::string method, std::string target, std::string body) {
  auto answer = call(std::move(method), std::move(target), std::move(body));
  if (!answer) return fail(answer.error());
  if (!answer->ok()) return fail(problem_of(*answer));
  return std::move(answer->body);
}

Error problem_of(const Answer& answer) {
  const std::string code = text_of(answer.body, "code");
  std::string detail = text_of(answer.body, "detail");
  if (detail.empty()) detail = text_of(answer.body, "error");
  if (detail.empty()) detail = text_of(answer.body, "title");
  if (detail.empty()) detail = "the gateway answered " + std::to_string(answer.status);
  return {code_from_wire(code), detail};
}

}  // namespace fedgate::cli
