// SPDX-License-Identifier: Apache-2.0
//
// One call on its way, the same on both sides: what is known of it so far, how it ended, and how that is
// recorded and answered. Owned by the call's coroutine.
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <exception>
#include <optional>
#include <string>
#include <string_view>

#include "audit/journal.h"
#include "base/json.h"
#include "base/metrics.h"
#include "base/task.h"
#include "fedgate/audit_event.h"
#include "fedgate/checkpoint.h"
#include "fedgate/invocation.h"
#include "fedgate/outcome.h"
#include "net/http_message.h"

namespace fedgate::federation {

struct Call {
  Invocation invocation;
  Access access = Access::write;
  std::optional<Decision> decision;
  Outcome outcome;                               ///< `not_sent` until something may have happened
  std::string call_nonce;                        ///< 16 bytes or more, the origin's
  std::string call_hash;                         ///< hex
  std::string peer_key;                          ///< hex SHA-256 of the counterparty's key, once it is known
  std::string protocol;                          ///< of the adapter
  std::string result = "null";                   ///< JSON text, where the outcome is good
  std::optional<MentionedHead> seen_checkpoint;  ///< the newest of the counterparty's log, as it mentions it
  std::optional<LeafReference> receipt;          ///< our own outcome's leaf, once it is durable
  std::string_view limit;                        ///< the limit of ours that refused it, empty: none
  std::chrono::seconds retry_after{0};           ///< where a limit refused it

  /// Ends the call before it had any effect.
  void refuse(Error error, DecidedBy who);
  /// A bug ended it: the call is recorded all the same.
  void fail_unexpectedly(const std::exception& error);
};

/// The counterparty: target of an outgoing call, origin of an incoming one.
[[nodiscard]] const NodeId& counterparty(const Call& call);
/// Computes call.call_hash; `parser` canonicalises the arguments.
void seal(Call& call, json::Parser& parser);
[[nodiscard]] AuditEvent audit_event(const Call& call, Phase phase, WallTime now);

/// Metrics of calls with their handles kept, per worker: a look-up by labels takes a lock.
class CallMetrics {
 public:
  explicit CallMetrics(Metrics& metrics) : metrics_(metrics) {}
  void count(const Call& call, std::chrono::microseconds duration, bool node_known);

 private:
  struct PerNode {
    prometheus::Counter* succeeded[2]{};
    prometheus::Histogram* duration{};
  };
  Metrics& metrics_;
  boost::unordered_flat_map<std::string, PerNode> nodes_;
};

}  // namespace fedgate::federation
