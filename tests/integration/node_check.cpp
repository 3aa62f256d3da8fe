// SPDX-License-Identifier: Apache-2.0
//
// Promise: `nodes check` finds what stands between two gateways, at whichever step, and says who has to do what. And
// what will end is said before it ends.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <fstream>
#include <iterator>
#include <sstream>

#include "base/hash.h"
#include "cli/cli.h"
#include "support/eventually.h"
#include "support/federation.h"
#include "support/loopback.h"

namespace fedgate {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

/// The machine's clocks, set otherwise.
class ShiftedClock final : public Clock {
 public:
  [[nodiscard]] SteadyTime steady() const override { return system_clock().steady() + passed_.load(); }
  [[nodiscard]] WallTime wall() const override {
    return std::chrono::floor<std::chrono::microseconds>(system_clock().wall() + passed_.load()) + wrong_.load();
  }
  /// Time passes.
  void advance(std::chrono::seconds by) { passed_ = passed_.load() + by; }
  /// Somebody sets the wall clock.
  void be_wrong_by(std::chrono::seconds by) { wrong_ = by; }

 private:
  std::atomic<std::chrono::seconds> passed_{std::chrono::seconds(0)};
  std::atomic<std::chrono::seconds> wrong_{std::chrono::seconds(0)};
};

struct Ran {
  int status = -1;
  std::string out, err;
};

class NodeCheck : public ::testing::Test {
 protected:
  NodeCheck() : a('a', directory, {}, clock_a), b('b', directory, {}, clock_b) {}
  void start() {
    a.start();
    b.start();
  }
  /// Both started; each knows the other, unless it is told otherwise.
  void meet(const std::function<void(Node&)>& b_at_a = {}, const std::function<void(Node&)>& a_at_b = {}) {
    start();
    auto theirs = b.as_node();
    auto ours = a.as_node();
    if (b_at_a) b_at_a(theirs);
    if (a_at_b) a_at_b(ours);
    a.trust_node(theirs);
    b.trust_node(ours);
  }
  test::Answer check(const std::string& node = "orgb.example") {
    auto answer = a.operate(client, "POST", "/api/v2/federation/nodes/" + node + "/check");
    EXPECT_EQ(answer.status, 200) << answer.text << answer.problem;
    return answer;
  }
  static nlohmann::json step(const test::Answer& answer, const std::string& name, std::size_t which = 0) {
    for (const auto& one : answer.body["steps"])
      if (one["step"] == name && which-- == 0) return one;
    ADD_FAILURE() << "no step " << name << " in " << answer.text;
    return {};
  }
  static std::string result(const test::Answer& answer, const std::string& name, std::size_t which = 0) {
    return step(answer, name, which)["result"];
  }
  static std::string detail(const test::Answer& answer, const std::string& name) {
    return step(answer, name)["detail"];
  }
  static std::string message(const test::Answer& answer) { return answer.body["message"]; }
  /// The results of one endpoint's steps, in their order.
  static std::vector<std::string> results(const test::Answer& answer) {
    std::vector<std::string> all;
    for (const auto& one : answer.body["steps"])
      if (one["endpoint"] != "") all.push_back(one["result"]);
    return all;
  }
  Ran command(std::vector<std::string> words) const {
    words.insert(words.begin(), "fedgate");
    words.insert(words.end(), {"--socket", a.gateway->admin_address().substr(5)});
    std::vector<const char*> argv;
    for (const auto& word : words) argv.push_back(word.c_str());
    std::ostringstream out, err;
    const int status =
        cli::run(static_cast<int>(argv.size()), argv.data(), [](const std::string&) { return 99; }, out, err);
    return {status, out.str(), err.str()};
  }

