// SPDX-License-Identifier: Apache-2.0
//
// What a key may hold: every class of error with its place and its words.
#include "unit/config/folder.h"

namespace fedgate::config {
namespace {

class Binding : public ::testing::Test {
 protected:
  Folder folder;
};

TEST_F(Binding, EnoughIsEnough) {
  const auto loaded = folder.load("");
  EXPECT_EQ(folder.texts(loaded), std::vector<std::string>{});
  ASSERT_NE(loaded.settings, nullptr);
  EXPECT_EQ(loaded.settings->node.id.str(), "orga.example");
  ASSERT_EQ(loaded.settings->node.principal_domains.size(), 1U);
  EXPECT_EQ(loaded.settings->node.principal_domains[0].str(), "orga.example");
  EXPECT_EQ(loaded.settings->peers.address, "0.0.0.0:8443");
  EXPECT_EQ(loaded.settings->clients.address, "127.0.0.1:8080");
  EXPECT_EQ(loaded.settings->admin.address, "unix:/run/fedgate/admin.sock");
  EXPECT_EQ(loaded.settings->store.url, "sqlite:" + folder.at("state.db"));
  EXPECT_EQ(loaded.settings->audit.journal, folder.at("journal"));
  EXPECT_EQ(loaded.settings->tls.certificate_file, folder.at("tls/node.crt"));
  EXPECT_EQ(loaded.settings->tls.key_pem, pki().node_a.key_pem);
  EXPECT_EQ(loaded.settings->file, folder.at("fedgate.yaml"));
  EXPECT_EQ(loaded.files, (std::vector<std::string>{folder.at("fedgate.yaml"), folder.at("tls/node.crt"),
                                                    folder.at("tls/node.key"), folder.at("conf.d")}));
}

TEST_F(Binding, UnknownKeys) {
  expect_findings(folder,
                  {
                      {"thraeds: 2\n", {"fedgate.yaml:5:1: error: unknown key `thraeds`; did you mean `threads`?"}},
                      {"routing:\n  timout: 5s\n",
                       {"fedgate.yaml:6:3: error: unknown key `routing.timout`; did you mean `timeout`?"}},
                      {"routing: { circuit_breaker: {} }\n",
                       {"fedgate.yaml:5:12: error: unknown key `routing.circuit_breaker`; known here: timeout"}},
                      {"shutdown: { wait: 1s }\n",
                       {"fedgate.yaml:5:13: error: unknown key `shutdown.wait`; known here: announce and drain"}},
                      {"nodes:\n  - { node_id: orgb.example, trust_anchors: [anchors/orgb.crt], trusted: true }\n",
                       {"fedgate.yaml:6:65: error: unknown key `nodes[].trusted`; known here: node_id, name, alias, "
                        "endpoints, trust_anchors, intermediates, pins, crl, spiffe_id, principal_domains, resources, "
                        "reads, enabled, rate_limit_per_hour and metadata"}},
                  });
}

TEST_F(Binding, KeysGivenTwice) {
  expect_findings(folder,
                  {
                      {"threads: 1\nthreads: 2\n",
                       {"fedgate.yaml:6:1: error: `threads` is given twice, first at fedgate.yaml:5:1; remove one"}},
                      {"limits: { body: 1MiB }\nlimits: { header: 8KiB }\n",
                       {"fedgate.yaml:6:1: error: `limits` is given twice, first at fedgate.yaml:5:1; remove one"}},
                      {"log:\n  level: info\n  format: json\n  level: debug\n",
                       {"fedgate.yaml:8:3: error: `log.level` is given twice, first at fedgate.yaml:6:3; remove one"}},
                      {"nodes: []\nnodes: []\n",
                       {"fedgate.yaml:6:1: error: `nodes` is given twice, first at fedgate.yaml:5:1; remove one"}},
                  });
}

TEST_F(Binding, MissingKeys) {
  EXPECT_EQ(folder.texts(folder.load_whole("store: { url: \"sqlite:state.db\" }\naudit: { journal: journal }\n")),
            (std::vector<std::string>{
                "fedgate.yaml: error: `node.id` is missing: This organisation's gateway as a federation identity; the "
                "one name that its certificate must hold as a DNS SAN.",
                "fedgate.yaml: error: `tls.certificate` is missing: PEM file: the leaf first, then intermediates.",
                "fedgate.yaml: error: `tls.key` is missing: PEM file: the private key of that certificate."}));
  expect_findings(folder,
                  {
                      {"clients:\n  - { principal: alice@orga.example }\n",
                       {"fedgate.yaml:6:5: error: `clients[].token_file` is missing: File with the token's digest, "
                        "made by `fedgate token issue`."}},
                      {"threads:\n", {"fedgate.yaml:5:1: error: `threads` has no value; give one or remove the key"}},
                      {"nodes:\nrate_limits:\n", {}},
                  });
}

TEST_F(Binding, WrongTypes) {
  expect_findings(
      folder,
      {
          {"threads: [1]\n", {"fedgate.yaml:5:10: error: `threads` must be a single value, not a list"}},
          {"limits: 5\n", {"fedgate.yaml:5:9: error: `limits` must be a mapping, `{key: value}`, not a single value"}},
          {"nodes: {}\n", {"fedgate.yaml:5:8: error: `nodes` must be a list, `[…]`, not a mapping"}},
          {"nodes: [orgb.example]\n",
           {"fedgate.yaml:5:9: error: an item of `nodes` must be a mapping, `{key: value}`, not a single value"}},
          {"clients: [ { principal: a@orga.example, token_file: tokens/alice, groups: dev } ]\n",
           {"fedgate.yaml:5:75: error: `clients[].groups` must be a list, `[…]`, not a single value"}},
          {"threads: two\n", {"fedgate.yaml:5:10: error: `threads`: `two` is not a whole number"}},
          {"threads: 2.0\n", {"fedgate.yaml:5:10: error: `threads`: `2.0` is not a whole number"}},
          {"threads: 0x2\n", {"fedgate.yaml:5:10: error: `threads`: `0x2` is not a whole number"}},
          {"threads: -1\n", {"fedgate.yaml:5:10: error: `threads`: `-1` is not a whole number"}},
          {"threads: \"2\"\n",
           {"fedgate.yaml:5:10: error: `threads` must be a whole number from 1 to 64, without quotes"}},
          {"threads: 010\n",
           {"fedgate.yaml:5:10: error: `threads`: `010` has a leading zero: YAML readers disagree whether 010 is 8 or "
            "10; write the number without it"}},
          {"routing: { timeout: 30 }\n",
           {"fedgate.yaml:5:21: error: `routing.timeout`: `30` is not a duration: write a whole number and its unit, "
            "as in 250ms, 5s, 5m, 1h, 400d"}},
          {"limits: { body: 1MB }\n",
           {"fedgate.yaml:5:17: error: `limits.body`: `1MB` is not a size: write a whole number and its unit, as in "
            "512B, 64KiB, 1MiB, 10GiB"}},
          {"node_defaults: { rate_limit_per_hour: 5/d }\n",
           {"fedgate.yaml:5:39: error: `node_defaults.rate_limit_per_hour`: `5/d` is not a rate: write a whole number "
            "per unit, as in 6000/h, 100/m, 10/s"}},
          {"log: { level: verbose }\n",
           {"fedgate.yaml:5:15: error: `log.level` must be trace, debug, info, warning or error, not `verbose`"}},
          {"listen: { peers: on }\n",
           {"fedgate.yaml:5:18: error: `listen.peers` must be a mapping, `{key: value}`, or off, not a single value"}},
          {"policy: { rules: [ { id: r, direction: in, effect: allow, until: soon } ] }\n",
           {"fedgate.yaml:5:66: error: `policy.rules[].until`: `soon` is not a date or time: write 2027-01-31 or "
            "2027-01-31T12:00:00Z"}},
      });
}

TEST_F(Binding, OnlyTrueAndFalse) {
  for (const std::string word : {"yes", "no", "on", "off", "True", "FALSE", "1", "\"true\""}) {
    const auto loaded =
        folder.load("nodes: [ { node_id: orgb.example, trust_anchors: [anchors/orgb.crt], enabled: " + word + " } ]\n");
    const auto shown = word == "\"true\"" ? "true" : word;
    EXPECT_EQ(folder.texts(loaded),
              std::vector<std::string>{"fedgate.yaml:5:79: error: `nodes[].enabled` must be true or false, not `" +
                                       shown + "`"});
  }
}

TEST_F(Binding, Ranges) {
  expect_findings(
      folder,
      {
          {"threads: 0\n", {"fedgate.yaml:5:10: error: `threads` is 0, but must be from 1 to 64"}},
          {"threads: 65\n", {"fedgate.yaml:5:10: error: `threads` is 65, but must be from 1 to 64"}},
          {"threads: 99999999999999999999\n",
           {"fedgate.yaml:5:10: error: `threads`: `99999999999999999999` is not a whole number"}},
          {"limits: { body: 1GiB }\n",
           {"fedgate.yaml:5:17: error: `limits.body` is 1GiB, but must be from 1KiB to 64MiB"}},
          {"routing: { timeout: 0s }\n",
           {"fedgate.yaml:5:21: error: `routing.timeout` is 0s, but must be from 10ms to 10m"}},
          {"node_defaults: { rate_limit_per_hour: 0 }\n",
           {"fedgate.yaml:5:39: error: `node_defaults.rate_limit_per_hour` is 0, but must be from 1 to 1000000000 per "
            "hour"}},
          {"threads: 64\n", {}},
          {"limits: { body: 64MiB }\nrouting: { timeout: 10m }\nnode_defaults: { rate_limit_per_hour: 10/s }\n", {}},
      });
}

TEST_F(Binding, TextsAreLines) {
  expect_findings(
      folder,
      {
          {"log: { file: \"a\\nb\" }\n",
           {"fedgate.yaml:5:14: error: `log.file` must be one line without control characters"}},
          {"log: { file: \"a\\0b\" }\n",
           {"fedgate.yaml:5:14: error: `log.file` must be one line without control characters"}},
          {"policy: { rules: [ { id: \"\", direction: in, effect: deny } ] }\n",
           {"fedgate.yaml:5:26: error: `policy.rules[].id` must not be empty: Unique; named in decisions and in the "
            "audit trail."}},
          {"policy: { rules: [ { id: r, direction: in, effect: deny, groups: [\"\"] } ] }\n",
           {"fedgate.yaml:5:67: error: `policy.rules[].groups` holds an empty text; remove it"}},
          {"nodes: [ { node_id: orgb.example, trust_anchors: [] } ]\n",
           {"fedgate.yaml:5:50: error: `nodes[].trust_anchors` must not be empty: PEM files with the CA certificates "
            "that may speak for this node and for no other."}},
          {"nodes: [ { node_id: orgb.example, trust_anchors: [anchors/orgb.crt], metadata: { a: x, a: y } } ]\n",
           {"fedgate.yaml:5:88: error: `nodes[].metadata.a` is given twice, first at fedgate.yaml:5:82; remove one"}},
      });
}

TEST_F(Binding, NamesAreCheckedWhereTheyStand) {
  const auto loaded = folder.load_whole(
      "node: { id: Not_A_Name }\ntls: { certificate: tls/node.crt, key: tls/node.key }\nstore: { url: "
      "\"sqlite:state.db\" }\naudit: { journal: journal }\n");
  ASSERT_EQ(loaded.findings.size(), 1U);
  EXPECT_EQ(loaded.findings[0].line, 1);
  EXPECT_EQ(loaded.findings[0].column, 13);
  EXPECT_TRUE(loaded.findings[0].what.starts_with("`node.id`: ")) << loaded.findings[0].what;
  EXPECT_EQ(loaded.settings, nullptr);
}

TEST_F(Binding, NonsenseIsReportedWithinBounds) {
  std::string text(Folder::enough);
  for (int i = 0; i < 5000; ++i) text += "unknown_" + std::to_string(i) + ": 1\n";
  const auto loaded = folder.load_whole(text);
  ASSERT_EQ(loaded.findings.size(), 501U);
  EXPECT_EQ(folder.without_path(loaded.findings.back().text()),
            "fedgate.yaml: error: 4500 more findings are not shown; correct these first");
}

TEST_F(Binding, EverythingAtOnceInOrder) {
  const auto loaded = folder.load_whole(
      "node:\n"
      "  id: orga.example\n"
      "  replica: A!\n"
      "tls: { certificate: tls/missing.crt, key: tls/node.key }\n"
      "store: { url: \"mysql://db\" }\n"
      "audit: { journal: journal, journal_max: 1MiB }\n"
      "threads: 010\n"
      "nodes:\n"
      "  - { node_id: orgb.example, trust_anchors: [anchors/none.crt], endpoints: [\"http://gate:1\"] }\n"
      "  - { node_id: orgb.example, trust_anchors: [anchors/orgb.crt] }\n"
      "clients:\n"
      "  - { principal: eve@evil.example, token_file: tokens/alice }\n"
      "polcy: {}\n"
      "log: { level: loud }\n"
      "log: { level: info }\n");
  EXPECT_EQ(
      folder.texts(loaded),
      (std::vector<std::string>{
          "fedgate.yaml:3:12: error: `node.replica` must be 1 to 32 of a-z, 0-9 and hyphen",
          "fedgate.yaml:4:21: error: `tls.certificate`: cannot read tls/missing.crt: No such file or directory",
          "fedgate.yaml:5:15: error: `store.url` must begin with sqlite: or postgresql://",
          "fedgate.yaml:6:41: error: `audit.journal_max` is 1MiB, but must be from 128MiB to 16TiB",
          "fedgate.yaml:7:10: error: `threads`: `010` has a leading zero: YAML readers disagree whether 010 is 8 or "
          "10; write the number without it",
          "fedgate.yaml:9:46: error: `nodes[].trust_anchors`: cannot read anchors/none.crt: No such file or directory",
          "fedgate.yaml:9:77: error: `nodes[].endpoints` must begin with https://: peers speak mutual TLS only",
          "fedgate.yaml:10:16: error: `nodes` holds `orgb.example` twice, first at fedgate.yaml:9:16; remove or rename "
          "one",
          "fedgate.yaml:10:16: error: the principal domain `orgb.example` belongs to node orgb.example already; one "
          "node vouches for a domain",
          "fedgate.yaml:12:18: error: `clients[].principal` is `eve@evil.example`, but this gateway speaks only for "
          "principals of its own `node.principal_domains`",
          "fedgate.yaml:13:1: error: unknown key `polcy`; did you mean `policy`?",
          "fedgate.yaml:14:15: error: `log.level` must be trace, debug, info, warning or error, not `loud`",
          "fedgate.yaml:15:1: error: `log` is given twice, first at fedgate.yaml:14:1; remove one",
          "fedgate.yaml:15:8: error: `log.level` is given twice, first at fedgate.yaml:14:8; remove one"}));
  EXPECT_EQ(loaded.settings, nullptr);
}

}  // namespace
}  // namespace fedgate::config
