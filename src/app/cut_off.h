// SPDX-License-Identifier: Apache-2.0
//
// How long it takes until a node that is cut off has no connection any more, and how many it had. A CutOff lives as
// long as anything of it is left to do: each lane holds it until it has looked, each connection until its socket is
// closed; its end is the moment that counts. CutOffs remembers the newest of each node for the command that asked for
// it. Owned by the composition root, before the workers. begin() and a CutOff: any thread; ended(): worker 0.
#pragma once

#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstddef>
#include <memory>

#include "api/admin_api.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/task.h"
#include "fedgate/clock.h"
#include "fedgate/id.h"

namespace fedgate::app {

class CutOffs;

class CutOff {
 public:
  ~CutOff();
  CutOff(const CutOff&) = delete;
  CutOff& operator=(const CutOff&) = delete;
  /// So many connections are being closed.
  void closing(std::size_t connections);

 private:
  friend class CutOffs;
  struct Record;
  explicit CutOff(std::shared_ptr<Record> record) : record_(std::move(record)) {}
  std::shared_ptr<Record> record_;
};

class CutOffs {
 public:
  static constexpr std::chrono::seconds patience{5};  ///< of a command that waits

  CutOffs(const Clock& clock, Metrics& metrics, const log::Logger& log);
  ~CutOffs();
  CutOffs(const CutOffs&) = delete;
  CutOffs& operator=(const CutOffs&) = delete;

  /// From here on ended() can wait.
  void wake_on(Executor worker_0);
  /// Nobody waits any more; the worker may go.
  void stop();

  std::shared_ptr<CutOff> begin(const NodeId& node);
  /// What a command that came at `since` has closed of this node: when the last is closed, or `patience` is over.
  /// Nothing where the node was cut off before.
  Task<api::GatewayFace::CutOff> ended(NodeId node, SteadyTime since);

 private:
  friend class CutOff;
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace fedgate::app
