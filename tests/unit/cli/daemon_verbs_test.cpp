// SPDX-License-Identifier: Apache-2.0
//
// The verbs that talk to a daemon, against one that plays a script. The real daemon's side of the contract is
// tested in tests/integration.
#include <gmock/gmock.h>

#include <map>
#include <nlohmann/json.hpp>

#include "running.h"
#include "support/scripted_service.h"

namespace fedgate::cli {
namespace {

using support::ScriptedService;
using testing::HasSubstr;
using testing::Not;

class Daemon : public Folder {
 protected:
  /// Answers METHOD and path (with query) as given; anything else 404.
  void play(std::map<std::string, std::string> answers) {
    service_ = std::make_unique<ScriptedService>(
        path("admin.sock"), [answers = std::move(answers)](const std::string& request) {
          const auto line = request.substr(0, request.find(" HTTP/1.1\r\n"));
          const auto found = answers.find(line);
          return found != answers.end()
                     ? found->second
                     : ScriptedService::answer("404 Not Found", R"({"code":"not_found","detail":"no such path"})");
        });
  }
  Ran ask(std::vector<std::string> words) const {
    words.insert(words.end(), {"--socket", path("admin.sock")});
    return run_words(std::move(words));
  }
  [[nodiscard]] nlohmann::json body_seen() const {
    const auto seen = service_->seen();
    const auto end = seen.find("\r\n\r\n");
    return end == std::string::npos ? nlohmann::json() : nlohmann::json::parse(seen.substr(end + 4), nullptr, false);
  }
  std::unique_ptr<ScriptedService> service_;
};

const std::string node_text =
    R"({"node_id":"orgb.example","name":"B","alias":"orgb","endpoints":["https://b:8443"],"trust_level":"trusted",
  "enabled":true,"source":"operator_command","principal_domains":["orgb.example"],"resources":["inventory"],"pins":[],"last_seen":null,
  "anchors":[{"subject":"CN=B CA","sha256":"ab12","not_after":"2030-01-01T00:00:00Z"}]})";

TEST_F(Daemon, NobodyThereIsStatus3WithAdvice) {
  const auto ran = ask({"status"});
  EXPECT_EQ(ran.status, 3);
  EXPECT_THAT(ran.err, HasSubstr("is `fedgate serve` running? There is no socket at " + path("admin.sock")));
  EXPECT_EQ(ran.out, "");
}

TEST_F(Daemon, AStaleSocketIsStatus3) {
  play({});
  service_.reset();
  ASSERT_TRUE(std::filesystem::exists(path("admin.sock")));
  const auto ran = ask({"nodes", "list"});
  EXPECT_EQ(ran.status, 3);
  EXPECT_THAT(ran.err, HasSubstr("nobody answers at"));
}

TEST_F(Daemon, TheSocketIsFoundByEnvironment) {
  play({{"GET /api/v2/federation/nodes", ScriptedService::answer("200 OK", R"({"nodes":[]})")}});
  ASSERT_EQ(::setenv("FEDGATE_SOCKET", path("admin.sock").c_str(), 1), 0);
  const auto ran = run_words({"nodes", "list"});
  ::unsetenv("FEDGATE_SOCKET");
  EXPECT_EQ(ran.status, 0) << ran.err;
  EXPECT_THAT(ran.out, HasSubstr("No nodes."));
}

