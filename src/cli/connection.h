// SPDX-License-Identifier: Apache-2.0
//
// How verbs talk to a daemon: one blocking HTTP client over the admin socket or the clients listener, with a
// worker thread of its own and a deadline for each request. Owned by the verb, used on the main thread.
#pragma once

#include <chrono>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "base/log.h"
#include "base/metrics.h"
#include "base/worker.h"
#include "fedgate/result.h"
#include "net/http_client.h"

namespace fedgate::cli {

/// Where to look for the daemon, as the options say; empty: not given.
struct Whereabouts {
  std::string socket;      ///< --socket
  std::string config;      ///< --config
  std::string url;         ///< --url
  std::string ca_file;     ///< --ca-file
  std::string token_file;  ///< --token-file
};

struct Answer {
  std::uint16_t status = 0;
  nlohmann::json body;
  [[nodiscard]] bool ok() const { return status >= 200 && status < 300; }
};

class Connection {
 public:
  static constexpr std::chrono::seconds patience{30};

  /// The admin socket: --socket, else the one --config names, else $FEDGATE_SOCKET, else /run/fedgate/admin.sock.
  static Result<std::unique_ptr<Connection>> to_admin(const Whereabouts& where);
  /// The clients listener: --url, else the one --config names; with the token of --token-file. A token never
  /// travels in plain text off this host.
  static Result<std::unique_ptr<Connection>> to_clients(const Whereabouts& where);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  /// Any answer that is JSON, whatever its status. Code::daemon_unreachable says what to try.
  Result<Answer> call(std::string method, std::string target, std::string body = {});
  /// The body of a 2xx answer; else the problem that the daemon stated, with its code.
  Result<nlohmann::json> ask(std::string method, std::string target, std::string body = {});

 private:
  struct Place {
    net::Destination destination;
    std::string name;                               ///< for messages: the socket's path or the URL
    std::shared_ptr<std::optional<Error>> refusal;  ///< with https: why the server was not believed
  };
  static Place unix_place(const std::string& path);
  static Result<Place> url_place(const Whereabouts& where);
  Connection(Place place, std::string token);
  /// Why nothing was sent, and what to try.
  [[nodiscard]] Error unreachable(const Error& error) const;

  Place place_;
  std::string token_;
  Metrics metrics_;
  Worker worker_;
  std::unique_ptr<net::HttpClient> client_;
};

/// What a problem answer (RFC 9457) says, as an Error.
Error problem_of(const Answer& answer);

}  // namespace fedgate::cli
