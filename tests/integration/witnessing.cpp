// SPDX-License-Identifier: Apache-2.0
//
// Promise: gateways that trust each other cosign each other's logs, over restarts and absences, and a log that is
// rewritten does not get by its witness.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "audit/signing_key.h"
#include "base/hash.h"
#include "config/settings.h"
#include "net/address.h"
#include "store/audit_log_records.h"
#include "support/eventually.h"
#include "support/federation.h"
#include "wire/witness_text.h"

namespace fedgate::test {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;
using testing::HasSubstr;

class Witnessing : public testing::Test {
 protected:
  Federation federation{2};
  Organisation& a = federation.a();
  Organisation& b = federation.b();
  TestClient& client = federation.client;

  void SetUp() override {
    for (auto* one : {&a, &b}) {
      one->environment.exchange = {.interval = 30ms, .settling = 0ms};
      one->environment.audit.interval = 20ms;
      one->environment.audit.look_at_logs = 1s;
      one->environment.audit.look_for_checkpoint = 1s;
      one->settings.audit.checkpoint_every = 50ms;
    }
  }
  static std::string log_of(const Organisation& one) { return one.gateway->journal().log_name(); }
  static std::optional<store::KeptCheckpoint> cosigned(const Organisation& whose, const Organisation& by) {
    return store::AuditLogRecords(whose.gateway->store()).newest_cosigned(log_of(whose), by.id).value();
  }
  /// All that `whose` log holds now is cosigned by the other.
  bool covered(const Organisation& whose, const Organisation& by) {
    const auto size = whose.gateway->journal().state().durable;
    return eventually([&] {
      const auto kept = cosigned(whose, by);
      return kept && kept->checkpoint.head.size >= size;
    });
  }
  json audit_status(const Organisation& one) {
    return one.operate(client, "GET", "/api/v2/status").body.value("audit", json());
  }
  json status(const Organisation& one) { return one.operate(client, "GET", "/api/v2/status").body; }
  std::vector<store::AuditRow> violations(const Organisation& one) {
    store::AuditQuery query;
    query.event_type = "security_violation";
    return one.trail(query);
  }
  /// What somebody with A's keys can say to B.
  Answer add_checkpoint(const std::string& body) {
    const auto address = net::parse_address(b.gateway->peers_address()).value();
    const net::Destination to{.pool_key = "as a",
                              .host = address.host,
                              .port = address.port,
                              .host_header = b.id.str(),
                              .tls = a.client_tls(),
                              .server_name = b.id.str()};
    net::Request request;
    request.method = "POST";
    request.target = "/api/v2/federation/audit/add-checkpoint";
    request.body = body;
    // A itself may be asking at that moment: one at a time.
    Answer answer;
    EXPECT_TRUE(eventually([&] {
      answer = client.send(to, request);
      return answer.status != 429;
    }));
    return answer;
  }
  Checkpoint forged(const TreeHead& head) {
    const auto key = audit::read_signer(config::default_signing_key(a.settings.audit.journal), log_of(a),
                                        wire::NoteAlgorithm::ed25519)
                         .value();
    const auto text = wire::checkpoint_text(log_of(a), head);
    return {log_of(a), head, text + "\n" + key.sign(text)};
  }
};

TEST_F(Witnessing, TwoGatewaysCosignEachOther) {
  federation.start();
  ASSERT_EQ(a.invoke(client, call_of('b', "order")).status, 200);
  ASSERT_TRUE(covered(a, b)) << audit_status(a).dump() << b.settings.file;
  ASSERT_TRUE(covered(b, a)) << audit_status(b).dump();
  const auto kept = cosigned(a, b);
  const auto note = wire::parse_note(kept->checkpoint.note);
  ASSERT_TRUE(note);
  const auto key = a.gateway->log_keys().witness_key(b.id);
  ASSERT_TRUE(key);
  EXPECT_TRUE(wire::signed_by(*note, *key));
  EXPECT_TRUE(wire::signed_by(*note, a.gateway->publisher().keys().front()));
  EXPECT_EQ(kept->checkpoint.head.root, a.gateway->journal().tree().head_at(kept->checkpoint.head.size).value().root);
  ASSERT_TRUE(eventually([&] { return audit_status(a)["cosigned"] == kept->checkpoint.head.size; }));
  EXPECT_EQ(audit_status(a)["witnesses"][0]["node_id"], "orgb.example");
  EXPECT_EQ(audit_status(a)["alarms"], 0);
  const auto size = a.gateway->journal().state().durable;
  ASSERT_EQ(a.invoke(client, call_of('b', "lookup")).status, 200);
  ASSERT_TRUE(covered(a, b)) << "and on";
  EXPECT_GT(cosigned(a, b)->checkpoint.head.size, size);
  EXPECT_TRUE(violations(a).empty());
  EXPECT_TRUE(violations(b).empty());
}

TEST_F(Witnessing, APeerThatWasAwayCatchesUpAtOnceWhenItCalls) {
  a.environment.audit.longest_pause = 1h;
  federation.start();
  ASSERT_EQ(a.invoke(client, call_of('b', "lookup")).status, 200);
  ASSERT_TRUE(covered(a, b));
  const auto before = cosigned(a, b)->checkpoint.head.size;
  b.stop();
  for (int i = 0; i < 5; ++i) EXPECT_NE(a.invoke(client, call_of('b', "order")).status, 200);
  // So long that it waits for minutes when the other comes back.
  ASSERT_TRUE(eventually([&] { return audit_status(a)["witnesses"][0]["problem"] != ""; }));
  EXPECT_EQ(cosigned(a, b)->checkpoint.head.size, before);
  EXPECT_EQ(audit_status(a)["alarms"], 0) << "to be away is no offence";
  b.start();
  ASSERT_TRUE(covered(a, b)) << audit_status(a).dump();
  EXPECT_EQ(audit_status(a)["witnesses"][0]["problem"], "");
  EXPECT_TRUE(violations(a).empty());
}

TEST_F(Witnessing, AForkIsRefusedAndKeptAsEvidence) {
  federation.start();
  ASSERT_EQ(a.invoke(client, call_of('b', "lookup")).status, 200);
  ASSERT_TRUE(covered(a, b));
  // A's own log must not grow any more, or the witness has a newer head than the one that is contradicted here.
  TreeHead head;
  ASSERT_TRUE(eventually([&] {
    const auto before = std::exchange(head, cosigned(a, b)->checkpoint.head);
    return before == head && head.size == a.gateway->journal().state().durable;
  }));
  const auto body = wire::add_checkpoint_body({head.size, {}, forged({head.size, sha256("rewritten")})});
  for (int i = 0; i < 3; ++i) EXPECT_EQ(add_checkpoint(body).status, 409);
  const auto longer =
      wire::add_checkpoint_body({head.size, {sha256("proof")}, forged({head.size + 9, sha256("rewritten")})});
  EXPECT_EQ(add_checkpoint(longer).status, 422);
  const auto alarms = b.operate(client, "GET", "/api/v2/audit/alarms").body["alarms"];
  ASSERT_EQ(alarms.size(), 1U) << alarms.dump();
  EXPECT_EQ(alarms[0]["kind"], "fork");
  EXPECT_EQ(alarms[0]["node_id"], "orga.example");
  EXPECT_THAT(alarms[0]["evidence"].get<std::string>(),
              HasSubstr(to_base64(std::string_view(reinterpret_cast<const char*>(sha256("rewritten").data()), 32))));
  const auto recorded = violations(b);
  ASSERT_EQ(recorded.size(), 1U) << "once, however often it is tried";
  EXPECT_EQ(recorded[0].source_node, "orga.example");
  EXPECT_EQ(recorded[0].action, "audit_fork");
  EXPECT_EQ(audit_status(b)["health"], "degraded");
  EXPECT_THAT(status(b)["attention"].dump(), HasSubstr("fork"));
  EXPECT_THAT(b.operate(client, "GET", "/metrics").text, HasSubstr("federation_audit_alarms{kind=\"fork\"} 1"));

  b.stop();
  b.start();
  EXPECT_EQ(add_checkpoint(body).status, 409);
  ASSERT_TRUE(eventually([&] { return audit_status(b)["health"] == "degraded"; })) << "over a restart";
  EXPECT_EQ(violations(b).size(), 1U);
  const json which = {{"kind", "fork"}, {"node_id", "orga.example"}, {"log", log_of(a)}, {"reason", "spoken to them"}};
  EXPECT_EQ(b.operate(client, "POST", "/api/v2/audit/alarms/settle", which).status, 200);
  EXPECT_EQ(b.operate(client, "POST", "/api/v2/audit/alarms/settle", which).status, 404);
  EXPECT_TRUE(eventually([&] { return audit_status(b)["alarms"] == 0; }));
  ASSERT_EQ(a.invoke(client, call_of('b', "lookup")).status, 200);
  EXPECT_TRUE(covered(a, b)) << "the log itself goes on";
}

TEST_F(Witnessing, WhatWasCosignedIsRememberedOverARestart) {
  federation.start();
  ASSERT_EQ(a.invoke(client, call_of('b', "lookup")).status, 200);
  ASSERT_TRUE(covered(a, b));
  const auto size = cosigned(a, b)->checkpoint.head.size;
  a.stop();
  b.stop();
  b.start();
  const auto state = store::AuditLogRecords(b.gateway->store()).witnessed("orga.example/fedgate/log/a/1").value();
  ASSERT_TRUE(state);
  EXPECT_GE(state->checkpoint.head.size, size);
  a.start();
  ASSERT_TRUE(eventually([&] { return audit_status(a)["cosigned"] >= size; }));
  const auto answer = add_checkpoint(wire::add_checkpoint_body({0, {}, forged({size, sha256("x")})}));
  EXPECT_EQ(answer.status, 409);
  EXPECT_EQ(answer.header("Content-Type"), "text/x.tlog.size");
  EXPECT_GE(wire::parse_tree_size(answer.text).value(), size);
}

TEST_F(Witnessing, AWitnessWhoseDatabaseWasSetBackIsTold) {
  federation.start();
  ASSERT_EQ(a.invoke(client, call_of('b', "lookup")).status, 200);
  ASSERT_TRUE(covered(a, b));
  b.stop();
  {
    // As an old copy would: what it has cosigned is not in it.
    const auto database = store::open(b.settings.store).value();
    ASSERT_TRUE(database->transact("setting it back", [](store::Transaction& at) -> Result<void> {
      at.run("DELETE FROM audit_witnessed", {});
      at.run("DELETE FROM audit_checkpoints", {});
      return {};
    }));
  }
  b.start();
  a.invoke(client, call_of('b', "lookup"));
  ASSERT_TRUE(covered(a, b)) << audit_status(a).dump();
  ASSERT_TRUE(eventually([&] { return violations(b).size() == 1; }));
  const auto recorded = violations(b);
  EXPECT_EQ(recorded[0].action, "audit_lost_state");
  EXPECT_THAT(recorded[0].reason, HasSubstr("we remember 0"));
}

TEST_F(Witnessing, APeerThatAnswersAndDoesNotCosignIsAnAlarm) {
  // It never learns our keys, so it knows no such log.
  b.environment.exchange.interval = 24h;
  a.environment.audit.stale_after = 300ms;
  a.environment.audit.longest_pause = 50ms;
  federation.start();
  // We learn its keys as soon as it has a bundle.
  ASSERT_TRUE(eventually([&] { return a.gateway->log_keys().witness_key(b.id).has_value(); }));
  ASSERT_EQ(a.invoke(client, call_of('b', "lookup")).status, 200);
  ASSERT_TRUE(eventually([&] { return audit_status(a)["alarms"] == 1; })) << audit_status(a).dump();
  const auto recorded = violations(a);
  ASSERT_EQ(recorded.size(), 1U);
  EXPECT_EQ(recorded[0].action, "audit_stale_cosigning");
  EXPECT_EQ(recorded[0].source_node, "orgb.example");
}

TEST_F(Witnessing, ALogThatHasBecomeShorterIsAnAlarm) {
  b.environment.audit.look_at_logs = 50ms;
  federation.start();
  ASSERT_EQ(a.invoke(client, call_of('b', "lookup")).status, 200);
  ASSERT_TRUE(covered(a, b));
  a.stop();
  // Its operator begins anew, with the same name and key, and hopes that nobody has looked.
  const auto& journal = a.settings.audit.journal;
  for (const auto& entry : std::filesystem::directory_iterator(journal)) {
    const auto name = entry.path().filename().string();
    if (name != "signer" && name != "revoked") std::filesystem::remove_all(entry.path());
  }
  std::filesystem::remove(std::filesystem::path(config::default_signing_key(journal)).parent_path() / "signer.state");
  {
    const auto database = store::open(a.settings.store).value();
    ASSERT_TRUE(database->transact("hiding it", [](store::Transaction& at) -> Result<void> {
      for (const auto* table : {"audit_events", "audit_checkpoints", "audit_references", "audit_positions"})
        at.run(std::string("DELETE FROM ") + table, {});
      return {};
    }));
  }
  a.start();
  ASSERT_TRUE(eventually([&] { return audit_status(b)["alarms"].get<int>() >= 1; })) << audit_status(b).dump();
  const auto alarms = b.operate(client, "GET", "/api/v2/audit/alarms").body["alarms"].dump();
  EXPECT_THAT(alarms, testing::AnyOf(HasSubstr("vanished_log"), HasSubstr("fork")));
  EXPECT_THAT(alarms, HasSubstr("orga.example/fedgate/log/a/1"));
}

}  // namespace
}  // namespace fedgate::test