TEST_F(Daemon, StatusIsOneScreen) {
  play({{"GET /api/v2/status",
         ScriptedService::answer("200 OK", R"({"node_id":"orga.example","name":"A","version":"0.1.0","commit":"abc",
      "uptime_seconds":93784,"state":"ready","threads":2,"listeners":[{"name":"peers","address":"0.0.0.0:8443","connections":3}],
      "store":{"kind":"sqlite","ok":false,"detail":"disk full"},"audit":{"log":"orga/log","next_index":12,"backlog":4,"failing":true,"problem":"no space"},
      "nodes":{"total":2,"usable":1},"certificate":{"not_after":"2030-01-01T00:00:00Z","days_left":1000},
      "config":{"file":"/etc/f.yaml","loaded_at":"2026-11-20T00:00:00Z","reload_ok":false,"problem":"bad","pending_restart":["threads"]},
      "calls":{"in_flight":7},"attention":["the store is full","\u001b[31mred"]})")}});
  const auto ran = ask({"status"});
  ASSERT_EQ(ran.status, 0) << ran.err;
  for (const char* part :
       {"orga.example (A)", "ready, up 1 d 2 h", "0.1.0 (abc), threads 2", "peers 0.0.0.0:8443, connections 3",
        "1 usable of 2", "in flight: 7", "sqlite, FAILING, disk full", "not yet in the store: 4, FAILING: no space",
        "1000 days left", "the newest was REFUSED: bad, waits for a restart: threads",
        "Needs attention:\n  - the store is full\n  - \\x1b[31mred\n"}) {
    EXPECT_THAT(ran.out, HasSubstr(part));
  }
  EXPECT_THAT(ran.out, Not(HasSubstr("\x1b")));
  EXPECT_EQ(nlohmann::json::parse(ask({"status", "--output", "json"}).out)["calls"]["in_flight"], 7);
}

TEST_F(Daemon, AnOlderOrNewerStatusIsNoCrash) {
  play({{"GET /api/v2/status",
         ScriptedService::answer("200 OK", R"({"listeners":7,"attention":[5],"nodes":null,"uptime_seconds":"x"})")}});
  EXPECT_EQ(ask({"status"}).status, 0);
  service_.reset();
  std::filesystem::remove(path("admin.sock"));
  play({{"GET /api/v2/status", ScriptedService::answer("200 OK", "[]")}});
  EXPECT_EQ(ask({"status"}).status, 0);
}

TEST_F(Daemon, NodesAreListedAndShown) {
  play({{"GET /api/v2/federation/nodes", ScriptedService::answer("200 OK", R"({"nodes":[)" + node_text + "]}")},
        {"GET /api/v2/federation/nodes/orgb.example", ScriptedService::answer("200 OK", node_text)}});
  const auto list = ask({"nodes", "list"});
  EXPECT_EQ(list.status, 0) << list.err;
  EXPECT_THAT(list.out, testing::ContainsRegex("orgb.example +orgb +trusted +yes +https://b:8443 +inventory +-"));
  const auto one = ask({"nodes", "show", "orgb.example"});
  EXPECT_EQ(one.status, 0) << one.err;
  EXPECT_THAT(one.out, HasSubstr("CN=B CA, until 2030-01-01T00:00:00Z, SHA-256 ab12"));
  const auto none = ask({"nodes", "show", "orgc.example"});
  EXPECT_EQ(none.status, 1);
  EXPECT_THAT(none.err, HasSubstr("no such path"));
  EXPECT_THAT(none.err, HasSubstr("code not_found"));
}

TEST_F(Daemon, AddSendsTheWholeNode) {
  play({{"POST /api/v2/federation/nodes", ScriptedService::answer("201 Created", node_text)}});
  write("ca.crt", "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n");
  const auto ran = ask({"nodes", "add", "orgb.example", "--endpoint", "https://b:8443", "--endpoint", "https://c:8443",
                        "--anchor", path("ca.crt"), "--resource", "inventory", "--read", "inventory/lookup",
                        "--rate-limit", "10/m", "--alias", "orgb"});
  ASSERT_EQ(ran.status, 0) << ran.err;
  EXPECT_THAT(ran.out, HasSubstr("not trusted yet"));
  EXPECT_EQ(body_seen(), nlohmann::json({{"node_id", "orgb.example"},
                                         {"alias", "orgb"},
                                         {"endpoints", {"https://b:8443", "https://c:8443"}},
                                         {"trust_anchors", {read("ca.crt")}},
                                         {"pins", nlohmann::json::array()},
                                         {"principal_domains", {"orgb.example"}},
                                         {"resources", {"inventory"}},
                                         {"reads", {"inventory/lookup"}},
                                         {"rate_limit_per_hour", 600},
                                         {"trusted", false}}));
}

TEST_F(Daemon, AddNeverSendsAPrivateKey) {
  play({});
  write("ca.key", "-----BEGIN PRIVATE KEY-----\nAA==\n-----END PRIVATE KEY-----\n-----BEGIN CERTIFICATE-----\n");
  write("empty.crt", "nothing");
  EXPECT_EQ(ask({"nodes", "add", "orgb.example", "--anchor", path("ca.key")}).status, 2);
  EXPECT_EQ(ask({"nodes", "add", "orgb.example", "--anchor", path("empty.crt")}).status, 2);
  EXPECT_EQ(service_->seen(), "");
}

TEST_F(Daemon, EnableDisableAndRemove) {
  play({{"PATCH /api/v2/federation/nodes/orgb", ScriptedService::answer("200 OK", node_text)},
        {"DELETE /api/v2/federation/nodes/orgb",
         ScriptedService::answer("409 Conflict", R"({"code":"conflict","detail":"defined at f.yaml:7"})")}});
  EXPECT_THAT(ask({"nodes", "disable", "orgb"}).out, HasSubstr("orgb is disabled"));
  EXPECT_EQ(body_seen(), nlohmann::json({{"enabled", false}}));
  EXPECT_EQ(ask({"nodes", "disable", "orgb"}).err, "");
  EXPECT_THAT(ask({"nodes", "enable", "orgb"}).out, HasSubstr("orgb is enabled\n"));
  const auto kept = ask({"nodes", "remove", "orgb"});
  EXPECT_EQ(kept.status, 1);
  EXPECT_THAT(kept.err, HasSubstr("defined at f.yaml:7"));
}

TEST_F(Daemon, WhatIsInForceButNotStoredIsSaid) {
  play({{"PATCH /api/v2/federation/nodes/orgb",
         ScriptedService::answer("200 OK", R"({"node_id":"orgb.example","enabled":false,"stored":false,
           "note":"it is in force, but not stored yet"})")},
        {"DELETE /api/v2/federation/nodes/orgb",
         ScriptedService::answer("200 OK", R"({"removed":true,"stored":false,"note":"not stored yet"})")}});
  const auto disabled = ask({"nodes", "disable", "orgb"});
  EXPECT_EQ(disabled.status, 0);
  EXPECT_THAT(disabled.out, HasSubstr("orgb is disabled"));
  EXPECT_THAT(disabled.err, HasSubstr("Note: it is in force, but not stored yet"));
  EXPECT_THAT(ask({"nodes", "remove", "orgb"}).err, HasSubstr("Note: not stored yet"));
}

TEST_F(Daemon, ReloadTellsWhatIsWrong) {
  play({{"POST /api/v2/reload",
         ScriptedService::answer("422 Unprocessable Content",
                                 R"({"code":"invalid_configuration","findings":["f.yaml:1:2: error: bad\u0007"]})")}});
  const auto refused = ask({"reload"});
  EXPECT_EQ(refused.status, 2);
  EXPECT_THAT(refused.err, HasSubstr("f.yaml:1:2: error: bad\\x07\n"));
  EXPECT_THAT(refused.err, HasSubstr("goes on with the old one"));
  service_.reset();
  std::filesystem::remove(path("admin.sock"));
  play({{"POST /api/v2/reload",
         ScriptedService::answer("200 OK", R"({"reloaded":true,"findings":[],"pending_restart":["threads"]})")}});
  const auto done_well = ask({"reload"});
  EXPECT_EQ(done_well.status, 0) << done_well.err;
  EXPECT_THAT(done_well.out, HasSubstr("wait for a restart: threads"));
}

TEST_F(Daemon, RoutesSayWhatWouldBeChosen) {
  play({{"GET /api/v2/federation/routes?resource=mcp%3A%2F%2Fb%2Fx",
         ScriptedService::answer("200 OK", R"({"routes":[{"resource":"mcp://b/x","node":"orgb.example",
      "endpoint":"https://b","usable":false,"why_not":"disabled"}],"choice":null,"problem":"no usable node has mcp://b/x"})")},
        {"GET /api/v2/federation/routes",
         ScriptedService::answer("200 OK", R"({"routes":[],"choice":null,"problem":""})")}});
  const auto one = ask({"routes", "mcp://b/x"});
  EXPECT_EQ(one.status, 0) << one.err;
  EXPECT_THAT(one.out, HasSubstr("disabled"));
  EXPECT_THAT(one.out, HasSubstr("would go nowhere: no usable node"));
  EXPECT_THAT(ask({"routes"}).out, HasSubstr("No routes."));
}

