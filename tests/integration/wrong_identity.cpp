// SPDX-License-Identifier: Apache-2.0
//
// Promise: nobody is anybody else. A stranger gets no byte of HTTP; a peer speaks for itself and its own
// principals only, once.
#include <gtest/gtest.h>

#include <array>

#include "base/entropy.h"
#include "base/hash.h"
#include "net/address.h"
#include "support/federation.h"

namespace fedgate {
namespace {

using test::call_of;

net::Destination peers_of(const test::Organisation& target, std::shared_ptr<net::TlsContext> tls) {
  const auto address = *net::parse_address(target.gateway->peers_address());
  return {.pool_key = "peer " + std::to_string(reinterpret_cast<std::uintptr_t>(tls.get())),
          .host = address.host,
          .port = address.port,
          .host_header = target.id.str(),
          .tls = tls,
          .server_name = target.id.str()};
}

CorrelationId fresh_id(WallTime at = system_clock().wall()) {
  std::array<std::uint8_t, 10> random{};
  system_entropy().fill(random);
  return CorrelationId::make(at, random);
}

/// What a gateway would send; each test spoils one thing.
net::Request peer_request(const nlohmann::json& changes = nlohmann::json::object(),
                          const CorrelationId& id = fresh_id()) {
  nlohmann::json body{{"source_node", "orga.example"},        {"target_node_id", "orgb.example"},
                      {"resource_id", "inventory-b"},         {"capability_id", "lookup"},
                      {"principal_id", "alice@orga.example"}, {"arguments", {{"sku", "A-1"}}},
                      {"context", nlohmann::json::object()}};
  body.update(changes);
  net::Request request;
  request.method = "POST";
  request.target = "/api/v2/federation/invoke";
  request.headers.add("Content-Type", "application/json");
  request.headers.add("Fedgate-Correlation-Id", id.str());
  request.headers.add("Fedgate-Deadline-Ms", "5000");
  request.headers.add("Fedgate-Call-Nonce", to_base64url("0123456789abcdef"));
  request.body = body.dump();
  return request;
}

class WrongIdentity : public ::testing::Test {
 protected:
  WrongIdentity() : orgs(3) { orgs.start(); }
  test::Answer as_a(const net::Request& request) {
    return orgs.client.send(peers_of(orgs.b(), orgs.a().client_tls()), request);
  }
  test::Answer with(const trust::CertificateAndKey& who, const net::Request& request) {
    net::TlsOptions options;
    options.certificate_pem = who.certificate_pem;
    options.key_pem = who.key_pem;
    return orgs.client.send(peers_of(orgs.b(), *net::TlsContext::make(net::TlsSide::client, options)), request);
  }
  test::Federation orgs;
};

TEST_F(WrongIdentity, TheTestsOwnRequestIsARightOne) {
  const auto answer = as_a(peer_request());
  EXPECT_EQ(answer.status, 200) << answer.text << answer.problem;
}

TEST_F(WrongIdentity, ACertificateOfAnotherOrganisationsCaIsRefusedInTheHandshake) {
  const auto now = system_clock().wall() - std::chrono::hours(1);
  const auto forged =
      *trust::issue_dev_leaf(orgs[2].ca, {.dns_names = {"orga.example"}, .common_name = "", .not_before = now});
  const auto answer = with(forged, peer_request());
  EXPECT_EQ(answer.status, 0) << "an HTTP answer reached a stranger: " << answer.text;
}

TEST_F(WrongIdentity, ANameThatIsOnlyTheCommonNameIsRefused) {
  const auto now = system_clock().wall() - std::chrono::hours(1);
  const auto leaf = *trust::issue_dev_leaf(
      orgs.a().ca, {.dns_names = {"other.example"}, .common_name = "orga.example", .not_before = now});
  EXPECT_EQ(with(leaf, peer_request()).status, 0);
}

TEST_F(WrongIdentity, ACertificateForServersOnlyCannotCall) {
  const auto now = system_clock().wall() - std::chrono::hours(1);
  const auto leaf = *trust::issue_dev_leaf(
      orgs.a().ca, {.dns_names = {"orga.example"}, .client_auth = false, .common_name = "", .not_before = now});
  EXPECT_EQ(with(leaf, peer_request()).status, 0);
}

TEST_F(WrongIdentity, NoCertificateIsRefused) {
  const auto address = *net::parse_address(orgs.b().gateway->peers_address());
  net::Destination plain{.pool_key = "plain",
                         .host = address.host,
                         .port = address.port,
                         .host_header = "orgb.example",
                         .tls = nullptr,
                         .server_name = ""};
  EXPECT_EQ(orgs.client.send(plain, peer_request(), std::chrono::seconds(8)).status, 0);
}

TEST_F(WrongIdentity, TheBodyMayNotNameAnotherSource) {
  const auto answer = as_a(peer_request({{"source_node", "orgc.example"}}));
  EXPECT_EQ(answer.status, 403);
  EXPECT_EQ(answer.code(), "identity_mismatch");
  EXPECT_FALSE(answer.body.contains("detail"));
}

TEST_F(WrongIdentity, ThePrincipalMustBeThePeersOwn) {
  EXPECT_EQ(as_a(peer_request({{"principal_id", "carol@orgc.example"}})).code(), "identity_mismatch");
  EXPECT_EQ(as_a(peer_request({{"principal_id", "bob@orgb.example"}})).code(), "identity_mismatch");
  EXPECT_EQ(as_a(peer_request({{"principal_id", "alice@sub.orga.example"}})).code(), "identity_mismatch");
  EXPECT_EQ(as_a(peer_request({{"actor", "carol@orgc.example"}})).code(), "identity_mismatch");
}

TEST_F(WrongIdentity, ACallMeantForAnotherIsRefused) {
  EXPECT_EQ(as_a(peer_request({{"target_node_id", "orgc.example"}})).code(), "identity_mismatch");
}

TEST_F(WrongIdentity, ACallCannotBeReplayed) {
  const auto id = fresh_id();
  EXPECT_EQ(as_a(peer_request(nlohmann::json::object(), id)).status, 200);
  const auto again = as_a(peer_request(nlohmann::json::object(), id));
  EXPECT_EQ(again.status, 409);
  EXPECT_EQ(again.code(), "duplicate_call");
  EXPECT_EQ(orgs.b().upstream->seen().size(), 1U);
  // Another attempt of the same call is another call.
  EXPECT_EQ(as_a(peer_request({{"attempt", 2}}, id)).status, 200);
}

TEST_F(WrongIdentity, AnOldOrFutureCorrelationIdIsRefused) {
  const auto now = system_clock().wall();
  EXPECT_EQ(as_a(peer_request(nlohmann::json::object(), fresh_id(now - std::chrono::minutes(6)))).code(),
            "bad_request");
  EXPECT_EQ(as_a(peer_request(nlohmann::json::object(), fresh_id(now + std::chrono::minutes(6)))).code(),
            "bad_request");
}

TEST_F(WrongIdentity, ACallThatCameThroughUsIsALoop) {
  auto request = peer_request();
  request.headers.add("Fedgate-Via", "orga.example, orgb.example");
  EXPECT_EQ(as_a(request).status, 508);
  auto far = peer_request();
  far.headers.add("Fedgate-Via", "a.example, b.example, c.example, d.example, e.example");
  EXPECT_EQ(as_a(far).status, 508);
}

TEST_F(WrongIdentity, ALeafInSomebodyElsesLogIsRefused) {
  auto request = peer_request();
  request.headers.add("Fedgate-Audit-Leaf", "orgc.example/fedgate/log/a/1;7;" + std::string(64, 'a'));
  EXPECT_EQ(as_a(request).code(), "identity_mismatch");
}

TEST_F(WrongIdentity, ADisabledNodeIsCutOffAtOnceAndCanComeBack) {
  ASSERT_EQ(orgs.a().invoke(orgs.client, call_of('b', "lookup")).status, 200);
  const auto disabled =
      orgs.b().operate(orgs.client, "PATCH", "/api/v2/federation/nodes/orga.example", {{"enabled", false}});
  ASSERT_EQ(disabled.status, 200) << disabled.text;
  const auto cut = orgs.a().invoke(orgs.client, call_of('b', "lookup"));
  EXPECT_EQ(cut.status, 502) << cut.text;
  EXPECT_EQ(cut.body["outcome"], "failed") << cut.text;
  // The other direction is cut too.
  EXPECT_EQ(orgs.b().invoke(orgs.client, call_of('a', "lookup")).code(), "node_not_trusted");
  ASSERT_EQ(orgs.b().operate(orgs.client, "PATCH", "/api/v2/federation/nodes/orga.example", {{"enabled", true}}).status,
            200);
  EXPECT_EQ(orgs.a().invoke(orgs.client, call_of('b', "lookup")).status, 200);
}

TEST_F(WrongIdentity, ClientsNeedAValidToken) {
  auto request = orgs.a().invoke_request(call_of('b', "lookup"));
  net::Request without;
  without.method = "POST";
  without.target = request.target;
  without.headers.add("Content-Type", "application/json");
  without.body = request.body;
  const auto answer = orgs.client.send(orgs.a().clients(), without);
  EXPECT_EQ(answer.status, 401);
  EXPECT_NE(answer.header("WWW-Authenticate").find("Bearer"), std::string::npos);
  without.headers.add("Authorization", "Bearer " + trust::make_token());
  EXPECT_EQ(orgs.client.send(orgs.a().clients(), without).status, 401);
}

TEST_F(WrongIdentity, BrowsersAndForeignHostsAreRefusedOnLoopback) {
  EXPECT_EQ(orgs.a().invoke(orgs.client, call_of('b', "lookup"), {{"Origin", "http://evil.example"}}).status, 403);
  auto rebound = orgs.a().clients();
  rebound.host_header = "evil.example";
  rebound.pool_key += " rebound";
  EXPECT_EQ(orgs.client.send(rebound, orgs.a().invoke_request(call_of('b', "lookup"))).status, 400);
}

}  // namespace
}  // namespace fedgate
