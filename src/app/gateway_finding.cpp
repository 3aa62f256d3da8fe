// SPDX-License-Identifier: Apache-2.0
//
// Finding records again, ours and those of others: what answers peers' questions, tells one call's story, compares
// trails and serves it all to operators.
#include "app/gateway.h"
#include "store/audit_log_records.h"

namespace fedgate::app {

Result<void> Gateway::open_finding() {
  auto opened = store::open(settings_->store);
  if (!opened) return fail(opened.error());
  finding_store_ = std::move(*opened);
  trail_ = std::make_unique<federation::Trail>(federation::Trail::Parts{.own_id = settings_->node.id,
                                                                        .store = *finding_store_,
                                                                        .journal = *journal_,
                                                                        .shipper = *shipper_,
                                                                        .pool = pool_,
                                                                        .clock = environment_.clock,
                                                                        .salts = *salts_});
  return {};
}

federation::ReconciliationPace Gateway::reconciliation_pace() const {
  auto pace = environment_.reconciliation;
  const std::lock_guard lock(in_use_mutex_);
  if (!pace) pace = federation::ReconciliationPace{.interval = in_use_->audit.reconciliation_interval};
  return *pace;
}

/// Blocking.
Result<api::AuditApi::SignedLog> Gateway::signed_log() const {
  api::AuditApi::SignedLog log;
  log.name = journal_->log_name();
  for (const auto& key : publisher_->keys()) log.vkeys.push_back(key.text());
  store::AuditLogRecords records(*finding_store_);
  if (const auto latest = publisher_->latest()) {
    log.newest = *latest;
    const auto kept = records.checkpoint(log.name, latest->head.size);
    if (!kept) return fail(kept.error());
    // With the cosignatures that have come since.
    if (*kept && (*kept)->checkpoint.head == latest->head) log.newest = (*kept)->checkpoint;
  }
  const auto witnessed = records.newest_cosigned(log.name);
  if (!witnessed) return fail(witnessed.error());
  if (*witnessed) log.witnessed = (*witnessed)->checkpoint;
  return log;
}

void Gateway::build_finding() {
  Worker& first = *workers_.front();
  timelines_ = std::make_unique<federation::Timelines>(
      federation::Timelines::Parts{.own_id = settings_->node.id,
                                   .store = *reading_store_,
                                   .journal = *journal_,
                                   .shipper = *shipper_,
                                   .nodes = registry_->table(),
                                   .pool = pool_,
                                   .wheel = first.wheel(),
                                   .peers = lanes_.front()->peers,
                                   .clock = environment_.clock,
                                   .settling = [this] { return reconciliation_pace().settling; }});
  reconciliation_ = std::make_unique<federation::Reconciliation>(
      federation::Reconciliation::Parts{.own_id = settings_->node.id,
                                        .trail = *trail_,
                                        .store = *finding_store_,
                                        .journal = *journal_,
                                        .nodes = registry_->table(),
                                        .pool = pool_,
                                        .wheel = first.wheel(),
                                        .peers = lanes_.front()->peers,
                                        .clock = environment_.clock,
                                        .log = log_,
                                        .metrics = metrics_,
                                        .pace = [this] { return reconciliation_pace(); }});
  audit_api_ = std::make_unique<api::AuditApi>(api::AuditApi::Parts{.own_id = settings_->node.id,
                                                                    .nodes = registry_->table(),
                                                                    .store = *reading_store_,
                                                                    .journal = *journal_,
                                                                    .salts = *salts_,
                                                                    .shipper = *shipper_,
                                                                    .pool = pool_,
                                                                    .wheel = first.wheel(),
                                                                    .peers = lanes_.front()->peers,
                                                                    .timelines = *timelines_,
                                                                    .reconciliation = *reconciliation_,
                                                                    .signed_log = [this] { return signed_log(); }});
}

}  // namespace fedgate::app