  test::TempDirectory directory;
  ShiftedClock clock_a, clock_b;
  test::Organisation a, b;
  test::TestClient client;
};

TEST_F(NodeCheck, NothingStandsInTheWay) {
  meet();
  const auto durable = a.gateway->journal().state().durable;
  const auto answer = check();
  EXPECT_EQ(answer.body["ok"], true) << answer.text;
  std::vector<std::string> names;
  for (const auto& one : answer.body["steps"]) {
    names.push_back(one["step"]);
    EXPECT_EQ(one["result"], "ok") << one;
    EXPECT_EQ(one["ok"], true);
    EXPECT_GE(one["milliseconds"].get<double>(), 0.0);
  }
  EXPECT_THAT(names, ElementsAre("configuration", "our_certificate", "dns", "tcp", "tls", "tls_theirs", "health",
                                 "clock", "seen"));
  const auto ours = to_hex(trust::certificate_facts(a.leaf.certificate_pem)->sha256);
  const auto theirs = to_hex(trust::certificate_facts(b.leaf.certificate_pem)->sha256);
  EXPECT_THAT(detail(answer, "our_certificate"), HasSubstr(ours));
  EXPECT_THAT(detail(answer, "tls"), HasSubstr(theirs));
  EXPECT_THAT(detail(answer, "seen"), AllOf(HasSubstr("as \"orga.example\", trusted"), HasSubstr(ours)));
  EXPECT_THAT(detail(answer, "health"), HasSubstr("orgb.example is healthy"));
  EXPECT_THAT(message(answer), HasSubstr("found nothing wrong."));
  // It has only looked.
  EXPECT_EQ(a.gateway->journal().state().durable, durable);
  EXPECT_EQ(check("orgb").body["node_id"], "orgb.example") << "the alias serves as well";
  EXPECT_EQ(a.operate(client, "POST", "/api/v2/federation/nodes/orgz.example/check").status, 404);
  EXPECT_EQ(a.operate(client, "GET", "/api/v2/federation/nodes/orgb.example/check").status, 405);
}

TEST_F(NodeCheck, ANameThatNobodyKnows) {
  meet([](Node& node) { node.endpoints.insert(node.endpoints.begin(), "https://gate.invalid:8443"); });
  const auto answer = check();
  EXPECT_EQ(answer.body["ok"], false);
  EXPECT_THAT(results(answer), ElementsAre("failed", "skipped", "skipped", "skipped", "skipped", "skipped", "skipped",
                                           "ok", "ok", "ok", "ok", "ok", "ok", "ok"))
      << "every endpoint is tried";
  EXPECT_THAT(detail(answer, "dns"), HasSubstr("gate.invalid"));
  EXPECT_THAT(message(answer), HasSubstr("correct what DNS says of gate.invalid"));
}

TEST_F(NodeCheck, APortThatIsClosed) {
  meet();
  b.stop();
  const auto answer = check();
  EXPECT_THAT(results(answer), ElementsAre("ok", "failed", "skipped", "skipped", "skipped", "skipped", "skipped"));
  EXPECT_THAT(detail(answer, "tcp"), HasSubstr("Connection refused"));
  EXPECT_THAT(message(answer), HasSubstr("your firewall lets us reach it"));
}

TEST_F(NodeCheck, SomebodyWhoNeverAnswersIsNotWaitedForLong) {
  const int silent = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in place = test::loopback(0);
  socklen_t size = sizeof place;
  ASSERT_EQ(::bind(silent, reinterpret_cast<const sockaddr*>(&place), size), 0);
  ASSERT_EQ(::listen(silent, 1), 0);
  ASSERT_EQ(::getsockname(silent, reinterpret_cast<sockaddr*>(&place), &size), 0);
  meet([&](Node& node) { node.endpoints = {"https://127.0.0.1:" + std::to_string(ntohs(place.sin_port))}; });
  const auto begun = std::chrono::steady_clock::now();
  const auto answer = check();
  EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::seconds(10));
  EXPECT_THAT(results(answer), ElementsAre("ok", "ok", "failed", "skipped", "skipped", "skipped", "skipped"));
  EXPECT_GT(step(answer, "tls")["milliseconds"].get<double>(), 3900.0);
  EXPECT_THAT(detail(answer, "tls"), HasSubstr("not done in time"));
  ::close(silent);
}

