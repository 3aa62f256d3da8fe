// SPDX-License-Identifier: Apache-2.0
//
// What the configuration says against files, against itself and against the clock.
#include <gmock/gmock.h>

#include "base/hash.h"
#include "unit/config/folder.h"

namespace fedgate::config {
namespace {

class Checks : public ::testing::Test {
 protected:
  /// One node that is right; `more` are further keys of it.
  static std::string node(const std::string& more = "") {
    return "nodes: [ { node_id: orgb.example, trust_anchors: [anchors/orgb.crt]" + (more.empty() ? "" : ", " + more) +
           " } ]\n";
  }
  static std::string capability(const std::string& request) {
    return "resources: [ { id: r, adapter: { type: http, url: \"http://127.0.0.1:9000\" }, capabilities: [ { id: c, "
           "request: \"" +
           request + "\" } ] } ]\n";
  }
  void write_leaf(const trust::LeafRequest& request) const {
    const auto leaf = trust::issue_dev_leaf(pki().ca_a, request).value();
    folder.write("tls/node.crt", leaf.certificate_pem);
    folder.write("tls/node.key", leaf.key_pem, 0600);
  }
  static trust::LeafRequest leaf() {
    trust::LeafRequest request;
    request.dns_names = {"orga.example"};
    request.not_before = today().wall() - std::chrono::hours(1);
    return request;
  }
  static std::string sole(const std::vector<std::string>& texts) {
    return texts.size() == 1 ? texts[0] : std::to_string(texts.size()) + " findings";
  }
  Folder folder;
};

TEST_F(Checks, OwnCertificateMustServeBothDirections) {
  auto request = leaf();
  request.client_auth = false;
  write_leaf(request);
  EXPECT_EQ(sole(folder.texts(folder.load(""))),
            "fedgate.yaml:2:21: error: `tls.certificate` lacks the extended key usage clientAuth; the gateway is both "
            "server and client to its peers: "
            "issue it with serverAuth and clientAuth");
  request = leaf();
  request.server_auth = false;
  write_leaf(request);
  EXPECT_EQ(sole(folder.texts(folder.load(""))),
            "fedgate.yaml:2:21: error: `tls.certificate` lacks the extended key usage serverAuth; the gateway is both "
            "server and client to its peers: "
            "issue it with serverAuth and clientAuth");
  request = leaf();
  request.is_ca = true;
  write_leaf(request);
  EXPECT_EQ(sole(folder.texts(folder.load(""))),
            "fedgate.yaml:2:21: error: `tls.certificate` is a CA certificate, which peers refuse; issue a certificate "
            "for this gateway with it");
}

TEST_F(Checks, OwnCertificateMustHoldExactlyOurName) {
  for (const std::string name : {"gate.orga.example", "example", "*.example", "orga.example.evil.test"}) {
    auto request = leaf();
    request.dns_names = {name};
    write_leaf(request);
    EXPECT_EQ(
        sole(folder.texts(folder.load(""))),
        "fedgate.yaml:2:21: error: `tls.certificate` does not hold `node.id` orga.example as a DNS SAN (it holds " +
            name + "); peers would refuse it: issue it for that name");
  }
}

TEST_F(Checks, OwnCertificateMustBeValidNow) {
  auto request = leaf();
  request.lifetime = std::chrono::hours(1) + std::chrono::hours(24 * 13);
  write_leaf(request);
  auto loaded = folder.load("");
  EXPECT_EQ(sole(folder.texts(loaded)),
            "fedgate.yaml:2:21: warning: `tls.certificate`: the certificate expires on 2026-06-28, in less than 14 "
            "days; issue a new one");
  EXPECT_NE(loaded.settings, nullptr);
  request.not_before = today().wall() - std::chrono::hours(48);
  request.lifetime = std::chrono::hours(24);
  write_leaf(request);
  loaded = folder.load("");
  EXPECT_EQ(sole(folder.texts(loaded)),
            "fedgate.yaml:2:21: error: `tls.certificate`: the certificate expired on 2026-06-14; issue a new one");
  EXPECT_EQ(loaded.settings, nullptr);
  request.not_before = today().wall() + std::chrono::hours(24);
  write_leaf(request);
  EXPECT_EQ(sole(folder.texts(folder.load(""))),
            "fedgate.yaml:2:21: error: `tls.certificate`: the certificate is not valid before 2026-06-16; is this "
            "machine's clock right?");
}

TEST_F(Checks, KeyMustBeTheCertificates) {
  folder.write("tls/node.key", pki().node_b.key_pem, 0600);
  const auto text = sole(folder.texts(folder.load("")));
  EXPECT_TRUE(text.starts_with("fedgate.yaml:2:40: error: `tls.key`: tls/node.key: ")) << text;
  folder.write("tls/node.key", "not a key\n", 0600);
  EXPECT_TRUE(sole(folder.texts(folder.load(""))).starts_with("fedgate.yaml:2:40: error: `tls.key`: tls/node.key: "));
  folder.write("tls/node.crt", "not a certificate\n");
  EXPECT_TRUE(
      sole(folder.texts(folder.load(""))).starts_with("fedgate.yaml:2:21: error: `tls.certificate`: tls/node.crt: "));
}

TEST_F(Checks, OwnNames) {
  const std::string rest(Folder::enough.substr(Folder::enough.find('\n')));
  const auto findings = [&](const std::string& keys) {
    return folder.texts(folder.load_whole("node: { id: orga.example, " + keys + " }" + rest));
  };
  EXPECT_EQ(sole(findings("endpoint: \"http://gate:1\"")),
            "fedgate.yaml:1:37: error: `node.endpoint` must begin with https://: peers speak mutual TLS only");
  EXPECT_TRUE(sole(findings("endpoint: \"gate\"")).starts_with("fedgate.yaml:1:37: error: `node.endpoint`: "));
  EXPECT_EQ(sole(findings("principal_domains: []")),
            "fedgate.yaml:1:46: error: `node.principal_domains` must not be empty; remove the key for [node.id]");
  EXPECT_EQ(sole(findings("principal_domains: [a.example, a.example]")),
            "fedgate.yaml:1:58: error: `node.principal_domains` holds `a.example` twice; remove one");
}

TEST_F(Checks, Listeners) {
  expect_findings(
      folder, {
                  {"listen: { clients: { address: \"0.0.0.0:8080\" } }\n",
                   {"fedgate.yaml:5:31: error: `listen.clients.address` is not on loopback, and plain text is refused "
                    "off loopback; give `listen.clients.tls`, or listen on "
                    "127.0.0.1 or a unix socket"}},
                  {"listen: { clients: { address: \"0.0.0.0:8080\", tls: { certificate: tls/node.crt, key: "
                   "tls/node.key } } }\n",
                   {}},
                  {"listen: { clients: { address: \"unix:clients.sock\" } }\n", {}},
                  {"listen: { admin: { address: \"192.0.2.1:9000\" } }\n",
                   {"fedgate.yaml:5:29: error: `listen.admin.address` must be a unix socket, as in "
                    "unix:/run/fedgate/admin.sock: operators are known by their local user"}},
                  {"listen: { admin: { address: \"127.0.0.1:9000\" } }\n",
                   {"fedgate.yaml:5:29: error: `listen.admin.address` must be a unix socket, as in "
                    "unix:/run/fedgate/admin.sock: operators are known by their local user"}},
                  {"listen: { peers: { address: \"unix:peers.sock\" } }\n",
                   {"fedgate.yaml:5:29: error: `listen.peers.address` must be host:port: peers come over the network"}},
                  {"listen: { peers: { address: \"127.0.0.1:8080\" } }\n",
                   {"fedgate.yaml: error: `listen.clients.address` is 127.0.0.1:8080, and so is "
                    "`listen.peers.address`; choose another"}},
                  {"listen: { peers: { address: \"127.0.0.1:0\" }, clients: { address: \"127.0.0.1:0\" } }\n", {}},
                  {"listen: { peers: off }\n", {}},
                  {"listen: { admin: { operators: [ { role: viewer }, { uid: 1, gid: 2, role: viewer } ] } }\n",
                   {"fedgate.yaml:5:33: error: an operator is known by either `uid` or `gid`; give one of them",
                    "fedgate.yaml:5:51: error: an operator is known by either `uid` or `gid`; give one of them"}},
              });
  const auto text =
      sole(folder.texts(folder.load("listen: { admin: { address: \"unix:" + std::string(120, 'x') + "\" } }\n")));
  EXPECT_TRUE(text.starts_with("fedgate.yaml:5:29: error: `listen.admin.address`: ")) << text;
  EXPECT_NE(text.find("107 bytes"), std::string::npos) << text;
  EXPECT_TRUE(sole(folder.texts(folder.load("listen: { peers: { address: nonsense } }\n")))
                  .starts_with("fedgate.yaml:5:29: error: `listen.peers.address`: "));
  const auto off = folder.load(
      "listen: { peers: off, admin: { address: \"unix:a.sock\", operators: [ { gid: 4, role: trust-admin } ] } }\n");
  ASSERT_NE(off.settings, nullptr);
  EXPECT_EQ(off.settings->peers.address, "");
  EXPECT_EQ(off.settings->admin.address, "unix:" + folder.at("a.sock"));
  ASSERT_EQ(off.settings->operators.size(), 1U);
  EXPECT_EQ(off.settings->operators[0].by, trust::OperatorEntry::By::gid);
  EXPECT_EQ(off.settings->operators[0].id, 4U);
  EXPECT_EQ(off.settings->operators[0].role, Role::trust_admin);
}

TEST_F(Checks, ClientsCertificateIsAServers) {
  auto request = leaf();
  request.server_auth = false;
  const auto made = trust::issue_dev_leaf(pki().ca_a, request).value();
  folder.write("tls/clients.crt", made.certificate_pem);
  folder.write("tls/clients.key", made.key_pem, 0600);
  EXPECT_EQ(sole(folder.texts(
                folder.load("listen: { clients: { tls: { certificate: tls/clients.crt, key: tls/clients.key } } }\n"))),
            "fedgate.yaml:5:42: error: `listen.clients.tls.certificate` lacks the extended key usage serverAuth; issue "
            "it with that");
}

TEST_F(Checks, OutgoingConnectionsMayHaveACertificateOfTheirOwn) {
  const auto load = [&](const std::string& more) {
    std::string whole(Folder::enough);
    const std::string key = "key: tls/node.key";
    return folder.load_whole(whole.insert(whole.find(key) + key.size(), more));
  };
  const std::string client = ", client: { certificate: tls/client.crt, key: tls/client.key }";
  auto request = leaf();
  request.client_auth = false;
  write_leaf(request);
  request.client_auth = true;
  request.server_auth = false;
  const auto outgoing = trust::issue_dev_leaf(pki().ca_a, request).value();
  folder.write("tls/client.crt", outgoing.certificate_pem);
  folder.write("tls/client.key", outgoing.key_pem, 0600);
  const auto loaded = load(client);
  EXPECT_THAT(folder.texts(loaded), ::testing::IsEmpty());
  ASSERT_NE(loaded.settings, nullptr);
  ASSERT_TRUE(loaded.settings->tls_client.has_value());
  EXPECT_EQ(loaded.settings->tls_client->certificate_pem, outgoing.certificate_pem);
  EXPECT_EQ(loaded.settings->tls_client->key_pem, outgoing.key_pem);

  request.client_auth = false;
  request.dns_names = {"other.example"};
  const auto wrong = trust::issue_dev_leaf(pki().ca_a, request).value();
  folder.write("tls/client.crt", wrong.certificate_pem);
  folder.write("tls/client.key", wrong.key_pem, 0600);
  EXPECT_THAT(folder.texts(load(client)),
              ::testing::ElementsAre(
                  "fedgate.yaml:2:77: error: `tls.client.certificate` lacks the extended key usage clientAuth; "
                  "issue it with that",
                  "fedgate.yaml:2:77: error: `tls.client.certificate` does not hold `node.id` orga.example "
                  "as a DNS SAN (it holds other.example); peers would refuse it: issue it for that name"));
}

TEST_F(Checks, TheStapleIsDer) {
  const auto load = [&] {
    std::string whole(Folder::enough);
    const std::string key = "key: tls/node.key";
    return folder.load_whole(whole.insert(whole.find(key) + key.size(), ", ocsp_staple: tls/staple"));
  };
  folder.write("tls/staple", std::string_view("\x30\x03\x0A\x01\x00", 5));
  const auto loaded = load();
  ASSERT_NE(loaded.settings, nullptr);
  EXPECT_EQ(loaded.settings->ocsp_staple.size(), 5U);
  folder.write("tls/staple", "-----BEGIN OCSP RESPONSE-----\n");
  EXPECT_EQ(sole(folder.texts(load())),
            "fedgate.yaml:2:67: error: `tls.ocsp_staple`: tls/staple is not an OCSP response in DER; store what "
            "`openssl ocsp -respout` writes");
}

TEST_F(Checks, BalancersAreNetworks) {
  const auto loaded = folder.load("listen: { peers: { proxy_protocol_from: [192.0.2.0/24, \"2001:db8::1\"] } }\n");
  ASSERT_NE(loaded.settings, nullptr);
  const auto& networks = loaded.settings->peers.proxy_protocol_from;
  ASSERT_EQ(networks.size(), 2U);
  EXPECT_EQ(networks[0].bits, 24U);
  EXPECT_EQ(networks[1].bits, 128U);
  EXPECT_EQ(sole(folder.texts(folder.load("listen: { peers: { proxy_protocol_from: [192.0.2.1/24] } }\n"))),
            "fedgate.yaml:5:42: error: `listen.peers.proxy_protocol_from`: '192.0.2.1/24' is not a network: bits are "
            "set beyond the prefix; write an address, or one with a prefix as in 192.0.2.0/24");
}

TEST_F(Checks, Stores) {
  const std::string start =
      "node: { id: orga.example }\ntls: { certificate: tls/node.crt, key: tls/node.key }\naudit: { journal: journal "
      "}\n";
  const auto findings = [&](const std::string& store) {
    return folder.texts(folder.load_whole(start + "store: { " + store + " }\n"));
  };
  EXPECT_EQ(sole(findings("url: \"sqlite:none/state.db\"")),
            "fedgate.yaml:4:15: error: `store.url`: the directory none does not exist: mkdir -p none");
  EXPECT_EQ(sole(findings("url: \"sqlite:tls/node.crt/state.db\"")),
            "fedgate.yaml:4:15: error: `store.url`: tls/node.crt is not a directory");
  EXPECT_EQ(sole(findings("url: \"sqlite:\"")),
            "fedgate.yaml:4:15: error: `store.url` names no file; write sqlite:PATH");
  EXPECT_EQ(sole(findings("url: \"sqlite:state.db\", password_file: tokens/alice")),
            "fedgate.yaml:4:49: error: `store.password_file` is for postgresql:// only; remove it");
  for (const std::string url : {"postgresql://fedgate:secret@db/fedgate", "postgres://db/fedgate?password=secret",
                                "postgresql://db/x?sslmode=require&password=secret"}) {
    const auto text = sole(findings("url: \"" + url + "\""));
    EXPECT_EQ(text,
              "fedgate.yaml:4:15: error: `store.url` holds a password; secrets come from files: remove it and give "
              "`store.password_file`");
    EXPECT_EQ(text.find("secret@"), std::string::npos);
  }
  EXPECT_EQ(findings("url: \"postgresql://fedgate@db:5432/fedgate?sslmode=require\", password_file: tokens/alice, "
                     "migrate: manual"),
            std::vector<std::string>{});
  EXPECT_EQ(sole(findings("migrate: yes, url: \"sqlite:state.db\"")),
            "fedgate.yaml:4:19: error: `store.migrate` must be auto or manual, not `yes`");
}

TEST_F(Checks, PlacesOnDisk) {
  expect_findings(folder,
                  {{"log: { file: none/fedgate.log }\n",
                    {"fedgate.yaml:5:14: error: `log.file`: the directory none does not exist: mkdir -p none"}}});
  folder.write("journal", "a file");
  expect_findings(folder, {{"", {"fedgate.yaml:4:19: error: `audit.journal`: journal is not a directory"}}});
}

TEST_F(Checks, Nodes) {
  expect_findings(
      folder,
      {
          {node("endpoints: [\"https://gate.orgb.example:8443\"]"), {}},
          {node("endpoints: [\"https://gate:1/path\"]"),
           {"fedgate.yaml:5:82: error: `nodes[].endpoints` must be https://host:port without a path"}},
          {node("pins: [abc]"),
           {"fedgate.yaml:5:77: error: `nodes[].pins`: `abc` is not a SHA-256 in hex (64 digits); `fedgate pki show "
            "CERTIFICATE` prints it"}},
          {node("reads: [lookup, inventory/, inventory/lookup]"),
           {"fedgate.yaml:5:78: error: `nodes[].reads`: `lookup` is not RESOURCE/CAPABILITY, as in inventory/lookup",
            "fedgate.yaml:5:86: error: `nodes[].reads`: `inventory/` is not RESOURCE/CAPABILITY, as in "
            "inventory/lookup"}},
          {node("alias: ORGB"), {"fedgate.yaml:5:77: error: `nodes[].alias` must be 1 to 32 of a-z, 0-9 and hyphen"}},
          {node("resources: [inventory]"),
           {"fedgate.yaml:5:81: error: `nodes[].resources` routes calls to a node without `endpoints`; give one"}},
          {node("principal_domains: [orga.example]"),
           {"fedgate.yaml:5:90: error: the principal domain `orga.example` belongs to this gateway already; one node "
            "vouches for a domain"}},
          {"nodes: [ { node_id: orga.example, trust_anchors: [anchors/orgb.crt], principal_domains: [x.example] } ]\n",
           {"fedgate.yaml:5:21: error: `nodes[].node_id` is this gateway's own `node.id`; a gateway is not its own "
            "peer: remove the node"}},
      });
  const auto upper = folder.load(node("pins: [" + std::string(64, 'A') + "]"));
  ASSERT_NE(upper.settings, nullptr);
  EXPECT_EQ(upper.settings->nodes[0].pins, std::vector<std::string>{std::string(64, 'a')});
  EXPECT_EQ(upper.settings->nodes[0].trust_level, TrustLevel::trusted);
  EXPECT_EQ(upper.settings->nodes[0].source, NodeSource::configuration);
  EXPECT_EQ(upper.settings->nodes[0].principal_domains.at(0).str(), "orgb.example");
  EXPECT_FALSE(upper.settings->nodes[0].rate_limit_per_hour.has_value());
}

TEST_F(Checks, AliasesAndDomainsBelongToOneNode) {
  folder.write("anchors/orgc.crt", trust::make_dev_ca("orgc.example", today().wall()).value().certificate_pem);
  expect_findings(
      folder,
      {
          {"nodes:\n"
           "  - { node_id: orgb.example, alias: b, trust_anchors: [anchors/orgb.crt], principal_domains: "
           "[shared.example] }\n"
           "  - { node_id: orgc.example, alias: b, trust_anchors: [anchors/orgc.crt], principal_domains: "
           "[shared.example] }\n",
           {"fedgate.yaml:7:37: error: `nodes[].alias` is `b`, and so is that at fedgate.yaml:6:37; choose another",
            "fedgate.yaml:7:95: error: the principal domain `shared.example` belongs to node orgb.example already; one "
            "node vouches for a domain"}},
      });
}

TEST_F(Checks, AnAnchorSpeaksForOneNode) {
  const std::string pin(64, 'a');
  const auto two = [&](const std::string& first, const std::string& second) {
    return "nodes:\n  - { node_id: orgb.example, trust_anchors: [anchors/orgb.crt], pins: [" + first +
           "] }\n  - { node_id: orgc.example, trust_anchors: [anchors/orgb.crt], pins: [" + second + "] }\n";
  };
  const std::string refused =
      "error: `nodes[].trust_anchors`: anchors/orgb.crt is also an anchor of orgb.example at fedgate.yaml:6:46; an "
      "anchor speaks for exactly one "
      "node_id: use each organisation's own CA, or give `pins` on both";
  expect_findings(folder, {
                              {two("", ""), {"fedgate.yaml:7:46: " + refused}},
                              {two(pin, ""), {"fedgate.yaml:7:46: " + refused}},
                              {two("", pin), {"fedgate.yaml:7:46: " + refused}},
                              {two(pin, pin), {}},
                          });
}

TEST_F(Checks, AnchorsAreCertificatesOfCas) {
  folder.write("anchors/orgb.crt", pki().node_b.certificate_pem);
  auto text = sole(folder.texts(folder.load(node())));
  EXPECT_TRUE(
      text.starts_with("fedgate.yaml:5:51: error: `nodes[].trust_anchors`: anchors/orgb.crt is not a CA certificate ("))
      << text;
  EXPECT_TRUE(text.ends_with("); ask the other organisation for its CA's")) << text;
  folder.write("anchors/orgb.crt", "hello\n");
  EXPECT_EQ(sole(folder.texts(folder.load(node()))),
            "fedgate.yaml:5:51: error: `nodes[].trust_anchors`: anchors/orgb.crt holds no PEM certificate (-----BEGIN "
            "CERTIFICATE-----)");
  folder.write("anchors/orgb.crt", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
  text = sole(folder.texts(folder.load(node())));
  EXPECT_TRUE(text.starts_with("fedgate.yaml:5:51: error: `nodes[].trust_anchors`: anchors/orgb.crt: ")) << text;
  folder.write("anchors/orgb.crt",
               trust::make_dev_ca("old.example", today().wall() - std::chrono::hours(48), std::chrono::hours(24))
                   .value()
                   .certificate_pem);
  const auto loaded = folder.load(node());
  EXPECT_EQ(sole(folder.texts(loaded)),
            "fedgate.yaml:5:51: warning: `nodes[].trust_anchors`: anchors/orgb.crt expired on 2026-06-14; every "
            "certificate of that node is "
            "refused until it is replaced");
  EXPECT_NE(loaded.settings, nullptr);
}

TEST_F(Checks, ABundleOfAnchorsIsTakenApart) {
  folder.write("anchors/orgb.crt", "first\n" + pki().ca_b.certificate_pem + "second\n" +
                                       trust::make_dev_ca("next.example", today().wall()).value().certificate_pem);
  const auto loaded = folder.load(node());
  ASSERT_NE(loaded.settings, nullptr);
  EXPECT_EQ(loaded.settings->nodes[0].trust_anchors.size(), 2U);
}

TEST_F(Checks, Clients) {
  expect_findings(
      folder, {
                  {"clients: [ { principal: alice@orga.example, token_file: tokens/alice, may_act_for: "
                   "[bob@orgb.example] } ]\n",
                   {"fedgate.yaml:5:85: error: `clients[].may_act_for` is `bob@orgb.example`, but this gateway speaks "
                    "only for principals of its own `node.principal_domains`"}},
                  {"clients: [ { principal: alice@orga.example, token_file: tokens/alice, expires: 2026-06-15 } ]\n",
                   {"fedgate.yaml:5:80: warning: `clients[].expires` is past: this client's token is refused"}},
              });
  folder.write("tokens/alice", "fgt_plain\n", 0600);
  const auto text =
      sole(folder.texts(folder.load("clients: [ { principal: alice@orga.example, token_file: tokens/alice } ]\n")));
  EXPECT_TRUE(text.starts_with("fedgate.yaml:5:57: error: `clients[].token_file`: tokens/alice: ")) << text;
}

TEST_F(Checks, Resources) {
  expect_findings(
      folder,
      {
          {capability("GET /items/{sku}"), {}},
          {"resources: [ { id: r, adapter: { type: http, url: \"http://127.0.0.1:9000\" } } ]\n",
           {"fedgate.yaml:5:14: warning: resource `r` has no `capabilities`: nothing of it can be called"}},
          {"resources: [ { id: r, adapter: { type: mcp, url: \"http://127.0.0.1:9000\" }, capabilities: [ { id: c, "
           "request: GET / } ] } ]\n",
           {"fedgate.yaml:5:40: error: `resources[].adapter.type` must be http, not `mcp`"}},
          {"resources: [ { id: r, adapter: { type: http, url: \"http://h\", headers: { Authorization: x, Host: y, \"a "
           "b\": z, X: \"1\", x: \"2\" } }, capabilities: [ { id: c, "
           "request: GET / } ] } ]\n",
           {"fedgate.yaml:5:74: error: `resources[].adapter.headers` must not hold `Authorization`: secrets come from "
            "files; give `authorization_file`",
            "fedgate.yaml:5:92: error: `resources[].adapter.headers` must not hold `Host`: the gateway sets it",
            "fedgate.yaml:5:101: error: `resources[].adapter.headers`: `a b` is not a header name",
            "fedgate.yaml:5:119: error: `resources[].adapter.headers` holds `x` twice; remove one"}},
          {"resources: [ { id: r, adapter: { type: http, url: \"http://h\", headers: { X: \"a\\r\\nb: c\" } }, "
           "capabilities: [ { id: c, request: GET / } ] } ]\n",
           {"fedgate.yaml:5:77: error: `resources[].adapter.headers.X` must be one line without control characters"}},
      });
  const auto request = sole(folder.texts(folder.load(capability("items/{sku}"))));
  EXPECT_TRUE(request.starts_with("fedgate.yaml:5:112: error: `resources[].capabilities[].request`: ")) << request;
  EXPECT_TRUE(sole(folder.texts(folder.load("resources: [ { id: r, adapter: { type: http, url: \"ftp://h\" }, "
                                            "capabilities: [ { id: c, request: GET / } ] } ]\n")))
                  .starts_with("fedgate.yaml:5:51: error: `resources[].adapter.url`: "));
}

TEST_F(Checks, AuthorizationComesFromAFile) {
  const std::string yaml =
      "resources: [ { id: r, adapter: { type: http, url: \"http://h\", authorization_file: auth }, capabilities: [ { "
      "id: c, request: GET / } ] } ]\n";
  folder.write("auth", "Bearer abc\n", 0600);
  const auto loaded = folder.load(yaml);
  ASSERT_NE(loaded.settings, nullptr) << folder.texts(loaded).at(0);
  EXPECT_EQ(loaded.settings->resources[0].authorization, "Bearer abc");
  for (const std::string bad : {"", "\n", "Bearer a\r\nX: b\n", "Bearer \x01\n"}) {
    folder.write("auth", bad, 0600);
    EXPECT_EQ(sole(folder.texts(folder.load(yaml))),
              "fedgate.yaml:5:83: error: `resources[].adapter.authorization_file` must hold one line, the value of the "
              "Authorization "
              "header, as in `Bearer …`");
  }
}

TEST_F(Checks, RulesThatNameNothing) {
  expect_findings(
      folder, {
                  {capability("GET /") + "policy: { rules: [ { id: a, direction: in, effect: allow, nodes: "
                                         "[orgb.example, \"*.example\"], resources: [r, typo, \"x*\"] } ] }\n",
                   {"fedgate.yaml:6:67: warning: `policy.rules[].nodes` names `orgb.example`, which is not in `nodes`; "
                    "right only if it was added by `fedgate nodes add`",
                    "fedgate.yaml:6:110: warning: `policy.rules[].resources` names `typo`, which is not in "
                    "`resources`: a call in cannot ask for it"}},
                  {node() + "policy: { rules: [ { id: a, direction: out, effect: allow, nodes: [orgb.example], "
                            "resources: [theirs], until: 2026-06-15T12:00:00Z } ] }\n",
                   {"fedgate.yaml:6:111: warning: `policy.rules[].until` is past: this rule matches nothing any more"}},
                  {"policy: { engine: opa }\n", {"fedgate.yaml:5:19: error: `policy.engine` must be rules, not `opa`"}},
                  {"policy: { rules: [ { id: a, direction: sideways, effect: maybe } ] }\n",
                   {"fedgate.yaml:5:40: error: `policy.rules[].direction` must be in or out, not `sideways`",
                    "fedgate.yaml:5:58: error: `policy.rules[].effect` must be allow or deny, not `maybe`"}},
              });
}

}  // namespace
}  // namespace fedgate::config
