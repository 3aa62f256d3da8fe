// SPDX-License-Identifier: Apache-2.0
//
// Promise: what a connection stands on may change while it is open. Within five seconds whoever is refused now has no
// connection any more, in either direction, and whoever still passes has noticed nothing.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "base/hash.h"
#include "net/address.h"
#include "net/review.h"
#include "support/certificate_builder.h"
#include "support/eventually.h"
#include "support/federation.h"
#include "support/open_connections.h"
#include "trust/certificate_facts.h"

namespace fedgate::test {
namespace {

using trust::CertificateAndKey;
using trust::Issued;
using trust::Recipe;

constexpr auto bound = net::review_bound * (sanitized ? 6 : 1);

WallTime from_now(std::chrono::seconds time) { return system_clock().wall() + time; }

Recipe current(Recipe recipe) {
  recipe.not_before = from_now(-std::chrono::hours(1));
  recipe.not_after = from_now(std::chrono::hours(1));
  return recipe;
}
Issued authority(const std::string& name) { return trust::issue(current(Recipe::authority(name))); }
Issued leaf_of(const Issued& ca, const std::string& serial) {
  auto recipe = current(Recipe::leaf("orgb.example"));
  recipe.serial = serial;
  return trust::issue(recipe, &ca);
}
CertificateAndKey pems(const Issued& issued) { return {issued.pem(), issued.key_pem()}; }
std::string key_of(const Issued& issued) { return to_hex(trust::public_key_sha256(issued.get()).value()); }

std::string crl(const Issued& ca, std::vector<std::string> revoked,
                WallTime next_update = from_now(std::chrono::hours(1))) {
  trust::CrlRecipe recipe;
  recipe.revoked = std::move(revoked);
  recipe.this_update = from_now(-std::chrono::minutes(10));
  recipe.next_update = next_update;
  return trust::crl_pem(ca, recipe);
}

/// A's configuration names B; B shows its partner certificates of the test's making.
class JudgedAgain : public testing::Test {
 protected:
  Federation federation{2};
  Organisation& a = federation.a();
  Organisation& b = federation.b();
  TestClient& client = federation.client;
  Issued ca = authority("orgb CA");
  Issued first = leaf_of(ca, "11");
  Issued second = leaf_of(ca, "22");

