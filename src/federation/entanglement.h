// SPDX-License-Identifier: Apache-2.0
//
// Holds the other side to what it said beside each call (protocol.md section 5). Our leaves name leaves of others; here
// they are read from the journal, in its order and off the hot path, and within a minute of contact the others are
// asked to prove, many at a time, that those leaves stand in the log they sign. What they cannot prove is
// `receipt_missing`. It also looks whether the logs we have cosigned are still there and continue what we saw. One
// object, owned by the composition root; coroutines on worker 0, the work on the pool.
#pragma once

#include <atomic>
#include <chrono>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/task.h"
#include "federation/audit_surroundings.h"
#include "federation/peer_client.h"
#include "federation/witnessing.h"
#include "wire/witness_text.h"

namespace fedgate::federation {

class Entanglement {
 public:
  Entanglement(AuditSurroundings around, AuditPace pace);

  /// Notes what new leaves name. On the pool.
  Result<void> read_on();
  /// Asks the node for what is not proven, and looks at its logs. On worker 0; one call at a time a node.
  Task<> meet(PeerClient& peers, Node node);

  /// The node has called us: it need not be waited for. Any thread.
  void contact(const NodeId& node);
  /// By node, as of the last look; any thread.
  [[nodiscard]] std::map<NodeId, store::OpenReferences> open() const;
  /// Counts what is not proven. Blocking.
  Result<void> look();

 private:
  struct Contact {
    SteadyTime look_at{};     // at its logs
    SteadyTime next{};        // after a setback
    SteadyTime missing_at{};  // what is missing is asked for again
    unsigned setbacks = 0;
    bool away = false;
  };
  /// What is known of one log of somebody.
  struct Seen {
    std::optional<Checkpoint> head;  // the newest that was looked at and found good
    SteadyTime looked_at{};
    unsigned absent = 0;  // times in a row
  };
  /// One question about one log: the leaves, and the checkpoint they are to be proven against.
  struct Question {
    store::ReferenceBatch batch;
    std::vector<store::CallReference> asked;  // those that the checkpoint covers
    std::vector<std::uint64_t> indexes;       // theirs, ascending, each once
    std::optional<Checkpoint> checkpoint;
  };
  enum class Ask : std::uint8_t { answered, refused, away };

  Task<Ask> look_at_logs(PeerClient& peers, const Node& node);
  Task<Ask> look_at(PeerClient& peers, const Node& node, std::string log);
  Result<Checkpoint> judge_head(const Node& node, const std::string& log, const std::optional<Checkpoint>& before,
                                const std::string& note);
  Result<void> judge_continuation(const Node& node, const Checkpoint& before, const Checkpoint& shown,
                                  const std::string& body);
  Result<void> absent(const Node& node, const Checkpoint& before);
  Result<void> found_good(const Node& node, const Checkpoint& shown);
  Task<Ask> prove(PeerClient& peers, const Node& node, store::ReferenceState state);
  Task<Ask> prove(PeerClient& peers, const Node& node, Question question);
  Result<std::vector<Question>> questions(const Node& node, store::ReferenceState state);
  Result<void> judge(const Question& question, const std::string& body);
  Result<void> give_up(const Question& question, const std::string& why, std::chrono::milliseconds after);
  Result<void> give_up_all(const Node& node);
  Result<std::optional<Checkpoint>> newest_seen(const std::string& log);
  void fork(const Node& node, const Checkpoint& one, const Checkpoint& other, std::string_view how);
  void remember(const NodeId& node, Ask how);

  AuditSurroundings around_;
  const AuditPace pace_;
  store::AuditLogRecords records_;
  std::atomic<unsigned> away_{0};
  mutable std::mutex mutex_;
  std::map<NodeId, Contact> contacts_;
  std::map<std::string, Seen> logs_;
  std::map<NodeId, store::OpenReferences> open_;
  // Of read_on(): one caller.
  std::optional<std::uint64_t> position_;
  std::uint64_t noted_ = 0;  // what is recorded of it
};

}  // namespace fedgate::federation
