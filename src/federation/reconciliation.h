// SPDX-License-Identifier: Apache-2.0
//
// Compares what a node and we remember of the calls between us: two ordered streams of records, page by page, in slices
// of time, so that memory stays bounded however long the time is. An operator asks for a run, or a timer does; each
// ends with counts, a metric, and, where the sides do not agree, one security_violation. Since both sides order calls
// by the id that the origin gave them, a slice holds the same calls on both, whatever their clocks say. Owned by the
// composition root, on worker 0.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/deadline.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/snapshot.h"
#include "federation/audit_query.h"
#include "federation/comparison.h"
#include "nodes/node_table.h"
#include "store/reconciliation_records.h"

namespace fedgate::federation {

struct ReconciliationPace {
  std::chrono::milliseconds interval{std::chrono::hours(1)};     ///< of the timer; 0: it does not run
  std::chrono::milliseconds settling{std::chrono::minutes(15)};  ///< calls younger than this may still run
  std::chrono::milliseconds first{std::chrono::hours(24)};       ///< how far back the timer's first run looks
};

struct ReconciliationReport {
  enum class State : std::uint8_t { running, done, failed };
  NodeId node;
  WallTime from{}, to{};
  WallTime begun{};
  WallTime reached{};  ///< how far it has come
  State state = State::running;
  Tally tally;
  std::vector<CallVerdict> findings;  ///< the first of those that do not agree
  std::string problem;                ///< why it failed
};
std::string_view to_string(ReconciliationReport::State state);

/// Records in order, fetched as they are wanted. Whoever tells them is not believed: order and parties are checked.
class TrailStream {
 public:
  using Fetch = std::function<Task<Result<wire::TrailPage>>(std::string cursor)>;
  static constexpr std::size_t most_of_one_call = 64;

  TrailStream(Fetch fetch, NodeId own, NodeId peer) : fetch_(std::move(fetch)), own_(own.str()), peer_(peer.str()) {}

  /// The id of the next call; nothing at the end.
  Task<Result<std::optional<CorrelationId>>> next();
  /// All its records, where the next call is this one; else none.
  Task<Result<std::vector<wire::TrailRecord>>> take(CorrelationId id);

 private:
  Task<Result<void>> fill();

  Fetch fetch_;
  std::string own_, peer_;
  std::vector<wire::TrailRecord> page_;
  std::size_t at_ = 0;
  std::string cursor_;
  bool begun_ = false;
  std::optional<CorrelationId> last_;
};

class Reconciliation {
 public:
  static constexpr std::size_t most_runs = 8;
  static constexpr std::size_t most_findings = 100;
  static constexpr std::chrono::hours longest_slice{24};

  struct Parts {
    NodeId own_id;
    Trail& trail;
    store::Store& store;
    audit::Journal& journal;
    const Snapshot<nodes::NodeTable>& nodes;
    WorkerPool& pool;
    DeadlineWheel& wheel;
    PeerClient& peers;
    const Clock& clock;
    const log::Logger& log;
    Metrics& metrics;
    std::function<ReconciliationPace()> pace;
  };
  explicit Reconciliation(Parts parts);

  /// Begins a run that goes on by itself. Code::conflict: one with this node is under way; overloaded; node_not_found,
  /// node_not_trusted.
  Result<ReconciliationReport> start(std::string id_or_alias, WallTime from, WallTime to);
  /// The newest with this node.
  [[nodiscard]] Result<ReconciliationReport> report(std::string_view id_or_alias) const;
  /// What operators should know. Any thread.
  [[nodiscard]] std::vector<std::string> attention() const;

  /// The timer, until it is cancelled; then what runs is ended too.
  Task<> run();

 private:
  using Report = std::shared_ptr<ReconciliationReport>;
  Task<> round();
  Task<> timed(Node node);
  Task<> carry(Node node, Report report);
  Task<Result<void>> compare(const Node& node, ReconciliationReport& report);
  /// By log: leaves of ours for whose counterpart the proof is missing.
  using Unproven = std::map<std::string, std::set<std::uint64_t>>;
  Task<Result<void>> compare_slice(const Node& node, WallTime from, WallTime to, Unproven& known,
                                   ReconciliationReport& report);
  Task<Result<wire::TrailPage>> look(NodeId node, wire::TrailQuestion question);
  Task<Result<wire::TrailPage>> ask(Node node, wire::TrailQuestion question);
  Task<Result<bool>> unproven(const NodeId& node, const std::vector<wire::TrailRecord>& ours, Unproven& known);
  Task<> conclude(Report report);
  Report begin(const NodeId& node, WallTime from, WallTime to);

  Parts parts_;
  TaskGroup runs_;
  mutable std::mutex mutex_;  // attention() is asked from elsewhere
  std::map<NodeId, Report> reports_;
  std::map<NodeId, SteadyTime> due_;
};

}  // namespace fedgate::federation
