// SPDX-License-Identifier: Apache-2.0
//
// Promise: however trust has begun, both gateways open an ordinary connection and see whether they believe each other
// before the first call leaves; nobody has to ask for it, the first call waits for it, and where it fails everybody is
// told who must act.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "base/hash.h"
#include "net/address.h"
#include "support/eventually.h"
#include "support/federation.h"

namespace fedgate::test {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::Not;

/// Speaks for organisation B as far as TLS goes, and says of others what the test wants.
class OddPeer final : private net::Handler {
 public:
  OddPeer(const Organisation& as, const std::string& address) : worker_(7, system_clock()) {
    net::TlsOptions options;
    options.certificate_pem = as.leaf.certificate_pem;
    options.key_pem = as.leaf.key_pem;
    auto tls = *net::TlsContext::make(net::TlsSide::server, options);
    net::Handler& handler = *this;
    const net::ServerOptions server_options{.name = "odd", .limits = {}, .hosts = {}};
    server_ = std::make_unique<net::HttpServer>(worker_, server_options, handler, log::silent(), metrics_);
    worker_.start({});
    listener_ =
        std::move(*net::Listener::bind(worker_, {.address = address, .unix_mode = 0660, .limits = {}}, log::silent()));
    listener_->start({server_.get()}, [tls] { return tls; });
  }
  ~OddPeer() override {
    worker_.run_and_wait([this]() -> Task<> {
      listener_->stop();
      server_->announce_end();
      co_await server_->drain(std::chrono::steady_clock::now());
    });
    worker_.finish();
  }
  void say(const json& of_verify, std::chrono::milliseconds after = std::chrono::milliseconds(0)) {
    worker_.run_and_wait([&]() -> Task<> {
      says_ = of_verify;
      after_ = after;
      co_return;
    });
  }
  std::atomic<int> invoked{0}, verified{0};

 private:
  Task<> handle(const net::Connection&, net::Request& request, net::Response& response) override {
    if (after_.count() > 0) co_await sleep_until(worker_.wheel(), worker_.wheel().now() + after_);
    response.headers.add("Content-Type", "application/json");
    if (request.path() == "/api/v2/federation/verify") {
      ++verified;
      response.body = says_.dump();
    } else if (request.path() == "/api/v2/federation/invoke") {
      ++invoked;
      response.body = R"({"success":true,"result":1})";
    } else {
      response.status = 404;
      response.body = "{}";
    }
  }
  json says_;
  std::chrono::milliseconds after_{0};
  Metrics metrics_;
  Worker worker_;
  std::unique_ptr<net::HttpServer> server_;
  std::unique_ptr<net::Listener> listener_;
};

class Verification : public testing::Test {
 protected:
  Federation federation{2};
  Organisation& a = federation.a();
  Organisation& b = federation.b();
  TestClient& client = federation.client;

