// SPDX-License-Identifier: Apache-2.0
//
// Promise: whoever presents a wrong identity, as a caller or as a server, gets no byte of HTTP and one alert that is
// the same for every reason; the operator's metric names the reason.
#include <gtest/gtest.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <mutex>
#include <set>
#include <thread>

#include "net/address.h"
#include "support/eventually.h"
#include "support/federation.h"
#include "support/identities.h"
#include "support/loopback.h"

namespace fedgate::test {
namespace {

using trust::Owned;
using SslContext = Owned<SSL_CTX, SSL_CTX_free>;
using Ssl = Owned<SSL, SSL_free>;

/// It is the moment for which the identities were made, and time for deadlines passes as ever.
class ThatDay final : public Clock {
 public:
  [[nodiscard]] SteadyTime steady() const override { return std::chrono::steady_clock::now(); }
  [[nodiscard]] WallTime wall() const override { return trust::test_now; }
};
const ThatDay that_day;

/// What came over one connection.
struct Seen {
  std::string bytes;        ///< of HTTP
  std::vector<int> alerts;  ///< received: level * 256 + description
};

/// Whoever presents an identity sets every check of its own aside.
SslContext context_of(const SSL_METHOD* method, const Identity& identity) {
  SslContext context(SSL_CTX_new(method));
  SSL_CTX_set_security_level(context.get(), 0);
  SSL_CTX_set_min_proto_version(context.get(), TLS1_3_VERSION);
  SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
  trust::must(SSL_CTX_use_certificate(context.get(), identity.chain[0]->get()) == 1, "certificate");
  trust::must(SSL_CTX_use_PrivateKey(context.get(), identity.chain[0]->key.get()) == 1, "key");
  for (std::size_t i = 1; i < identity.chain.size(); ++i)
    trust::must(SSL_CTX_add1_chain_cert(context.get(), identity.chain[i]->get()) == 1, "chain");
  return context;
}

void note_alerts(SSL_CTX* context, std::vector<int>& alerts) {
  SSL_CTX_set_app_data(context, &alerts);
  SSL_CTX_set_info_callback(context, [](const SSL* ssl, int where, int what) {
    if ((where & SSL_CB_ALERT) != 0 && (where & SSL_CB_READ) != 0)
      static_cast<std::vector<int>*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)))->push_back(what);
  });
}

