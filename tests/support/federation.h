// SPDX-License-Identifier: Apache-2.0
//
// n organisations with real gateways in this process: real TLS with a throwaway CA each, real listeners on port
// 0 of loopback, SQLite and journal in a temporary directory, a real HTTP service behind every gateway. Every
// pair trusts each other. Organisation i is `org<letter>.example`; its client `alice@…` has a token; it shares
// the resource `inventory-<letter>` with `lookup` (read, GET /items/{sku}), `order` (write, POST /orders) and
// `slow` (write, POST /slow); policy lets everybody do everything but `forbidden` (capability, denied by the target)
// and `secret` (capability, denied by the origin). Change `settings` before start() for anything else.
#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "app/gateway.h"
#include "net/http_client.h"
#include "support/temp_directory.h"
#include "support/upstream.h"
#include "trust/dev_pki.h"

namespace fedgate::test {

struct Answer {
  std::uint16_t status = 0;  ///< 0: no answer; `problem` says why
  nlohmann::json body;       ///< null where it is not JSON
  std::string text;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string problem;
  [[nodiscard]] std::string header(std::string_view name) const;
  [[nodiscard]] std::string code() const {
    return body.is_object() && body.contains("code") ? body["code"].get<std::string>() : "";
  }
  [[nodiscard]] std::string correlation_id() const { return header("Fedgate-Correlation-Id"); }
};

/// A blocking HTTP client of the test's own: plain, TLS or unix socket.
class TestClient {
 public:
  TestClient();
  ~TestClient();
  Answer send(const net::Destination& to, const net::Request& request,
              std::chrono::milliseconds bound = std::chrono::seconds(20));
  /// Sends and cancels (closes the connection) once `until` holds.
  void send_and_leave(const net::Destination& to, const net::Request& request, const std::function<bool()>& until);
  [[nodiscard]] Worker& worker() { return worker_; }

 private:
  Metrics metrics_;
  Worker worker_;
  std::unique_ptr<net::HttpClient> client_;
};

class Organisation {
 public:
  Organisation(char letter, const TempDirectory& directory, Upstream::Answer service, const Clock& clock);

  NodeId id;
  std::string principal;  ///< alice@<id>
  std::string token;      ///< hers
  trust::CertificateAndKey ca, leaf;
  config::Settings settings;
  app::Environment environment;
  std::unique_ptr<Upstream> upstream;
  std::unique_ptr<app::Gateway> gateway;

  void start();
  /// Ends the gateway; start() brings it back on the same ports with the same state.
  void stop();
  /// How others know it. Needs a started gateway.
  [[nodiscard]] Node as_node() const;
  void trust_node(const Node& other);

  [[nodiscard]] net::Destination clients() const;
  [[nodiscard]] net::Destination admin() const;
  /// POST /api/v2/federation/invoke with her token.
  Answer invoke(TestClient& client, const nlohmann::json& body,
                const std::vector<std::pair<std::string, std::string>>& headers = {}) const;
  [[nodiscard]] net::Request invoke_request(const nlohmann::json& body,
                                            const std::vector<std::pair<std::string, std::string>>& headers = {}) const;
  Answer operate(TestClient& client, const std::string& method, const std::string& target,
                 const nlohmann::json& body = nullptr) const;
  /// What the database has of one call, oldest first, once everything durable has been shipped.
  [[nodiscard]] std::vector<store::AuditRow> trail(const std::string& correlation_id) const;
  [[nodiscard]] std::vector<store::AuditRow> trail(store::AuditQuery query) const;
  /// A TLS context that speaks as this organisation, for tests that misbehave on the peers listener.
  [[nodiscard]] std::shared_ptr<net::TlsContext> client_tls() const;
};

class Federation {
 public:
  /// Every organisation is prepared but not started.
  explicit Federation(std::size_t count, Upstream::Answer service = {}, const Clock& clock = system_clock());
  /// Starts all and lets every pair trust each other.
  void start();

  [[nodiscard]] Organisation& operator[](std::size_t i) { return *organisations_[i]; }
  [[nodiscard]] Organisation& a() { return *organisations_[0]; }
  [[nodiscard]] Organisation& b() { return *organisations_[1]; }
  TestClient client;

 private:
  TempDirectory directory_;
  std::vector<std::unique_ptr<Organisation>> organisations_;
};

/// `{resource_id: inventory-<letter>, capability_id: …, arguments: …}`.
nlohmann::json call_of(char letter, const std::string& capability, const nlohmann::json& arguments = {{"sku", "A-1"}});

}  // namespace fedgate::test
