// SPDX-License-Identifier: Apache-2.0
//
// What the beginning, the rotation and the ending of trust need of the gateway around them: the modules below, as the
// composition root made them. Each member says itself how it may be used from several threads.
#pragma once

#include "audit/acts.h"
#include "audit/journal.h"
#include "base/entropy.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/snapshot.h"
#include "base/worker_pool.h"
#include "federation/own_trust.h"
#include "fedgate/clock.h"
#include "nodes/registry.h"
#include "store/store.h"

namespace fedgate::federation {

struct TrustSurroundings {
  store::Store& store;
  nodes::Registry& registry;
  audit::Acts& acts;
  audit::Journal& journal;
  const Snapshot<OwnTrust>& own;
  WorkerPool& pool;
  const Clock& clock;
  const Entropy& entropy;
  const log::Logger& log;
  Metrics& metrics;
};

}  // namespace fedgate::federation
