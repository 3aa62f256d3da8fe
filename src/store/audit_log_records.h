// SPDX-License-Identifier: Apache-2.0
//
// What witnessing and entangling need to outlive a restart: how far we have cosigned each foreign log, every cosigned
// checkpoint, which leaves of others our own leaves name and whether they were proven, and the alarms with their
// evidence. Notes are kept as texts; wire/signed_note.h reads them. Blocking, like Store; any thread.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "fedgate/checkpoint.h"
#include "fedgate/clock.h"
#include "store/store.h"

namespace fedgate::store {

/// The newest head of somebody's log that bears our cosignature.
struct WitnessedLog {
  NodeId node;
  Checkpoint checkpoint;
  WallTime at{};
  bool operator==(const WitnessedLog&) const = default;
};

struct KeptCheckpoint {
  NodeId node;  ///< whose log it is
  Checkpoint checkpoint;
  std::vector<NodeId> cosigned_by;
  WallTime at{};
  bool operator==(const KeptCheckpoint&) const = default;
};

enum class ReferenceState : std::uint8_t { waiting, proven, missing };
std::string_view to_string(ReferenceState state);

/// A leaf of ours and the leaf of somebody else that it names.
struct CallReference {
  std::uint64_t index = 0;        ///< in our log
  std::uint64_t other_index = 0;  ///< in the other's
  Sha256 hash{};                  ///< of the other's leaf, as it stated it
  bool operator==(const CallReference&) const = default;
};

/// Some of them, towards one log and in one state: a row for each would double what the database holds of a call.
struct ReferenceBatch {
  std::string log;
  NodeId node;
  std::string other_log;
  ReferenceState state = ReferenceState::waiting;
  std::vector<CallReference> members{};  ///< 1 or more, by index, ascending
  std::uint64_t checkpoint_size = 0;     ///< proven: of which checkpoint of other_log
  std::string proof{};                   ///< proven: opaque here
  std::string why{};                     ///< missing: for operators
  WallTime at{};                         ///< when the state began
  bool operator==(const ReferenceBatch&) const = default;
};

struct OpenReferences {
  std::uint64_t waiting = 0;
  std::uint64_t missing = 0;
};

struct AlarmRecord {
  std::string kind;
  std::string node;
  std::string subject;
  std::string reason{};
  std::string evidence{};  ///< signed notes, one after the other
  WallTime raised_at{};
  std::optional<WallTime> settled_at{};
  std::string settled_by{};
  bool operator==(const AlarmRecord&) const = default;
};

class AuditLogRecords {
 public:
  static constexpr std::size_t most_signatures = 64;  ///< that one kept note gathers
  /// Of one batch, from its first index to its last: whoever notes references keeps to it.
  static constexpr std::uint64_t longest_span = 4096;

  explicit AuditLogRecords(Store& store) : store_(store) {}

  Result<std::optional<WitnessedLog>> witnessed(const std::string& log);
  Result<std::vector<WitnessedLog>> witnessed_logs(const NodeId& node);
  /// In place of the state whose size is `expected` (0: none), and keeps the checkpoint, at once. False: the state is
  /// another by now, and nothing was written. Code::conflict: a checkpoint of this size and another root is kept.
  Result<bool> advance(std::uint64_t expected, const WitnessedLog& next, const NodeId& witness);

  /// One that is there gets the signatures that are new. Code::conflict: it has another root; nothing was written.
  Result<void> keep(const KeptCheckpoint& checkpoint);
  Result<std::optional<KeptCheckpoint>> checkpoint(const std::string& log, std::uint64_t size);
  Result<std::optional<KeptCheckpoint>> newest_checkpoint(const std::string& log);
  /// The newest with a cosignature of anybody, or of `by`.
  Result<std::optional<KeptCheckpoint>> newest_cosigned(const std::string& log, const NodeId& by = {});

  /// How far a log was read for its references.
  Result<std::uint64_t> position(const std::string& log);
  /// Waiting ones, found between the position and `upto`, which is the position from here on. False: another has moved
  /// it meanwhile, and nothing was written.
  Result<bool> note_references(const std::string& log, std::uint64_t from, std::uint64_t upto,
                               std::span<const ReferenceBatch> found);
  /// Those of one state towards one node, oldest first.
  Result<std::vector<ReferenceBatch>> references(const std::string& log, const NodeId& node, ReferenceState state,
                                                 std::size_t limit);
  /// What has become of a batch: it is replaced by its parts. False: it is not there any more as it was.
  Result<bool> settle_references(const ReferenceBatch& before, std::span<const ReferenceBatch> parts);
  /// Where the reference of our leaf `index` stands.
  Result<std::optional<ReferenceBatch>> reference_of(const std::string& log, std::uint64_t index);
  Result<std::map<NodeId, OpenReferences>> open_references(const std::string& log);

  /// A settled one is raised anew.
  Result<void> put_alarm(const AlarmRecord& alarm);
  /// False: there is none that is not settled.
  Result<bool> settle_alarm(const AlarmRecord& alarm, WallTime now, const std::string& by);
  /// Oldest first, the settled ones too.
  Result<std::vector<AlarmRecord>> alarms();

 private:
  Store& store_;
};

}  // namespace fedgate::store
