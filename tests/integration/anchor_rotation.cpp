// SPDX-License-Identifier: Apache-2.0
//
// Promise: an organisation replaces its CA without losing a call and without anybody enrolling again; what nobody has
// vouched for waits for an operator, and a peer that lies about its anchors changes nothing.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <fstream>
#include <sstream>
#include <thread>

#include "base/hash.h"
#include "cli/cli.h"
#include "net/http_server.h"
#include "support/eventually.h"
#include "support/federation.h"
#include "trust/enrolment.h"
#include "trust/openssl.h"
#include "trust/rotation_rules.h"
#include "wire/bundle_text.h"
#include "wire/rotation_text.h"

namespace fedgate::test {
namespace {

using nlohmann::json;
using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr const char* trust_path = "/api/v2/federation/trust";

/// The new CA's name and key, signed by the old CA's key.
std::string cross_certificate(const trust::CertificateAndKey& to, const trust::CertificateAndKey& by) {
  const auto subject = trust::read_certificates(to.certificate_pem, 1).value();
  const auto issuer = trust::read_certificates(by.certificate_pem, 1).value();
  const auto key = trust::read_private_key(by.key_pem).value();
  const trust::CertificatePtr made(X509_dup(subject.front().get()));
  X509_set_issuer_name(made.get(), X509_get_subject_name(issuer.front().get()));
  X509V3_CTX context{};
  X509V3_set_ctx(&context, issuer.front().get(), made.get(), nullptr, nullptr, 0);
  const trust::ExtensionPtr id(X509V3_EXT_conf_nid(nullptr, &context, NID_authority_key_identifier, "keyid:always"));
  const int old = X509_get_ext_by_NID(made.get(), NID_authority_key_identifier, -1);
  if (old >= 0) X509_EXTENSION_free(X509_delete_ext(made.get(), old));
  X509_add_ext(made.get(), id.get(), -1);
  EXPECT_GT(X509_sign(made.get(), key.get(), EVP_sha256()), 0);
  return trust::pem_of(made.get()).value();
}

std::string hash_of(const trust::CertificateAndKey& ca) {
  return to_hex(trust::pem_sha256(ca.certificate_pem).value());
}

class AnchorRotation : public testing::Test {
 protected:
  Federation federation{2};
  Organisation& a = federation.a();
  Organisation& b = federation.b();
  TestClient& client = federation.client;
  trust::CertificateAndKey old_ca = a.ca;
  trust::CertificateAndKey new_ca = make_ca();

