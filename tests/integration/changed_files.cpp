// SPDX-License-Identifier: Apache-2.0
//
// Promise: certificates, keys, anchors, revocation lists and tokens are replaced by replacing their files: no restart,
// no command, no lost call; a bad file leaves the old in use, and everybody who looks is told.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <thread>

#include "base/hash.h"
#include "support/certificate_builder.h"
#include "support/daemon.h"
#include "support/eventually.h"
#include "support/open_connections.h"

namespace fedgate::test {
namespace {

using testing::HasSubstr;

// Two looks, a second apart, and a reload.
constexpr auto noticed = std::chrono::seconds(30);

std::string text_of(const std::string& file) {
  std::ifstream in(file);
  return {std::istreambuf_iterator<char>(in), {}};
}

/// As certificate managers do it.
void replace(const Installation& at, const std::string& file, const std::string& text) {
  const auto next = at.path(file) + ".next";
  std::ofstream(next) << text;
  std::filesystem::permissions(next, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
  std::filesystem::rename(next, at.path(file));
}

trust::CertificateAndKey ca_of(const Installation& at) {
  return {text_of(at.path("tls/ca.crt")), text_of(at.path("tls/ca.key"))};
}

trust::CertificateAndKey another_leaf(const Installation& at) {
  trust::LeafRequest request;
  request.dns_names = {at.id()};
  request.not_before = system_clock().wall() - std::chrono::hours(1);
  return trust::issue_dev_leaf(ca_of(at), request).value();
}

std::string digest_of(const trust::CertificateAndKey& leaf) {
  return to_hex(trust::certificate_facts(leaf.certificate_pem).value().sha256);
}

/// What a server shows whoever connects.
struct Shown {
  std::string digest, staple;
};
Shown shown_at(std::uint16_t port, const std::string& name) {
  const std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context(SSL_CTX_new(TLS_client_method()), SSL_CTX_free);
  const std::unique_ptr<SSL, decltype(&SSL_free)> ssl(SSL_new(context.get()), SSL_free);
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const auto address = loopback(port);
  const void* place = &address;
  Shown shown{"nothing", ""};
  if (::connect(socket, static_cast<const sockaddr*>(place), sizeof address) == 0) {
    SSL_set_fd(ssl.get(), socket);
    SSL_set_tlsext_host_name(ssl.get(), name.c_str());
    SSL_set_tlsext_status_type(ssl.get(), TLSEXT_STATUSTYPE_ocsp);
    if (SSL_connect(ssl.get()) == 1) {
      const trust::CertificatePtr leaf(SSL_get1_peer_certificate(ssl.get()));
      shown.digest = to_hex(trust::certificate_sha256(leaf.get()).value());
      const unsigned char* staple = nullptr;
      const long size = SSL_get_tlsext_status_ocsp_resp(ssl.get(), &staple);
      if (size > 0) shown.staple.assign(reinterpret_cast<const char*>(staple), static_cast<std::size_t>(size));
    }
  }
  ::close(socket);
  return shown;
}
std::string shown_by(const Installation& at) { return shown_at(at.peers_port(), at.id()).digest; }

class ChangedFiles : public testing::Test {
 protected:
  Partners orgs{FEDGATE_BINARY, {}};
  Installation& a = orgs.a;
  Installation& b = orgs.b;
  TestClient& client = orgs.client;

  void SetUp() override {
    a.write("conf.d/20-sharing.yaml", R"(resources:
  - id: stock
    adapter: { type: http, url: ")" + orgs.upstream.url() +
                                          R"(" }
    capabilities: [ { id: lookup, request: "GET /stock/{sku}", access: read } ]
policy: { rules: [ { id: all-in, direction: in, effect: allow } ] }
)");
    b.issue_token();
    b.write("conf.d/20-calling.yaml", R"(clients:
  - { principal: alice@orgb.example, token_file: tokens/alice }
policy: { rules: [ { id: all-out, direction: out, effect: allow } ] }
)");
    orgs.start();
  }
  nlohmann::json config_status(const Installation& at) {
    return at.operate(client, "GET", "/api/v2/status").body["config"];
  }
  std::string metrics(const Installation& at) { return at.operate(client, "GET", "/metrics").text; }
  static nlohmann::json from_b() {
    return {{"target_node_id", "orga.example"},
            {"resource_id", "stock"},
            {"capability_id", "lookup"},
            {"arguments", {{"sku", "A-1"}}}};
  }
};

TEST_F(ChangedFiles, CertificatesAreRotatedUnderCallsInBothDirectionsAndNoneIsLost) {
  std::atomic<bool> enough{false};
  std::atomic<int> out{0}, in{0}, lost{0};
  std::vector<std::thread> callers;
  for (int i = 0; i < 4; ++i)
    callers.emplace_back([&, i] {
      TestClient own;
      while (!enough) {
        const auto answer = i % 2 == 0 ? a.invoke(own, inventory_call("order")) : b.invoke(own, from_b());
        if (answer.status != 200) {
          ++lost;
          ADD_FAILURE() << answer.status << ' ' << answer.text << answer.problem;
        }
        ++(i % 2 == 0 ? out : in);
      }
    });
  const auto some_more_calls = [&] {
    EXPECT_TRUE(eventually([&, o = out + 30, n = in + 30] { return out > o && in > n; }, std::chrono::seconds(60)));
  };
  some_more_calls();
  for (Installation* one : {&a, &b}) {
    const auto next = another_leaf(*one);
    ASSERT_NE(shown_by(*one), digest_of(next));
    replace(*one, "tls/node.key", next.key_pem);
    replace(*one, "tls/node.crt", next.certificate_pem);
    EXPECT_TRUE(eventually([&] { return shown_by(*one) == digest_of(next); }, noticed)) << one->log();
    some_more_calls();
  }
  EXPECT_EQ(config_status(a)["reload_ok"], true);
  EXPECT_THAT(a.log(), HasSubstr("file change"));

  const auto before = shown_by(a);
  replace(a, "tls/node.crt", "-----BEGIN CERTIFICATE-----\nno\n-----END CERTIFICATE-----\n");
  EXPECT_TRUE(eventually([&] { return config_status(a)["reload_ok"] == false; }, noticed));
  EXPECT_THAT(config_status(a)["problem"].get<std::string>(), HasSubstr("node.crt"));
  EXPECT_THAT(metrics(a), HasSubstr("federation_config_reload_success 0"));
  EXPECT_THAT(a.log(), HasSubstr("new configuration refused"));
  EXPECT_EQ(shown_by(a), before);
  some_more_calls();
  const auto shown = a.fedgate({"status"});
  EXPECT_THAT(shown.out, HasSubstr("the newest configuration was refused"));

  const auto third = another_leaf(a);
  replace(a, "tls/node.key", third.key_pem);
  replace(a, "tls/node.crt", third.certificate_pem);
  EXPECT_TRUE(eventually([&] { return shown_by(a) == digest_of(third); }, noticed)) << a.log();
  EXPECT_TRUE(eventually([&] { return config_status(a)["reload_ok"] == true; }));
  EXPECT_THAT(metrics(a), HasSubstr("federation_config_reload_success 1"));
  some_more_calls();
  enough = true;
  for (auto& caller : callers) caller.join();
  EXPECT_EQ(lost, 0) << "of " << out + in;
}

TEST_F(ChangedFiles, ARevocationListThatIsReplacedTakesEffect) {
  // B's CA, as one that signs lists.
  const auto ca = ca_of(b);
  const trust::Issued authority{std::move(trust::read_certificates(ca.certificate_pem, 1).value()[0]),
                                trust::read_private_key(ca.key_pem).value()};
  trust::CrlRecipe recipe;
  recipe.this_update = system_clock().wall() - std::chrono::hours(1);
  recipe.next_update = system_clock().wall() + std::chrono::hours(1);
  replace(a, "anchors/orgb.crl", trust::crl_pem(authority, recipe));
  auto yaml = text_of(a.path("conf.d/10-partner.yaml"));
  yaml.replace(yaml.find("trust_anchors:"), 0, "crl: [anchors/orgb.crl]\n    ");
  a.write("conf.d/10-partner.yaml", yaml);
  const trust::CertificateAndKey leaf{text_of(b.path("tls/node.crt")), text_of(b.path("tls/node.key"))};
  OpenConnections open(leaf, a.id(), a.peers_port());
  ASSERT_TRUE(eventually([&] { return a.log().find("file change") != std::string::npos; }, noticed));
  open.open(10);

  recipe.revoked = {trust::certificate_facts(leaf.certificate_pem).value().serial};
  std::erase(recipe.revoked[0], ':');
  recipe.number = "18";
  replace(a, "anchors/orgb.crl", trust::crl_pem(authority, recipe));
  EXPECT_TRUE(open.all_closed(noticed));
  EXPECT_FALSE(open.lets_in());
  EXPECT_NE(a.invoke(client, inventory_call("lookup")).status, 200);

  replace(a, "anchors/orgb.crl", "no list at all");
  EXPECT_TRUE(eventually([&] { return config_status(a)["reload_ok"] == false; }, noticed));
  EXPECT_FALSE(open.lets_in()) << "the last good one counts";
  recipe.revoked.clear();
  recipe.number = "19";
  replace(a, "anchors/orgb.crl", trust::crl_pem(authority, recipe));
  EXPECT_TRUE(eventually([&] { return open.lets_in(); }, noticed));
}

TEST_F(ChangedFiles, TheClientsListenersCertificateAndTheStapleAreReplaced) {
  const auto clients = [&] {
    trust::LeafRequest request;
    request.dns_names = {"localhost"};
    request.client_auth = false;
    request.not_before = system_clock().wall() - std::chrono::hours(1);
    return trust::issue_dev_leaf(ca_of(b), request).value();
  };
  const auto first = clients();
  const std::string staple = std::string("\x30\x03", 2) + "one";  // whoever gets it judges it
  replace(b, "tls/clients.key", first.key_pem);
  replace(b, "tls/clients.crt", first.certificate_pem);
  replace(b, "tls/staple.der", staple);
  ASSERT_EQ(b.stop(), 0);
  b.write("conf.d/30-tls.yaml",
          "listen: { clients: { tls: { certificate: tls/clients.crt, key: tls/clients.key } } }\n"
          "tls: { ocsp_staple: tls/staple.der }\n");
  b.start();
  ASSERT_EQ(shown_at(b.clients_port(), "localhost").digest, digest_of(first));
  ASSERT_EQ(shown_at(b.peers_port(), b.id()).staple, staple);

  const auto second = clients();
  replace(b, "tls/clients.key", second.key_pem);
  replace(b, "tls/clients.crt", second.certificate_pem);
  EXPECT_TRUE(eventually([&] { return shown_at(b.clients_port(), "localhost").digest == digest_of(second); }, noticed));
  const std::string renewed = std::string("\x30\x03", 2) + "two";
  replace(b, "tls/staple.der", renewed);
  EXPECT_TRUE(eventually([&] { return shown_at(b.peers_port(), b.id()).staple == renewed; }, noticed));
  EXPECT_EQ(shown_by(b), to_hex(trust::certificate_facts(text_of(b.path("tls/node.crt"))).value().sha256));
}

TEST_F(ChangedFiles, ATokenIsReplaced) {
  ASSERT_EQ(a.invoke(client, inventory_call("lookup")).status, 200);
  const auto file = text_of(a.path("tokens/alice"));
  // B's alice holds another token than A's.
  replace(a, "tokens/alice", text_of(b.path("tokens/alice")));
  EXPECT_TRUE(eventually([&] { return a.invoke(client, inventory_call("lookup")).status == 401; }, noticed));
  replace(a, "tokens/alice", file);
  EXPECT_TRUE(eventually([&] { return a.invoke(client, inventory_call("lookup")).status == 200; }, noticed));
}

}  // namespace
}  // namespace fedgate::test
