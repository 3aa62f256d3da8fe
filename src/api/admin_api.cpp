// SPDX-License-Identifier: Apache-2.0
#include "api/admin_api.h"

#include <nlohmann/json.hpp>

#include "api/admin_views.h"
#include "base/json.h"

namespace fedgate::api {

/// What is begun is recorded, even if the operator hangs up meanwhile; what only reads ends with him.
enum class Effect : std::uint8_t { none, lasting };

/// Who may do what: one table. `*` in `path` stands for one segment.
struct AdminApi::Endpoint {
  std::string_view method;
  std::string_view path;
  Role role;
  Effect effect;
  Task<Result<void>> (AdminApi::*serve)(const Operator&, const net::Request&, std::string_view, net::Response&);
};

const std::vector<AdminApi::Endpoint>& AdminApi::endpoints() {
  static const std::vector<Endpoint> table{
      {"GET", "/livez", Role::viewer, Effect::none, &AdminApi::livez},
      {"GET", "/readyz", Role::viewer, Effect::none, &AdminApi::readyz},
      {"GET", "/metrics", Role::viewer, Effect::none, &AdminApi::metrics},
      {"GET", "/api/v2/status", Role::viewer, Effect::none, &AdminApi::status},
      {"GET", "/api/v2/federation/nodes", Role::viewer, Effect::none, &AdminApi::list_nodes},
      {"GET", "/api/v2/federation/nodes/*", Role::viewer, Effect::none, &AdminApi::show_node},
      {"POST", "/api/v2/federation/nodes", Role::trust_admin, Effect::lasting, &AdminApi::add_node},
      {"PATCH", "/api/v2/federation/nodes/*", Role::operator_role, Effect::lasting, &AdminApi::change_node},
      {"DELETE", "/api/v2/federation/nodes/*", Role::trust_admin, Effect::lasting, &AdminApi::remove_node},
      {"POST", "/api/v2/federation/nodes/*/check", Role::operator_role, Effect::none, &AdminApi::check_node},
      {"GET", "/api/v2/federation/routes", Role::viewer, Effect::none, &AdminApi::routes},
      {"POST", "/api/v2/reload", Role::operator_role, Effect::lasting, &AdminApi::reload},
  };
  return table;
}

namespace {
/// What stands for `*`, empty where there is none; nullopt where the path is another.
std::optional<std::string_view> match(std::string_view pattern, std::string_view path) {
  const auto star = pattern.find('*');
  if (star == std::string_view::npos) return path == pattern ? std::optional(std::string_view()) : std::nullopt;
  const auto before = pattern.substr(0, star);
  const auto after = pattern.substr(star + 1);
  if (path.size() <= before.size() + after.size() || !path.starts_with(before) || !path.ends_with(after))
    return std::nullopt;
  const auto segment = path.substr(before.size(), path.size() - before.size() - after.size());
  return segment.find('/') == std::string_view::npos ? std::optional(segment) : std::nullopt;
}
}  // namespace

AdminApi::AdminApi(Parts parts)
    : parts_(std::move(parts)),
      trust_({.desk = parts_.desk,
              .exchange = parts_.exchange,
              .worker = parts_.worker,
              .peers = parts_.peers,
              .narrow = [this](std::string name, nodes::Narrowing by,
                               audit::Act act) { return narrow(std::move(name), std::move(by), std::move(act)); },
              .expiry = parts_.gateway.expiry}),
      rotation_(parts_.exchange) {}

Task<> AdminApi::handle(const net::Connection& connection, net::Request& request, net::Response& response) {
  if (auto ok = refuse_browsers(request); !ok) {
    answer_problem(response, ok.error(), Reader::own);
    co_return;
  }
  if (!connection.unix_credentials) {
    answer_problem(response, Error(Code::unauthenticated, "no socket credentials"), Reader::own);
    co_return;
  }
  auto who = parts_.operators.load()->authenticate(connection.unix_credentials->uid, connection.unix_credentials->gid);
  if (!who) {
    parts_.log.warning("operator refused", {{"uid", connection.unix_credentials->uid}, {"detail", who.error().detail}});
    answer_problem(response, who.error(), Reader::own);
    co_return;
  }
  const auto path = request.path();
  if (const bool rotates = RotationApi::serves(path); rotates || TrustApi::serves(path)) {
    if (request.method != "GET") co_await shielded();
    Result<void> done;
    if (rotates)
      done = co_await rotation_.serve(*who, request, response);
    else
      done = co_await trust_.serve(*who, request, response);
    if (!done) answer_problem(response, done.error(), Reader::own);
    co_return;
  }
  if (SigningApi::serves(path)) {
    co_await shielded();
    const auto done = co_await parts_.signing.serve(*who, request, response);
    if (!done) answer_problem(response, done.error(), Reader::own);
    co_return;
  }
  if (ErasureApi::serves(path)) {
    co_await shielded();
    const auto done = co_await parts_.erasure.serve(*who, request, response);
    if (!done) answer_problem(response, done.error(), Reader::own);
    co_return;
  }
  if (AuditApi::serves(path)) {
    const auto done = co_await parts_.audit.serve(*who, request, response);
    if (!done) answer_problem(response, done.error(), Reader::own);
    co_return;
  }
  if (ReceiptApi::serves(path)) {
    const auto done = co_await parts_.receipts.serve(*who, request, response);
    if (!done) answer_problem(response, done.error(), Reader::own);
    co_return;
  }
  std::string allowed;
  for (const Endpoint& endpoint : endpoints()) {
    const auto rest = match(endpoint.path, path);
    if (!rest) continue;
    if (endpoint.method != request.method) {
      if (!allowed.empty()) allowed += ", ";
      allowed += endpoint.method;
      continue;
    }
    Result<void> done;
    if (!trust::may(*who, endpoint.role)) {
      done = fail(Code::forbidden, "this needs the role " + std::string(to_string(endpoint.role)) + ", " + who->name +
                                       " has " + std::string(to_string(who->role)));
    } else {
      if (endpoint.effect == Effect::lasting) co_await shielded();
      done = co_await (this->*endpoint.serve)(*who, request, *rest, response);
    }
    if (!done) answer_problem(response, done.error(), Reader::own);
    co_return;
  }
  if (!allowed.empty()) {
    answer_wrong_method(response, allowed);
  } else {
    answer_problem(response, Error(Code::not_found, "no such path on the admin listener"), Reader::own);
  }
}

Task<Result<void>> AdminApi::livez(const Operator&, const net::Request&, std::string_view, net::Response& response) {
  const bool alive = parts_.gateway.alive();
  answer_text(response, alive ? 200 : 503, alive ? "ok\n" : "not alive\n");
  co_return Result<void>{};
}

Task<Result<void>> AdminApi::readyz(const Operator&, const net::Request&, std::string_view, net::Response& response) {
  const bool ready = parts_.gateway.ready();
  answer_text(response, ready ? 200 : 503, ready ? "ok\n" : "not ready\n");
  co_return Result<void>{};
}

Task<Result<void>> AdminApi::metrics(const Operator&, const net::Request&, std::string_view, net::Response& response) {
  response.headers.add("Content-Type", "text/plain; version=0.0.4; charset=utf-8");
  response.body = parts_.metrics.text();
  co_return Result<void>{};
}

Task<Result<void>> AdminApi::status(const Operator&, const net::Request&, std::string_view, net::Response& response) {
  auto body = parts_.gateway.status();
  auto* store = &parts_.store;
  auto alive = co_await parts_.pool.run([store] { return store->ping(); });
  body["store"] = {{"kind", store->kind()}, {"ok", alive.has_value()}, {"detail", alive ? "" : alive.error().detail}};
  if (!alive)
    body["attention"].push_back("the database cannot be reached; calls go on, their records wait in the journal");
  answer_json(response, 200, body);
  co_return Result<void>{};
}

Task<Result<void>> AdminApi::list_nodes(const Operator&, const net::Request&, std::string_view,
                                        net::Response& response) {
  nlohmann::json list = nlohmann::json::array();
  for (const Node& node : parts_.registry.table().load()->all()) list.push_back(node_view(node));
  answer_json(response, 200, {{"nodes", std::move(list)}});
  co_return Result<void>{};
}

Task<Result<void>> AdminApi::show_node(const Operator&, const net::Request&, std::string_view rest,
                                       net::Response& response) {
  const auto table = parts_.registry.table().load();
  const Node* node = table->find_named(rest);
  if (node == nullptr)
    co_return fail(Code::node_not_found, "no node " + std::string(rest) + "; `fedgate nodes list` shows all");
  auto view = node_view(*node);
  view["expiry"] = parts_.gateway.expiry(*node);
  answer_json(response, 200, view);
  co_return Result<void>{};
}

Task<Result<void>> AdminApi::check_node(const Operator&, const net::Request&, std::string_view rest,
                                        net::Response& response) {
  auto report = co_await parts_.node_check.run(std::string(rest));
  if (!report) co_return fail(report.error());
  answer_json(response, 200, check_view(*report));
  co_return Result<void>{};
}

Task<Result<Node>> AdminApi::widen(audit::Act act, std::function<Result<Node>()> work) {
  auto intent = co_await parts_.acts.begin(act);
  if (!intent) co_return fail(intent.error());
  auto node = co_await parts_.pool.run(std::move(work));
  Result<void> done;
  if (!node) done = fail(node.error());
  auto ended = co_await parts_.acts.end(std::move(*intent), std::move(done));
  if (!node) co_return node;
  if (!ended) co_return fail(ended.error().in(act.action + " is done, but how it ended could not be recorded"));
  parts_.log.info("node widened", {{"node", node->id.view()}, {"action", act.action}, {"by", act.who}});
  co_return node;
}

Task<Result<nlohmann::json>> AdminApi::narrow(std::string name, nodes::Narrowing by, audit::Act act) {
  const SteadyTime begun = parts_.worker.wheel().now();
  auto* registry = &parts_.registry;
  auto node = co_await parts_.cut_offs.run([registry, name, by] { return registry->narrow(name, by); });
  if (!node) co_return fail(node.error());
  parts_.log.info("node narrowed", {{"node", node->id.view()}, {"action", act.action}, {"by", act.who}});
  act.subject = node->id.str();
  const auto cut = co_await parts_.gateway.cut_off(node->id, begun);
  act.duration = cut.took;
  act.reason += (act.reason.empty() ? "" : "; ") + std::to_string(cut.connections) +
                (cut.complete ? " connections closed" : " connections closing");
  const bool recorded = co_await parts_.acts.note(std::move(act));
  const bool stored = co_await parts_.gateway.stored(node->id);
  nlohmann::json body = by.removed ? nlohmann::json{{"removed", true}} : node_view(*node);
  body["stored"] = stored;
  body["recorded"] = recorded;
  body["cut_off"] = {{"connections", cut.connections},
                     {"seconds", std::chrono::duration<double>(cut.took).count()},
                     {"complete", cut.complete}};
  std::string note;
  if (!cut.complete)
    note = "its connections can carry nothing any more, but not all of them are closed: a call on them still ends. ";
  if (!stored)
    note +=
        "it is in force, but not stored yet: the database cannot be written. It is tried again every second; if the "
        "gateway ends before, what the database says counts again at the next start, but for a revocation. ";
  if (!recorded)
    note +=
        "it is in force, but not in the trail yet: the journal cannot be written. It is recorded as soon as it can "
        "be, unless the gateway ends before. ";
  if (!note.empty()) body["note"] = note.substr(0, note.size() - 1);
  co_return body;
}

Task<Result<void>> AdminApi::add_node(const Operator& who, const net::Request& request, std::string_view,
                                      net::Response& response) {
  if (auto ok = demand_json(request); !ok) co_return fail(ok.error());
  auto body = json::parse(request.body);
  if (!body) co_return fail(body.error());
  auto node = node_from(*body);
  if (!node) co_return fail(node.error());
  const bool trusted = node->trust_level == TrustLevel::trusted;
  audit::Act act{.type = trusted ? EventType::federation_node_trusted : EventType::configuration_changed,
                 .who = who.name,
                 .action = "node_add",
                 .subject = node->id.str()};
  auto* registry = &parts_.registry;
  auto added = co_await widen(std::move(act), [registry, node = std::move(*node)] { return registry->add(node); });
  if (!added) co_return fail(added.error());
  answer_json(response, 201, node_view(*added));
  co_return Result<void>{};
}

Task<Result<void>> AdminApi::change_node(const Operator& who, const net::Request& request, std::string_view rest,
                                         net::Response& response) {
  if (auto ok = demand_json(request); !ok) co_return fail(ok.error());
  auto body = json::parse(request.body);
  if (!body) co_return fail(body.error());
  const std::string name(rest);
  audit::Act act{.who = who.name, .action = "node_change", .subject = name};
  nodes::NodeChange change;
  bool disable = false;
  for (const auto& [key, value] : body->items()) {
    if (key == "enabled" && value.is_boolean()) {
      change.enable = value.get<bool>();
      disable = !change.enable;
      act.action = disable ? "node_disable" : "node_enable";
    } else if (key == "rate_limit_per_hour" && value.is_number_unsigned() && value != 0) {
      change.rate_limit_per_hour = value.get<std::uint64_t>();
    } else {
      co_return fail(Code::bad_request,
                     "only \"enabled\" (a boolean) and \"rate_limit_per_hour\" (a number from 1) can be changed");
    }
  }
  if (disable) {
    // One waits for nothing, the other for the database and the trail.
    if (change.rate_limit_per_hour)
      co_return fail(Code::bad_request, "\"enabled\": false goes alone: send the other change after it");
    auto narrowed = co_await narrow(name, {.disabled = NodeSource::operator_command}, std::move(act));
    if (!narrowed) co_return fail(narrowed.error());
    answer_json(response, 200, *narrowed);
    co_return Result<void>{};
  }
  const auto table = parts_.registry.table().load();
  if (const Node* known = table->find_named(name)) act.subject = known->id.str();
  auto* registry = &parts_.registry;
  auto changed = co_await widen(std::move(act), [registry, name, change] { return registry->change(name, change); });
  if (!changed) co_return fail(changed.error());
  answer_json(response, 200, node_view(*changed));
  co_return Result<void>{};
}

Task<Result<void>> AdminApi::remove_node(const Operator& who, const net::Request&, std::string_view rest,
                                         net::Response& response) {
  audit::Act act{.who = who.name, .action = "node_remove", .subject = std::string(rest)};
  auto narrowed = co_await narrow(std::string(rest), {.removed = true}, std::move(act));
  if (!narrowed) co_return fail(narrowed.error());
  answer_json(response, 200, *narrowed);
  co_return Result<void>{};
}

Task<Result<void>> AdminApi::routes(const Operator&, const net::Request& request, std::string_view,
                                    net::Response& response) {
  const auto table = parts_.routes.load();
  const auto wanted = net::query_value(request.query(), "resource");
  nlohmann::json rows = nlohmann::json::array();
  for (const routing::RouteRow& row : table->rows()) {
    if (wanted && row.resource.view() != *wanted) continue;
    rows.push_back({{"resource", row.resource.str()},
                    {"node", row.node.str()},
                    {"endpoint", row.endpoint},
                    {"usable", row.usable},
                    {"why_not", row.why_not}});
  }
  nlohmann::json body{{"routes", std::move(rows)}, {"choice", nullptr}, {"problem", ""}};
  if (wanted) {
    auto resource = ResourceId::parse(*wanted);
    if (!resource) co_return fail(resource.error());
    Invocation invocation;
    invocation.resource = std::move(*resource);
    auto choice = table->choose(invocation);
    if (choice) {
      body["choice"] = {{"node", choice->node.str()}, {"endpoint", choice->endpoint}, {"why", choice->why}};
    } else {
      body["problem"] = choice.error().detail;
    }
  }
  answer_json(response, 200, body);
  co_return Result<void>{};
}

Task<Result<void>> AdminApi::reload(const Operator& who, const net::Request&, std::string_view,
                                    net::Response& response) {
  auto* face = &parts_.gateway;
  auto reloaded = co_await parts_.pool.run(
      [face, actor = who.name]() -> Result<GatewayFace::Reloaded> { return face->reload(actor); });
  if (!reloaded) co_return fail(reloaded.error());
  if (!reloaded->in_use) {
    const Error error(Code::invalid_configuration,
                      "the new configuration is not used, the old one stays; see findings");
    nlohmann::json body{{"type", "about:blank"},          {"title", error.info().title},   {"status", 422},
                        {"code", error.info().wire_name}, {"detail", error.detail},        {"success", false},
                        {"error", error.detail},          {"findings", reloaded->findings}};
    answer_json(response, 422, body);
    co_return Result<void>{};
  }
  answer_json(response, 200,
              {{"reloaded", true}, {"findings", reloaded->findings}, {"pending_restart", reloaded->pending_restart}});
  co_return Result<void>{};
}

}  // namespace fedgate::api