  void SetUp() override {
    for (auto* org : {&a, &b}) {
      org->environment.exchange = {.interval = std::chrono::milliseconds(30), .settling = std::chrono::milliseconds(0)};
      org->environment.reload_source = [org] {
        return config::Loaded{.settings = std::make_shared<const config::Settings>(org->settings),
                              .findings = {},
                              .admin_address = {},
                              .files = {}};
      };
    }
  }
  static trust::CertificateAndKey make_ca() {
    return trust::make_dev_ca("orga.example", system_clock().wall() - std::chrono::hours(1)).value();
  }
  void reload(Organisation& of) {
    const auto reloaded = of.operate(client, "POST", "/api/v2/reload");
    ASSERT_EQ(reloaded.status, 200) << reloaded.text;
  }
  void use_anchors(std::vector<std::string> anchors) {
    a.settings.trust.anchors = std::move(anchors);
    reload(a);
  }
  void switch_leaf() {
    a.leaf = trust::issue_dev_leaf(new_ca, {.dns_names = {"orga.example"},
                                            .common_name = "",
                                            .not_before = system_clock().wall() - std::chrono::hours(1)})
                 .value();
    a.settings.tls.certificate_pem = a.leaf.certificate_pem;
    a.settings.tls.key_pem = a.leaf.key_pem;
    reload(a);
  }
  Answer announce(const std::string& crosses = {}) {
    return a.operate(client, "POST", std::string(trust_path) + "/announce",
                     crosses.empty() ? json::object() : json{{"cross_certificates", crosses}});
  }
  Answer retire(const std::string& anchor, bool force = false) {
    return a.operate(client, "POST", std::string(trust_path) + "/retire",
                     {{"anchor_sha256", anchor}, {"force", force}});
  }
  json show(Organisation& who, const Organisation& about) {
    return who.operate(client, "GET", std::string(trust_path) + "/" + about.id.str()).body;
  }
  /// B knows this bundle of A, and A knows that it does.
  bool settled(std::uint64_t seq) {
    return eventually([&] {
      const auto theirs = show(b, a)["bundle"];
      const auto ours = show(a, b)["bundle"];
      return theirs["known_seq"] == seq && theirs["acknowledged_by_us"] == true && ours["acknowledged_by_it"] == true &&
             ours["acknowledged_by_it_seq"] == seq;
    });
  }
  static std::vector<std::string> anchors(Organisation& who, const Organisation& about) {
    std::vector<std::string> hashes;
    const auto table = who.gateway->registry().table().load();
    for (const auto& pem : table->find(about.id)->trust_anchors)
      hashes.push_back(to_hex(trust::pem_sha256(pem).value()));
    return hashes;
  }
  static json call(const Organisation& to) {
    auto body = call_of(to.id.str()[3], "lookup");
    body["target_node_id"] = to.id.str();
    return body;
  }
  std::vector<store::AuditRow> events(const Organisation& of, const std::string& type) {
    store::AuditQuery query;
    query.event_type = type;
    return of.trail(query);
  }
};

/// Calls from one organisation to another, one after the other, until it is told to stop.
class Caller {
 public:
  Caller(Organisation& from, json body)
      : thread_([this, &from, body = std::move(body)] {
          TestClient own;
          while (!stop_) {
            const auto answer = from.invoke(own, body);
            ++made_;
            if (answer.status != 200 && lost_.size() < 5) lost_.push_back(answer.text + answer.problem);
          }
        }) {}
  ~Caller() { finish(); }
  Caller(const Caller&) = delete;
  Caller& operator=(const Caller&) = delete;
  std::vector<std::string> finish() {
    stop_ = true;
    if (thread_.joinable()) thread_.join();
    return lost_;
  }
  [[nodiscard]] std::size_t made() const { return made_; }
  void go_on_for(std::size_t calls) const {
    const auto wanted = made() + calls;
    EXPECT_TRUE(eventually([&] { return made() >= wanted; }));
  }