class Socket {
 public:
  explicit Socket(int fd) : fd_(fd) {
    const timeval patience{.tv_sec = 10, .tv_usec = 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  ~Socket() { ::close(fd_); }
  [[nodiscard]] int get() const { return fd_; }

 private:
  int fd_;
};

std::string read_once(SSL* ssl) {
  std::array<char, 4096> bytes{};
  const int n = SSL_read(ssl, bytes.data(), static_cast<int>(bytes.size()));
  return n > 0 ? std::string(bytes.data(), static_cast<std::size_t>(n)) : "";
}

/// Asks the listener for its health.
Seen call_as(const Identity& identity, std::uint16_t port, const std::string& gateway) {
  Seen seen;
  const auto context = context_of(TLS_client_method(), identity);
  note_alerts(context.get(), seen.alerts);
  const Socket socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const auto address = loopback(port);
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    throw std::runtime_error("connect");
  const Ssl ssl(SSL_new(context.get()));
  SSL_set_fd(ssl.get(), socket.get());
  SSL_set_tlsext_host_name(ssl.get(), gateway.c_str());
  const std::string request = "GET /api/v2/health HTTP/1.1\r\nHost: " + gateway + "\r\n\r\n";
  if (SSL_connect(ssl.get()) == 1) {
    SSL_write(ssl.get(), request.data(), static_cast<int>(request.size()));
    seen.bytes = read_once(ssl.get());
  }
  ERR_clear_error();
  return seen;
}

/// A server that presents an identity and answers nobody.
class Impostor {
 public:
  explicit Impostor(const Identity& identity) : context_(context_of(TLS_server_method(), identity)) {
    listening_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    auto address = loopback(0);
    socklen_t size = sizeof address;
    if (::bind(listening_, reinterpret_cast<sockaddr*>(&address), size) != 0 || ::listen(listening_, 16) != 0)
      throw std::runtime_error("bind");
    ::getsockname(listening_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    note_alerts(context_.get(), alerts_);
    thread_ = std::thread([this] { serve(); });
  }
  Impostor(const Impostor&) = delete;
  Impostor& operator=(const Impostor&) = delete;
  ~Impostor() { stop(); }
  [[nodiscard]] std::uint16_t port() const { return port_; }
  [[nodiscard]] int connections() const { return connections_; }
  /// Nobody else comes; what the others sent.
  Seen stop() {
    if (thread_.joinable()) {
      ::shutdown(listening_, SHUT_RDWR);
      thread_.join();
      ::close(listening_);
    }
    return {bytes_, alerts_};
  }

 private:
  void serve() {
    while (true) {
      const int fd = ::accept4(listening_, nullptr, nullptr, SOCK_CLOEXEC);
      if (fd < 0) return;
      const Socket socket(fd);
      const Ssl ssl(SSL_new(context_.get()));
      SSL_set_fd(ssl.get(), socket.get());
      if (SSL_accept(ssl.get()) == 1) bytes_ += read_once(ssl.get());
      ERR_clear_error();
      ++connections_;
    }
  }
  SslContext context_;
  int listening_ = -1;
  std::uint16_t port_ = 0;
  std::vector<int> alerts_;
  std::string bytes_;
  std::atomic<int> connections_ = 0;
  std::thread thread_;
};

class BadIdentities : public ::testing::Test {
 protected:
  Federation federation{1, {}, that_day};
  Organisation& a = federation.a();

  /// How often each reason has been counted.
  std::map<std::string, double> refusals() {
    std::map<std::string, double> counts;
    std::istringstream lines(a.operate(federation.client, "GET", "/metrics").text);
    for (std::string line; std::getline(lines, line);) {
      if (!line.starts_with("federation_trust_verification_total{") || !line.contains(R"(result="refused")")) continue;
      const auto at = line.find("reason=\"");
      if (at == std::string::npos) continue;
      const auto reason = line.substr(at + 8, line.find('"', at + 8) - at - 8);
      counts[reason] += std::stod(line.substr(line.rfind(' ') + 1));
    }
    return counts;
  }
  std::set<std::string> counted_since(const std::map<std::string, double>& before) {
    std::set<std::string> reasons;
    for (const auto& [reason, count] : refusals())
      if (!before.contains(reason) || before.at(reason) < count) reasons.insert(reason);
    return reasons;
  }
  /// False where the registry itself does not take such a node: trusted, and without an anchor.
  bool know(const Identity& identity, std::uint16_t port = 1) {
    for (const auto& other : identity.others) a.trust_node(other);
    auto node = identity.node();
    node.endpoints = {"https://127.0.0.1:" + std::to_string(port)};
    node.resources = {ResourceId::parse("inventory-p").value()};
    node.reads = {"inventory-p/lookup"};
    const auto added = a.gateway->registry().add(node);
    EXPECT_EQ(added.has_value(), !identity.anchors.empty()) << (added ? "" : added.error().detail);
    return added.has_value();
  }
  void forget(const Identity& identity) {
    for (const auto& other : identity.others) forget(other.id.str());
    forget(peer_id);
  }
  void forget(const std::string& id) {
    const auto removed = a.operate(federation.client, "DELETE", "/api/v2/federation/nodes/" + id);
    EXPECT_EQ(removed.status, 200) << removed.text;
  }
  std::uint16_t port() { return net::parse_address(a.gateway->peers_address())->port; }
  static bool usable(const IdentityCase& one, const Identity& identity) {
    return one.presentable && identity.enabled && identity.trust_level == TrustLevel::trusted && identity.crls.empty();
  }
};

constexpr int handshake_failure = 2 * 256 + 40;

TEST_F(BadIdentities, AsCallers) {
  federation.start();
  std::size_t tried = 0;
  for (const auto& one : wrong_identities()) {
    const auto identity = one.make();
    if (!usable(one, identity) || one.ends == Ends::server_only || !know(identity)) continue;
    SCOPED_TRACE(one.name);
    const auto before = refusals();
    const auto seen = call_as(identity, port(), a.id.str());
    EXPECT_EQ(seen.bytes, "");
    EXPECT_EQ(seen.alerts, std::vector<int>{handshake_failure});
    const auto counted = counted_since(before);
    ASSERT_EQ(counted.size(), 1U);
    EXPECT_NE(std::ranges::find(one.reasons, *counted.begin()), one.reasons.end()) << *counted.begin();
    forget(identity);
    ++tried;
  }
  EXPECT_GE(tried, 60U);
}

TEST_F(BadIdentities, AsServers) {
  // Only the call itself meets the impostor.
  a.environment.verification.first = std::chrono::hours(1);
  federation.start();
  std::size_t tried = 0;
  std::set<std::vector<int>> alerts;
  for (const auto& one : wrong_identities()) {
    const auto identity = one.make();
    if (!usable(one, identity) || one.ends == Ends::client_only) continue;
    SCOPED_TRACE(one.name);
    Impostor impostor(identity);
    if (!know(identity, impostor.port())) continue;
    const auto before = refusals();
    auto body = call_of('p', "lookup");
    body["target_node_id"] = peer_id;
    const auto answer = a.invoke(federation.client, body);
    EXPECT_GE(answer.status, 500) << answer.text;
    EXPECT_EQ(answer.body.value("outcome", ""), "not_sent") << answer.text;
    EXPECT_TRUE(eventually([&] { return impostor.connections() > 0; }));
    forget(identity);
    const auto seen = impostor.stop();
    EXPECT_EQ(seen.bytes, "");
    for (const int alert : seen.alerts) alerts.insert({alert});
    EXPECT_FALSE(seen.alerts.empty());
    const auto counted = counted_since(before);
    ASSERT_EQ(counted.size(), 1U);
    EXPECT_NE(std::ranges::find(one.reasons, *counted.begin()), one.reasons.end()) << *counted.begin();
    ++tried;
  }
  EXPECT_GE(tried, 60U);
  EXPECT_EQ(alerts.size(), 1U) << testing::PrintToString(alerts);
}

// The same way in, and the right ones get through.
TEST_F(BadIdentities, RightOnesAreServedAndCalled) {
  federation.start();
  for (const auto& one : right_identities()) {
    const auto identity = one.make();
    if (!usable(one, identity)) continue;
    SCOPED_TRACE(one.name);
    Impostor server(identity);
    ASSERT_TRUE(know(identity, server.port()));
    if (one.ends != Ends::server_only) {
      const auto seen = call_as(identity, port(), a.id.str());
      EXPECT_TRUE(seen.bytes.starts_with("HTTP/1.1 200 ")) << seen.bytes;
      EXPECT_TRUE(seen.alerts.empty());
    }
    if (one.ends != Ends::client_only) {
      auto body = call_of('p', "lookup");
      body["target_node_id"] = peer_id;
      a.invoke(federation.client, body);
      EXPECT_TRUE(server.stop().bytes.contains(" HTTP/1.1\r\n"));
    }
    forget(identity);
  }
}

// Lists that the configuration names decide about callers too.
TEST_F(BadIdentities, RevokedByAConfiguredList) {
  CrlRecipe recipe;
  recipe.revoked = {"77"};
  a.settings.crls = {{"root.crl", crl_pem(*authorities().root, recipe), {}}};
  federation.start();
  const auto revoked = by_root([](Recipe& r) { r.serial = "77"; });
  ASSERT_TRUE(know(revoked));
  const auto before = refusals();
  const auto seen = call_as(revoked, port(), a.id.str());
  EXPECT_EQ(seen.bytes, "");
  EXPECT_EQ(seen.alerts, std::vector<int>{handshake_failure});
  EXPECT_EQ(counted_since(before), std::set<std::string>{"revoked"});
  EXPECT_TRUE(call_as(by_root(no_change), port(), a.id.str()).bytes.starts_with("HTTP/1.1 200 "));
}

}  // namespace
}  // namespace fedgate::test
