// SPDX-License-Identifier: Apache-2.0
//
// What changes while the gateway runs: configuration that is read again, nodes that come, go or are cut off.
#include <unistd.h>

#include <future>

#include "app/gateway.h"

namespace fedgate::app {

federation::CallOptions Gateway::call_options(const config::Settings& settings) {
  return {.principal_domains = settings.node.principal_domains,
          .timeout = settings.call_timeout,
          .json_depth = settings.json_depth,
          .body = settings.server_limits.body};
}

// Who changed what is in the trail, whichever way the reload was asked for. Blocks until it is durable.
void Gateway::record_reload(const std::string& actor, const nodes::NodeTable& before, const nodes::NodeTable& after) {
  const auto record = [&](EventType type, const char* action, const NodeId& subject) {
    AuditEvent event;
    event.type = type;
    event.phase = Phase::event;
    event.time = environment_.clock.wall();
    event.origin = settings_->node.id.str();
    event.target = subject.str();
    event.principal = actor;
    event.action = action;
    auto promise = std::make_shared<std::promise<Result<LeafReference>>>();
    auto done = promise->get_future();
    journal_->append(event, [promise](Result<LeafReference> durable) { promise->set_value(std::move(durable)); });
    if (const auto durable = done.get(); !durable) {
      log_.error("a reload is not in the trail", {{"action", action}, {"detail", durable.error().detail}});
    }
  };
  record(EventType::configuration_changed, "reload", settings_->node.id);
  for (const Node& now : after.all()) {
    const Node* old = before.find(now.id);
    const bool same = old != nullptr && old->trust_level == now.trust_level &&
                      old->trust_anchors == now.trust_anchors && old->pins == now.pins;
    if (now.trust_level == TrustLevel::trusted && !same)
      record(EventType::federation_node_trusted, "node_configured", now.id);
    if (old != nullptr && old->usable() && !now.usable())
      record(EventType::configuration_changed, "node_disable", now.id);
  }
}

api::GatewayFace::Reloaded Gateway::reload(const std::string& actor) {
  const std::lock_guard lock(reload_mutex_);
  config::Loaded loaded =
      environment_.reload_source ? environment_.reload_source() : config::load(settings_->file, environment_.clock);
  api::GatewayFace::Reloaded report;
  std::string first_error;
  for (const config::Finding& finding : loaded.findings) {
    report.findings.push_back(finding.text());
    if (first_error.empty() && finding.severity == config::Severity::error) first_error = finding.text();
  }
  const auto refuse = [&](std::string why) {
    if (!why.empty()) report.findings.push_back(why);
    const std::lock_guard in_use(in_use_mutex_);
    reload_problem_ = why.empty() ? first_error : std::move(why);
    metrics_.config_reload("refused").Increment();
    metrics_.config_reload_success().Set(0);
    log_.error("new configuration refused, the old one stays in use", {{"problem", reload_problem_}});
    return report;
  };
  if (!loaded.settings) return refuse({});
  auto tls = make_tls(*loaded.settings);
  if (!tls) return refuse(tls.error().detail);
  const auto nodes_before = registry_->table().load();
  if (auto ok = registry_->load(loaded.settings->nodes); !ok) return refuse(ok.error().detail);
  tls_.publish(std::make_shared<TlsContexts>(std::move(*tls)));
  publish(*loaded.settings);
  report.pending_restart = config::needs_restart(*settings_, *loaded.settings);
  report.in_use = true;
  {
    const std::lock_guard in_use(in_use_mutex_);
    in_use_ = loaded.settings;
    pending_restart_ = report.pending_restart;
    reload_problem_.clear();
    loaded_at_ = environment_.clock.wall();
  }
  metrics_.config_reload("accepted").Increment();
  metrics_.config_reload_success().Set(1);
  record_reload(actor, *nodes_before, *registry_->table().load());
  log_.info("configuration reloaded", {{"by", actor}, {"pending_restart", report.pending_restart.size()}});
  return report;
}

void Gateway::publish(const config::Settings& settings) {
  options_.publish(std::make_shared<federation::CallOptions>(call_options(settings)));
  rules_.publish(std::make_shared<policy::Rules>(settings.rules));
  resources_.publish(std::make_shared<adapters::ResourceTable>(settings.resources));
  tokens_.publish(std::make_shared<trust::ClientTokens>(settings.clients_list));
  operators_.publish(std::make_shared<trust::Operators>(geteuid(), settings.operators));
  inbound_limits_.set_options(settings.node_limits);
  outbound_limits_.set_options(settings.node_limits);
  log_.set_level(settings.log.level);
}

void Gateway::nodes_changed(const nodes::NodeTable& before, const nodes::NodeTable& after) {
  std::vector<Error> problems;
  verifier_.publish(trust::PeerVerifier::make(after.all(), &problems));
  for (const Error& problem : problems) log_.error("trust anchor not usable", {{"detail", problem.detail}});
  routes_.publish(std::make_shared<routing::StaticRoutes>(after.all()));
  for (const Node& old : before.all()) {
    if (!old.usable()) continue;
    const Node* now = after.find(old.id);
    // Another anchor or pin may no longer stand behind a connection that is open.
    const bool same =
        now != nullptr && now->usable() && now->trust_anchors == old.trust_anchors && now->pins == old.pins;
    if (!same) cut_off(old.id);
  }
}

// A peer that is cut off loses its sessions first, then its connections on every worker, in both directions.
void Gateway::cut_off(const NodeId& node) {
  const auto tls = tls_.load();
  if (tls->peers_server) tls->peers_server->forget_sessions(node);
  if (tls->peers_client) tls->peers_client->forget_sessions(node);
  for (auto& lane : lanes_) {
    asio::post(lane->worker.executor(), [this, lane = lane.get(), node] {
      const auto closed = lane->peers_server.close_if(
          [&](const net::Connection& connection) { return connection.peer && connection.peer->node == node; });
      lane->peers.purge(node);
      log_.info("peer cut off",
                {{"node", node.view()}, {"worker", lane->worker.index()}, {"connections_closed", closed}});
    });
  }
}

}  // namespace fedgate::app