 private:
  std::atomic<bool> stop_{false};
  std::atomic<std::size_t> made_{0};
  std::vector<std::string> lost_;
  std::thread thread_;
};

TEST_F(AnchorRotation, UnderContinuousCallsNoneIsLost) {
  federation.start();
  ASSERT_EQ(announce().status, 200);
  ASSERT_TRUE(settled(1)) << show(b, a).dump() << show(a, b).dump();
  {
    Caller there(a, call(b)), back(b, call(a));
    const auto both_go_on = [&] {
      there.go_on_for(10);
      back.go_on_for(10);
    };
    both_go_on();
    use_anchors({old_ca.certificate_pem, new_ca.certificate_pem});
    const auto announced = announce(cross_certificate(new_ca, old_ca));
    ASSERT_EQ(announced.status, 200) << announced.text;
    EXPECT_EQ(announced.body["seq"], 2);
    EXPECT_EQ(announced.body["uncertified_sha256"], json::array());
    ASSERT_TRUE(settled(2)) << show(b, a).dump() << show(a, b).dump();
    EXPECT_THAT(anchors(b, a), ElementsAre(hash_of(old_ca), hash_of(new_ca)));
    EXPECT_EQ(announce().body["waiting"], json::array());
    both_go_on();

    const auto early = retire(hash_of(old_ca));
    EXPECT_EQ(early.status, 409) << early.text;
    EXPECT_THAT(early.text, HasSubstr("switch to one of the new CA first"));
    switch_leaf();
    both_go_on();
    const auto retired = retire(hash_of(old_ca));
    ASSERT_EQ(retired.status, 200) << retired.text;
    EXPECT_EQ(retired.body["seq"], 3);
    EXPECT_EQ(retired.body["left_behind"], json::array());
    ASSERT_TRUE(settled(3)) << show(b, a).dump() << show(a, b).dump();
    EXPECT_THAT(anchors(b, a), ElementsAre(hash_of(new_ca)));
    both_go_on();
    EXPECT_THAT(there.finish(), IsEmpty());
    EXPECT_THAT(back.finish(), IsEmpty());
  }
  EXPECT_EQ(retire(hash_of(old_ca)).status, 404) << "it is gone already";
  EXPECT_EQ(retire(hash_of(new_ca)).status, 409) << "the only one";

  // What the configuration still names stays retired; what both know outlives a restart.
  for (auto* org : {&a, &b}) org->stop();
  for (auto* org : {&a, &b}) org->start();
  EXPECT_EQ(announce().body["seq"], 3);
  EXPECT_EQ(announce().body["anchors_sha256"], json::array({hash_of(new_ca)}));
  EXPECT_EQ(announce().body["waiting"], json::array());
  EXPECT_EQ(show(b, a)["bundle"]["known_seq"], 3);
  EXPECT_EQ(a.invoke(client, call(b)).status, 200);
  EXPECT_EQ(b.invoke(client, call(a)).status, 200);

  std::vector<std::string> told;
  for (const auto& row : events(b, "federation_node_trusted"))
    if (row.action == "trust_rotate" && row.phase == "outcome") told.push_back(row.principal + ": " + row.reason);
  EXPECT_THAT(told, testing::UnorderedElementsAre(
                        HasSubstr("node:orga.example: bundle 2; new anchor " + hash_of(new_ca).substr(0, 16)),
                        HasSubstr("node:orga.example: bundle 3; without anchor " + hash_of(old_ca).substr(0, 16))));
  std::vector<std::string> acts;
  for (const auto& row : events(a, "configuration_changed")) acts.push_back(row.action + " " + row.principal);
  EXPECT_THAT(acts, testing::IsSupersetOf({HasSubstr("trust_announce uid:"), HasSubstr("trust_retire uid:"),
                                           HasSubstr("bundle_acknowledge node:orgb.example")}));
}

TEST_F(AnchorRotation, APeerThatHasNotAcknowledgedBlocksRetirement) {
  b.environment.exchange.interval = std::chrono::hours(24);
  federation.start();
  use_anchors({old_ca.certificate_pem, new_ca.certificate_pem});
  EXPECT_EQ(announce("garbage").status, 400);
  EXPECT_EQ(announce(new_ca.certificate_pem).status, 400) << "signed by itself";
  const auto announced = announce(cross_certificate(new_ca, old_ca));
  EXPECT_EQ(announced.body["waiting"], json::array({"orgb.example"}));
  switch_leaf();
  const auto refused = retire(hash_of(old_ca));
  EXPECT_EQ(refused.status, 409);
  EXPECT_THAT(refused.text, HasSubstr("orgb.example"));
  a.stop();
  a.start();
  EXPECT_EQ(retire(hash_of(old_ca)).status, 409) << "a restart changes nothing";
  const auto forced = retire(hash_of(old_ca), true);
  ASSERT_EQ(forced.status, 200) << forced.text;
  EXPECT_EQ(forced.body["left_behind"], json::array({"orgb.example"}));
  EXPECT_THAT(anchors(b, a), ElementsAre(hash_of(old_ca)));
}

TEST_F(AnchorRotation, WithoutACrossCertificateAnOperatorDecides) {
  federation.start();
  ASSERT_EQ(announce().status, 200);
  ASSERT_TRUE(settled(1));
  use_anchors({old_ca.certificate_pem, new_ca.certificate_pem});
  const auto announced = announce();
  EXPECT_EQ(announced.body["uncertified_sha256"], json::array({hash_of(new_ca)}));
  ASSERT_TRUE(eventually([&] { return show(b, a)["candidates"].size() == 1; }));
  const auto waiting = show(b, a);
  EXPECT_THAT(waiting["next"].get<std::string>(), HasSubstr("is not certified by one that counts"));
  EXPECT_THAT(anchors(b, a), ElementsAre(hash_of(old_ca)));
  EXPECT_EQ(waiting["trust_level"], "trusted");
  EXPECT_EQ(b.invoke(client, call(a)).status, 200) << "the node stays usable meanwhile";
  EXPECT_THAT(b.operate(client, "GET", "/api/v2/status").body["attention"].dump(), HasSubstr("orga.example"));

  // What the operators read to each other: B of its candidate, A of what it has learned of B's bundle.
  const auto pair = waiting["candidates"][0]["fingerprint"].get<std::string>();
  ASSERT_TRUE(eventually([&] { return show(a, b)["bundle"]["fingerprint"] == pair; })) << show(a, b).dump();
  const auto approved =
      b.operate(client, "POST", "/api/v2/federation/nodes/orga.example/trust/approve", {{"fingerprint", pair}});
  ASSERT_EQ(approved.status, 200) << approved.text;
  ASSERT_TRUE(settled(2)) << show(b, a).dump() << show(a, b).dump();
  EXPECT_THAT(anchors(b, a), ElementsAre(hash_of(old_ca), hash_of(new_ca)));
  switch_leaf();
  EXPECT_EQ(retire(hash_of(old_ca)).status, 200);
  EXPECT_TRUE(settled(3));
}

TEST_F(AnchorRotation, ACrossCertificateThatComesLaterServesToo) {
  federation.start();
  ASSERT_EQ(announce().status, 200);
  ASSERT_TRUE(settled(1));
  use_anchors({old_ca.certificate_pem, new_ca.certificate_pem});
  ASSERT_EQ(announce().status, 200);
  ASSERT_TRUE(eventually([&] { return show(b, a)["candidates"].size() == 1; }));
  ASSERT_EQ(announce(cross_certificate(new_ca, old_ca)).body["seq"], 2) << "the same bundle, better vouched for";
  ASSERT_TRUE(settled(2)) << show(b, a).dump();
  EXPECT_EQ(show(b, a)["candidates"], json::array());
}

TEST_F(AnchorRotation, ByTheCommandsOfTheDocs) {
  federation.start();
  ASSERT_EQ(announce().status, 200);
  ASSERT_TRUE(settled(1));
  TempDirectory directory;
  const auto file = [&](const char* name, const std::string& text) {
    const auto path = directory.path(name);
    std::ofstream(path) << text;
    return path;
  };
  const auto run = [&](const Organisation& at, std::vector<std::string> words) {
    words.insert(words.begin(), {"fedgate", "trust"});
    words.insert(words.end(), {"--socket", at.gateway->admin_address().substr(5)});
    std::vector<const char*> argv;
    for (const auto& word : words) argv.push_back(word.c_str());
    std::ostringstream out;
    const int status =
        cli::run(static_cast<int>(argv.size()), argv.data(), [](const std::string&) { return 1; }, out, out);
    return std::pair(status, out.str());
  };
  using testing::AllOf;
  using testing::Pair;
  const auto old_file = file("old-ca.crt", old_ca.certificate_pem);
  use_anchors({old_ca.certificate_pem, new_ca.certificate_pem});
  EXPECT_THAT(run(a, {"announce", "--cross-certificate", directory.path("none")}), Pair(2, HasSubstr("cannot read")));
  EXPECT_THAT(run(a, {"announce", "--cross-certificate", file("cross.crt", cross_certificate(new_ca, old_ca))}),
              Pair(0, AllOf(HasSubstr("seq 2"), HasSubstr(hash_of(new_ca)), HasSubstr("Who must act next: nobody"))));
  ASSERT_TRUE(settled(2));
  EXPECT_THAT(run(b, {"show", "orga.example"}), Pair(0, HasSubstr("seq 2, acknowledged")));
  EXPECT_THAT(run(a, {"show", "orgb.example"}), Pair(0, HasSubstr("it has acknowledged seq 2, our newest")));
  EXPECT_THAT(run(a, {"retire", old_file}), Pair(testing::Ne(0), HasSubstr("switch to one of the new CA first")));
  switch_leaf();
  EXPECT_THAT(run(a, {"retire", "no hash, no file"}), Pair(2, HasSubstr("64 hex digits")));
  EXPECT_THAT(run(a, {"retire", old_file}),
              Pair(0, AllOf(HasSubstr(hash_of(old_ca) + " is retired"), HasSubstr("seq 3"))));
  EXPECT_TRUE(settled(3));
}

/// Stands at A's address with A's certificate and says what the test wants.
class FalseGateway final : public net::Handler {
 public:
  explicit FalseGateway(const Organisation& as)
      : as_(as), server_(worker_, {.name = "peers", .limits = {}, .hosts = {}}, *this, log::silent(), metrics_) {
    worker_.start({});
    listener_ = net::Listener::bind(worker_, {.address = "127.0.0.1:0", .limits = {}}, log::silent()).value();
    net::TlsOptions options;
    options.certificate_pem = as.leaf.certificate_pem;
    options.key_pem = as.leaf.key_pem;
    const auto tls = net::TlsContext::make(net::TlsSide::server, options).value();
    listener_->start({&server_}, [tls] { return tls; });
  }
  ~FalseGateway() override {
    worker_.run_and_wait([this]() -> Task<> {
      listener_->stop();
      co_await server_.drain(std::chrono::steady_clock::now());
    });
    worker_.finish();
  }
  [[nodiscard]] std::string url() const { return "https://" + listener_->local(); }

