// SPDX-License-Identifier: Apache-2.0
//
// Promise: a gateway signs its audit log with a key kept apart from it, goes on after a restart, and stops signing,
// not serving, where the journal is not the one that it has signed; a new log recovers, and peers' operators approve
// it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "support/eventually.h"
#include "support/federation.h"
#include "wire/signed_note.h"

namespace fedgate {
namespace {

using namespace std::chrono_literals;
using test::call_of;
using test::eventually;
using ::testing::HasSubstr;
namespace fs = std::filesystem;

constexpr const char* new_log_path = "/api/v2/audit/new-log";
constexpr const char* rotate_path = "/api/v2/audit/rotate-key";

struct SignedLog : testing::Test {
  test::Federation orgs{2};
  test::Organisation& a = orgs.a();
  test::Organisation& b = orgs.b();

  SignedLog() {
    for (auto* org : {&a, &b}) {
      org->settings.audit.checkpoint_every = 100ms;
      org->environment.exchange = {.interval = 30ms, .settling = 0ms};
    }
  }
  [[nodiscard]] static std::uint64_t durable(test::Organisation& org) { return org.gateway->journal().state().durable; }
  static std::shared_ptr<const Checkpoint> covered(test::Organisation& org) {
    const auto size = durable(org);
    EXPECT_TRUE(eventually([&] {
      const auto latest = org.gateway->publisher().latest();
      return latest && latest->head.size >= size;
    }));
    return org.gateway->publisher().latest();
  }
  [[nodiscard]] bool knows(test::Organisation& who, test::Organisation& whose) const {
    return eventually([&] { return who.gateway->log_keys().log_keys(whose.id) == whose.gateway->publisher().keys(); });
  }
  nlohmann::json status(test::Organisation& org) { return org.operate(orgs.client, "GET", "/api/v2/status").body; }
  static std::string home(const test::Organisation& org) { return fs::path(org.settings.file).parent_path().string(); }
};

TEST_F(SignedLog, ARunningGatewaySignsAndARestartGoesOn) {
  orgs.start();
  ASSERT_EQ(a.invoke(orgs.client, call_of('b', "order")).status, 200);
  const auto first = covered(a);
  ASSERT_NE(first, nullptr);
  const auto key = a.gateway->publisher().keys().front();
  EXPECT_EQ(key.name, "orga.example/fedgate/log/a/1");
  EXPECT_TRUE(wire::signed_by(wire::parse_note(first->note).value(), key));
  const auto shown = status(a)["audit"];
  EXPECT_EQ(shown["signing"], "on");
  EXPECT_GE(shown["checkpoint"]["size"], first->head.size);
  EXPECT_EQ(shown["keys"][0], key.text());
  EXPECT_THAT(a.operate(orgs.client, "GET", "/metrics").text, HasSubstr("federation_audit_checkpoint_size "));
  a.stop();
  a.start();
  EXPECT_EQ(a.gateway->publisher().keys(), std::vector{key});
  ASSERT_EQ(a.invoke(orgs.client, call_of('b', "order")).status, 200);
  const auto second = covered(a);
  EXPECT_GT(second->head.size, first->head.size);
  EXPECT_EQ(a.gateway->journal().tree().head_at(first->head.size).value(), first->head);
}

TEST_F(SignedLog, PeersLearnTheKeysFromTheBundle) {
  orgs.start();
  EXPECT_TRUE(knows(b, a));
  EXPECT_TRUE(knows(a, b));
  const auto witness = b.gateway->log_keys().witness_key(a.id);
  ASSERT_TRUE(witness);
  EXPECT_EQ(status(a)["audit"]["witness_key"], witness->text());
}

TEST_F(SignedLog, ARotatedKeyIsLearnedWithoutAnybody) {
  orgs.start();
  ASSERT_TRUE(knows(b, a));
  const auto old = a.gateway->publisher().keys().front();
  const auto rotated = a.operate(orgs.client, "POST", rotate_path);
  ASSERT_EQ(rotated.status, 200) << rotated.text;
  const auto keys = a.gateway->publisher().keys();
  ASSERT_EQ(keys.size(), 2U);
  EXPECT_EQ(rotated.body["key"], keys[0].text());
  EXPECT_EQ(keys[1], old);
  EXPECT_TRUE(knows(b, a));
  a.stop();
  a.start();
  EXPECT_EQ(a.gateway->publisher().keys(), keys);
  EXPECT_EQ(a.gateway->publisher().stopped(), "");
}

TEST_F(SignedLog, AnOlderCopyOfTheJournalStopsSigningAndANewLogRecovers) {
  orgs.start();
  ASSERT_TRUE(knows(b, a));
  ASSERT_EQ(a.invoke(orgs.client, call_of('b', "order")).status, 200);
  a.stop();
  const auto journal = a.settings.audit.journal;
  fs::copy(journal, home(a) + "/copy", fs::copy_options::recursive);
  a.start();
  for (int i = 0; i < 20; ++i) ASSERT_EQ(a.invoke(orgs.client, call_of('b', "order")).status, 200);
  const auto last = covered(a);
  a.stop();
  const auto signed_last = last->head.size;
  fs::remove_all(journal);
  fs::rename(home(a) + "/copy", journal);
  a.start();

  EXPECT_THAT(a.gateway->publisher().stopped(), HasSubstr("older copy"));
  EXPECT_EQ(a.invoke(orgs.client, call_of('b', "order")).status, 200);  // calls go on
  const auto shown = status(a);
  EXPECT_EQ(shown["audit"]["signing"], "stopped");
  EXPECT_EQ(shown["audit"]["health"], "degraded");
  EXPECT_THAT(shown["attention"].dump(), HasSubstr("not signed any more"));
  EXPECT_THAT(a.operate(orgs.client, "GET", "/metrics").text, HasSubstr("federation_audit_signing_stopped 1"));
  const auto leaves = a.gateway->journal().read(0, 10'000, 1 << 22).value();
  EXPECT_EQ(std::ranges::count_if(leaves, [](const auto& leaf) { return leaf.contains("audit_signing_stopped"); }), 1);

  EXPECT_EQ(a.operate(orgs.client, "POST", new_log_path, {{"reason", ""}}).status, 400);
  EXPECT_EQ(a.operate(orgs.client, "POST", new_log_path, {{"why", "x"}}).status, 400);
  EXPECT_EQ(a.operate(orgs.client, "GET", new_log_path).status, 405);
  const auto wanted = a.operate(orgs.client, "POST", new_log_path, {{"reason", "restored from a backup"}});
  ASSERT_EQ(wanted.status, 200) << wanted.text;
  EXPECT_EQ(wanted.body["generation"], 2);
  EXPECT_THAT(status(a)["attention"].dump(), HasSubstr("restart the gateway"));
  a.stop();
  a.start();

  EXPECT_EQ(a.gateway->publisher().stopped(), "");
  EXPECT_EQ(a.gateway->journal().log_name(), "orga.example/fedgate/log/a/2");
  const auto first = a.gateway->journal().read(0, 1, 1 << 16).value().front();
  const auto leaf = nlohmann::json::parse(first);
  EXPECT_EQ(leaf["action"], "audit_new_log");
  EXPECT_EQ(leaf["reason"], "restored from a backup");
  EXPECT_EQ(leaf["counterparty"]["log"], "orga.example/fedgate/log/a/1");
  EXPECT_EQ(leaf["counterparty"]["index"], a.gateway->publisher().past().front().head.size);
  EXPECT_GE(a.gateway->publisher().past().front().head.size, signed_last);
  ASSERT_EQ(a.invoke(orgs.client, call_of('b', "order")).status, 200);
  EXPECT_EQ(covered(a)->origin, "orga.example/fedgate/log/a/2");
  EXPECT_EQ(status(a)["audit"]["generation"], 2);

  // B's operator is asked.
  const auto trust_path = "/api/v2/federation/trust/" + a.id.str();
  const auto approve_path = "/api/v2/federation/nodes/" + a.id.str() + "/trust/approve";
  ASSERT_TRUE(eventually([&] {
    return b.operate(orgs.client, "GET", trust_path).text.contains("begins its audit log");
  })) << b.operate(orgs.client, "GET", trust_path).text;
  EXPECT_FALSE(b.gateway->log_keys().log_keys(a.id) == a.gateway->publisher().keys());
  const auto view = b.operate(orgs.client, "GET", trust_path).body;
  ASSERT_EQ(view["candidates"].size(), 1U) << view.dump();
  const auto approved =
      b.operate(orgs.client, "POST", approve_path, {{"fingerprint", view["candidates"][0]["fingerprint"]}});
  ASSERT_EQ(approved.status, 200) << approved.text;
  EXPECT_TRUE(knows(b, a));
  EXPECT_EQ(b.invoke(orgs.client, call_of('a', "order")).status, 200);

  // And it stays so.
  a.stop();
  a.start();
  EXPECT_EQ(a.gateway->journal().log_name(), "orga.example/fedgate/log/a/2");
  EXPECT_EQ(a.gateway->publisher().stopped(), "");
}

TEST_F(SignedLog, AConfiguredNodesNewLogIsApprovedToo) {
  a.start();
  b.start();
  auto other = a.as_node();
  other.source = NodeSource::configuration;
  b.stop();
  b.settings.nodes = {other};
  b.start();
  a.trust_node(b.as_node());
  ASSERT_TRUE(knows(b, a));
  ASSERT_EQ(a.operate(orgs.client, "POST", new_log_path, {{"reason", "moved to other machines"}}).status, 200);
  a.stop();
  a.start();
  const auto trust_path = "/api/v2/federation/trust/" + a.id.str();
  const auto approve_path = "/api/v2/federation/nodes/" + a.id.str() + "/trust/approve";
  ASSERT_TRUE(eventually([&] { return b.operate(orgs.client, "GET", trust_path).body["candidates"].size() == 1; }));
  const auto view = b.operate(orgs.client, "GET", trust_path).body;
  const auto approved =
      b.operate(orgs.client, "POST", approve_path, {{"fingerprint", view["candidates"][0]["fingerprint"]}});
  ASSERT_EQ(approved.status, 200) << approved.text;
  EXPECT_TRUE(knows(b, a));
}

}  // namespace
}  // namespace fedgate
