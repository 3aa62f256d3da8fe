// SPDX-License-Identifier: Apache-2.0
//
// What changes while the gateway runs: nodes that come and go, anchors, pins and revocation lists that are replaced,
// peers that are cut off.
#include <algorithm>
#include <boost/asio/post.hpp>

#include "app/gateway.h"
#include "trust/leaf_rules.h"

namespace fedgate::app {
namespace {

/// Whether a certificate may be judged otherwise: names are reserved and anchors owned across nodes, so one is enough.
bool judged_otherwise(const nodes::NodeDifference& one) {
  if (one.before == nullptr || one.after == nullptr) return true;
  const Node& before = *one.before;
  const Node& after = *one.after;
  return before.usable() != after.usable() || before.trust_anchors != after.trust_anchors ||
         before.intermediates != after.intermediates || before.pins != after.pins ||
         before.spiffe_id != after.spiffe_id;
}

}  // namespace

// Who was let in and who was cut off, whichever way the reload was asked for.
void Gateway::record_nodes(const std::string& actor, const nodes::NodeTable& before, const nodes::NodeTable& after) {
  for (const auto& one : nodes::differences(before, after)) {
    if (one.trusted_anew)
      acts_->note_blocking({.type = EventType::federation_node_trusted,
                            .who = actor,
                            .action = "node_configured",
                            .subject = one.after->id.str()});
    if (one.cut_off && (one.after == nullptr || !one.after->usable()))
      acts_->note_blocking({.who = actor, .action = "node_disable", .subject = one.before->id.str()});
  }
}

Result<std::shared_ptr<const trust::RevocationLists>> Gateway::read_crls(const config::Settings& settings) const {
  std::vector<Error> problems;
  auto crls = trust::RevocationLists::make(settings.crls, &problems);
  if (!problems.empty()) return fail(problems.front().in("revocation list"));
  return crls;
}

void Gateway::use_crls(std::shared_ptr<const trust::RevocationLists> crls) {
  crls_.publish(std::move(crls));
  publish_verifier();
  judge_connections();
}

void Gateway::publish_verifier() {
  const std::lock_guard lock(verifier_mutex_);
  std::vector<Error> problems;
  verifier_.publish(trust::PeerVerifier::make(registry_->table().load()->all(), &problems, crls_.load()));
  for (const Error& problem : problems) log_.error("trust anchor not usable", {{"detail", problem.detail}});
}

// Whoever has a connection is judged again by what counts now, some at a time: who still passes notices nothing.
void Gateway::judge_connections() {
  for (auto& lane : lanes_) {
    asio::post(lane->worker.executor(), [lane = lane.get()] {
      lane->peers_server.judge_again();
      lane->peers.judge_again();
    });
  }
}

void Gateway::nodes_changed(const nodes::NodeTable& before, const nodes::NodeTable& after, nodes::ChangedBy by) {
  const auto differences = nodes::differences(before, after);
  const bool otherwise = std::ranges::any_of(differences, judged_otherwise);
  if (otherwise) publish_verifier();
  if (verifications_) verifications_->nodes_changed(before, after);
  routes_.publish(std::make_shared<routing::StaticRoutes>(after.all()));
  for (const auto& one : differences)
    if (one.cut_off && (one.after == nullptr || !one.after->usable())) cut_off(*one.before, by);
  // After the cut-offs: a connection that they end must be counted there.
  if (otherwise) judge_connections();
}

// A peer that is cut off loses its sessions first, then its connections on every worker, in both directions.
void Gateway::cut_off(const Node& was, nodes::ChangedBy by) {
  const NodeId node = was.id;
  const auto forget_sessions = [this, node] {
    const auto tls = tls_.load();
    if (tls->peers_server) tls->peers_server->forget_sessions(node);
    if (tls->peers_client) tls->peers_client->forget_sessions(node);
  };
  forget_sessions();
  const SteadyTime begun = environment_.clock.steady();
  const auto cut = cut_off_progress_.begin(node);
  // A command of ours records what it has done; this is what another replica has.
  if (by == nodes::ChangedBy::others && background_)
    asio::post(workers_.front()->executor(),
               [this, node, begun] { (void)background_->spawn(record_cut_off(node, begun)); });
  const auto names = std::make_shared<const Node>(was);
  for (auto& lane : lanes_) {
    asio::post(lane->worker.executor(), [lane = lane.get(), names, forget_sessions, cut] {
      const auto served = lane->peers_server.cut(
          [&](const net::Connection& connection) {
            return connection.peer ? connection.peer->node == names->id
                                   : connection.stranger && trust::claims_node(connection.stranger->leaf, *names);
          },
          cut);
      cut->closing(served + lane->peers.purge(names->id, cut));
      forget_sessions();  // of a handshake that ended meanwhile
    });
  }
}

Result<void> Gateway::listen_to_replicas() {
  auto started = store::ChangeListener::start(
      settings_->store, [this] { asio::post(workers_.front()->executor(), [this] { keeper_->hurry(); }); }, log_);
  if (!started) return fail(started.error());
  listener_ = std::move(*started);
  return {};
}

Task<> Gateway::record_cut_off(NodeId node, SteadyTime since) {
  const auto cut = co_await cut_off_progress_.ended(node, since);
  const auto table = registry_->table().load();
  const Node* now = table->find(node);
  const bool revoked = now != nullptr && now->trust_level == TrustLevel::revoked;
  co_await acts_->note({.type = revoked ? EventType::federation_node_revoked : EventType::configuration_changed,
                        .who = "another replica",
                        .action = revoked          ? "trust_revoke"
                                  : now == nullptr ? "node_remove"
                                                   : "node_disable",
                        .subject = node.str(),
                        .reason = std::to_string(cut.connections) + " connections closed",
                        .duration = cut.took});
}

}  // namespace fedgate::app
