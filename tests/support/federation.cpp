// SPDX-License-Identifier: Apache-2.0
#include "support/federation.h"

#include <unistd.h>

#include <filesystem>
#include <future>
#include <stdexcept>

#include "base/json.h"
#include "net/address.h"
#include "support/eventually.h"

namespace fedgate::test {

namespace {
template <class T>
T must(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().detail);
  return std::move(*result);
}
}  // namespace

std::string Answer::header(std::string_view name) const {
  for (const auto& [key, value] : headers) {
    if (key.size() == name.size() && strncasecmp(key.data(), name.data(), name.size()) == 0) return value;
  }
  return {};
}

TestClient::TestClient() : worker_(99, system_clock()) {
  client_ = std::make_unique<net::HttpClient>(worker_, net::ClientLimits{}, log::silent(), metrics_);
  worker_.start({});
}

TestClient::~TestClient() {
  worker_.run_and_wait([this]() -> Task<> { co_await client_->stop(); });
  worker_.finish();
}

Answer TestClient::send(const net::Destination& to, const net::Request& request, std::chrono::milliseconds bound) {
  Answer answer;
  worker_.run_and_wait([&]() -> Task<> {
    net::Exchange exchange = co_await client_->send(to, request, std::chrono::steady_clock::now() + bound);
    if (!exchange.response) {
      answer.problem = exchange.response.error().detail;
      co_return;
    }
    answer.status = exchange.response->status;
    answer.text = std::move(exchange.response->body);
    for (std::size_t i = 0; i < exchange.response->headers.size(); ++i) {
      const auto header = exchange.response->headers.at(i);
      answer.headers.emplace_back(header.name, header.value);
    }
  });
  if (auto parsed = json::parse(answer.text)) answer.body = std::move(*parsed);
  return answer;
}

void TestClient::send_and_leave(const net::Destination& to, const net::Request& request,
                                const std::function<bool()>& until) {
  std::optional<TaskGroup> group;
  const auto sent = [](net::HttpClient& client, const net::Destination& where, const net::Request& what) -> Task<> {
    co_await client.send(where, what, std::chrono::steady_clock::now() + std::chrono::seconds(20));
  };
  worker_.run_and_wait([&]() -> Task<> {
    group.emplace(worker_.executor(), 1);
    if (auto spawned = group->spawn(sent(*client_, to, request)); !spawned)
      throw std::runtime_error(spawned.error().detail);
    co_return;
  });
  const bool held = eventually(until);
  worker_.run_and_wait([&]() -> Task<> {
    group->cancel();
    co_await group->join();
    group.reset();
  });
  if (!held) throw std::runtime_error("send_and_leave: the condition never held");
}

Organisation::Organisation(char letter, const TempDirectory& directory, Upstream::Answer service, const Clock& clock)
    : environment{.clock = clock, .entropy = system_entropy(), .disk = nullptr, .reload_source = {}} {
  const std::string name = std::string("org") + letter + ".example";
  id = must(NodeId::parse(name));
  principal = "alice@" + name;
  token = trust::make_token();
  const auto an_hour_ago = clock.wall() - std::chrono::hours(1);
  ca = must(trust::make_dev_ca(name, an_hour_ago));
  leaf = must(trust::issue_dev_leaf(ca, {.dns_names = {name}, .common_name = "", .not_before = an_hour_ago}));
  upstream = std::make_unique<Upstream>(std::move(service));

  const std::string home = directory.path(name);
  std::filesystem::create_directory(home);
  settings.file = home + "/fedgate.yaml";
  settings.node.id = id;
  settings.node.name = name;
  settings.node.principal_domains = {must(Domain::parse(name))};
  settings.peers.address = "127.0.0.1:0";
  settings.clients.address = "127.0.0.1:0";
  settings.admin.address = "unix:" + home + "/admin.sock";
  settings.tls = {
      .certificate_file = "test", .key_file = "test", .certificate_pem = leaf.certificate_pem, .key_pem = leaf.key_pem};
  settings.trust.anchors = {ca.certificate_pem};
  settings.store.url = "sqlite:" + home + "/fedgate.db";
  settings.node_limits = {.rate_per_hour = 100'000'000, .burst = 1000, .concurrency_per_peer = 256};
  settings.audit.journal = home + "/journal";
  // Made at the first start, as an upgraded gateway does it.
  settings.audit.signing_key_file = home + "/signer/audit.key";
  settings.audit.witness_key_file = home + "/signer/witness.key";
  settings.shutdown = {.announce = std::chrono::milliseconds(0), .drain = std::chrono::seconds(5)};
  settings.log = {.level = log::Level::warning, .format = log::Format::text, .file = home + "/log"};
  settings.call_timeout = std::chrono::seconds(10);

  trust::ClientEntry alice;
  alice.principal = must(PrincipalId::parse(principal));
  alice.token_sha256 = must(trust::parse_token_file(trust::token_file_text(token)));
  alice.groups = {"dev"};
  alice.may_act_for = {must(PrincipalId::parse("bob@" + name))};
  settings.clients_list = {alice};

  adapters::Resource inventory;
  inventory.id = must(ResourceId::parse(std::string("inventory-") + letter));
  inventory.url = upstream->url();
  const auto add = [&](const char* capability, const char* request, Access access) {
    adapters::Capability one;
    one.id = must(CapabilityId::parse(capability));
    one.request = request;
    one.access = access;
    one.timeout = std::chrono::seconds(10);
    inventory.capabilities.push_back(one);
  };
  add("lookup", "GET /items/{sku}", Access::read);
  add("order", "POST /orders", Access::write);
  add("slow", "POST /slow", Access::write);
  add("forbidden", "POST /forbidden", Access::write);
  add("secret", "POST /secret", Access::write);
  settings.resources = {inventory};

  policy::Rule rule;
  rule.effect = Verdict::deny;
  rule.id = "no-forbidden";
  rule.direction = Direction::in;
  rule.capabilities = {"forbidden"};
  settings.rules.push_back(rule);
  rule.id = "no-secret-out";
  rule.direction = Direction::out;
  rule.capabilities = {"secret"};
  settings.rules.push_back(rule);
  policy::Rule allow;
  allow.effect = Verdict::allow;
  allow.id = "all-in";
  allow.direction = Direction::in;
  settings.rules.push_back(allow);
  allow.id = "all-out";
  allow.direction = Direction::out;
  settings.rules.push_back(allow);
}

