// SPDX-License-Identifier: Apache-2.0
#include "app/registry_keeper.h"

#include <algorithm>

namespace fedgate::app {
namespace {

/// Whether the database was empty and is not any more.
bool made_tables(store::Store& store) {
  const auto known = store.migrations();
  if (!known || std::ranges::any_of(*known, &store::MigrationStatus::applied)) return false;
  return store.migrate_up().has_value();
}

}  // namespace

RegistryKeeper::RegistryKeeper(Executor executor, nodes::Registry& registry, store::Store& store, audit::Acts& acts,
                               WorkerPool& pool, EmptyDatabase empty_database, const log::Logger& log)
    : registry_(registry),
      store_(store),
      acts_(acts),
      pool_(pool),
      empty_database_(empty_database),
      log_(log),
      due_(std::move(executor)) {}

void RegistryKeeper::hurry() {
  asked_ = true;
  due_.cancel();
}

Task<> RegistryKeeper::run() {
  for (;;) {
    due_.expires_after(asked_ ? std::chrono::seconds(0) : pause);
    auto [ec] = co_await due_.async_wait(use_tuple);  // cancelled by stored(), or for good: then the next one throws
    (void)ec;
    asked_ = false;
    co_await attempt();
    if (acts_.owed() > 0) co_await acts_.pay();
    attempted_.ring();
  }
}

Task<> RegistryKeeper::attempt() {
  auto* registry = &registry_;
  auto* store = &store_;
  const bool may_migrate = empty_database_ == EmptyDatabase::migrate;
  auto looked = co_await pool_.run([registry, store, may_migrate, seen = version_]() -> Result<std::string> {
    // Read before the rows: a change in between is found the next time.
    auto version = store->nodes_version();
    if (version && *version == seen && registry->waiting().empty()) return version;
    auto refreshed = registry->refresh();
    if (!refreshed && may_migrate && made_tables(*store)) refreshed = registry->refresh();
    if (!refreshed) return fail(refreshed.error());
    return version;
  });
  auto problem = looked ? std::string() : looked.error().detail;
  if (looked) version_ = std::move(*looked);
  if (problem == problem_) co_return;
  if (problem.empty())
    log_.info("the registry and its database agree again");
  else if (registry_.waiting().empty())
    log_.warning("what other replicas change cannot be seen; it is tried again", {{"detail", problem}});
  else
    log_.warning("nodes are narrower than the database says, which cannot be written; it is tried again",
                 {{"nodes", registry_.waiting().size()}, {"detail", problem}});
  problem_ = std::move(problem);
}

bool RegistryKeeper::waits(const NodeId& node) const {
  const auto waiting = registry_.waiting();
  return std::ranges::find(waiting, node) != waiting.end();
}

Task<bool> RegistryKeeper::stored(NodeId node) {
  if (!waits(node)) co_return true;
  hurry();
  co_return co_await attempted_.wait(std::chrono::steady_clock::now() + patience, [&] { return !waits(node); });
}

}  // namespace fedgate::app
