// SPDX-License-Identifier: Apache-2.0
//
// Promise: a peer that is down, silent or talks garbage costs its own calls and nothing else, each with a clear
// error, an honest outcome and a record.
#include <gtest/gtest.h>

#include "net/address.h"
#include "support/eventually.h"
#include "support/federation.h"

namespace fedgate {
namespace {

using test::call_of;

TEST(PeerDown, ACallToAStoppedPeerFailsAtOnceAndWorksAgainLater) {
  test::Federation orgs(2);
  orgs.start();
  ASSERT_EQ(orgs.a().invoke(orgs.client, call_of('b', "lookup")).status, 200);
  orgs.b().stop();
  const auto down = orgs.a().invoke(orgs.client, call_of('b', "order"));
  EXPECT_EQ(down.status, 502) << down.text;
  EXPECT_EQ(down.code(), "peer_unreachable");
  EXPECT_EQ(down.body["outcome"], "not_sent");
  EXPECT_EQ(down.body["retryable"], true);
  EXPECT_NE(down.body["detail"].get<std::string>().find("orgb.example"), std::string::npos);
  const auto trail = orgs.a().trail(down.correlation_id());
  ASSERT_EQ(trail.size(), 2U);
  EXPECT_EQ(trail[1].outcome, "not_sent");
  EXPECT_EQ(trail[1].error_code, "peer_unreachable");
  orgs.b().start();
  EXPECT_EQ(orgs.a().invoke(orgs.client, call_of('b', "order")).status, 200);
}

/// A gateway of organisation B as far as TLS goes, that answers whatever the test wants.
class FakePeer final : private net::Handler {
 public:
  FakePeer(test::Organisation& as, const std::string& address) : worker_(7, system_clock()) {
    net::TlsOptions options;
    options.certificate_pem = as.leaf.certificate_pem;
    options.key_pem = as.leaf.key_pem;
    auto tls = *net::TlsContext::make(net::TlsSide::server, options);
    net::Handler& handler = *this;
    const net::ServerOptions server_options{.name = "fake", .limits = {}, .hosts = {}};
    server_ = std::make_unique<net::HttpServer>(worker_, server_options, handler, log::silent(), metrics_);
    worker_.start({});
    listener_ =
        std::move(*net::Listener::bind(worker_, {.address = address, .unix_mode = 0660, .limits = {}}, log::silent()));
    listener_->start({server_.get()}, [tls] { return tls; });
  }
  ~FakePeer() override {
    worker_.run_and_wait([this]() -> Task<> {
      listener_->stop();
      server_->announce_end();
      co_await server_->drain(std::chrono::steady_clock::now());
    });
    worker_.finish();
  }
  std::atomic<std::uint16_t> status = 200;
  std::string type = "application/json";
  std::string body;
  std::string leaf;
  std::chrono::milliseconds delay{0};

 private:
  Task<> handle(const net::Connection&, net::Request&, net::Response& response) override {
    if (delay.count() > 0) co_await sleep_until(worker_.wheel(), worker_.wheel().now() + delay);
    response.status = status;
    response.headers.add("Content-Type", type);
    if (!leaf.empty()) response.headers.add("Fedgate-Audit-Leaf", leaf);
    response.body = body;
  }
  Metrics metrics_;
  Worker worker_;
  std::unique_ptr<net::HttpServer> server_;
  std::unique_ptr<net::Listener> listener_;
};

class GarbagePeer : public ::testing::Test {
 protected:
  GarbagePeer() : orgs(2) {
    orgs.start();
    // It was a gateway once: a target that nobody has verified gets no call at all.
    EXPECT_EQ(orgs.a().invoke(orgs.client, call_of('b', "lookup")).status, 200);
    orgs.b().stop();
    peer = std::make_unique<FakePeer>(orgs.b(), orgs.b().settings.peers.address);
  }
  ~GarbagePeer() override { peer.reset(); }
  test::Answer call(const std::vector<std::pair<std::string, std::string>>& headers = {}) {
    return orgs.a().invoke(orgs.client, call_of('b', "order"), headers);
  }
  void expect_broken(const std::string& body, std::uint16_t status = 200) {
    peer->body = body;
    peer->status = status;
    const auto answer = call();
    EXPECT_EQ(answer.status, 502) << body << " → " << answer.text;
    EXPECT_EQ(answer.code(), "peer_protocol_error") << body;
    EXPECT_EQ(answer.body["outcome"], "unknown") << body;
    EXPECT_EQ(orgs.a().trail(answer.correlation_id()).back().outcome, "unknown") << body;
  }
  test::Federation orgs;
  std::unique_ptr<FakePeer> peer;
};

TEST_F(GarbagePeer, AnswersThatAreNotOursAreRefused) {
  expect_broken("");
  expect_broken("hello");
  expect_broken("[]");
  expect_broken("{}");
  expect_broken(R"({"success":"yes"})");
  expect_broken(R"({"success":true,"success":false})");
  expect_broken(R"({"success":false})", 500);
  expect_broken(R"({"success":true,"result":1})", 500);
  expect_broken(R"({"success":false,"code":"policy_denied"})", 200);
  expect_broken(R"({"success":true,"result":)" + std::string(200, '[') + std::string(200, ']') + "}");
  expect_broken("\xEF\xBB\xBF{\"success\":true}");
  expect_broken(std::string("{\"success\":true}\0x", 18));
}

TEST_F(GarbagePeer, AnUnknownRefusalIsKeptAsARefusal) {
  peer->status = 418;
  peer->body = R"({"success":false,"code":"something_new"})";
  const auto answer = call();
  EXPECT_EQ(answer.code(), "internal");
  EXPECT_EQ(answer.body["decided_by"], "target");
}

TEST_F(GarbagePeer, ALeafInAnotherNodesLogIsNotBelieved) {
  peer->body = R"({"success":true,"result":1})";
  peer->leaf = "orgc.example/fedgate/log/a/1;3;" + std::string(64, 'b');
  const auto answer = call();
  ASSERT_EQ(answer.status, 200);
  EXPECT_FALSE(json::parse(orgs.a().trail(answer.correlation_id()).back().leaf)->contains("counterparty"));
}

TEST_F(GarbagePeer, AnEndlessOrTooLargeAnswerIsCut) {
  peer->body = R"({"success":true,"result":")" + std::string(2 * 1024 * 1024, 'x') + "\"}";
  const auto answer = call();
  EXPECT_EQ(answer.status, 502);
  EXPECT_EQ(answer.code(), "response_too_large");
}

TEST_F(GarbagePeer, ASilentPeerCostsTheCallsDeadlineNotMore) {
  peer->delay = std::chrono::seconds(60);
  const auto begin = std::chrono::steady_clock::now();
  const auto answer = call({{"Request-Timeout", "0.3"}});
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(5));
  EXPECT_EQ(answer.status, 504);
  EXPECT_EQ(answer.body["outcome"], "unknown");
}

}  // namespace
}  // namespace fedgate
