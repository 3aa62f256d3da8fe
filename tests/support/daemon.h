// SPDX-License-Identifier: Apache-2.0
//
// The real program as its users run it: two organisations made by `fedgate init --dev-pki` and a file in conf.d, as
// the README says, each with a daemon of its own as a child process. A shares nothing, B shares `inventory` with
// `lookup` (read, GET /items/{sku}), `order` (write, POST /orders) and `slow` (write, POST /slow) of a service in
// the test; alice@orga.example may call all of it. For promises of the process: signals, exit statuses, kill -9.
#pragma once

#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "support/federation.h"
#include "support/process.h"

namespace fedgate::test {

/// One organisation: a directory that `fedgate init` has made, and its daemon.
class Installation {
 public:
  Installation(std::string binary, const std::string& home, std::string node_id);
  ~Installation();

  [[nodiscard]] const std::string& id() const { return id_; }
  [[nodiscard]] std::string path(const std::string& file) const { return home_ + "/" + file; }
  [[nodiscard]] std::string config() const { return path("fedgate.yaml"); }
  [[nodiscard]] std::uint16_t peers_port() const { return peers_port_; }
  [[nodiscard]] std::uint16_t clients_port() const { return clients_port_; }
  void write(const std::string& file, const std::string& text) const;
  /// `fedgate token issue alice@…`; the token, which also stands in the file `alice.token`.
  const std::string& issue_token();
  /// `fedgate WORDS… --config …/fedgate.yaml`, to its end.
  [[nodiscard]] Finished fedgate(std::vector<std::string> words) const;

  /// `fedgate serve`, until it says that it is ready; on the same ports each time.
  void start();
  /// SIGTERM; the exit status, or -1 when it does not end.
  int stop();
  void kill_nine();
  [[nodiscard]] ChildProcess& process() { return *daemon_; }
  /// What it has written to standard error since the last start().
  [[nodiscard]] std::string log() const;

  /// POST /api/v2/federation/invoke with alice's token.
  Answer invoke(TestClient& client, const nlohmann::json& body) const;
  Answer operate(TestClient& client, const std::string& method, const std::string& target) const;
  /// All records from `since` on, oldest first, once everything durable has reached the database.
  [[nodiscard]] std::vector<nlohmann::json> trail(TestClient& client, WallTime since) const;
  /// `fedgate audit show`: the records of one call, oldest first.
  [[nodiscard]] std::vector<nlohmann::json> trail(const std::string& correlation_id) const;

 private:
  [[nodiscard]] bool is_ready() const;

  std::string binary_, home_, id_, token_;
  std::uint16_t peers_port_, clients_port_;
  int log_file_ = -1;
  std::size_t log_begin_ = 0;
  std::unique_ptr<ChildProcess> daemon_;
};

class Partners {
 public:
  struct Options {
    unsigned threads = 1;
    std::string announce = "0s";
    std::string drain = "5s";
  };
  /// Both are made and trust each other; neither runs.
  Partners(const std::string& binary, const Options& options, Upstream::Answer service = {});
  void start();
  /// What A's conf.d/10-partner.yaml says, with these rules.
  [[nodiscard]] std::string partner_yaml_of_a(const std::string& rules) const;
  void configure_a(const std::string& rules) const;

 private:
  TempDirectory directory_;
  Options options_;

 public:
  Upstream upstream;
  Installation a, b;
  TestClient client;
};

/// A's rules unless a test says otherwise.
inline constexpr const char* everybody_may = "    - { id: all-out, direction: out, effect: allow }\n";

/// `{resource_id: inventory, capability_id: …, arguments: {sku: A-1}}`.
nlohmann::json inventory_call(const std::string& capability);

}  // namespace fedgate::test
