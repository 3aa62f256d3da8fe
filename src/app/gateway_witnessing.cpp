// SPDX-License-Identifier: Apache-2.0
//
// What this gateway and those it trusts do about each other's logs.
#include <nlohmann/json.hpp>

#include "app/gateway.h"
#include "wire/witness_text.h"

namespace fedgate::app {

Result<void> Gateway::open_witnessing() {
  auto opened = store::open(settings_->store);
  if (!opened) return fail(opened.error());
  witnessing_store_ = std::move(*opened);
  alarms_ = std::make_unique<federation::AuditAlarms>(*witnessing_store_, *journal_, settings_->node.id,
                                                      environment_.clock, log_, metrics_);
  audit_exchange_ =
      std::make_unique<federation::AuditExchange>(federation::AuditSurroundings{.own_id = settings_->node.id,
                                                                                .journal = *journal_,
                                                                                .publisher = *publisher_,
                                                                                .store = *witnessing_store_,
                                                                                .pool = witnessing_pool_,
                                                                                .nodes = registry_->table(),
                                                                                .keys = log_keys_,
                                                                                .witness = *witness_signer_,
                                                                                .alarms = *alarms_,
                                                                                .clock = environment_.clock,
                                                                                .log = log_,
                                                                                .metrics = metrics_},
                                                  environment_.entropy, environment_.audit);
  receipt_api_ = std::make_unique<api::ReceiptApi>(api::ReceiptApi::Parts{.store = *reading_store_,
                                                                          .journal = *journal_,
                                                                          .shipper = *shipper_,
                                                                          .acts = *acts_,
                                                                          .pool = pool_,
                                                                          .exchange = *audit_exchange_});
  const auto mention = [this](const std::shared_ptr<const Checkpoint>& newest) {
    own_head_.publish(std::make_shared<const std::string>(wire::head_header(newest->origin, newest->head)));
  };
  publisher_->on_publish(mention);
  if (const auto latest = publisher_->latest()) mention(latest);
  return {};
}

/// Into `status`.
void Gateway::describe_witnessing(nlohmann::json& body) const {
  auto& audit = body["audit"];
  audit["cosigned"] = audit_exchange_->witnessing.cosigned();
  audit["alarms"] = alarms_->open();
  std::uint64_t waiting = 0, missing = 0;
  for (const auto& [node, counts] : audit_exchange_->entanglement.open()) {
    waiting += counts.waiting;
    missing += counts.missing;
  }
  audit["receipts_waiting"] = waiting;
  audit["receipts_missing"] = missing;
  audit["health"] = alarms_->open() > 0 || missing > 0 ? "degraded" : "good";
  auto& witnesses = audit["witnesses"] = nlohmann::json::array();
  for (const auto& node : registry_->table().load()->all()) {
    if (!log_keys_.witness_key(node.id)) continue;
    const auto state = audit_exchange_->witnessing.state(node.id);
    witnesses.push_back({{"node_id", node.id.str()}, {"cosigned", state.cosigned}, {"problem", state.problem}});
  }
  for (auto& line : audit_exchange_->attention()) body["attention"].push_back(std::move(line));
}

}  // namespace fedgate::app