  /// What it serves from here on; `spoil` changes it after it was signed.
  void serve(const Bundle& bundle, std::vector<std::string> crosses = {},
             std::function<void(ServedBundle&)> spoil = {}) {
    const std::lock_guard lock(mutex_);
    bundle_ = wire::state_bundle(bundle).value();
    crosses_ = std::move(crosses);
    spoil_ = std::move(spoil);
    fetched_ = 0;
  }
  [[nodiscard]] int fetched() const { return fetched_; }
  [[nodiscard]] std::uint64_t acknowledged() const { return acknowledged_; }

  Task<> handle(const net::Connection&, net::Request& request, net::Response& response) override {
    const std::lock_guard lock(mutex_);
    response.headers.add("Content-Type", "application/json");
    if (request.path() == "/api/v2/health" && bundle_) {
      response.body = json{{"bundle_seq", bundle_->value.seq}, {"bundle_sha256", to_hex(bundle_->sha256)}}.dump();
    } else if (request.path() == "/api/v2/federation/trust/bundle") {
      ServedBundle served{*bundle_, as_.leaf.certificate_pem, crosses_, {}};
      const auto bytes = from_base64url(net::query_value(request.query(), "nonce").value()).value();
      Bytes32 nonce{};
      std::memcpy(nonce.data(), bytes.data(), nonce.size());
      served.signature =
          trust::sign_bundle(as_.leaf.key_pem, served, NodeId::parse("orgb.example").value(), nonce).value();
      if (spoil_) spoil_(served);
      response.body = wire::served_bundle_body(served);
      ++fetched_;
    } else if (request.path() == "/api/v2/federation/trust/ack") {
      acknowledged_ = wire::parse_acknowledgement(request.body).value().seq;
    }
    co_return;
  }

