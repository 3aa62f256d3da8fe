// SPDX-License-Identifier: Apache-2.0
#include "config/starter.h"

#include <sys/un.h>

#include <filesystem>
#include <string_view>

#include "audit/signing_key.h"
#include "base/entropy.h"
#include "base/hash.h"
#include "config/new_file.h"
#include "trust/dev_pki.h"

namespace fedgate::config {
namespace {

// In the text: "# " begins a sentence; "#" before "-" or two spaces begins an example, which is valid without it.
constexpr std::string_view starter_text = R"yaml(# fedgate: the gateway of @NODE@.
# Every key is described in docs/configuration.md. After a change: fedgate check --config @DIR@/fedgate.yaml
# Relative paths are relative to the folder of this file. Examples are commented out: remove the # in front of each of their lines.

node:
  # The name that the certificate below holds as its DNS SAN.
  id: @NODE@
  name: @NODE@
  # Where peers reach listen.peers from outside.
  endpoint: "https://@NODE@:8443"
  # This gateway speaks only for principals of these domains.
  principal_domains: [@NODE@]

listen:
  # Other organisations' gateways, mutual TLS 1.3. `peers: off` if you only call out.
  peers: { address: "0.0.0.0:8443" }
  # Your own applications and agents, with bearer tokens. Off loopback it needs tls: {certificate, key}.
  clients: { address: "127.0.0.1:8080" }
  # Operators and the fedgate command; your own user and root may use it.
  admin: { address: "unix:admin.sock" }

# What this gateway shows its peers, as server and as client. The key must be readable by nobody else.
tls: { certificate: tls/node.crt, key: tls/node.key }

# How trust with other organisations begins: `fedgate trust invite`, `accept`, `request`, `approve`. Strangers may ask only with an invite of
# yours; your own CA certificate is what they are shown.
trust: { enrolment: invites@ANCHORS@ }

# The embedded database; or postgresql://user@host/database with password_file.
store: { url: "sqlite:state/fedgate.db", migrate: auto }

# The audit trail is written here before an answer leaves. Keep it on a local disk.
# signer/audit.key signs it and signer/witness.key signs what we have seen of others' trails: keep that folder apart from state/, and out of the
# backups of it, so that an old copy of the trail can be told from the newest. `signer.state` is kept there, too.
audit: { journal: state/journal, journal_max: 10GiB, signing_key_file: signer/audit.key, witness_key_file: signer/witness.key, checkpoint_every: 5s }

# Calls per hour for each peer that has no rate of its own.
node_defaults: { rate_limit_per_hour: 10000 }

# The organisations you trust. Put the CA certificate they sent you into anchors/, after comparing its digest with theirs by telephone.
nodes:
  #- node_id: @PEER@
  #  alias: @ALIAS@
  #  endpoints: ["https://@PEER@:8443"]
  #  trust_anchors: [anchors/@PEER@.crt]
  #  principal_domains: [@PEER@]
  #  # What they share with us, for calls that name no target.
  #  resources: [their-inventory]
  #  # Which capabilities of that have no effects; all others are treated as if they had.
  #  reads: [their-inventory/lookup]

# Who may use listen.clients. `fedgate token issue alice@@NODE@ --config @DIR@/fedgate.yaml` makes a token and its file.
clients:
  #- principal: alice@@NODE@
  #  token_file: tokens/alice
  #  groups: [dev]

# What you share. Each capability is one request of an HTTP service; names in braces are arguments.
resources:
  #- id: inventory
  #  name: Inventory
  #  adapter: { type: http, url: "http://127.0.0.1:9000" }
  #  capabilities:
  #    - { id: lookup, description: "One item by its number", request: "GET /items/{sku}", access: read, idempotent: true, timeout: 5s }

# Who may do what. The first rule that matches decides; where none matches the answer is no. A call needs both organisations' consent.
policy:
  engine: rules
  rules:
    # People of @PEER@ may read our inventory.
    #- id: @ALIAS@-reads
    #  direction: in
    #  effect: allow
    #  nodes: [@PEER@]
    #  principals: ["*@@PEER@"]
    #  resources: [inventory]
    #  capabilities: ["*"]
    #  access: read
    # Our developers may call whatever @PEER@ shares with us.
    #- id: our-developers
    #  direction: out
    #  effect: allow
    #  groups: [dev]
    #  nodes: [@PEER@]
    #  resources: ["*"]
    #  capabilities: ["*"]

log: { level: info, format: json }
)yaml";

std::string replaced(std::string text, std::string_view what, std::string_view with) {
  for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at + with.size()))
    text.replace(at, what.size(), with);
  return text;
}

