// SPDX-License-Identifier: Apache-2.0
//
// Every key, declared once: its type, range, default, whether a restart is needed, and the line that documents it.
// declare() is given a visitor: the Binder reads files by it, the Describer writes docs/configuration.md by it, so
// that what is documented is what is parsed. Compile-time only.
#pragma once

#include <array>
#include <string_view>
#include <utility>

#include "config/draft.h"

namespace fedgate::config {

struct About {
  std::string_view meaning;
  bool required = false;
  bool restart = false;
  std::string_view otherwise{};  ///< what holds when the key is absent, where that is not a fixed value
};
struct Range {
  std::uint64_t least, most;
};
struct DurationRange {
  std::chrono::milliseconds least, most;
};
template <class E>
using Choice = std::pair<std::string_view, E>;

namespace draft {

using namespace std::chrono_literals;
constexpr bool required = true;
constexpr bool restart = true;

template <class V>
void declare(V& v, OwnNode& d) {
  v.name("id", d.id, "DNS name",
         {"This organisation's gateway as a federation identity; the one name that its certificate must hold as a DNS "
          "SAN.",
          required, restart});
  v.text("name", d.name, {"The organisation, for people.", false, restart});
  v.url("endpoint", d.endpoint,
        {"`https://host:port` under which peers reach the peers listener. What they are told; empty for an "
         "organisation that only calls out. Its host is one that the listeners answer for.",
         false, restart});
  v.text("spiffe_id", d.spiffe_id,
         {"`spiffe://trust-domain/path`, where peers know this gateway by it (`nodes[].spiffe_id` on their side): the "
          "certificate holds this URI and no other, and need not hold `node.id`. Without that DNS SAN trust begins "
          "by configuration only.",
          false, false, "it is known by its DNS SAN"});
  v.names("principal_domains", d.principal_domains, "DNS names",
          {"Domains whose principals this gateway speaks for.", false, false, "[`node.id`]"});
  v.text("replica", d.replica, {"Names this replica's audit log: 1 to 32 of a-z, 0-9 and hyphen.", false, restart});
}

template <class V>
void declare(V& v, TlsPaths& d) {
  v.path("certificate", d.certificate, {"PEM file: the leaf first, then intermediates.", required});
  v.secret("key", d.key, {"PEM file: the private key of that certificate.", required});
}

template <class V>
void declare(V& v, PeerTls& d) {
  v.path("certificate", d.certificate, {"PEM file: the leaf first, then intermediates.", required});
  v.secret("key", d.key, {"PEM file: the private key of that certificate.", required});
  v.group("client", d.client,
          {"A certificate of its own for outgoing connections, where the CA no longer issues clientAuth and serverAuth "
           "together: `node.id` as DNS SAN, EKU clientAuth. `tls.certificate` then needs serverAuth only."});
  v.path("ocsp_staple", d.ocsp_staple,
         {"File with the CA's OCSP response for `tls.certificate` (DER), which peers get with the certificate. Put a "
          "new one there in time; it is read again on reload.",
          false, false, "none is sent"});
  v.texts(
      "crl", d.crl, "paths",
      {"Certificate revocation lists (PEM or DER) of any CA in our peers' chains. A chain of which one issuer has a "
       "list here must be covered by current lists as a whole, up to its anchor; a list that is out of date "
       "refuses what it covers. Read again on reload."});
  v.texts("expiry_warnings", d.expiry_warnings, "durations",
          {"How long before a certificate, an anchor or a revocation list ends this gateway warns, once for each mark.",
           false, false, "`[30d, 14d, 7d, 1d]`"});
}

template <class V>
void declare(V& v, PeersListener& d) {
  v.address("address", d.address,
            {"Where other organisations' gateways connect with mutual TLS 1.3. `peers: off` for an organisation that "
             "only calls out.",
             false, restart});
  v.texts("proxy_protocol_from", d.proxy_protocol_from, "networks",
          {"Balancers in front of this listener, `192.0.2.0/24` or single addresses: each connection from there must "
           "begin with a PROXY protocol header (v1 or v2); from anywhere else none is read.",
           false, restart});
}
template <class V>
void declare(V& v, ClientsListener& d) {
  v.address("address", d.address,
            {"Where this organisation's applications and agents connect. Plain text is refused off loopback: give "
             "`tls` there. `clients: off` for an organisation that is only called.",
             false, restart});
  v.group("tls", d.tls,
          {"TLS on the clients listener; a certificate of its own, from a CA that the clients know. Read again on "
           "reload; adding or removing it needs a restart."});
}
template <class V>
void declare(V& v, OperatorEntry& d) {
  v.number("uid", d.uid, {0, 4'294'967'294}, {"The local user; either this or `gid`."});
  v.number("gid", d.gid, {0, 4'294'967'294}, {"The local group; either this or `uid`."});
  v.choice("role", d.role,
           std::array{Choice<Role>{"viewer", Role::viewer}, Choice<Role>{"auditor", Role::auditor},
                      Choice<Role>{"operator", Role::operator_role}, Choice<Role>{"trust-admin", Role::trust_admin}},
           {"What they may do: look; read the audit trail too; change nodes too; change trust too.", required});
}
template <class V>
void declare(V& v, AdminListener& d) {
  v.address("address", d.address,
            {"Where operators and the command line connect: a unix socket, since they are known by their local user.",
             false, restart});
  v.list(
      "operators", d.operators, nullptr,
      {"Who may operate this gateway over the socket, beside root and the daemon's own user, who are trust admins."});
}
template <class V>
void declare(V& v, Listen& d) {
  v.group("peers", d.peers, {"The listener for other organisations' gateways."});
  v.group("clients", d.clients, {"The listener for this organisation's applications and agents."});
  v.group("admin", d.admin, {"The listener for operators."});
}

template <class V>
void declare(V& v, Trust& d) {
  v.choice("enrolment", d.enrolment,
           std::array{Choice<Enrolment>{"closed", Enrolment::closed}, Choice<Enrolment>{"invites", Enrolment::invites},
                      Choice<Enrolment>{"open", Enrolment::open}},
           {"Which strangers may ask to be trusted at the peers listener: nobody; those who hold an invite of ours; "
            "anybody. Asking changes nothing by itself."});
  v.texts("anchors", d.anchors, "paths",
          {"PEM files with our own CA's certificate: what others are asked to believe when trust begins with an invite "
           "or a request.",
           false, false, "the CA certificates in `tls.certificate`"});
}

template <class V>
void declare(V& v, Store& d) {
  v.text("url", d.url,
         {"`sqlite:PATH`, or `postgresql://user@host/database` (libpq URI, without a password).", false, restart});
  v.secret("password_file", d.password_file,
           {"File with the PostgreSQL password.", false, restart, "as libpq finds it"});
  v.choice("migrate", d.migrate,
           std::array{Choice<Migrate>{"auto", Migrate::automatic}, Choice<Migrate>{"manual", Migrate::manual}},
           {"`auto` brings the schema up to date at start; `manual` refuses to start on an old one until `fedgate "
            "migrate up`.",
            false, restart});
}

template <class V>
void declare(V& v, NodeDefaults& d) {
  v.rate("rate_limit_per_hour", d.rate_limit_per_hour,
         {"Calls per hour for nodes without a rate of their own: a whole number, or a rate such as `10/s`."});
}
template <class V>
void declare(V& v, Node& d) {
  v.name("node_id", d.node_id, "DNS name",
         {"The peer's federation identity; its certificate must hold exactly this DNS SAN.", required});
  v.text("name", d.name, {"The organisation, for people."});
  v.text("alias", d.alias,
         {"A short unique name for commands and agents' tool names: 1 to 32 of a-z, 0-9 and hyphen."});
  v.texts("endpoints", d.endpoints, "URLs",
          {"`https://host:port` of its peers listener, in order of preference; empty for a peer that only calls us."});
  v.texts("trust_anchors", d.trust_anchors, "paths",
          {"PEM files with the CA certificates that may speak for this node and for no other.", required});
  v.texts(
      "intermediates", d.intermediates, "paths",
      {"PEM files with the CA certificates between `trust_anchors` and this node's certificate, for a node that does "
       "not present them itself. They are not believed by themselves."});
  v.texts("pins", d.pins, "SHA-256 in hex",
          {"Digests of public keys (SubjectPublicKeyInfo); where given, only these keys are accepted: the current one "
           "and, before a change, the next."});
  v.texts("crl", d.crl, "paths",
          {"Certificate revocation lists (PEM or DER) of this node's CAs; where given, every certificate of its chain "
           "below the anchor must be covered by a current one."});
  v.text("spiffe_id", d.spiffe_id,
         {"`spiffe://trust-domain/path`: its certificate holds this URI and no other, and need not hold `node_id`.",
          false, false, "it is known by its DNS SAN"});
  v.names("principal_domains", d.principal_domains, "DNS names",
          {"Domains whose principals the peer may speak for; each belongs to one node.", false, false, "[`node_id`]"});
  v.names(
      "resources", d.resources, "resource ids",
      {"Resources known to live there: static routes for calls that name no target, until catalogues are exchanged."});
  v.texts("reads", d.reads, "`RESOURCE/CAPABILITY`",
          {"Capabilities there that have no effects, until catalogues are exchanged: calls of them need no intent on "
           "stable storage before they leave."});
  v.flag("enabled", d.enabled, {"`false` cuts the peer off, both ways."});
  v.rate("rate_limit_per_hour", d.rate_limit_per_hour,
         {"Calls per hour that this node may make.", false, false, "`node_defaults.rate_limit_per_hour`"});
  v.dictionary("metadata", d.metadata, {"Texts of your own, shown by `fedgate nodes show`."});
}

template <class V>
void declare(V& v, Client& d) {
  v.name("principal", d.principal, "principal",
         {"Who the token stands for: `alice@orga.example`, its domain one of `node.principal_domains`.", required});
  v.secret("token_file", d.token_file, {"File with the token's digest, made by `fedgate token issue`.", required});
  v.texts("groups", d.groups, "texts", {"Groups of the principal, for policy rules."});
  v.names("may_act_for", d.may_act_for, "principals",
          {"Principals of this organisation that this client may name as `principal_id`."});
  v.time("expires", d.expires, {"From then on the token is refused.", false, false, "never"});
}

template <class V>
void declare(V& v, Adapter& d) {
  v.choice("type", d.type, std::array{Choice<AdapterType>{"http", AdapterType::http}},
           {"What kind of service it is.", required});
  v.url("url", d.url, {"Base URL of the service, `http://` or `https://`.", required});
  v.dictionary("headers", d.headers, {"Fixed headers for the service; no secrets."});
  v.secret("authorization_file", d.authorization_file,
           {"File with the value of the `Authorization` header for the service."});
}
template <class V>
void declare(V& v, Capability& d) {
  v.name("id", d.id, "capability id", {"Unique within the resource.", required});
  v.prose("description", d.description, {"For the people and agents who may use it."});
  v.text("request", d.request,
         {"Method and path template, `GET /items/{sku}`: each name in braces is an argument, and one path segment or a "
          "part of it.",
          required});
  using Arguments = adapters::Capability::Arguments;
  v.choice("arguments", d.arguments,
           std::array{Choice<Arguments>{"automatic", Arguments::automatic},
                      Choice<Arguments>{"query", Arguments::query}, Choice<Arguments>{"body", Arguments::body}},
           {"How arguments travel that the path does not name. `automatic`: in the query for GET, HEAD and DELETE, in "
            "a JSON body otherwise."});
  v.choice("access", d.access, std::array{Choice<Access>{"read", Access::read}, Choice<Access>{"write", Access::write}},
           {"Whether it has effects. The intent of a `write` is on stable storage before it acts."});
  v.flag("idempotent", d.idempotent,
         {"Whether calling it twice does no more than calling it once, so that it may be retried."});
  v.duration("timeout", d.timeout, {1ms, 10min}, {"For the service to answer; the caller's deadline may be shorter."});
}
template <class V>
void declare(V& v, Resource& d) {
  v.name("id", d.id, "resource id", {"Unique; what callers name as `resource_id`.", required});
  v.text("name", d.name, {"For people."});
  v.group("adapter", d.adapter, {"How the service is reached.", required});
  v.list("capabilities", d.capabilities, +[](const Capability& c) { return std::pair{c.id->str(), c.id.place}; },
         {"What it can do, and how each is invoked."});
}

template <class V>
void declare(V& v, Rule& d) {
  v.text("id", d.id, {"Unique; named in decisions and in the audit trail.", required});
  v.choice("direction", d.direction,
           std::array{Choice<Direction>{"in", Direction::in}, Choice<Direction>{"out", Direction::out}},
           {"Calls that peers make here, or calls that leave.", required});
  v.choice("effect", d.effect,
           std::array{Choice<Verdict>{"allow", Verdict::allow}, Choice<Verdict>{"deny", Verdict::deny}},
           {"The decision when the rule matches.", required});
  v.texts("nodes", d.nodes, "globs",
          {"The other side: origin of calls in, target of calls out. Here and below `*` stands for any run of "
           "characters, and an empty list matches everything."});
  v.texts("principals", d.principals, "globs", {"Who asks, `*@orgb.example`."});
  v.texts("groups", d.groups, "globs",
          {"The principal is in one of these. For calls in, groups are a claim by the peer."});
  v.texts("resources", d.resources, "globs", {"What is asked for."});
  v.texts("capabilities", d.capabilities, "globs", {"Which capability of it."});
  v.choice("access", d.access, std::array{Choice<Access>{"read", Access::read}, Choice<Access>{"write", Access::write}},
           {"`read` matches capabilities without effects only, `write` matches both."});
  v.time("until", d.until, {"From then on the rule does not match.", false, false, "never"});
}
template <class V>
void declare(V& v, Policy& d) {
  v.choice("engine", d.engine, std::array{Choice<Engine>{"rules", Engine::rules}}, {"What decides."});
  v.list(
      "rules", d.rules, +[](const Rule& r) { return std::pair{r.id.value, r.id.place}; },
      {"In order: the first rule that matches decides, no match denies. Both organisations' rules must allow a call."});
}

template <class V>
void declare(V& v, RateLimits& d) {
  v.number("burst", d.burst, {1, 1'000'000}, {"Calls that a node may make at once before its rate holds."});
}
template <class V>
void declare(V& v, Limits& d) {
  v.size("header", d.header, {1ULL << 10, 1ULL << 20},
         {"Largest request line and header fields together.", false, restart});
  v.size("body", d.body, {1ULL << 10, 64ULL << 20}, {"Largest request or answer body.", false, restart});
  v.number("json_depth", d.json_depth, {4, 512}, {"Deepest nesting of JSON."});
  v.number("concurrency_per_peer", d.concurrency_per_peer, {1, 100'000}, {"Calls of one node that run at once."});
  v.number("connections", d.connections, {1, 1'000'000}, {"Open connections on one listener.", false, restart});
}
template <class V>
void declare(V& v, Routing& d) {
  v.duration("timeout", d.timeout, {10ms, 10min}, {"Deadline of a call whose caller gives none (`Request-Timeout`)."});
}
template <class V>
void declare(V& v, Audit& d) {
  v.path("journal", d.journal,
         {"Directory of the audit journal, on a local disk; made if its parent exists.", false, restart});
  v.size("journal_max", d.journal_max, {128ULL << 20, 16ULL << 40},
         {"Size at which the oldest segments are removed, once the database has their records and, where a node is "
          "trusted, one has cosigned a checkpoint over them.",
          false, restart});
  v.duration(
      "retention", d.retention, {0ms, 24h * 36'500},
      {"Records older than this are removed from the database, once a trusted node has cosigned a checkpoint over "
       "them, where there is one. Their hashes stay, so that proofs of the others hold. `0s`: none is removed.",
       false, restart});
  v.duration("reconciliation_interval", d.reconciliation_interval, {0ms, 24h},
             {"How often our records of calls are compared with each trusted node's; `0s`: only when an operator asks "
              "(`fedgate audit reconcile`)."});
  v.path("signing_key_file", d.signing_key_file,
         {"The key that signs this replica's audit log: Ed25519, PEM, readable by the daemon's user alone. Its folder "
          "must be writable: `signer.state` and, after a rotation, the new key are kept there. Keep it apart from the "
          "journal and the database, and out of their backups. Made at the first start where it is missing.",
          false, restart, "`signer/audit.key` beside the journal's directory"});
  v.path("witness_key_file", d.witness_key_file,
         {"The key that signs for peers that we have seen their logs: Ed25519, PEM, the same file on every replica. "
          "Made at the first start where it is missing.",
          false, restart, "`witness.key` beside `signing_key_file`"});
  v.duration("checkpoint_every", d.checkpoint_every, {100ms, 1h},
             {"How often a checkpoint of the audit log is signed, where it has grown.", false, restart});
  v.choice(
      "principals", d.principals,
      std::array{Choice<audit::Principals>{"clear", audit::Principals::clear},
                 Choice<audit::Principals>{"hashed", audit::Principals::hashed}},
      {"How people stand in the trail: by name, or by a keyed hash whose salt is kept in `principals.salts` in the "
       "journal's directory and can be erased (`fedgate audit erase`). Filters by name work with both.",
       false, restart});
}
template <class V>
void declare(V& v, Shutdown& d) {
  v.duration("announce", d.announce, {0ms, 10min},
             {"How long the gateway says that it is going (`/readyz` 503) before it stops accepting.", false, restart});
  v.duration("drain", d.drain, {0ms, 1h}, {"How long calls that run may take to finish after that.", false, restart});
}
template <class V>
void declare(V& v, Log& d) {
  using log::Format;
  using log::Level;
  v.choice("level", d.level,
           std::array{Choice<Level>{"trace", Level::trace}, Choice<Level>{"debug", Level::debug},
                      Choice<Level>{"info", Level::info}, Choice<Level>{"warning", Level::warning},
                      Choice<Level>{"error", Level::error}},
           {"The least important lines that are written."});
  v.choice("format", d.format, std::array{Choice<Format>{"json", Format::json}, Choice<Format>{"text", Format::text}},
           {"One JSON object a line, or text for people.", false, restart});
  v.path("file", d.file, {"Where lines go.", false, restart, "standard error"});
}

template <class V>
void declare(V& v, Root& d) {
  v.group("node", d.node, {"This gateway's identity.", required});
  v.group("listen", d.listen, {"Where it listens."});
  v.number("threads", d.threads, {1, 64}, {"Workers that carry connections.", false, restart});
  v.group("tls", d.tls,
          {"Certificate and key towards peers, for both directions: EKU serverAuth and clientAuth, `node.id` as DNS "
           "SAN. Read again on reload.",
           required});
  v.group("trust", d.trust, {"How trust with other organisations begins."});
  v.group("store", d.store, {"The system of record."});
  v.group("node_defaults", d.node_defaults, {"What holds for nodes that do not say otherwise."});
  v.list("nodes", d.nodes, +[](const Node& n) { return std::pair{n.node_id->str(), n.node_id.place}; },
         {"Peers that this organisation trusts. An anchor here is the operator's decision."});
  v.list("clients", d.clients,
         +[](const Client& c) {
           return std::pair{c.principal.bound() ? c.principal->str() + " " + c.token_file.value : "",
                            c.principal.place};
         },
         {"This organisation's applications, people and agents that may use the clients listener."});
  v.list("resources", d.resources, +[](const Resource& r) { return std::pair{r.id->str(), r.id.place}; },
         {"What this organisation shares. Who may use it, policy says."});
  v.group("policy", d.policy, {"Who may do what."});
  v.group("rate_limits", d.rate_limits, {"How much nodes may ask."});
  v.group("limits", d.limits, {"Bounds of every request."});
  v.group("routing", d.routing, {"How calls travel."});
  v.group("audit", d.audit, {"The audit journal."});
  v.group("shutdown", d.shutdown, {"How the daemon ends."});
  v.group("log", d.log, {"Log lines."});
}

}  // namespace draft
}  // namespace fedgate::config