  void start() {
    for (auto* one : {&a, &b}) {
      one->environment.reload_source = [one] {
        return config::Loaded{std::make_shared<const config::Settings>(one->settings), {}, {}, {}};
      };
      one->start();
    }
  }
  /// Puts it into the other's YAML.
  void configure(Organisation& at, const Organisation& about) {
    Node node = about.as_node();
    node.source = NodeSource::configuration;
    node.defined_at = "fedgate.yaml:1";
    at.settings.nodes = {node};
    const auto reloaded = at.operate(client, "POST", "/api/v2/reload");
    ASSERT_EQ(reloaded.status, 200) << reloaded.text;
  }
  /// Only what a call asks for.
  static void never_by_itself(Organisation& at) { at.environment.verification.first = std::chrono::hours(1); }
  json seen(Organisation& at, const Organisation& about) {
    const auto shown = at.operate(client, "GET", "/api/v2/federation/trust/" + about.id.str()).body;
    return shown.contains("verification") ? shown["verification"] : json();
  }
  std::string next(Organisation& at, const Organisation& about) {
    return at.operate(client, "GET", "/api/v2/federation/trust/" + about.id.str()).body.value("next", "");
  }
  json status(Organisation& at) { return at.operate(client, "GET", "/api/v2/status").body; }
  bool good(Organisation& at, const Organisation& about) {
    const auto last = seen(at, about);
    return last.is_object() && last["good"] == true && last["since"].is_string();
  }
  Answer call(const Organisation& from, const Organisation& to, const std::string& capability = "order",
              const std::vector<std::pair<std::string, std::string>>& headers = {}) {
    json body = call_of(to.id.str()[3], capability);
    body["target_node_id"] = to.id.str();
    return from.invoke(client, body, headers);
  }
};

TEST_F(Verification, WhatIsConfiguredOnBothSidesIsVerifiedByItself) {
  start();
  configure(a, b);
  EXPECT_TRUE(eventually([&] { return seen(a, b).is_object(); }));
  EXPECT_EQ(seen(a, b)["good"], false) << "B does not know A yet";
  EXPECT_EQ(seen(a, b)["since"], nullptr);
  EXPECT_THAT(next(a, b), HasSubstr("operator of orgb.example: we could not verify it"));
  EXPECT_TRUE(eventually([&] {
    return status(a)["attention"].dump().contains("trust with orgb.example waits for operator of orgb.example");
  }));
  EXPECT_EQ(status(a)["nodes"]["verified"], 0);
  EXPECT_THAT(a.gateway->metrics().text(),
              HasSubstr(R"(federation_trust_verification_total{reason="peer_refused",result="not_verified"})"));

  configure(b, a);
  EXPECT_TRUE(eventually([&] { return good(a, b) && good(b, a); }, std::chrono::seconds(30)));
  EXPECT_EQ(next(a, b), "nobody: both sides trust each other");
  EXPECT_THAT(status(a)["attention"].dump(), Not(HasSubstr("orgb.example")));
  EXPECT_EQ(status(a)["nodes"]["verified"], 1);
  EXPECT_THAT(b.gateway->metrics().text(),
              HasSubstr(R"(federation_trust_verification_total{reason="",result="verified"})"));
  const auto since = seen(a, b)["since"];
  EXPECT_EQ(call(a, b).status, 200);
  EXPECT_EQ(seen(a, b)["since"], since);
}

TEST_F(Verification, TheFirstCallAsksForItAndWaits) {
  never_by_itself(a);
  start();
  configure(a, b);
  configure(b, a);
  EXPECT_EQ(seen(a, b), nullptr);
  EXPECT_THAT(next(a, b), HasSubstr("about to be tried"));
  std::vector<std::thread> callers;
  std::atomic<int> answered{0};
  for (int i = 0; i < 20; ++i)
    callers.emplace_back([&] {
      TestClient own;
      json body = call_of('b', "order");
      body["target_node_id"] = b.id.str();
      if (a.invoke(own, body).status == 200) ++answered;
    });
  for (auto& caller : callers) caller.join();
  EXPECT_EQ(answered, 20) << "nobody fails because it was not done yet";
  EXPECT_TRUE(good(a, b));
}

TEST_F(Verification, ACallThatCannotBeVerifiedIsNotSentAndTheNextTriesAgain) {
  never_by_itself(a);
  start();
  configure(a, b);
  const auto refused = call(a, b);
  EXPECT_EQ(refused.code(), "peer_refused") << refused.text;
  EXPECT_EQ(refused.body["outcome"], "not_sent");
  EXPECT_THAT(refused.body["detail"].get<std::string>(), HasSubstr("orgb.example is not verified"));
  const auto trail = a.trail(refused.correlation_id());
  ASSERT_FALSE(trail.empty());
  EXPECT_EQ(trail.back().outcome, "not_sent");
  configure(b, a);
  EXPECT_EQ(call(a, b).status, 200) << "at once, whatever was found before";
  EXPECT_EQ(b.upstream->seen().size(), 1U);
}

TEST_F(Verification, WhoeverSeesUsAsSomebodyElseGetsNoCall) {
  never_by_itself(a);
  start();
  configure(a, b);
  b.stop();
  OddPeer odd(b, b.settings.peers.address);
  const auto certificate = to_hex(trust::certificate_facts(a.leaf.certificate_pem).value().sha256);
  json right = {{"success", true},
                {"you", "orga.example"},
                {"trust_level", "trusted"},
                {"certificate_info", {{"sha256", certificate}}}};
  const auto code_where = [&](const char* member, const json& value) {
    auto said = right;
    if (value.is_null())
      said.erase(member);
    else
      said[member] = value;
    odd.say(said);
    const auto answer = call(a, b);
    EXPECT_EQ(answer.body["outcome"], "not_sent") << answer.text;
    return answer.code();
  };
  EXPECT_EQ(code_where("you", "orgc.example"), "identity_mismatch");
  EXPECT_THAT(next(a, b), HasSubstr("you and the operator of orgb.example"));
  EXPECT_EQ(code_where("you", nullptr), "identity_mismatch");
  EXPECT_EQ(code_where("trust_level", "pending"), "node_not_trusted");
  EXPECT_EQ(code_where("certificate_info", {{"sha256", std::string(64, 'a')}}), "identity_mismatch");
  EXPECT_THAT(seen(a, b)["detail"].get<std::string>(), HasSubstr("something between the two gateways ends TLS"));
  EXPECT_EQ(code_where("certificate_info", nullptr), "identity_mismatch");
  odd.say(json::array({std::string(20'000, 'x')}));
  EXPECT_EQ(call(a, b).code(), "peer_protocol_error");
  EXPECT_THAT(next(a, b), HasSubstr("does not speak as a gateway"));
  odd.say(right, std::chrono::seconds(30));
  const auto begun = std::chrono::steady_clock::now();
  const auto late = call(a, b, "order", {{"Request-Timeout", "0.3"}});
  EXPECT_EQ(late.status, 504) << late.text;
  EXPECT_EQ(late.body["outcome"], "not_sent");
  EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::seconds(5));
  EXPECT_EQ(odd.invoked, 0);
  odd.say(right);
  EXPECT_EQ(call(a, b).status, 200);
  EXPECT_EQ(odd.invoked, 1);
  const int asked = odd.verified;
  EXPECT_EQ(call(a, b).status, 200);
  EXPECT_EQ(odd.verified, asked) << "once is enough";
}

TEST_F(Verification, TrustThatBeginsAgainIsVerifiedAgain) {
  start();
  configure(a, b);
  configure(b, a);
  EXPECT_EQ(call(a, b).status, 200);
  ASSERT_TRUE(good(a, b));
  const std::string path = "/api/v2/federation/nodes/orgb.example";
  ASSERT_EQ(a.operate(client, "PATCH", path, {{"enabled", false}}).status, 200);
  EXPECT_EQ(seen(a, b), nullptr);
  EXPECT_THAT(next(a, b), HasSubstr("nodes enable orgb.example"));
  ASSERT_EQ(a.operate(client, "PATCH", path, {{"enabled", true}}).status, 200);
  EXPECT_EQ(status(a)["nodes"]["verified"], 0);
  EXPECT_EQ(call(a, b).status, 200);
  EXPECT_TRUE(good(a, b));
  // What only changes otherwise does not count.
  ASSERT_EQ(b.operate(client, "PATCH", "/api/v2/federation/nodes/orga.example", {{"enabled", false}}).status, 200);
  EXPECT_TRUE(good(a, b)) << "A has not looked again";
  EXPECT_EQ(a.operate(client, "POST", path + "/trust/verify").body["verification"]["good"], false);
  EXPECT_EQ(seen(a, b)["since"], nullptr) << "they have decided otherwise";
}

}  // namespace
}  // namespace fedgate::test
