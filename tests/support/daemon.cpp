// SPDX-License-Identifier: Apache-2.0
#include "support/daemon.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <sstream>
#include <stdexcept>

#include "api/admin_views.h"
#include "net/http_message.h"
#include "support/eventually.h"
#include "support/loopback.h"

namespace fedgate::test {

namespace {

std::string read(const std::string& file) {
  std::ifstream in(file);
  if (!in) throw std::runtime_error("cannot read " + file);
  return {std::istreambuf_iterator<char>(in), {}};
}

void replace(std::string& text, const std::string& what, const std::string& with) {
  const auto at = text.find(what);
  if (at == std::string::npos) throw std::runtime_error("init's file has no " + what);
  text.replace(at, what.size(), with);
}

// A daemon must find its port again after a restart, so the kernel may not lend it to an outgoing connection in
// between: below its ephemeral range.
std::uint16_t free_port() {
  std::random_device random;
  std::uniform_int_distribution<int> ports(15'000, 32'000);
  for (int attempt = 0; attempt < 1000; ++attempt) {
    const auto port = static_cast<std::uint16_t>(ports(random));
    if (succeeds(::bind, port)) return port;
  }
  throw std::runtime_error("no free port");
}

Finished must(Finished finished) {
  if (finished.status != 0) throw std::runtime_error(finished.out + finished.err);
  return finished;
}

}  // namespace

Installation::Installation(std::string binary, const std::string& home, std::string node_id)
    : binary_(std::move(binary)),
      home_(home),
      id_(std::move(node_id)),
      peers_port_(free_port()),
      clients_port_(free_port()) {
  must(run({binary_, "init", "--node-id", id_, "--dir", home_, "--dev-pki"}));
  auto text = read(config());
  replace(text, "0.0.0.0:8443", "127.0.0.1:" + std::to_string(peers_port_));
  replace(text, "127.0.0.1:8080", "127.0.0.1:" + std::to_string(clients_port_));
  write("fedgate.yaml", text);
  std::filesystem::create_directory(path("conf.d"));
}

Installation::~Installation() {
  if (log_file_ >= 0) ::close(log_file_);
}

void Installation::write(const std::string& file, const std::string& text) const {
  std::ofstream out(path(file), std::ios::trunc);
  out << text;
  if (!out.flush()) throw std::runtime_error("cannot write " + file);
}

const std::string& Installation::issue_token() {
  token_ = must(fedgate({"token", "issue", "alice@" + id_})).out;
  write("alice.token", token_);
  while (token_.ends_with('\n')) token_.pop_back();
  return token_;
}

Finished Installation::fedgate(std::vector<std::string> words) const {
  words.insert(words.begin(), binary_);
  words.insert(words.end(), {"--config", config()});
  return run(words);
}

void Installation::start() {
  if (log_file_ < 0) {
    log_file_ = ::open(path("daemon.log").c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (log_file_ < 0) throw std::runtime_error("no log file");
  }
  log_begin_ = std::filesystem::file_size(path("daemon.log"));
  daemon_.reset();
  daemon_ = std::make_unique<ChildProcess>(std::vector<std::string>{binary_, "serve", "--config", config()}, log_file_,
                                           log_file_);
  const bool settled = eventually([this] { return is_ready() || !daemon_->running(); }, std::chrono::seconds(60));
  if (!settled || !daemon_->running()) throw std::runtime_error(id_ + " does not start: " + log());
}

bool Installation::is_ready() const {
  std::istringstream lines(log());
  bool clients = false;
  bool peers = false;
  for (std::string line; std::getline(lines, line);) {
    const auto entry = nlohmann::json::parse(line, nullptr, false);
    if (!entry.is_object()) continue;
    const auto is = [&](const char* key, const std::string& value) { return entry.value(key, "") == value; };
    const auto at = [&](std::uint16_t port) { return is("address", "127.0.0.1:" + std::to_string(port)); };
    clients = clients || (is("event", "listening") && is("listener", "clients") && at(clients_port_));
    peers = peers || (is("event", "listening") && is("listener", "peers") && at(peers_port_));
    if (is("event", "ready") && is("node_id", id_)) return clients && peers;
  }
  return false;
}

int Installation::stop() {
  daemon_->send(SIGTERM);
  return daemon_->wait(std::chrono::seconds(30)).value_or(-1);
}

void Installation::kill_nine() {
  daemon_->send(SIGKILL);
  if (daemon_->wait(std::chrono::seconds(30)) != 128 + SIGKILL)
    throw std::runtime_error(id_ + " ended by itself: " + log());
}

std::string Installation::log() const { return read(path("daemon.log")).substr(log_begin_); }

Answer Installation::invoke(TestClient& client, const nlohmann::json& body) const {
  const net::Destination to{.pool_key = id_ + " clients",
                            .host = "127.0.0.1",
                            .port = clients_port_,
                            .host_header = "localhost",
                            .tls = nullptr,
                            .server_name = ""};
  net::Request request;
  request.method = "POST";
  request.target = "/api/v2/federation/invoke";
  request.headers.add("Authorization", "Bearer " + token_);
  request.headers.add("Content-Type", "application/json");
  request.body = body.dump();
  return client.send(to, request, std::chrono::seconds(60));
}

Answer Installation::operate(TestClient& client, const std::string& method, const std::string& target) const {
  const net::Destination to{.pool_key = id_ + " admin",
                            .host = path("admin.sock"),
                            .port = 0,
                            .host_header = "localhost",
                            .tls = nullptr,
                            .server_name = ""};
  net::Request request;
  request.method = method;
  request.target = target;
  return client.send(to, request);
}

std::vector<nlohmann::json> Installation::trail(TestClient& client, WallTime since) const {
  const auto first = "/api/v2/audit/events?order=oldest&limit=500&from=" + net::percent_encode(api::rfc3339(since));
  Answer page;
  const auto complete = [&] {
    page = operate(client, "GET", first);
    return page.status == 200 && page.body["complete"] == true;
  };
  if (!eventually(complete, std::chrono::seconds(30)))
    throw std::runtime_error(id_ + " shows no whole trail: " + page.text);
  std::vector<nlohmann::json> events = page.body["events"];
  while (!page.body["next_cursor"].is_null()) {
    page = operate(client, "GET", first + "&cursor=" + page.body["next_cursor"].get<std::string>());
    if (page.status != 200) throw std::runtime_error(id_ + " shows no trail: " + page.text + page.problem);
    for (auto& event : page.body["events"]) events.push_back(std::move(event));
  }
  return events;
}

std::vector<nlohmann::json> Installation::trail(const std::string& correlation_id) const {
  const auto listed = fedgate({"audit", "list", "--correlation-id", correlation_id, "--output", "json"});
  if (listed.status != 0) return {};
  std::vector<nlohmann::json> events = nlohmann::json::parse(listed.out)["events"];
  std::ranges::reverse(events);  // it begins with the newest
  return events;
}

Partners::Partners(const std::string& binary, const Options& options, Upstream::Answer service)
    : options_(options),
      upstream(std::move(service)),
      a(binary, directory_.path("orga"), "orga.example"),
      b(binary, directory_.path("orgb"), "orgb.example") {
  std::filesystem::copy_file(a.path("tls/ca.crt"), b.path("anchors/orga.crt"));
  std::filesystem::copy_file(b.path("tls/ca.crt"), a.path("anchors/orgb.crt"));
  a.issue_token();
  configure_a(everybody_may);
  b.write("conf.d/10-partner.yaml", "threads: " + std::to_string(options.threads) + "\n" + "shutdown: { announce: " +
                                        options.announce + ", drain: " + options.drain + " }\n" +
                                        R"(rate_limits: { burst: 100000 }
nodes:
  - node_id: orga.example
    alias: orga
    endpoints: ["https://127.0.0.1:)" + std::to_string(a.peers_port()) +
                                        R"("]
    trust_anchors: [anchors/orga.crt]
    rate_limit_per_hour: 100000000
resources:
  - id: inventory
    adapter: { type: http, url: ")" + upstream.url() +
                                        R"(" }
    capabilities:
      - { id: lookup, request: "GET /items/{sku}", access: read, idempotent: true, timeout: 5s }
      - { id: order, request: "POST /orders", access: write, timeout: 30s }
      - { id: slow, request: "POST /slow", access: write, timeout: 60s }
policy:
  rules:
    - { id: all-in, direction: in, effect: allow, nodes: [orga.example] }
)");
}

std::string Partners::partner_yaml_of_a(const std::string& rules) const {
  return "threads: " + std::to_string(options_.threads) + "\n" + "shutdown: { announce: " + options_.announce +
         ", drain: " + options_.drain + " }\n" +
         R"(rate_limits: { burst: 100000 }
nodes:
  - node_id: orgb.example
    alias: orgb
    endpoints: ["https://127.0.0.1:)" +
         std::to_string(b.peers_port()) + R"("]
    trust_anchors: [anchors/orgb.crt]
    resources: [inventory]
    reads: [inventory/lookup]
    rate_limit_per_hour: 100000000
clients:
  - { principal: alice@orga.example, token_file: tokens/alice, groups: [dev] }
policy:
  rules:
)" + rules;
}

void Partners::configure_a(const std::string& rules) const {
  a.write("conf.d/10-partner.yaml", partner_yaml_of_a(rules));
}

void Partners::start() {
  b.start();
  a.start();
}

nlohmann::json inventory_call(const std::string& capability) {
  return {{"resource_id", "inventory"}, {"capability_id", capability}, {"arguments", {{"sku", "A-1"}}}};
}

}  // namespace fedgate::test
