// SPDX-License-Identifier: Apache-2.0
//
// What operators do, as records. An act that gives something (a node added, enabled, trusted; a new configuration) has
// an intent that is durable before it and an outcome after it, as a call with effects has: a journal that fails stops
// it, and a gateway that dies in the middle leaves `unknown`. An act that takes something away is one event after it:
// a journal that fails must not stop it, so its record is owed until it can be written. Owned by the composition root.
// Any thread.
#pragma once

#include <chrono>
#include <cstddef>
#include <mutex>
#include <string>
#include <vector>

#include "audit/journal.h"
#include "base/entropy.h"
#include "base/log.h"
#include "base/task.h"
#include "fedgate/audit_event.h"
#include "fedgate/clock.h"
#include "fedgate/id.h"

namespace fedgate::audit {

struct Act {
  EventType type = EventType::configuration_changed;
  std::string who;      ///< an operator's name, `SIGHUP`
  std::string action;   ///< node_add, reload
  std::string subject;  ///< the node it is about
  std::string reason{};
  std::chrono::microseconds
      duration{};  ///< what is known to have taken time: until a node's last connection was closed
};

class Acts {
 public:
  static constexpr std::size_t owed_max = 1024;

  /// `patience`: of a thread that waits for the disk.
  Acts(Journal& journal, NodeId own_id, const Clock& clock, const Entropy& entropy, const log::Logger& log,
       std::chrono::milliseconds patience = std::chrono::seconds(10));

  /// The intent of what gives something, durable; on an error the act must not begin.
  Task<Result<AuditEvent>> begin(Act act);
  Result<AuditEvent> begin_blocking(const Act& act);
  /// How it ended. On an error the trail will say `unknown`.
  Task<Result<void>> end(AuditEvent intent, Result<void> done);
  Result<void> end_blocking(const AuditEvent& intent, const Result<void>& done);

  /// What took something away. False: the record is owed.
  Task<bool> note(Act act);
  bool note_blocking(const Act& act);
  /// Tries what is owed again. One caller at a time.
  Task<> pay();
  [[nodiscard]] std::size_t owed() const;

 private:
  [[nodiscard]] AuditEvent event_of(const Act& act) const;
  [[nodiscard]] AuditEvent intent_of(const Act& act) const;
  [[nodiscard]] AuditEvent outcome_of(AuditEvent intent, const Result<void>& done) const;
  void owe(AuditEvent event, const Error& why);

  Journal& journal_;
  const NodeId own_id_;
  const Clock& clock_;
  const Entropy& entropy_;
  const log::Logger& log_;
  const std::chrono::milliseconds patience_;
  mutable std::mutex mutex_;
  std::vector<AuditEvent> owed_;
};

}  // namespace fedgate::audit