  /// B's gateway has the first leaf.
  void start() {
    b.leaf = pems(first);
    b.settings.tls.certificate_pem = b.leaf.certificate_pem;
    b.settings.tls.key_pem = b.leaf.key_pem;
    b.ca.certificate_pem = ca.pem();
    b.start();
    Node node = b.as_node();
    node.source = NodeSource::configuration;
    node.defined_at = "fedgate.yaml:1";
    a.settings.nodes = {node};
    change_node();
    a.environment.reload_source = [this] {
      return config::Loaded{std::make_shared<const config::Settings>(a.settings), {}, {}, {}};
    };
    a.start();
    b.trust_node(a.as_node());
  }
  /// Before A starts.
  std::function<void()> change_node = [] {};
  void reload() {
    const auto reloaded = a.operate(client, "POST", "/api/v2/reload");
    ASSERT_EQ(reloaded.status, 200) << reloaded.text;
  }
  std::unique_ptr<OpenConnections> open_with(const Issued& leaf, std::size_t count) {
    const auto address = net::parse_address(a.gateway->peers_address()).value();
    auto made = std::make_unique<OpenConnections>(pems(leaf), a.id.str(), address.port);
    made->open(count);
    return made;
  }
  std::uint16_t call(const Organisation& from, char to) {
    nlohmann::json body = call_of(to, "lookup");
    body["target_node_id"] = to == 'a' ? a.id.str() : b.id.str();
    return from.invoke(client, body).status;
  }
  /// Connections that the listener for peers has.
  std::int64_t connections(const Organisation& of) {
    for (const auto& listener : of.operate(client, "GET", "/api/v2/status").body["listeners"])
      if (listener["name"] == "peers") return listener["connections"].get<std::int64_t>();
    return -1;
  }
};

TEST_F(JudgedAgain, ARevokedLeafIsOutAndItsSistersCallsGoOn) {
  constexpr std::size_t each = sanitized ? 60 : 450;
  a.settings.crls = {{"orgb.crl", crl(ca, {}), b.id}};
  start();
  auto good = open_with(first, each);
  auto bad = open_with(second, each);
  std::atomic<bool> enough{false};
  std::atomic<int> calls{0};
  std::atomic<int> lost{0};
  std::vector<std::thread> callers;
  for (const char to : {'a', 'b'})
    callers.emplace_back([&, to] {
      TestClient own;
      nlohmann::json body = call_of(to, "order");
      body["target_node_id"] = to == 'a' ? a.id.str() : b.id.str();
      while (!enough) {
        if ((to == 'a' ? b : a).invoke(own, body).status != 200) ++lost;
        ++calls;
      }
    });
  EXPECT_TRUE(eventually([&] { return calls > 50; }));
  a.settings.crls = {{"orgb.crl", crl(ca, {"22"}), b.id}};
  const auto begun = std::chrono::steady_clock::now();
  reload();
  const auto last = bad->all_closed(bound);
  EXPECT_TRUE(last) << bad->closed() << " of " << each;
  if (last)
    std::cout << each << " connections of a revoked leaf beside " << each << " of a good one: closed after "
              << std::chrono::duration<double>(*last - begun).count() << " s\n";
  const int calls_then = calls;
  EXPECT_TRUE(eventually([&] { return calls > calls_then + 50; }));
  enough = true;
  for (auto& caller : callers) caller.join();
  EXPECT_EQ(lost, 0);
  EXPECT_EQ(good->closed(), 0U);
  EXPECT_TRUE(good->answers());
  EXPECT_FALSE(bad->lets_in());
}

TEST_F(JudgedAgain, OurConnectionsToARevokedServerEnd) {
  a.settings.crls = {{"orgb.crl", crl(ca, {}), b.id}};
  start();
  ASSERT_EQ(call(a, 'b'), 200);
  ASSERT_EQ(connections(b), 1);
  a.settings.crls = {{"orgb.crl", crl(ca, {"11"}), b.id}};
  reload();
  EXPECT_TRUE(eventually([&] { return connections(b) == 0; }, bound));
  EXPECT_NE(call(a, 'b'), 200);
  a.settings.crls = {{"orgb.crl", crl(ca, {}), b.id}};
  reload();
  EXPECT_EQ(call(a, 'b'), 200);
}

TEST_F(JudgedAgain, AListThatIsNotRenewedEndsWhatItCovered) {
  a.settings.crls = {{"orgb.crl", crl(ca, {}, from_now(std::chrono::seconds(sanitized ? 8 : 3))), b.id}};
  start();
  auto open = open_with(first, 5);
  ASSERT_EQ(call(a, 'b'), 200);
  ASSERT_EQ(connections(b), 1);
  EXPECT_TRUE(open->all_closed(std::chrono::seconds(sanitized ? 8 : 3) + bound));
  EXPECT_TRUE(eventually([&] { return connections(b) == 0; }, bound));
  EXPECT_FALSE(open->lets_in());
}

TEST_F(JudgedAgain, ARenewedListCarriesOpenConnectionsOn) {
  constexpr auto soon = std::chrono::seconds(sanitized ? 20 : 3);
  const auto end = from_now(soon);
  a.settings.crls = {{"orgb.crl", crl(ca, {}, end), b.id}};
  start();
  auto open = open_with(first, 5);
  ASSERT_EQ(call(a, 'b'), 200);
  a.settings.crls = {{"orgb.crl", crl(ca, {}), b.id}};
  reload();
  ASSERT_TRUE(eventually([&] { return system_clock().wall() > end + std::chrono::seconds(2); }, soon + bound));
  EXPECT_EQ(open->closed(), 0U);
  EXPECT_EQ(connections(b), 1) << "our own connection to them, too";
}

TEST_F(JudgedAgain, ARetiredAnchorTakesItsConnectionsAlong) {
  const auto other_ca = authority("orgb CA, next");
  const auto next = leaf_of(other_ca, "33");
  change_node = [&] { a.settings.nodes[0].trust_anchors = {ca.pem(), other_ca.pem()}; };
  start();
  auto old_ones = open_with(first, 20);
  auto new_ones = open_with(next, 20);
  a.settings.nodes[0].trust_anchors = {other_ca.pem()};
  reload();
  EXPECT_TRUE(old_ones->all_closed(bound));
  EXPECT_TRUE(new_ones->answers());
  EXPECT_EQ(new_ones->closed(), 0U);
  EXPECT_FALSE(old_ones->lets_in());
}

TEST_F(JudgedAgain, APinThatIsGoneTakesItsConnectionsAlong) {
  change_node = [&] { a.settings.nodes[0].pins = {key_of(first), key_of(second)}; };
  start();
  auto firsts = open_with(first, 20);
  auto seconds = open_with(second, 20);
  ASSERT_EQ(call(a, 'b'), 200);
  a.settings.nodes[0].pins = {key_of(first)};
  reload();
  EXPECT_TRUE(seconds->all_closed(bound));
  EXPECT_TRUE(firsts->answers());
  EXPECT_EQ(firsts->closed(), 0U);
  EXPECT_EQ(connections(b), 1);
}

}  // namespace
}  // namespace fedgate::test
