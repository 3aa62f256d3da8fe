// SPDX-License-Identifier: Apache-2.0
//
// One screen that an operator understands: GET /api/v2/status.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "api/admin_views.h"
#include "app/gateway.h"
#include "fedgate/version.h"
#include "trust/dev_pki.h"

namespace fedgate::app {

nlohmann::json Gateway::status() const {
  const audit::JournalState journal = journal_->state();
  const auto table = registry_->table().load();
  const auto shipped = shipper_->position();
  const std::lock_guard lock(in_use_mutex_);
  const auto now = environment_.clock.wall();
  nlohmann::json body;
  body["node_id"] = settings_->node.id.str();
  body["name"] = settings_->node.name;
  body["version"] = version();
  body["commit"] = commit();
  body["uptime_seconds"] =
      std::chrono::duration_cast<std::chrono::seconds>(environment_.clock.steady() - started_).count();
  body["state"] = state_ == State::ready ? "ready" : state_ == State::starting ? "starting" : "draining";
  body["threads"] = workers_.size();
  auto& attention = body["attention"] = nlohmann::json::array();
  auto& listeners = body["listeners"] = nlohmann::json::array();
  std::size_t clients = 0;
  std::size_t peers = 0;
  for (const auto& lane : lanes_) {
    clients += lane->clients_server.connections();
    peers += lane->peers_server.connections();
  }
  if (peers_listener_) listeners.push_back({{"name", "peers"}, {"address", peers_address()}, {"connections", peers}});
  if (clients_listener_)
    listeners.push_back({{"name", "clients"}, {"address", clients_address()}, {"connections", clients}});
  if (admin_listener_)
    listeners.push_back(
        {{"name", "admin"}, {"address", admin_address()}, {"connections", admin_server_->connections()}});
  body["audit"] = {{"log", journal_->log_name()},
                   {"next_index", journal.next_index},
                   {"durable", journal.durable},
                   {"shipped", shipped},
                   {"backlog", journal.durable - std::min(shipped, journal.durable)},
                   {"failing", journal.failing},
                   {"problem", journal.problem}};
  if (journal.failing)
    attention.push_back("the audit journal cannot be written, calls are refused: " + journal.problem);
  const auto usable =
      std::count_if(table->all().begin(), table->all().end(), [](const Node& node) { return node.usable(); });
  body["nodes"] = {
      {"total", table->all().size()}, {"usable", usable}, {"verified", verifications_->verified().load()->size()}};
  if (const auto waiting = registry_->waiting(); !waiting.empty())
    attention.push_back(std::to_string(waiting.size()) +
                        " nodes are narrower than the database says, which cannot be written; a restart would forget "
                        "it, but for revocations: " +
                        waiting.front().str() + (waiting.size() > 1 ? ", …" : ""));
  if (const auto owed = acts_->owed(); owed > 0)
    attention.push_back(std::to_string(owed) + " acts of operators are not in the trail yet");
  for (auto& waits : desk_->attention()) attention.push_back(std::move(waits));
  for (auto& waits : exchange_->attention()) attention.push_back(std::move(waits));
  for (auto& disagrees : reconciliation_->attention()) attention.push_back(std::move(disagrees));
  if (usable == 0) attention.push_back("no node is trusted and enabled: nobody can call, nobody can be called");
  if (auto facts = trust::certificate_facts(in_use_->tls.certificate_pem)) {
    const auto days = std::chrono::duration_cast<std::chrono::hours>(facts->not_after - now).count() / 24;
    body["certificate"] = {{"not_after", api::rfc3339(facts->not_after)}, {"days_left", days}};
  }
  for (auto& ends : expiry_watch_.attention()) attention.push_back(std::move(ends));
  body["config"] = {{"file", settings_->file},
                    {"loaded_at", api::rfc3339(loaded_at_)},
                    {"reload_ok", reload_problem_.empty()},
                    {"problem", reload_problem_},
                    {"pending_restart", pending_restart_}};
  if (!reload_problem_.empty()) attention.push_back("the newest configuration was refused: " + reload_problem_);
  if (!pending_restart_.empty()) attention.push_back("changed settings wait for a restart; see config.pending_restart");
  describe_witnessing(body);
  describe_database(body);
  describe_signing(body);
  return body;
}

}  // namespace fedgate::app
