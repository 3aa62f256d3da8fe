// SPDX-License-Identifier: Apache-2.0
#include "app/cut_off.h"

#include <boost/asio/post.hpp>
#include <map>
#include <mutex>
#include <optional>

#include "base/bell.h"

namespace fedgate::app {

struct CutOff::Record {
  std::weak_ptr<CutOffs::State> owner;
  NodeId node;
  SteadyTime begun{};
  // Guarded by the owner's mutex.
  std::size_t connections = 0;
  std::optional<SteadyTime> ended;
};

struct CutOffs::State {
  State(const Clock& c, Metrics& m, const log::Logger& l) : clock(c), metrics(m), log(l) {}

  void end(CutOff::Record& record);
  [[nodiscard]] api::GatewayFace::CutOff look(const NodeId& node, SteadyTime since) const;

  const Clock& clock;
  Metrics& metrics;
  const log::Logger& log;
  Bell ended;                // of a cut-off, for the commands that wait; worker 0 only
  mutable std::mutex mutex;  // guards what follows
  std::optional<Executor> executor;
  std::map<NodeId, std::shared_ptr<CutOff::Record>> newest;
};

CutOff::~CutOff() {
  if (const auto owner = record_->owner.lock()) owner->end(*record_);
}

void CutOff::closing(std::size_t connections) {
  const auto owner = record_->owner.lock();
  if (!owner) return;
  const std::lock_guard lock(owner->mutex);
  record_->connections += connections;
}

void CutOffs::State::end(CutOff::Record& record) {
  const SteadyTime now = clock.steady();
  const double seconds = std::chrono::duration<double>(now - record.begun).count();
  std::optional<Executor> wake;
  std::size_t connections = 0;
  {
    const std::lock_guard lock(mutex);
    record.ended = now;
    connections = record.connections;
    wake = executor;
  }
  metrics.cut_off_seconds().Observe(seconds);
  metrics.cut_off_connections().Increment(static_cast<double>(connections));
  log.info("peer cut off", {{"node", record.node.view()}, {"connections_closed", connections}, {"seconds", seconds}});
  if (!wake) return;
  const auto self = record.owner.lock();
  asio::post(*wake, [self] { self->ended.ring(); });
}

api::GatewayFace::CutOff CutOffs::State::look(const NodeId& node, SteadyTime since) const {
  const std::lock_guard lock(mutex);
  const auto found = newest.find(node);
  if (found == newest.end()) return {};
  const CutOff::Record& record = *found->second;
  // Somebody else's, and over.
  if (record.ended && *record.ended < since) return {};
  return {.connections = record.connections,
          .took = std::chrono::duration_cast<std::chrono::microseconds>(record.ended.value_or(clock.steady()) - since),
          .complete = record.ended.has_value()};
}

CutOffs::CutOffs(const Clock& clock, Metrics& metrics, const log::Logger& log)
    : state_(std::make_shared<State>(clock, metrics, log)) {}
CutOffs::~CutOffs() = default;

void CutOffs::wake_on(Executor worker_0) {
  const std::lock_guard lock(state_->mutex);
  state_->executor = std::move(worker_0);
}

void CutOffs::stop() {
  const std::lock_guard lock(state_->mutex);
  state_->executor.reset();
}

std::shared_ptr<CutOff> CutOffs::begin(const NodeId& node) {
  auto record = std::make_shared<CutOff::Record>();
  record->owner = state_;
  record->node = node;
  record->begun = state_->clock.steady();
  {
    const std::lock_guard lock(state_->mutex);
    state_->newest.insert_or_assign(node, record);
  }
  return std::shared_ptr<CutOff>(new CutOff(std::move(record)));
}

Task<api::GatewayFace::CutOff> CutOffs::ended(NodeId node, SteadyTime since) {
  const auto state = state_;
  api::GatewayFace::CutOff seen;
  const auto closed = [&] {
    seen = state->look(node, since);
    return seen.complete;
  };
  (void)co_await state->ended.wait(std::chrono::steady_clock::now() + patience, closed);
  co_return seen;
}

}  // namespace fedgate::app