void Organisation::start() {
  gateway = must(app::Gateway::start(std::make_shared<const config::Settings>(settings), environment));
  settings.peers.address = gateway->peers_address();
  settings.clients.address = gateway->clients_address();
}

void Organisation::stop() {
  if (gateway) gateway->shutdown();
  gateway.reset();
}

Node Organisation::as_node() const {
  Node node;
  node.id = id;
  node.name = id.str();
  node.alias = id.str().substr(0, 4);
  node.endpoints = {"https://" + gateway->peers_address()};
  node.trust_anchors = {ca.certificate_pem};
  node.principal_domains = {must(Domain::parse(id.view()))};
  node.resources = {settings.resources.front().id};
  node.reads = {settings.resources.front().id.str() + "/lookup"};
  node.trust_level = TrustLevel::trusted;
  return node;
}

void Organisation::trust_node(const Node& other) { must(gateway->registry().add(other)); }

net::Destination Organisation::clients() const {
  const auto address = must(net::parse_address(gateway->clients_address()));
  return {.pool_key = id.str() + " clients",
          .host = address.host,
          .port = address.port,
          .host_header = "localhost",
          .tls = nullptr,
          .server_name = ""};
}

net::Destination Organisation::admin() const {
  return {.pool_key = id.str() + " admin",
          .host = gateway->admin_address().substr(5),
          .port = 0,
          .host_header = "localhost",
          .tls = nullptr,
          .server_name = ""};
}

net::Request Organisation::invoke_request(const nlohmann::json& body,
                                          const std::vector<std::pair<std::string, std::string>>& headers) const {
  net::Request request;
  request.method = "POST";
  request.target = "/api/v2/federation/invoke";
  request.headers.add("Authorization", "Bearer " + token);
  request.headers.add("Content-Type", "application/json");
  for (const auto& [name, value] : headers) request.headers.add(name, value);
  request.body = body.is_string() ? body.get<std::string>() : body.dump();
  return request;
}

Answer Organisation::invoke(TestClient& client, const nlohmann::json& body,
                            const std::vector<std::pair<std::string, std::string>>& headers) const {
  return client.send(clients(), invoke_request(body, headers));
}

Answer Organisation::operate(TestClient& client, const std::string& method, const std::string& target,
                             const nlohmann::json& body) const {
  net::Request request;
  request.method = method;
  request.target = target;
  if (!body.is_null()) {
    request.headers.add("Content-Type", "application/json");
    request.body = body.dump();
  }
  return client.send(admin(), request);
}

std::vector<store::AuditRow> Organisation::trail(store::AuditQuery query) const {
  if (!gateway->shipper().wait_for(gateway->journal().state().durable, std::chrono::seconds(10))) {
    throw std::runtime_error("the shipper does not catch up");
  }
  return must(gateway->store().audit(query));
}

std::vector<store::AuditRow> Organisation::trail(const std::string& correlation_id) const {
  store::AuditQuery query;
  query.correlation_id = correlation_id;
  query.oldest_first = true;
  return trail(query);
}

std::shared_ptr<net::TlsContext> Organisation::client_tls() const {
  net::TlsOptions options;
  options.certificate_pem = leaf.certificate_pem;
  options.key_pem = leaf.key_pem;
  return must(net::TlsContext::make(net::TlsSide::client, options));
}

Federation::Federation(std::size_t count, Upstream::Answer service, const Clock& clock) {
  for (std::size_t i = 0; i < count; ++i) {
    organisations_.push_back(std::make_unique<Organisation>(static_cast<char>('a' + i), directory_, service, clock));
  }
}

void Federation::start() {
  for (auto& one : organisations_) one->start();
  for (auto& one : organisations_) {
    for (auto& other : organisations_) {
      if (one != other) one->trust_node(other->as_node());
    }
  }
}

nlohmann::json call_of(char letter, const std::string& capability, const nlohmann::json& arguments) {
  return {{"resource_id", std::string("inventory-") + letter}, {"capability_id", capability}, {"arguments", arguments}};
}

}  // namespace fedgate::test
