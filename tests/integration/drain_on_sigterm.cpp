// SPDX-License-Identifier: Apache-2.0
//
// Promise: SIGTERM announces, stops accepting, lets running calls finish within a bound and records what it cut; a
// second one ends the daemon at once. SIGHUP and `fedgate reload` change what can be changed without a restart, and
// a bad file changes nothing.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <atomic>
#include <future>

#include "support/daemon.h"
#include "support/eventually.h"
#include "support/loopback.h"

namespace fedgate {
namespace {

using test::inventory_call;
using ::testing::HasSubstr;

bool accepts_connections(std::uint16_t port) { return test::succeeds(::connect, port); }

/// Two partners whose service answers `slow` when the test says so.
class Drain : public ::testing::Test {
 protected:
  void make(const test::Partners::Options& options) {
    orgs = std::make_unique<test::Partners>(
        FEDGATE_BINARY, options,
        [this](net::Request& request, net::Response& response, DeadlineWheel& wheel) -> Task<> {
          while (request.target == "/slow" && !answered) {
            co_await sleep_until(wheel, wheel.now() + std::chrono::milliseconds(5));
          }
          response.headers.add("Content-Type", "application/json");
          response.body = "{}";
        });
    orgs->start();
  }
  /// A slow call in a thread of its own; it has reached the service when this returns.
  std::future<test::Answer> call_slowly() {
    auto call = std::async(std::launch::async, [this] { return orgs->a.invoke(orgs->client, inventory_call("slow")); });
    EXPECT_TRUE(test::eventually([this] { return !orgs->upstream.seen().empty(); }, std::chrono::seconds(20)));
    return call;
  }
  [[nodiscard]] std::string id_of_the_slow_call() const {
    return std::string(orgs->upstream.seen().at(0).headers.find("Fedgate-Correlation-Id").value_or(""));
  }
  void expect_outcome(const test::Installation& at, const std::string& outcome) const {
    const auto trail = at.trail(id_of_the_slow_call());
    ASSERT_EQ(trail.size(), 2U) << at.id();
    EXPECT_EQ(trail[0]["phase"], "intent") << at.id();
    EXPECT_EQ(trail[1]["phase"], "outcome") << at.id();
    EXPECT_EQ(trail[1]["outcome"], outcome) << at.id();
  }