const std::string call_id = "019a9f5c-7c00-7000-8000-000000000001";

TEST_F(Daemon, AuditListEncodesItsFilters) {
  play(
      {{"GET "
        "/api/v2/audit/events?limit=5&from=2026-11-20T00%3A00%3A00Z&principal=alice%2Bx%40orga.example&cursor=a%26b",
        ScriptedService::answer(
            "200 OK",
            R"({"events":[{"time":"2026-11-20T10:00:00Z","correlation_id":"X1","phase":"outcome","origin":"orga.example",
         "target":"orgb.example","principal":"alice\u001b@orga.example","resource":"inventory","capability":"lookup","decision":"allow","outcome":"succeeded",
         "duration_us":12345}],"next_cursor":"c2"})")}});
  const auto ran = ask({"audit", "list", "--limit", "5", "--from", "2026-11-20", "--principal", "alice+x@orga.example",
                        "--cursor", "a&b"});
  ASSERT_EQ(ran.status, 0) << ran.err;
  EXPECT_THAT(ran.out, testing::ContainsRegex("X1 +outcome +orga.example > orgb.example +alice.x1b@orga.example "
                                              "+inventory lookup +allow +succeeded +- +12.3 ms"));
  EXPECT_THAT(ran.out, HasSubstr("--cursor c2"));
}