/// CA, node certificate and key, to be written to D/tls; `digest` is the CA certificate's.
Result<std::vector<NewFile>> dev_pki(const StarterOptions& options, const std::string& directory, WallTime now,
                                     std::string& digest) {
  const auto since = now - std::chrono::minutes(5);  // the other machine's clock may be behind
  auto ca = trust::make_dev_ca(options.node_id.str(), since);
  if (!ca) return fail(ca.error().in("making the CA"));
  trust::LeafRequest request;
  request.dns_names = {options.node_id.str()};
  request.not_before = since;
  auto leaf = trust::issue_dev_leaf(*ca, request);
  if (!leaf) return fail(leaf.error().in("issuing the certificate"));
  const auto facts = trust::certificate_facts(ca->certificate_pem);
  if (!facts) return fail(facts.error());
  digest = to_hex(facts->sha256);
  const auto tls = directory + "/tls/";
  return std::vector<NewFile>{{tls + "ca.crt", ca->certificate_pem, 0644},
                              {tls + "ca.key", ca->key_pem, 0600},
                              {tls + "node.crt", leaf->certificate_pem, 0644},
                              {tls + "node.key", leaf->key_pem, 0600}};
}

std::vector<std::string> next_steps(const StarterOptions& options, const std::string& directory,
                                    const std::string& peer, const std::string& digest) {
  const auto config = directory + "/fedgate.yaml";
  std::vector<std::string> steps;
  if (options.dev_pki) {
    steps.push_back("Send the other organisation your CA certificate, " + directory +
                    "/tls/ca.crt, and read them its SHA-256 over the telephone: " + digest);
  } else {
    steps.push_back("Put a certificate for " + options.node_id.str() +
                    " (DNS SAN, EKU serverAuth and clientAuth) into " + directory + "/tls/node.crt and its key into " +
                    directory + "/tls/node.key (chmod 600), and send the other organisation your CA certificate.");
  }
  steps.push_back("Put the CA certificate that they send you into " + directory + "/anchors/" + peer +
                  ".crt, after comparing its SHA-256 with them: fedgate pki show " + directory + "/anchors/" + peer +
                  ".crt");
  steps.push_back(
      "Add their gateway under `nodes`, what you share under `resources`, and who may do what under `policy.rules`: "
      "the commented examples in " +
      config);
  steps.push_back(
      "Issue a token for a person or an application, and add it under `clients`: fedgate token issue alice@" +
      options.node_id.str() + " --config " + config);
  steps.push_back("Check everything: fedgate check --config " + config);
  steps.push_back("Start the gateway: fedgate serve --config " + config);
  return steps;
}

}  // namespace

Result<Starter> make_starter(const StarterOptions& options, const Clock& clock) {
  std::error_code problem;
  auto directory = std::filesystem::absolute(options.directory, problem).lexically_normal().string();
  while (directory.size() > 1 && directory.ends_with('/')) directory.pop_back();
  if (problem || options.directory.empty())
    return fail(Code::usage, "`" + options.directory + "` is not a directory's name");
  if (directory.size() + std::string_view("/admin.sock").size() >= sizeof(sockaddr_un::sun_path)) {
    return fail(Code::usage,
                directory + " is too long a path: the admin socket in it could not be opened; choose a shorter one");
  }

  const std::string peer = options.node_id.view() == "orgb.example" ? "orga.example" : "orgb.example";
  auto text = replaced(std::string(starter_text), "@NODE@", options.node_id.view());
  text = replaced(std::move(text), "@PEER@", peer);
  text = replaced(std::move(text), "@ANCHORS@", options.dev_pki ? ", anchors: [tls/ca.crt]" : "");
  text = replaced(std::move(text), "@ALIAS@", peer.substr(0, 4));
  text = replaced(std::move(text), "@DIR@", directory);

  std::vector<NewFile> files{{directory + "/fedgate.yaml", std::move(text), 0644}};
  std::string digest;
  if (options.dev_pki) {
    auto pki = dev_pki(options, directory, clock.wall(), digest);
    if (!pki) return fail(std::move(pki.error()));
    for (auto& file : *pki) files.push_back(std::move(file));
  }
  for (const char* name : {"/signer/audit.key", "/signer/witness.key"})
    files.push_back({directory + name, audit::make_signing_key(system_entropy()), 0600});
  for (const auto& file : files) {
    if (std::filesystem::exists(std::filesystem::symlink_status(file.path, problem))) {
      return fail(Code::conflict,
                  file.path + " exists already, and init overwrites nothing; choose another directory or remove it");
    }
  }
  for (const char* name : {"", "/tls", "/signer", "/anchors", "/tokens", "/state"}) {
    if (auto made = make_directory(directory + name); !made) return fail(std::move(made.error()));
  }
  Starter starter;
  for (const auto& file : files) {
    if (auto written = write_new(file); !written) return fail(std::move(written.error()));
    starter.files.push_back(file.path);
  }
  starter.next_steps = next_steps(options, directory, peer, digest);
  return starter;
}

}  // namespace fedgate::config
