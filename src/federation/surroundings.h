// SPDX-License-Identifier: Apache-2.0
//
// What every call needs of the gateway around it: the modules below, as the composition root made them. Shared
// by the lanes of all workers; each member says itself how it may be used from several threads.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "adapters/resource.h"
#include "audit/journal.h"
#include "audit/principal_salts.h"
#include "base/entropy.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/snapshot.h"
#include "federation/refusal_floods.h"
#include "federation/seen_calls.h"
#include "fedgate/clock.h"
#include "fedgate/id.h"
#include "limits/node_limiter.h"
#include "nodes/registry.h"
#include "policy/rules.h"
#include "routing/static_routes.h"

namespace fedgate::federation {

/// What configuration says of calls; replaced whole on reload.
struct CallOptions {
  std::vector<Domain> principal_domains;      ///< ours
  std::chrono::milliseconds timeout{30'000};  ///< of a call that names none, and the longest there is
  unsigned json_depth = 32;
  std::size_t body = 1024 * 1024;  ///< largest result
};

struct Surroundings {
  NodeId own_id;
  const Clock& clock;
  const Entropy& entropy;
  const log::Logger& log;
  Metrics& metrics;
  const Snapshot<CallOptions>& options;
  const Snapshot<nodes::NodeTable>& nodes;
  const Snapshot<routing::StaticRoutes>& routes;
  const Snapshot<policy::Rules>& rules;
  const Snapshot<adapters::ResourceTable>& resources;
  limits::NodeLimiter& inbound_limits;
  limits::NodeLimiter& outbound_limits;
  SeenCalls& seen;
  RefusalFloods& floods;
  audit::Journal& journal;
  audit::PrincipalSalts& salts;
  const Snapshot<std::string>& own_head;  ///< the header Fedgate-Checkpoint, made once a checkpoint; empty: none yet
};

}  // namespace fedgate::federation