TEST_F(Daemon, AuditListTakesEveryFilter) {
  play(
      {{"GET /api/v2/audit/events?limit=50&organisation=orga.example&credential=token%3Aalice&code=policy_denied&"
        "order=oldest",
        ScriptedService::answer("200 OK", R"({"events":[],"next_cursor":null})")}});
  const auto ran = ask({"audit", "list", "--organisation", "orga.example", "--credential", "token:alice", "--code",
                        "policy_denied", "--oldest-first"});
  EXPECT_EQ(ran.status, 0) << ran.err;
  EXPECT_THAT(ran.out, HasSubstr("No records match."));
}

const std::string story = R"({"correlation_id":")" + call_id + R"(","node_id":"orga.example","complete":true,"entries":[
  {"side":"orga.example","ours":true,"standing":"differs","attempt":1,"phase":"outcome","outcome":"succeeded","log":"al","index":9,
   "origin":"orga.example","target":"orgb.example","principal":"alice@orga.example","rule":"all-out",
   "counterparty":{"log":"bl","index":4,"hash":"ff"}},
  {"side":"orgb.example","ours":false,"standing":"differs","attempt":1,"phase":"outcome","outcome":"failed\u202e","log":"bl","index":4}],
  "parties":[{"node_id":"orgb.example","state":"answered","detail":"","records":1,"verdicts":[{"attempt":1,"standing":"differs",
   "fields":["outcome"],"detail":"outcome: here succeeded, there failed"}]}]})";

TEST_F(Daemon, AuditShowTellsOneStoryOfBothSides) {
  play({{"GET /api/v2/audit/calls/" + call_id, ScriptedService::answer("200 OK", story)}});
  const auto ran = ask({"audit", "show", call_id});
  ASSERT_EQ(ran.status, 0) << ran.err;
  EXPECT_THAT(ran.out, testing::ContainsRegex("orga.example +1 +outcome +succeeded +- +al +9 +DIFFERS: outcome"));
  EXPECT_THAT(ran.out, testing::ContainsRegex("orgb.example +1 +outcome +failed.u.202e. +- +bl +4 +DIFFERS: outcome"));
  EXPECT_THAT(ran.out, HasSubstr("orgb.example, attempt 1: differs: outcome: here succeeded, there failed"));
  EXPECT_THAT(ran.out, HasSubstr("bl 4, leaf ff")) << "our own record, whole";
  EXPECT_THAT(ran.out, HasSubstr("all-out"));
}

