// SPDX-License-Identifier: Apache-2.0
#include "api/admin_api.h"

#include <nlohmann/json.hpp>

#include "api/admin_views.h"
#include "base/json.h"

namespace fedgate::api {

namespace {
constexpr auto newest_records_wait = std::chrono::milliseconds(2000);
}  // namespace

/// Who may do what: one table. `path` ending in '/' matches one more segment.
struct AdminApi::Endpoint {
  std::string_view method;
  std::string_view path;
  Role role;
  Task<Result<void>> (AdminApi::*serve)(const Operator&, const net::Request&, std::string_view, net::Response&);
};

const std::vector<AdminApi::Endpoint>& AdminApi::endpoints() {
  static const std::vector<Endpoint> table{
      {"GET", "/livez", Role::viewer, &AdminApi::livez},
      {"GET", "/readyz", Role::viewer, &AdminApi::readyz},
      {"GET", "/metrics", Role::viewer, &AdminApi::metrics},
      {"GET", "/api/v2/status", Role::viewer, &AdminApi::status},
      {"GET", "/api/v2/federation/nodes", Role::viewer, &AdminApi::list_nodes},
      {"GET", "/api/v2/federation/nodes/", Role::viewer, &AdminApi::show_node},
      {"POST", "/api/v2/federation/nodes", Role::trust_admin, &AdminApi::add_node},
      {"PATCH", "/api/v2/federation/nodes/", Role::operator_role, &AdminApi::change_node},
      {"DELETE", "/api/v2/federation/nodes/", Role::trust_admin, &AdminApi::remove_node},
      {"GET", "/api/v2/federation/routes", Role::viewer, &AdminApi::routes},
      {"GET", "/api/v2/audit/events", Role::auditor, &AdminApi::audit_events},
      {"POST", "/api/v2/reload", Role::operator_role, &AdminApi::reload},
  };
  return table;
}

AdminApi::AdminApi(Parts parts) : parts_(std::move(parts)) {}

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
  std::string allowed;
  for (const Endpoint& endpoint : endpoints()) {
    std::string_view rest;
    if (endpoint.path.back() == '/') {
      if (!path.starts_with(endpoint.path)) continue;
      rest = path.substr(endpoint.path.size());
      if (rest.empty() || rest.find('/') != std::string_view::npos) continue;
    } else if (path != endpoint.path) {
      continue;
    }
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
      // What changes something is recorded, even if the operator hangs up meanwhile.
      if (request.method != "GET") co_await shielded();
      done = co_await (this->*endpoint.serve)(*who, request, rest, response);
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
  answer_json(response, 200, node_view(*node));
  co_return Result<void>{};
}

Task<Result<void>> AdminApi::record(const Operator& who, EventType type, std::string action, std::string subject,
                                    std::string reason) {
  AuditEvent event;
  event.type = type;
  event.phase = Phase::event;
  event.time = parts_.clock.wall();
  event.origin = parts_.own_id.str();
  event.target = std::move(subject);
  event.principal = who.name;
  event.action = std::move(action);
  event.reason = std::move(reason);
  auto durable = co_await parts_.journal.append(event);
  if (!durable) co_return fail(durable.error());
  co_return Result<void>{};
}

Task<Result<void>> AdminApi::add_node(const Operator& who, const net::Request& request, std::string_view,
                                      net::Response& response) {
  if (auto ok = demand_json(request); !ok) co_return fail(ok.error());
  auto body = json::parse(request.body);
  if (!body) co_return fail(body.error());
  auto node = node_from(*body);
  if (!node) co_return fail(node.error());
  auto* registry = &parts_.registry;
  auto added = co_await parts_.pool.run([registry, node = *node] { return registry->add(node); });
  if (!added) co_return fail(added.error());
  const bool trusted = added->trust_level == TrustLevel::trusted;
  auto recorded = co_await record(who, trusted ? EventType::federation_node_trusted : EventType::configuration_changed,
                                  "node_add", added->id.str(), "");
  if (!recorded) co_return fail(recorded.error());
  parts_.log.info("node added", {{"node", added->id.view()}, {"by", who.name}});
  answer_json(response, 201, node_view(*added));
  co_return Result<void>{};
}

Task<Result<void>> AdminApi::change_node(const Operator& who, const net::Request& request, std::string_view rest,
                                         net::Response& response) {
  if (auto ok = demand_json(request); !ok) co_return fail(ok.error());
  auto body = json::parse(request.body);
  if (!body) co_return fail(body.error());
  nodes::NodeChange change;
  std::string action = "node_change";
  for (const auto& [key, value] : body->items()) {
    if (key == "enabled" && value.is_boolean()) {
      change.enabled = value.get<bool>();
      action = *change.enabled ? "node_enable" : "node_disable";
    } else if (key == "rate_limit_per_hour" && value.is_number_unsigned() && value != 0) {
      change.rate_limit_per_hour = value.get<std::uint64_t>();
    } else {
      co_return fail(Code::bad_request,
                     "only \"enabled\" (a boolean) and \"rate_limit_per_hour\" (a number from 1) can be changed");
    }
  }
  auto* registry = &parts_.registry;
  auto changed =
      co_await parts_.pool.run([registry, name = std::string(rest), change] { return registry->change(name, change); });
  if (!changed) co_return fail(changed.error());
  auto recorded = co_await record(who, EventType::configuration_changed, action, changed->id.str(), "");
  if (!recorded) co_return fail(recorded.error());
  parts_.log.info("node changed", {{"node", changed->id.view()}, {"action", action}, {"by", who.name}});
  answer_json(response, 200, node_view(*changed));
  co_return Result<void>{};
}

Task<Result<void>> AdminApi::remove_node(const Operator& who, const net::Request&, std::string_view rest,
                                         net::Response& response) {
  auto* registry = &parts_.registry;
  auto removed = co_await parts_.pool.run([registry, name = std::string(rest)] { return registry->remove(name); });
  if (!removed) co_return fail(removed.error());
  auto recorded = co_await record(who, EventType::configuration_changed, "node_remove", std::string(rest), "");
  if (!recorded) co_return fail(recorded.error());
  parts_.log.info("node removed", {{"node", rest}, {"by", who.name}});
  answer_json(response, 200, {{"removed", true}});
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

Task<Result<void>> AdminApi::audit_events(const Operator&, const net::Request& request, std::string_view,
                                          net::Response& response) {
  auto query = audit_query_from(request.query());
  if (!query) co_return fail(query.error());
  query->limit += 1;  // one more tells whether there is a next page
  const auto newest = parts_.journal.state().durable;
  auto* shipper = &parts_.shipper;
  auto* store = &parts_.store;
  auto rows = co_await parts_.pool.run([shipper, store, newest, query = *query] {
    // The trail is read from the database; what was promised durable before the question shall be in the answer.
    shipper->wait_for(newest, newest_records_wait);
    return store->audit(query);
  });
  if (!rows) co_return fail(rows.error());
  query->limit -= 1;
  nlohmann::json next = nullptr;
  if (rows->size() > query->limit) {
    rows->resize(query->limit);
    next = cursor_of(rows->back());
  }
  nlohmann::json events = nlohmann::json::array();
  for (const store::AuditRow& row : *rows) events.push_back(audit_view(row));
  answer_json(
      response, 200,
      {{"events", std::move(events)}, {"next_cursor", std::move(next)}, {"complete", shipper->position() >= newest}});
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