 private:
  const Organisation& as_;
  Metrics metrics_;
  Worker worker_{77, system_clock()};
  net::HttpServer server_;
  std::unique_ptr<net::Listener> listener_;
  std::mutex mutex_;
  std::optional<StatedBundle> bundle_;
  std::vector<std::string> crosses_;
  std::function<void(ServedBundle&)> spoil_;
  std::atomic<int> fetched_{0};
  std::atomic<std::uint64_t> acknowledged_{0};
};

class FalseBundles : public AnchorRotation {
 protected:
  std::unique_ptr<FalseGateway> gateway;
  Bundle bundle;

  void SetUp() override {
    AnchorRotation::SetUp();
    b.start();
    gateway = std::make_unique<FalseGateway>(a);
    Node node;
    node.id = a.id;
    node.endpoints = {gateway->url()};
    node.trust_anchors = {old_ca.certificate_pem};
    node.principal_domains = {Domain::parse("orga.example").value()};
    node.trust_level = TrustLevel::trusted;
    b.trust_node(node);
    bundle.node = a.id;
    bundle.endpoints = node.endpoints;
    bundle.principal_domains = node.principal_domains;
    bundle.anchors = node.trust_anchors;
    gateway->serve(bundle);
    ASSERT_TRUE(eventually([&] { return gateway->acknowledged() == 1; })) << show(b, a).dump();
  }
  Bundle next() {
    auto made = bundle;
    made.previous = wire::state_bundle(bundle).value().sha256;
    made.seq = bundle.seq + 1;
    made.anchors.push_back(new_ca.certificate_pem);
    return made;
  }
  /// B has looked at what is served now, and says so.
  std::string refused() {
    EXPECT_TRUE(eventually([&] { return gateway->fetched() >= 1; }));
    EXPECT_TRUE(eventually([&] { return show(b, a)["next"].get<std::string>().contains("its bundle is refused"); }))
        << show(b, a).dump();
    EXPECT_EQ(show(b, a)["bundle"]["known_seq"], 1);
    EXPECT_THAT(anchors(b, a), ElementsAre(hash_of(old_ca)));
    EXPECT_EQ(gateway->acknowledged(), 1U);
    return show(b, a)["next"].get<std::string>();
  }
};

TEST_F(FalseBundles, ForgedInWhatTheNewCaSigned) {
  // Whoever holds only the new CA cannot make the old one's name say so.
  const auto thief = make_ca();
  auto forged = next();
  forged.anchors = {old_ca.certificate_pem, thief.certificate_pem};
  gateway->serve(forged, {cross_certificate(thief, new_ca)});
  ASSERT_TRUE(eventually([&] { return show(b, a)["candidates"].size() == 1; })) << "an operator would have to approve";
  EXPECT_THAT(anchors(b, a), ElementsAre(hash_of(old_ca)));
  EXPECT_EQ(gateway->acknowledged(), 1U);
}

TEST_F(FalseBundles, ForgedSignature) {
  gateway->serve(next(), {cross_certificate(new_ca, old_ca)}, [](ServedBundle& served) { served.signature[9] ^= 1; });
  EXPECT_THAT(refused(), HasSubstr("not signed by the certificate of this connection"));
  const auto violations = events(b, "security_violation");
  ASSERT_EQ(violations.size(), 1U);
  EXPECT_EQ(violations[0].source_node, "orga.example");
}

TEST_F(FalseBundles, ChangedAfterItWasSigned) {
  gateway->serve(next(), {},
                 [&](ServedBundle& served) { served.cross_certificates = {cross_certificate(new_ca, old_ca)}; });
  EXPECT_THAT(refused(), HasSubstr("not signed"));
}

TEST_F(FalseBundles, TheSameSeqWithAnotherHashIsASecurityViolation) {
  auto other = bundle;
  other.endpoints = {"https://elsewhere.example:1"};
  gateway->serve(other);
  EXPECT_THAT(refused(), HasSubstr("second, different bundle"));
  const auto violations = events(b, "security_violation");
  ASSERT_EQ(violations.size(), 1U) << "once, however often it is seen";
  EXPECT_THAT(violations[0].reason, HasSubstr("second, different bundle with the number 1"));
}

TEST_F(FalseBundles, AnOlderSeqIsNotEvenAskedFor) {
  gateway->serve(next(), {cross_certificate(new_ca, old_ca)});
  ASSERT_TRUE(eventually([&] { return gateway->acknowledged() == 2; })) << show(b, a).dump();
  gateway->serve(bundle);
  ASSERT_TRUE(eventually([&] { return show(b, a)["next"].get<std::string>().contains("older than 2"); }));
  EXPECT_EQ(gateway->fetched(), 0);
  EXPECT_EQ(show(b, a)["bundle"]["known_seq"], 2);
  EXPECT_THAT(anchors(b, a), ElementsAre(hash_of(old_ca), hash_of(new_ca)));
}

TEST_F(FalseBundles, WhatIsSentToAcknowledgeIsTheSendersOwn) {
  const auto announced = b.operate(client, "POST", std::string(trust_path) + "/announce", json::object());
  ASSERT_EQ(announced.status, 200) << announced.text;
  const auto address = net::parse_address(b.gateway->peers_address()).value();
  const net::Destination to{.pool_key = "as a",
                            .host = address.host,
                            .port = address.port,
                            .host_header = "orgb.example",
                            .tls = a.client_tls(),
                            .server_name = "orgb.example"};
  const auto acknowledge = [&](const Acknowledgement& one) {
    net::Request request;
    request.method = "POST";
    request.target = "/api/v2/federation/trust/ack";
    request.headers.add("Content-Type", "application/json");
    request.body = wire::acknowledgement_body(one);
    return client.send(to, request);
  };
  Acknowledgement one{a.id,
                      announced.body["seq"].get<std::uint64_t>(),
                      sha256_from_hex(announced.body["bundle_sha256"].get<std::string>()).value(),
                      std::chrono::floor<std::chrono::seconds>(system_clock().wall()),
                      a.leaf.certificate_pem,
                      {}};
  one.signature = trust::sign_acknowledgement(b.leaf.key_pem, one).value();
  const auto forged = acknowledge(one);
  EXPECT_EQ(forged.status, 403) << forged.text;
  EXPECT_EQ(forged.text.find("signature"), std::string::npos) << "the reason is ours to know";
  auto other = one;
  other.bundle = sha256("another");
  other.signature = trust::sign_acknowledgement(a.leaf.key_pem, other).value();
  EXPECT_EQ(acknowledge(other).status, 409);
  EXPECT_EQ(show(b, a)["bundle"]["acknowledged_by_it"], false);
  one.signature = trust::sign_acknowledgement(a.leaf.key_pem, one).value();
  EXPECT_EQ(acknowledge(one).status, 200);
  EXPECT_EQ(show(b, a)["bundle"]["acknowledged_by_it"], true);
  EXPECT_EQ(events(b, "security_violation").size(), 1U);

  std::uint16_t last = 0;
  for (int i = 0; i < 70; ++i) last = acknowledge(one).status;
  EXPECT_EQ(last, 429) << "a peer may repeat itself, but not without end";
}

}  // namespace
}  // namespace fedgate::test