TEST_F(Daemon, AuditShowSaysWhoCouldNotBeAsked) {
  play({{"GET /api/v2/audit/calls/" + call_id + "?local=true",
         ScriptedService::answer("200 OK",
                                 R"({"entries":[{"side":"orga.example","ours":true,"standing":null,"phase":"outcome"}],
           "parties":[{"node_id":"orgb.example","state":"not_asked","detail":""}],"complete":true})")},
        {"GET /api/v2/audit/calls/" + call_id,
         ScriptedService::answer("200 OK", R"({"entries":[],"parties":[{"node_id":"orgb.example","state":"unreachable",
           "detail":"connecting: refused"}],"complete":true})")}});
  const auto local = ask({"audit", "show", call_id, "--local"});
  EXPECT_EQ(local.status, 0) << local.err;
  EXPECT_THAT(local.out, HasSubstr("orgb.example was not asked"));
  EXPECT_THAT(local.out, HasSubstr("not compared"));
  EXPECT_THAT(ask({"audit", "show", call_id}).out, HasSubstr("orgb.example could not be asked: connecting: refused"));
}

TEST_F(Daemon, AuditShowOfAnUnknownCallFails) {
  play({{"GET /api/v2/audit/calls/" + call_id,
         ScriptedService::answer("404 Not Found", R"({"code":"not_found","detail":"no record of it"})")}});
  const auto ran = ask({"audit", "show", call_id});
  EXPECT_EQ(ran.status, 1);
  EXPECT_THAT(ran.err, HasSubstr("no record of it"));
}

TEST_F(Daemon, ReconcileWaitsForTheEndAndItsStatusSaysWhetherTheyAgree) {
  const auto report = [](const char* state, const char* agree, int differing) {
    return ScriptedService::answer(
        "200 OK",
        R"({"node_id":"orgb.example","state":")" + std::string(state) + R"(","problem":"gone","agree":)" + agree +
            R"(,"reached":"2026-11-23T10:00:00Z","counts":{"calls":3,"differing":)" + std::to_string(differing) +
            R"(},"findings":[{"correlation_id":"X1","attempt":1,"standing":"differs","detail":"code: here a, there b"}]})");
  };
  play({{"POST /api/v2/audit/reconcile", report("running", "false", 0)},
        {"GET /api/v2/audit/reconcile/orgb", report("done", "false", 1)},
        {"GET /api/v2/audit/reconcile/orgc", report("done", "true", 0)},
        {"GET /api/v2/audit/reconcile/orgd", report("failed", "false", 0)}});
  const auto differ = ask({"audit", "reconcile", "orgb", "--from", "2026-11-20"});
  EXPECT_EQ(differ.status, 1);
  EXPECT_THAT(differ.out, testing::ContainsRegex("X1 +1 +differs +code: here a, there b"));
  EXPECT_THAT(service_->seen(), HasSubstr(R"("node":"orgb")"));
  EXPECT_EQ(ask({"audit", "reconcile", "orgc"}).status, 0);
  const auto cut = ask({"audit", "reconcile", "orgd"});
  EXPECT_EQ(cut.status, 1);
  EXPECT_THAT(cut.err, HasSubstr("ended at 2026-11-23T10:00:00Z: gone"));
}

