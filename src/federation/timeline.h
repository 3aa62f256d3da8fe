// SPDX-License-Identifier: Apache-2.0
//
// Everything two organisations remember of one call, as one story: our records and those of the peers that took part,
// in the order in which they came about, with what agrees, differs or is missing. Owned by the composition root, on
// worker 0.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/deadline.h"
#include "base/snapshot.h"
#include "base/worker_pool.h"
#include "federation/audit_query.h"
#include "federation/comparison.h"
#include "nodes/node_table.h"

namespace fedgate::federation {

struct Timeline {
  enum class Answered : std::uint8_t { yes, unreachable, not_asked };
  struct Party {
    NodeId node;
    Answered answered = Answered::not_asked;
    std::string detail;  ///< why not
    std::vector<wire::TrailRecord> records;
    std::vector<CallVerdict> verdicts;  ///< of what it and we remember; empty where it did not answer
  };
  std::vector<store::AuditRow> ours;  ///< oldest first; complete up to the moment of the question
  std::vector<Party> parties;
  bool complete = true;  ///< false: our newest records have not reached the database
};
std::string_view to_string(Timeline::Answered answered);

/// One record's place in the story.
struct TimelineEntry {
  const store::AuditRow* ours = nullptr;  ///< or
  const wire::TrailRecord* theirs = nullptr;
  const Timeline::Party* party = nullptr;  ///< whose record, or with whom it was compared; may be null for ours
  const CallVerdict* verdict = nullptr;    ///< null: it was not compared
};
/// By attempt, and within it as a call goes: intent here, intent there, outcome there, outcome here. Points into
/// `timeline`.
std::vector<TimelineEntry> told_in_order(const Timeline& timeline);

enum class AskPeers : std::uint8_t { no, yes };

class Timelines {
 public:
  static constexpr std::size_t most_records = 200;
  static constexpr std::size_t most_parties = 8;
  static constexpr std::chrono::seconds question_time{5};  ///< for each peer; an operator's command waits 30 s

  struct Parts {
    NodeId own_id;
    store::Store& store;
    audit::Journal& journal;
    audit::Shipper& shipper;
    const Snapshot<nodes::NodeTable>& nodes;
    WorkerPool& pool;
    DeadlineWheel& wheel;
    PeerClient& peers;
    const Clock& clock;
    std::function<std::chrono::milliseconds()> settling;  ///< calls younger than this may still run
  };
  explicit Timelines(Parts parts) : parts_(std::move(parts)) {}

  /// Code::not_found where we have no record of it.
  Task<Result<Timeline>> of(CorrelationId id, AskPeers ask);

 private:
  Task<> meet(CorrelationId id, Timeline::Party& party, const std::vector<wire::TrailRecord>& ours);

  Parts parts_;
};

}  // namespace fedgate::federation