TEST_F(NodeCheck, SomebodyElseAnswersThere) {
  meet();
  auto wrong = *NodeId::parse("orgx.example");
  auto node = b.as_node();
  node.id = wrong;
  node.alias = "x";
  node.principal_domains = {*Domain::parse("orgx.example")};
  node.resources = {};
  node.reads = {};
  node.trust_anchors = {trust::make_dev_ca("x", clock_a.wall())->certificate_pem};
  a.trust_node(node);
  const auto answer = check("orgx.example");
  EXPECT_EQ(result(answer, "tls"), "failed");
  EXPECT_THAT(detail(answer, "tls"), HasSubstr("before any certificate is shown"));
  EXPECT_THAT(message(answer), HasSubstr("your gateway itself answers there, as orgx.example"));
}

TEST_F(NodeCheck, WeHaveTheWrongAnchor) {
  const auto another = *trust::make_dev_ca("orgb.example", clock_a.wall() - std::chrono::hours(1));
  meet([&](Node& node) { node.trust_anchors = {another.certificate_pem}; });
  const auto answer = check();
  EXPECT_THAT(results(answer), ElementsAre("ok", "ok", "failed", "ok", "skipped", "skipped", "skipped"))
      << "we refuse them, they accept us, and get no request";
  EXPECT_THAT(detail(answer, "tls"),
              AllOf(HasSubstr("orga.example refuses the certificate of orgb.example"),
                    HasSubstr("issuer_unknown (The chain does not lead to an anchor of this node)")));
  EXPECT_THAT(message(answer), HasSubstr("the SHA-256 of the CA certificate that speaks for you now"));
}

TEST_F(NodeCheck, TheyDoNotTrustUs) {
  meet({}, [](Node& node) { node.enabled = false; });
  const auto answer = check();
  EXPECT_THAT(results(answer), ElementsAre("ok", "ok", "ok", "failed", "skipped", "skipped", "skipped"));
  EXPECT_THAT(detail(answer, "tls_theirs"), HasSubstr("orgb.example refuses the certificate of orga.example"));
  const auto leaf = *trust::certificate_facts(a.leaf.certificate_pem);
  const auto ca = *trust::certificate_facts(a.ca.certificate_pem);
  EXPECT_THAT(message(answer),
              AllOf(HasSubstr("To the administrators of orgb.example: our gateway orga.example"),
                    HasSubstr("endpoint https://" + a.gateway->peers_address()), HasSubstr(to_hex(ca.sha256)),
                    HasSubstr(to_hex(leaf.sha256)), HasSubstr(to_hex(leaf.public_key)),
                    HasSubstr("see that orga.example is trusted and enabled with you")));
}

TEST_F(NodeCheck, NeitherAcceptsTheOther) {
  const auto another = *trust::make_dev_ca("orgb.example", clock_a.wall() - std::chrono::hours(1));
  meet([&](Node& node) { node.trust_anchors = {another.certificate_pem}; }, [](Node& node) { node.enabled = false; });
  const auto answer = check();
  EXPECT_THAT(results(answer), ElementsAre("ok", "ok", "failed", "failed", "skipped", "skipped", "skipped"));
}

TEST_F(NodeCheck, TheirKeyIsNotPinned) {
  const std::string pin(64, 'a');
  meet([&](Node& node) { node.pins = {pin}; });
  const auto answer = check();
  EXPECT_EQ(result(answer, "tls"), "failed");
  const auto theirs = to_hex(trust::certificate_facts(b.leaf.certificate_pem)->public_key);
  EXPECT_THAT(detail(answer, "tls"),
              AllOf(HasSubstr("pin_mismatch (The leaf's key is none of the node's pins)"), HasSubstr(theirs)));
  EXPECT_THAT(message(answer), HasSubstr("whether the key with the pin " + theirs + " is yours"));
  EXPECT_THAT(detail(answer, "configuration"), HasSubstr("pin " + pin));
}