TEST_F(Daemon, SomethingElseBehindTheSocketIsNotBelieved) {
  play({{"GET /api/v2/status", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"},
        {"GET /api/v2/federation/nodes", "garbage"}});
  const auto text = ask({"status"});
  EXPECT_EQ(text.status, 1);
  EXPECT_THAT(text.err, HasSubstr("without JSON"));
  EXPECT_EQ(ask({"nodes", "list"}).status, 1);
}

class Invoking : public Folder {
 protected:
  void answer_with(const std::string& bytes) {
    service_ = std::make_unique<ScriptedService>([bytes](const std::string&) { return bytes; });
    write("token", "fgt_secret\n");
  }
  Ran invoke(std::vector<std::string> more = {}) const {
    std::vector<std::string> words{
        "invoke",       "countries",  "lookup", "--url", "http://127.0.0.1:" + std::to_string(service_->port()),
        "--token-file", path("token")};
    words.insert(words.end(), more.begin(), more.end());
    return run_words(std::move(words));
  }
  std::unique_ptr<ScriptedService> service_;
};

TEST_F(Invoking, PrintsTheResultAndSaysWhoAnswered) {
  answer_with(ScriptedService::answer(
      "200 OK", R"({"success":true,"node_id":"orgb.example","resource_id":"countries","result":{"name":"Netherlands"},
      "error":null,"metadata":{},"duration_ms":4.2,"audit_correlation_id":"X1"})"));
  const auto ran = invoke({"--node", "orgb.example", "--args", R"({"n": 1.50e3 ,"s":"\u00e9"})"});
  ASSERT_EQ(ran.status, 0) << ran.err;
  EXPECT_EQ(nlohmann::json::parse(ran.out)["name"], "Netherlands");
  EXPECT_THAT(ran.err, HasSubstr("answered by orgb.example in 4.2 ms, correlation id X1"));
  EXPECT_THAT(service_->seen(), HasSubstr("POST /api/v2/federation/invoke HTTP/1.1\r\n"));
  EXPECT_THAT(service_->seen(), HasSubstr("Authorization: Bearer fgt_secret\r\n"));
  EXPECT_THAT(
      service_->seen(),
      HasSubstr(
          R"({"resource_id":"countries","capability_id":"lookup","target_node_id":"orgb.example","arguments":{"n": 1.50e3 ,"s":"\u00e9"},"context":{}})"));
}

TEST_F(Invoking, ExplainsARefusal) {
  answer_with(ScriptedService::answer(
      "403 Forbidden", R"({"code":"policy_denied","title":"Denied","detail":"no rule allows it","decided_by":"target",
      "outcome":"not_sent","audit_correlation_id":"X1","success":false})",
      "Content-Type: application/problem+json\r\n"));
  const auto ran = invoke();
  EXPECT_EQ(ran.status, 1);
  EXPECT_EQ(ran.out, "");
  for (const char* part : {"no rule allows it", "policy_denied", "target", "not_sent", "X1"})
    EXPECT_THAT(ran.err, HasSubstr(part));
  EXPECT_THAT(ran.err, Not(HasSubstr("fgt_secret")));
  const auto as_json = invoke({"--output", "json"});
  EXPECT_EQ(as_json.status, 1);
  EXPECT_EQ(nlohmann::json::parse(as_json.out)["code"], "policy_denied");
}

TEST_F(Invoking, TakesArgumentsFromAFile) {
  answer_with(ScriptedService::answer("200 OK", R"({"success":true,"result":1})"));
  write("args.json", R"({"from":"a file"})");
  EXPECT_EQ(invoke({"--args", "@" + path("args.json")}).status, 0);
  EXPECT_THAT(service_->seen(), HasSubstr(R"("arguments":{"from":"a file"})"));
  EXPECT_EQ(invoke({"--args", "@" + path("none.json")}).status, 2);
}

TEST_F(Invoking, NobodyThereIsStatus3) {
  answer_with("");
  const auto port = std::to_string(service_->port());
  service_.reset();
  const auto ran = run_words({"invoke", "r", "c", "--url", "http://127.0.0.1:" + port, "--token-file", path("token")});
  EXPECT_EQ(ran.status, 3);
  EXPECT_THAT(ran.err, HasSubstr("cannot reach a gateway at http://127.0.0.1:" + port));
}

TEST_F(Invoking, GuardsTheToken) {
  answer_with(ScriptedService::answer("200 OK"));
  const auto plain =
      run_words({"invoke", "r", "c", "--url", "http://gate.example:8080", "--token-file", path("token")});
  EXPECT_EQ(plain.status, 2);
  EXPECT_THAT(plain.err, HasSubstr("plain text"));
  write("token", "sha256:0000");
  const auto hash = invoke();
  EXPECT_EQ(hash.status, 2);
  EXPECT_THAT(hash.err, HasSubstr("holds the hash"));
  write("token", "two words\n");
  EXPECT_EQ(invoke().status, 2);
  write("token", "");
  EXPECT_NE(invoke().status, 0);
  EXPECT_EQ(run_words({"invoke", "r", "c", "--url", "http://127.0.0.1:1"}).status, 2);
  EXPECT_EQ(service_->seen(), "");
}

}  // namespace
}  // namespace fedgate::cli
