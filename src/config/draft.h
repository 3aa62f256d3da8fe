// SPDX-License-Identifier: Apache-2.0
//
// The configuration as it stands in the files: single values are well-formed, nothing is checked against anything
// else, every value knows its place. Between the binder, which fills it, and the resolver, which makes Settings of
// it. What a member holds before binding is its default, and documented as such.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "adapters/resource.h"
#include "audit/principal_salts.h"
#include "base/log.h"
#include "config/findings.h"
#include "fedgate/decision.h"
#include "fedgate/id.h"
#include "fedgate/invocation.h"
#include "fedgate/principal.h"
#include "fedgate/trust_messages.h"

namespace fedgate::config::draft {

/// One value. `absent`: not in the files, holds its default. `broken`: in the files, but reported as unusable.
template <class T>
struct Placed {
  enum class State : std::uint8_t { absent, broken, bound };
  T value{};
  Place place;
  State state = State::absent;
  Placed() = default;
  Placed(T initial) : value(std::move(initial)) {}  // NOLINT: defaults read as plain values
  [[nodiscard]] bool bound() const { return state == State::bound; }
  [[nodiscard]] bool usable() const { return state != State::broken; }
  const T& operator*() const { return value; }
  const T* operator->() const { return &value; }
};

using Text = Placed<std::string>;
using Number = Placed<std::uint64_t>;
using Flag = Placed<bool>;
using Duration = Placed<std::chrono::milliseconds>;
using Time = Placed<WallTime>;
template <class T>
using List = Placed<std::vector<Placed<T>>>;
using Dictionary = std::vector<std::pair<Text, Text>>;

/// One mapping.
template <class T>
struct Group {
  T value{};
  Place place;
  bool given = false;
  const T* operator->() const { return &value; }
  T* operator->() { return &value; }
};
template <class T>
using Groups = std::vector<Group<T>>;

struct OwnNode {
  Placed<NodeId> id;
  Text name;
  Text endpoint;
  Text spiffe_id;
  List<Domain> principal_domains;
  Text replica{"a"};
};

struct TlsPaths {
  Text certificate, key;
};
/// Towards peers, both directions unless `client` is given.
struct PeerTls {
  Text certificate, key;
  Group<TlsPaths> client;
  Text ocsp_staple;
  List<std::string> crl;
  List<std::string> expiry_warnings;
};
struct PeersListener {
  static constexpr bool may_be_off = true;
  bool off = false;
  Text address{"0.0.0.0:8443"};
  List<std::string> proxy_protocol_from;
};
struct ClientsListener {
  static constexpr bool may_be_off = true;
  bool off = false;
  Text address{"127.0.0.1:8080"};
  Group<TlsPaths> tls;
};
struct OperatorEntry {
  Number uid, gid;
  Placed<Role> role{Role::viewer};
};
struct AdminListener {
  Text address{"unix:/run/fedgate/admin.sock"};
  Groups<OperatorEntry> operators;
};
struct Listen {
  Group<PeersListener> peers;
  Group<ClientsListener> clients;
  Group<AdminListener> admin;
};

enum class Migrate : std::uint8_t { automatic, manual };
struct Trust {
  Placed<Enrolment> enrolment{Enrolment::invites};
  List<std::string> anchors;
};
struct Store {
  Text url{"sqlite:/var/lib/fedgate/fedgate.db"};
  Text password_file;
  Placed<Migrate> migrate{Migrate::automatic};
};

struct NodeDefaults {
  Number rate_limit_per_hour{10'000};
};
struct Node {
  Placed<NodeId> node_id;
  Text name;
  Text alias;
  List<std::string> endpoints;
  List<std::string> trust_anchors;
  List<std::string> intermediates;
  List<std::string> pins;
  List<std::string> crl;
  Text spiffe_id;
  List<Domain> principal_domains;
  List<ResourceId> resources;
  List<std::string> reads;
  Flag enabled{true};
  Number rate_limit_per_hour;
  Dictionary metadata;
};

struct Client {
  Placed<PrincipalId> principal;
  Text token_file;
  List<std::string> groups;
  List<PrincipalId> may_act_for;
  Time expires;
};

enum class AdapterType : std::uint8_t { http };
struct Adapter {
  Placed<AdapterType> type{AdapterType::http};
  Text url;
  Dictionary headers;
  Text authorization_file;
};
struct Capability {
  Placed<CapabilityId> id;
  Text description;
  Text request;
  Placed<adapters::Capability::Arguments> arguments{adapters::Capability::Arguments::automatic};
  Placed<Access> access{Access::write};
  Flag idempotent{false};
  Duration timeout{std::chrono::seconds(30)};
};
struct Resource {
  Placed<ResourceId> id;
  Text name;
  Group<Adapter> adapter;
  Groups<Capability> capabilities;
};

enum class Engine : std::uint8_t { rules };
struct Rule {
  Text id;
  Placed<Direction> direction{Direction::in};
  Placed<Verdict> effect{Verdict::deny};
  List<std::string> nodes, principals, groups, resources, capabilities;
  Placed<Access> access{Access::write};
  Time until;
};
struct Policy {
  Placed<Engine> engine{Engine::rules};
  Groups<Rule> rules;
};

struct RateLimits {
  Number burst{50};
};
struct Limits {
  Number header{16ULL << 10}, body{1ULL << 20}, json_depth{32}, concurrency_per_peer{256}, connections{4096};
};
struct Routing {
  Duration timeout{std::chrono::seconds(30)};
};
struct Audit {
  Text journal{"/var/lib/fedgate/journal"};
  Number journal_max{10ULL << 30};
  Duration retention{std::chrono::hours(24 * 400)};
  Duration reconciliation_interval{std::chrono::hours(1)};
  Text signing_key_file{""}, witness_key_file{""};
  Duration checkpoint_every{std::chrono::seconds(5)};
  Placed<audit::Principals> principals{audit::Principals::clear};
};
struct Shutdown {
  Duration announce{std::chrono::seconds(5)}, drain{std::chrono::seconds(30)};
};
struct Log {
  Placed<log::Level> level{log::Level::info};
  Placed<log::Format> format{log::Format::json};
  Text file;
};

struct Root {
  Group<OwnNode> node;
  Group<Listen> listen;
  Number threads{1};
  Group<PeerTls> tls;
  Group<Trust> trust;
  Group<Store> store;
  Group<NodeDefaults> node_defaults;
  Groups<Node> nodes;
  Groups<Client> clients;
  Groups<Resource> resources;
  Group<Policy> policy;
  Group<RateLimits> rate_limits;
  Group<Limits> limits;
  Group<Routing> routing;
  Group<Audit> audit;
  Group<Shutdown> shutdown;
  Group<Log> log;
};

}  // namespace fedgate::config::draft
