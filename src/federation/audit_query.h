// SPDX-License-Identifier: Apache-2.0
//
// What two gateways tell each other of the calls between them. Trail answers: a peer learns of calls that it took part
// in, and of each what both sides know anyway; one question at a time a peer, paged, so many a minute. ask_trail()
// asks. One Trail, owned by the composition root, any thread; storage work on the pool.
#pragma once

#include <chrono>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "audit/journal.h"
#include "audit/shipper.h"
#include "base/task.h"
#include "base/worker_pool.h"
#include "federation/peer_client.h"
#include "fedgate/clock.h"
#include "fedgate/node.h"
#include "store/store.h"
#include "wire/audit_query_text.h"

namespace fedgate::federation {

/// The part of a row that both sides know. Code::internal for one that no call of ours has made.
Result<wire::TrailRecord> trail_record(const store::AuditRow& row);

class Trail {
 public:
  static constexpr unsigned questions_a_minute = 1200;
  static constexpr std::chrono::seconds newest_wait{2};  ///< for the newest records to reach the database

  struct Parts {
    NodeId own_id;
    store::Store& store;
    audit::Journal& journal;
    audit::Shipper& shipper;
    WorkerPool& pool;
    const Clock& clock;
    const audit::PrincipalSalts& salts;
  };
  explicit Trail(Parts parts) : parts_(std::move(parts)) {}

  /// The answer to a peer's `audit/query`. Code::rate_limited, bad_request, deadline_exceeded, store_unavailable.
  Task<Result<std::string>> answer(NodeId peer, std::string body);
  /// What we would tell `peer`, for ourselves.
  Task<Result<wire::TrailPage>> own(NodeId peer, wire::TrailQuestion question);

 private:
  struct Visit {
    SteadyTime window{};
    unsigned asked = 0;
    bool busy = false;
  };
  class Turn;  // of one peer's question
  struct Page {
    std::vector<wire::TrailRecord> records;
    std::vector<std::string> texts;
    std::string next_cursor;
    bool complete = true;
  };
  Result<void> enter(const NodeId& peer);
  void leave(const NodeId& peer);
  /// On the pool.
  Result<Page> read(const NodeId& peer, const wire::TrailQuestion& question) const;

  Parts parts_;
  std::mutex mutex_;
  std::map<NodeId, Visit> visits_;  // as many as there are trusted nodes
};

/// Asks a peer, on the PeerClient's thread. Code::rate_limited: in a moment again; deadline_exceeded: for less.
Task<Result<wire::TrailPage>> ask_trail(PeerClient& peers, const Node& node, const wire::TrailQuestion& question,
                                        SteadyTime deadline);

}  // namespace fedgate::federation
