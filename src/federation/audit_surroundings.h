// SPDX-License-Identifier: Apache-2.0
//
// What witnessing, entangling and receipts need of the gateway around them, as the composition root made it. Each
// member says itself how it may be used from several threads.
#pragma once

#include "audit/journal.h"
#include "audit/publisher.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/snapshot.h"
#include "base/worker_pool.h"
#include "federation/audit_alarms.h"
#include "federation/peer_log_keys.h"
#include "fedgate/clock.h"
#include "fedgate/id.h"
#include "nodes/registry.h"
#include "store/audit_log_records.h"
#include "wire/signed_note.h"

namespace fedgate::federation {

struct AuditSurroundings {
  NodeId own_id;
  audit::Journal& journal;
  audit::Publisher& publisher;
  store::Store& store;  ///< a connection of their own: what peers ask for must not stand in the way of revocations
  WorkerPool& pool;     ///< and threads of their own
  const Snapshot<nodes::NodeTable>& nodes;
  const PeerLogKeys& keys;
  const wire::NoteSigner& witness;  ///< signs for `NODE/fedgate/witness`
  AuditAlarms& alarms;
  const Clock& clock;
  const log::Logger& log;
  Metrics& metrics;
};

}  // namespace fedgate::federation
