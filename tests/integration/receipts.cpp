// SPDX-License-Identifier: Apache-2.0
//
// Promise: each side of a call can prove its record to somebody who trusts neither, with the other side's record beside
// it; and who states a leaf that is not in its log is found out.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "audit/leaf.h"
#include "audit/merkle_proof.h"
#include "base/hash.h"
#include "cli/cli.h"
#include "net/address.h"
#include "support/eventually.h"
#include "support/federation.h"
#include "wire/witness_text.h"

namespace fedgate::test {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;
using testing::HasSubstr;

class Receipts : public testing::Test {
 protected:
  Federation federation{2};
  Organisation& a = federation.a();
  Organisation& b = federation.b();
  TestClient& client = federation.client;

  void SetUp() override {
    for (auto* one : {&a, &b}) {
      one->environment.exchange = {.interval = 30ms, .settling = 0ms};
      one->environment.audit.interval = 20ms;
      one->environment.audit.look_for_checkpoint = 1s;
      one->settings.audit.checkpoint_every = 50ms;
    }
  }
  json receipts(const Organisation& of, const std::string& id) {
    return of.operate(client, "GET", "/api/v2/audit/receipt?id=" + id).body;
  }
  /// Every record that names one of the other side has its proof.
  bool proven(const Organisation& of, const std::string& id, std::size_t records) {
    return eventually([&] {
      const auto all = receipts(of, id).value("receipts", json::array());
      if (all.size() != records) return false;
      for (const auto& one : all)
        if (one["counterparty"].is_object() && one["counterparty"]["state"] != "proven") return false;
      return std::ranges::any_of(all, [](const json& one) { return one["counterparty"].is_object(); });
    });
  }
  /// As an outsider would, from the C2SP tlog-proof and keys that came another way.
  static void check(const json& standing, std::uint64_t index, const std::string& leaf_hash,
                    const std::vector<wire::VerifierKey>& keys) {
    std::istringstream proof(standing["proof"].get<std::string>());
    std::string line;
    ASSERT_TRUE(std::getline(proof, line));
    EXPECT_EQ(line, "c2sp.org/tlog-proof@v1");
    ASSERT_TRUE(std::getline(proof, line));
    if (line.starts_with("extra ")) {
      EXPECT_EQ(to_hex(audit::leaf_hash(from_base64(line.substr(6)).value())), leaf_hash);
      ASSERT_TRUE(std::getline(proof, line));
    }
    EXPECT_EQ(line, "index " + std::to_string(index));
    ProofPath path;
    while (std::getline(proof, line) && !line.empty()) {
      const auto bytes = from_base64(line).value();
      Sha256 hash{};
      std::ranges::copy(bytes, hash.begin());
      path.push_back(hash);
    }
    const std::string note(std::istreambuf_iterator<char>(proof), {});
    const auto checkpoint = wire::parse_checkpoint(note);
    ASSERT_TRUE(checkpoint) << checkpoint.error().detail;
    EXPECT_TRUE(audit::proves_inclusion(sha256_from_hex(leaf_hash).value(), index, checkpoint->head, path));
    const auto parsed = wire::parse_note(note).value();
    for (const auto& key : keys) EXPECT_TRUE(wire::signed_by(parsed, key)) << key.name;
  }
};

TEST_F(Receipts, BothSidesProveBothRecords) {
  federation.start();
  const auto answer = a.invoke(client, call_of('b', "order"));
  ASSERT_EQ(answer.status, 200);
  const auto id = answer.correlation_id();
  ASSERT_TRUE(proven(a, id, 2)) << receipts(a, id).dump(1);
  ASSERT_TRUE(proven(b, id, 2)) << receipts(b, id).dump(1);
  ASSERT_TRUE(eventually([&] { return !receipts(a, id)["receipts"][1]["standing"]["cosigned_by"].empty(); }));
  const auto key_of_a = a.gateway->publisher().keys().front();
  const auto key_of_b = b.gateway->publisher().keys().front();
  const auto witness_b = a.gateway->log_keys().witness_key(b.id).value();
  const auto at_a = receipts(a, id);
  const auto& outcome = at_a["receipts"][1];
  ASSERT_EQ(json::parse(outcome["leaf"].get<std::string>())["phase"], "outcome");
  check(outcome["standing"], outcome["index"], outcome["leaf_hash"], {key_of_a, witness_b});
  const auto& other = outcome["counterparty"];
  EXPECT_EQ(other["node_id"], "orgb.example");
  check(other["standing"], other["index"], other["leaf_hash"], {key_of_b});
  const auto at_b = receipts(b, id);
  EXPECT_EQ(at_b["receipts"][1]["leaf_hash"], other["leaf_hash"]) << "one and the same leaf";
  for (const auto& one : at_b["receipts"]) {
    EXPECT_EQ(one["counterparty"]["leaf_hash"], at_a["receipts"][0]["leaf_hash"]) << "the origin's intent";
    check(one["counterparty"]["standing"], one["counterparty"]["index"], one["counterparty"]["leaf_hash"], {key_of_a});
  }
  EXPECT_THAT(at_a["vkeys"].dump(), HasSubstr(key_of_a.text()));
  const auto by_place =
      receipts(a, outcome["log"].get<std::string>() + ":" + std::to_string(outcome["index"].get<int>()));
  EXPECT_EQ(by_place["receipts"][0]["leaf"], outcome["leaf"]);
  EXPECT_EQ(a.operate(client, "GET", "/api/v2/audit/receipt?id=nonsense").status, 400);
  EXPECT_EQ(a.operate(client, "GET", "/api/v2/audit/receipt?id=" + outcome["log"].get<std::string>() + ":999").status,
            404);
}

TEST_F(Receipts, ALeafSaysWhatWasSeenOfTheOtherLog) {
  federation.start();
  ASSERT_EQ(a.invoke(client, call_of('b', "lookup")).status, 200);
  for (auto* one : {&a, &b}) ASSERT_TRUE(eventually([&] { return one->gateway->publisher().latest() != nullptr; }));
  std::string id;
  json seen;
  // The header goes with the first call after the checkpoint.
  ASSERT_TRUE(eventually([&] {
    const auto answer = a.invoke(client, call_of('b', "order"));
    if (answer.status != 200 || answer.header("Fedgate-Checkpoint") != "") return false;
    id = answer.correlation_id();
    seen = json::parse(a.trail(id).back().leaf)["counterparty"];
    return seen.contains("checkpoint");
  }));
  EXPECT_TRUE(seen["log"].get<std::string>().starts_with("orgb.example/"));
  const auto size = seen["checkpoint"]["size"].get<std::uint64_t>();
  EXPECT_EQ(seen["checkpoint"]["root"], to_hex(b.gateway->journal().tree().head_at(size).value().root));
  const auto at_b = json::parse(b.trail(id).back().leaf)["counterparty"];
  const auto size_of_a = at_b["checkpoint"]["size"].get<std::uint64_t>();
  EXPECT_EQ(at_b["checkpoint"]["root"], to_hex(a.gateway->journal().tree().head_at(size_of_a).value().root));
}

TEST_F(Receipts, WhoStatesALeafThatIsNotInItsLogIsFoundOut) {
  federation.start();
  const auto good = a.invoke(client, call_of('b', "order"));
  ASSERT_EQ(good.status, 200);
  ASSERT_TRUE(proven(b, good.correlation_id(), 2)) << receipts(b, good.correlation_id()).dump(1);

  const auto address = net::parse_address(b.gateway->peers_address()).value();
  const net::Destination to{.pool_key = "as a",
                            .host = address.host,
                            .port = address.port,
                            .host_header = b.id.str(),
                            .tls = a.client_tls(),
                            .server_name = b.id.str()};
  const auto correlation = CorrelationId::make(system_clock().wall(), {1, 2, 3});
  net::Request request;
  request.method = "POST";
  request.target = "/api/v2/federation/invoke";
  request.headers.add("Content-Type", "application/json");
  request.headers.add("Fedgate-Correlation-Id", correlation.str());
  request.headers.add("Fedgate-Call-Nonce", to_base64url(std::string(16, 'n')));
  const auto log = a.gateway->journal().log_name();
  request.headers.add("Fedgate-Audit-Leaf", log + ";0;" + to_hex(sha256("made up")));
  auto body = call_of('b', "order");
  body["source_node"] = a.id.str();
  body["principal_id"] = a.principal;
  request.body = body.dump();
  const auto answer = client.send(to, request);
  ASSERT_EQ(answer.status, 200) << answer.text << "\nnothing is known of it yet";
  const auto id = correlation.str();
  ASSERT_TRUE(eventually([&] {
    const auto all = receipts(b, id)["receipts"];
    return all.size() == 2 && all[0]["counterparty"]["state"] == "receipt_missing" &&
           all[1]["counterparty"]["state"] == "receipt_missing";
  })) << receipts(b, id).dump(1);
  EXPECT_THAT(receipts(b, id)["receipts"][0]["counterparty"]["why"].get<std::string>(), HasSubstr("another leaf"));
  ASSERT_TRUE(eventually([&] {
    return b.operate(client, "GET", "/metrics")
        .text.contains(R"(federation_audit_receipts{node="orga.example",state="missing"} 2)");
  }));
  const auto status = b.operate(client, "GET", "/api/v2/status").body;
  EXPECT_EQ(status["audit"]["receipts_missing"], 2);
  EXPECT_EQ(status["audit"]["health"], "degraded");
  EXPECT_THAT(status["attention"].dump(), HasSubstr("receipts of orga.example are missing"));
  EXPECT_EQ(receipts(b, good.correlation_id())["receipts"][0]["counterparty"]["state"], "proven") << "others stand";
}

TEST_F(Receipts, ByTheCommandLine) {
  federation.start();
  const auto answer = a.invoke(client, call_of('b', "order"));
  ASSERT_EQ(answer.status, 200);
  const auto id = answer.correlation_id();
  ASSERT_TRUE(proven(a, id, 2));
  TempDirectory directory;
  const auto run = [&](std::vector<std::string> words) {
    words.insert(words.begin(), {"fedgate", "audit", "receipt"});
    words.insert(words.end(), {"--socket", a.gateway->admin_address().substr(5)});
    std::vector<const char*> argv;
    for (const auto& word : words) argv.push_back(word.c_str());
    std::ostringstream out;
    const int status =
        cli::run(static_cast<int>(argv.size()), argv.data(), [](const std::string&) { return 1; }, out, out);
    return std::pair(status, out.str());
  };
  const auto shown = run({id, "--save", directory.path("receipt")});
  EXPECT_EQ(shown.first, 0) << shown.second;
  EXPECT_THAT(shown.second, HasSubstr("its receipt"));
  EXPECT_THAT(shown.second, HasSubstr("proven"));
  const auto outcome = receipts(a, id)["receipts"][1];
  const auto stem = directory.path("receipt/" + std::to_string(outcome["index"].get<int>()));
  std::ifstream leaf(stem + ".leaf", std::ios::binary);
  const std::string text(std::istreambuf_iterator<char>(leaf), {});
  EXPECT_EQ(to_hex(audit::leaf_hash(text)), outcome["leaf_hash"].get<std::string>());
  EXPECT_TRUE(std::filesystem::exists(stem + ".tlog-proof"));
  EXPECT_TRUE(std::filesystem::exists(directory.path("receipt/vkeys")));
  const auto machine = run({id, "--output", "json"});
  EXPECT_EQ(machine.first, 0);
  EXPECT_EQ(json::parse(machine.second)["receipts"].size(), 2U);
  EXPECT_EQ(run({"019a0000-0000-7000-8000-000000000000"}).first, 1);
}

}  // namespace
}  // namespace fedgate::test