TEST_F(NodeCheck, TheirCertificateHasExpired) {
  b.leaf = *trust::issue_dev_leaf(b.ca, {.dns_names = {"orgb.example"},
                                         .common_name = "",
                                         .not_before = clock_b.wall() - std::chrono::hours(1),
                                         .lifetime = std::chrono::hours(2)});
  b.settings.tls.certificate_pem = b.leaf.certificate_pem;
  b.settings.tls.key_pem = b.leaf.key_pem;
  meet();
  EXPECT_EQ(result(check(), "tls"), "warning") << "it ends within the hour";
  clock_a.advance(std::chrono::hours(2));
  clock_b.advance(std::chrono::hours(2));
  const auto answer = check();
  EXPECT_THAT(results(answer), ElementsAre("ok", "ok", "failed", "ok", "skipped", "skipped", "skipped"));
  EXPECT_THAT(detail(answer, "tls"), HasSubstr("expired ("));
  EXPECT_THAT(message(answer), HasSubstr("install a renewed certificate"));
}

TEST_F(NodeCheck, OurCertificateHasExpired) {
  meet();
  clock_a.advance(std::chrono::days(91));
  clock_b.advance(std::chrono::days(91));
  const auto answer = check();
  EXPECT_EQ(result(answer, "our_certificate"), "failed");
  EXPECT_EQ(result(answer, "tls_theirs"), "failed");
}

TEST_F(NodeCheck, TheClocksDiffer) {
  meet();
  clock_b.be_wrong_by(std::chrono::minutes(2));
  auto answer = check();
  EXPECT_EQ(answer.body["ok"], true) << "two minutes are worth a warning: " << answer.text;
  EXPECT_EQ(result(answer, "clock"), "warning");
  clock_b.be_wrong_by(std::chrono::minutes(10));
  answer = check();
  EXPECT_EQ(answer.body["ok"], false);
  EXPECT_THAT(results(answer), ElementsAre("ok", "ok", "ok", "ok", "ok", "failed", "ok"));
  EXPECT_THAT(detail(answer, "clock"), AllOf(::testing::ContainsRegex("is (599|600|601)\\.[0-9] s ahead of"),
                                             HasSubstr("every call is refused")));
  EXPECT_THAT(message(answer), HasSubstr("compare your gateway's clock"));
  clock_b.be_wrong_by(std::chrono::minutes(-10));
  EXPECT_THAT(detail(check(), "clock"), ::testing::ContainsRegex("is (599|600|601)\\.[0-9] s behind"));
}

TEST_F(NodeCheck, WhoIsDisabledIsNotConnectedTo) {
  meet();
  ASSERT_EQ(a.operate(client, "PATCH", "/api/v2/federation/nodes/orgb.example", {{"enabled", false}}).status, 200);
  const auto handshakes = [&] { return b.gateway->metrics().tls_handshakes("server", "ok").Value(); };
  const auto before = handshakes();
  const auto answer = check();
  EXPECT_EQ(result(answer, "configuration"), "failed");
  EXPECT_THAT(detail(answer, "configuration"), HasSubstr("fedgate nodes enable orgb.example"));
  EXPECT_THAT(results(answer),
              ElementsAre("skipped", "skipped", "skipped", "skipped", "skipped", "skipped", "skipped"));
  EXPECT_EQ(handshakes(), before);
  EXPECT_THAT(message(answer), HasSubstr("a fault of ours, not of yours"));
}

