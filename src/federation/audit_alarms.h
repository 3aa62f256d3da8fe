// SPDX-License-Identifier: Apache-2.0
//
// What must not happen to an audit log, and did (protocol.md section 5): a `security_violation` in our trail, once for
// each occurrence however often it is seen and over restarts; the signed notes that show it are kept. Until it has
// ended, or an operator has settled it, the gateway's health is degraded. Owned by the composition root; any thread.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "audit/journal.h"
#include "base/log.h"
#include "base/metrics.h"
#include "fedgate/clock.h"
#include "fedgate/id.h"
#include "store/audit_log_records.h"

namespace fedgate::federation {

enum class AlarmKind : std::uint8_t {
  stale_cosigning,  ///< a peer can be reached and does not cosign our checkpoints
  fork,             ///< a log has signed two heads that do not continue each other
  vanished_log,     ///< a log that we have cosigned is not there any more, or shorter than it was
  lost_state,       ///< our own cosignature above the size that we remember: our database was set back
};
std::string_view to_string(AlarmKind kind);

struct AlarmPlace {
  AlarmKind kind = AlarmKind::fork;
  NodeId node;          ///< whose doing it is; our own for lost_state
  std::string subject;  ///< the log
  auto operator<=>(const AlarmPlace&) const = default;
};

class AuditAlarms {
 public:
  AuditAlarms(store::Store& store, audit::Journal& journal, NodeId own_id, const Clock& clock, const log::Logger& log,
              Metrics& metrics);

  /// Blocking. Nothing where it is raised already.
  void raise(const AlarmPlace& place, std::string reason, std::string evidence);
  /// It has ended by itself, or an operator says so. Blocking. False: there was none.
  Result<bool> settle(const AlarmPlace& place, const std::string& by);
  /// Reads what is recorded and writes what could not be yet. Blocking.
  Result<void> look();

  [[nodiscard]] bool raised(const AlarmPlace& place) const;
  [[nodiscard]] std::size_t open() const;
  /// For `status`; does not block.
  [[nodiscard]] std::vector<std::string> attention() const;
  Result<std::vector<store::AlarmRecord>> list() { return records_.alarms(); }

 private:
  struct Open {
    store::AlarmRecord record;
    bool stored = false;
  };
  void measure() const;  // with the mutex held
  Result<void> look_now();

  store::AuditLogRecords records_;
  audit::Journal& journal_;
  const NodeId own_id_;
  const Clock& clock_;
  const log::Logger& log_;
  Metrics& metrics_;
  std::mutex changing_;  // one raise, settle or look at a time
  bool loaded_ = false;  // guarded by changing_
  mutable std::mutex mutex_;
  std::map<AlarmPlace, Open> open_;
};

/// Code::bad_request.
Result<AlarmKind> alarm_kind_from(std::string_view text);

}  // namespace fedgate::federation
