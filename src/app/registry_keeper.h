// SPDX-License-Identifier: Apache-2.0
//
// What operators have taken away is in force at once, and may be ahead of the database and of the trail. This brings
// both up to date, again and again until it is done; and it looks every second for what other replicas have changed.
// Behind its own pool, since it must wait for nobody else's storage work. On worker 0, owned by the composition root.
#pragma once

#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <string>

#include "audit/acts.h"
#include "base/bell.h"
#include "base/log.h"
#include "base/task.h"
#include "base/worker_pool.h"
#include "fedgate/id.h"
#include "nodes/registry.h"

namespace fedgate::app {

/// What is done with a database that has no tables at all, as after a failover to the wrong one: `store.migrate`.
enum class EmptyDatabase : std::uint8_t { migrate, leave };

class RegistryKeeper {
 public:
  static constexpr std::chrono::seconds pause{1};     ///< between attempts
  static constexpr std::chrono::seconds patience{3};  ///< of a command that waits for one

  RegistryKeeper(Executor executor, nodes::Registry& registry, store::Store& store, audit::Acts& acts, WorkerPool& pool,
                 EmptyDatabase empty_database, const log::Logger& log);

  /// Until it is cancelled.
  Task<> run();
  /// Somebody has changed a node: looks at once.
  void hurry();
  /// Tries at once; whether what was taken from this node is stored, as far as that is known within `patience`.
  Task<bool> stored(NodeId node);

 private:
  Task<> attempt();
  [[nodiscard]] bool waits(const NodeId& node) const;

  nodes::Registry& registry_;
  store::Store& store_;
  audit::Acts& acts_;
  WorkerPool& pool_;
  const EmptyDatabase empty_database_;
  const log::Logger& log_;
  asio::steady_timer due_;
  bool asked_ = false;
  Bell attempted_;       // for the commands that wait
  std::string version_;  // of the nodes in the database, when they were last read
  std::string problem_;  // that was logged last
};

}  // namespace fedgate::app