TEST_F(NodeCheck, TheCommandSaysItToPeopleAndScripts) {
  meet();
  auto ran = command({"nodes", "check", "orgb"});
  EXPECT_EQ(ran.status, 0) << ran.err;
  EXPECT_THAT(ran.out, AllOf(HasSubstr("  ok      tls_theirs"), HasSubstr("https://" + b.gateway->peers_address()),
                             HasSubstr("Nothing stands between us and orgb.example.")));
  b.stop();
  ran = command({"nodes", "check", "orgb.example"});
  EXPECT_EQ(ran.status, 1);
  EXPECT_THAT(ran.out, AllOf(HasSubstr("  failed  tcp"),
                             HasSubstr("\nWhat to send them:\n\nTo the administrators of orgb.example: our gateway")));
  ran = command({"nodes", "check", "orgb.example", "--output", "json"});
  EXPECT_EQ(ran.status, 1);
  EXPECT_EQ(nlohmann::json::parse(ran.out)["ok"], false);
  EXPECT_EQ(command({"nodes", "check", "orgz.example"}).status, 1);
  EXPECT_EQ(command({"nodes", "check", "no/node"}).status, 2);
}

// What ends: told at each mark once, in the log, the metric, and where operators look.
TEST_F(NodeCheck, ExpiryIsNoSurprise) {
  a.settings.expiry_warnings = {std::chrono::days(30), std::chrono::days(7)};
  meet();
  ASSERT_EQ(a.invoke(client, test::call_of('b', "lookup")).status, 200) << "their certificate has been seen";
  const auto warnings = [&] {
    a.gateway->log().flush();
    std::ifstream in(a.settings.log.file);
    const std::string text{std::istreambuf_iterator<char>(in), {}};
    std::size_t found = 0;
    for (auto at = text.find("something ends"); at != std::string::npos; at = text.find("something ends", at + 1))
      ++found;
    return found;
  };
  const auto attention = [&] { return a.operate(client, "GET", "/api/v2/status").body["attention"].dump(); };
  const auto gauge = [&](const char* subject, const char* kind) {
    return a.gateway->metrics().certificate_expiry_days(subject, kind).Value();
  };
  EXPECT_NEAR(gauge("orga.example", "own_certificate"), 90.0, 0.1);
  EXPECT_NEAR(gauge("orga.example", "anchor"), 3650.0, 0.1);
  EXPECT_EQ(warnings(), 0U);
  EXPECT_THAT(attention(), Not(HasSubstr(" ends on ")));

  clock_a.advance(std::chrono::days(61));
  clock_b.advance(std::chrono::days(61));
  EXPECT_TRUE(test::eventually([&] { return warnings() == 2; })) << "ours and theirs, " << warnings();
  EXPECT_NEAR(gauge("orgb.example", "peer_certificate"), 29.0, 0.1);
  EXPECT_NEAR(gauge("orgb.example", "anchor"), 3589.0, 0.1);
  EXPECT_THAT(attention(), AllOf(HasSubstr("orga.example: certificate"), HasSubstr("orgb.example: its certificate"),
                                 HasSubstr("in 28 days")));
  const auto shown = command({"nodes", "show", "orgb.example"});
  EXPECT_THAT(shown.out, AllOf(HasSubstr("ENDS SOON"), HasSubstr("28 days left"), HasSubstr("trust anchor")));
  EXPECT_THAT(command({"trust", "show", "orgb.example"}).out, HasSubstr("ENDS SOON"));

  clock_a.advance(std::chrono::days(1));
  EXPECT_TRUE(test::eventually([&] { return gauge("orga.example", "own_certificate") < 28.5; }));
  EXPECT_EQ(warnings(), 2U) << "once for each mark, not at every look";
  clock_a.advance(std::chrono::days(22));
  EXPECT_TRUE(test::eventually([&] { return warnings() == 4; })) << warnings();
  // Whom we do not know any more is not measured.
  ASSERT_EQ(a.operate(client, "DELETE", "/api/v2/federation/nodes/orgb.example").status, 200);
  clock_a.advance(std::chrono::minutes(11));
  EXPECT_TRUE(test::eventually([&] {
    const auto text = a.operate(client, "GET", "/metrics").text;
    return text.find("kind=\"peer_certificate\"") == std::string::npos && text.find("expiry_days") != std::string::npos;
  }));
}

}  // namespace
}  // namespace fedgate