  std::atomic<bool> answered{false};
  std::unique_ptr<test::Partners> orgs;
};

class DrainOf : public Drain, public ::testing::WithParamInterface<char> {
 protected:
  test::Installation& leaving() { return GetParam() == 'a' ? orgs->a : orgs->b; }
  test::Installation& staying() { return GetParam() == 'a' ? orgs->b : orgs->a; }
};
INSTANTIATE_TEST_SUITE_P(, DrainOf, ::testing::Values('a', 'b'),
                         [](const auto& info) { return std::string(info.param == 'a' ? "Origin" : "Target"); });

TEST_P(DrainOf, AnnouncesThenRefusesTheNewAndFinishesWhatRuns) {
  make({.threads = 2, .announce = "3s", .drain = "20s"});
  auto slow = call_slowly();
  test::TestClient other;
  EXPECT_EQ(leaving().operate(other, "GET", "/readyz").status, 200);
  leaving().process().send(SIGTERM);
  EXPECT_TRUE(test::eventually([&] { return leaving().operate(other, "GET", "/readyz").status == 503; }));
  // Announced is not refused: load balancers and peers have this long to go elsewhere.
  EXPECT_EQ(orgs->a.invoke(other, inventory_call("lookup")).status, 200);
  EXPECT_THAT(leaving().fedgate({"status"}).out, HasSubstr("draining"));

  const auto refuses = [&] {
    return !accepts_connections(leaving().clients_port()) && !accepts_connections(leaving().peers_port());
  };
  EXPECT_TRUE(test::eventually(refuses));
  EXPECT_TRUE(leaving().process().running());
  EXPECT_EQ(slow.wait_for(std::chrono::seconds(0)), std::future_status::timeout);
  answered = true;
  const auto answer = slow.get();
  EXPECT_EQ(answer.status, 200) << answer.text << answer.problem;
  EXPECT_EQ(leaving().process().wait(std::chrono::seconds(20)), 0) << leaving().log();

  leaving().start();
  expect_outcome(leaving(), "succeeded");
  expect_outcome(staying(), "succeeded");
}

TEST_P(DrainOf, CutsAtItsBoundAndRecordsUnknown) {
  make({.threads = 2, .announce = "0s", .drain = "500ms"});
  auto slow = call_slowly();
  const auto begin = std::chrono::steady_clock::now();
  leaving().process().send(SIGTERM);
  EXPECT_EQ(leaving().process().wait(std::chrono::seconds(20)), 0) << leaving().log();
  EXPECT_GE(std::chrono::steady_clock::now() - begin, std::chrono::milliseconds(500));
  EXPECT_NE(slow.get().status, 200);
  EXPECT_TRUE(orgs->upstream.wait_for_abandoned(1));
  // Recorded before the end, not found at the next start.
  EXPECT_EQ(leaving().log().find("calls were open"), std::string::npos);
  leaving().start();
  EXPECT_EQ(leaving().log().find("calls were open"), std::string::npos) << leaving().log();
  expect_outcome(leaving(), "unknown");
  EXPECT_TRUE(test::eventually([&] { return staying().trail(id_of_the_slow_call()).size() == 2; }));
  expect_outcome(staying(), "unknown");
}

TEST_F(Drain, ASecondSignalEndsItAtOnce) {
  make({.threads = 2, .announce = "50s", .drain = "50s"});
  auto slow = call_slowly();
  test::TestClient other;
  orgs->a.process().send(SIGTERM);
  EXPECT_TRUE(test::eventually([&] { return orgs->a.operate(other, "GET", "/readyz").status == 503; }));
  orgs->a.process().send(SIGTERM);
  const auto status = orgs->a.process().wait(std::chrono::seconds(10));
  ASSERT_TRUE(status) << "it still runs";
  EXPECT_EQ(*status, 1) << orgs->a.log();
  EXPECT_NE(slow.get().status, 200);
  orgs->a.start();
  expect_outcome(orgs->a, "unknown");
}

class Reload : public Drain {
 protected:
  void SetUp() override {
    make({.threads = 2, .announce = "0s", .drain = "5s"});
    ASSERT_EQ(call().status, 200);
    pid = orgs->a.process().pid();
  }
  test::Answer call() {
    test::TestClient fresh;  // a new connection each time, so that every worker is asked
    return orgs->a.invoke(fresh, inventory_call("order"));
  }
  [[nodiscard]] std::string success_metric() {
    const auto text = orgs->a.operate(orgs->client, "GET", "/metrics").text;
    const std::string name = "\nfederation_config_reload_success ";
    const auto at = text.find(name);
    return at == std::string::npos ? "none" : text.substr(at + name.size(), text.find('\n', at + 1) - at - name.size());
  }
  /// Who asked for them, and how they ended, as the trail has it.
  [[nodiscard]] std::vector<std::string> reloads() {
    std::vector<std::string> found;
    for (const auto& event : orgs->a.trail(orgs->client, begun))
      if (event["action"] == "reload")
        found.push_back(event["principal"].get<std::string>() + " " + event["phase"].get<std::string>() + " " +
                        event["outcome"].get<std::string>());
    return found;
  }
  void expect_the_same_process() {
    EXPECT_TRUE(orgs->a.process().running());
    EXPECT_EQ(orgs->a.process().pid(), pid);
  }
  static constexpr const char* nobody_orders =
      "    - { id: no-orders, direction: out, effect: deny, capabilities: [order] }\n";
  const WallTime begun = system_clock().wall();
  pid_t pid = 0;
};

TEST_F(Reload, SighupTakesANewPolicyIntoUseInEveryWorker) {
  orgs->configure_a(std::string(nobody_orders) + test::everybody_may);
  EXPECT_EQ(call().status, 200) << "nothing was asked of it yet";
  orgs->a.process().send(SIGHUP);
  EXPECT_TRUE(test::eventually([&] { return call().code() == "policy_denied"; }));
  for (int i = 0; i < 6; ++i) EXPECT_EQ(call().code(), "policy_denied");
  EXPECT_EQ(success_metric(), "1");
  expect_the_same_process();
  EXPECT_THAT(reloads(), ::testing::ElementsAre("SIGHUP intent ", "SIGHUP outcome succeeded"));
}

TEST_F(Reload, ABrokenFileLeavesTheOldInUseUntilItIsMended) {
  const std::string wrong = "    - { id: broken, direction: sideways, effect: allow }\n";
  const std::string no_yaml = "    - { id: broken\n";
  for (const auto& broken : {wrong, no_yaml}) {
    SCOPED_TRACE(broken);
    orgs->configure_a(nobody_orders + broken);
    EXPECT_EQ(call().status, 200) << "nothing was asked of it yet";
    EXPECT_EQ(success_metric(), "1");
    const auto refused = orgs->a.fedgate({"reload"});
    EXPECT_EQ(refused.status, 2) << refused.out;
    EXPECT_THAT(refused.err, ::testing::ContainsRegex("conf\\.d/10-partner\\.yaml:[0-9]+:[0-9]+: error: "));
    EXPECT_THAT(refused.err, HasSubstr("the daemon goes on with the old one"));
    EXPECT_EQ(success_metric(), "0");
    EXPECT_EQ(call().status, 200);
    // Status must be had just then, although the files that say where to ask are broken.
    const auto status = orgs->a.fedgate({"status"});
    EXPECT_THAT(status.out, HasSubstr("REFUSED")) << status.err;
    EXPECT_THAT(status.out, HasSubstr("Needs attention:"));

    orgs->configure_a(test::everybody_may);
    EXPECT_EQ(orgs->a.fedgate({"reload"}).status, 0);
    EXPECT_EQ(success_metric(), "1");
    EXPECT_THAT(orgs->a.fedgate({"status"}).out, HasSubstr("Nothing needs attention."));
  }
  expect_the_same_process();
  EXPECT_EQ(reloads().size(), 4U) << "those that took effect";
}

TEST_F(Reload, WhatNeedsARestartIsNamed) {
  orgs->a.write("conf.d/20-more.yaml", "audit: { journal_max: 20GiB }\n");
  EXPECT_EQ(orgs->a.fedgate({"reload"}).status, 2) << "journal_max stands in init's file already";
  orgs->a.write("conf.d/20-more.yaml", "limits: { json_depth: 8, connections: 99 }\n");
  const auto taken = orgs->a.fedgate({"reload"});
  EXPECT_EQ(taken.status, 0) << taken.err;
  EXPECT_THAT(taken.out, HasSubstr("wait for a restart: limits.connections"));
}

// Reading files and the database takes its time; whoever asks meanwhile does not wait for it.
TEST(ReloadInProgress, HoldsNobodyUp) {
  test::Federation orgs(2);
  std::promise<void> begun;
  std::promise<void> release;
  orgs.a().environment.reload_source = [&, released = release.get_future().share()]() -> config::Loaded {
    begun.set_value();
    released.wait();
    return {};
  };
  orgs.start();
  auto reload = std::async(std::launch::async, [&] {
    test::TestClient other;
    return orgs.a().operate(other, "POST", "/api/v2/reload", nlohmann::json::object());
  });
  begun.get_future().wait();
  EXPECT_EQ(orgs.a().operate(orgs.client, "GET", "/api/v2/status").status, 200);
  EXPECT_EQ(orgs.a().invoke(orgs.client, test::call_of('b', "order")).status, 200);
  release.set_value();
  EXPECT_EQ(reload.get().status, 422);
}

// limits.body needs a restart. Until then it is the old one everywhere, not only where connections read.
TEST(ReloadOfABodyLimit, IsNotHalfInUse) {
  test::Federation orgs(2);
  auto& a = orgs.a();
  auto smaller = a.settings;
  smaller.server_limits.body = 1024;
  a.environment.reload_source = [&smaller] {
    return config::Loaded{
        .settings = std::make_shared<const config::Settings>(smaller), .findings = {}, .admin_address = ""};
  };
  orgs.start();
  const auto large = test::call_of('b', "order", {{"note", std::string(4000, 'x')}});
  ASSERT_EQ(a.invoke(orgs.client, large).status, 200);
  const auto reloaded = a.operate(orgs.client, "POST", "/api/v2/reload", nlohmann::json::object());
  ASSERT_EQ(reloaded.status, 200) << reloaded.text;
  EXPECT_NE(reloaded.body["pending_restart"].dump().find("limits.body"), std::string::npos) << reloaded.text;
  EXPECT_EQ(a.invoke(orgs.client, large).status, 200);
  a.settings.server_limits.body = 1024;
  a.stop();
  a.start();
  EXPECT_EQ(a.invoke(orgs.client, large).status, 413);
}

}  // namespace
}  // namespace fedgate
