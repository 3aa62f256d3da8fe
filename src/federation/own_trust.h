// SPDX-License-Identifier: Apache-2.0
//
// What this gateway shows of itself while trust begins. Made from the configuration by the composition root, replaced
// whole on reload. Plain values, any thread.
#pragma once

#include <string>
#include <vector>

#include "fedgate/id.h"
#include "fedgate/result.h"
#include "fedgate/trust_messages.h"
#include "store/trust_records.h"
#include "trust/enrolment.h"

namespace fedgate::federation {

struct OwnTrust {
  NodeId id;
  std::vector<std::string> endpoints;
  std::vector<Domain> principal_domains;
  std::vector<std::string> anchors;  ///< PEM
  Enrolment enrolment = Enrolment::invites;
  std::string server_certificate, server_key;  ///< PEM; what the peers listener presents
  std::string client_certificate, client_key;  ///< what outgoing connections present
  std::vector<std::string> log_vkeys{};        ///< of this replica's log, newest first
  std::string witness_vkey{};                  ///< the node's, the same on every replica
};

/// Whether another witness key than the recorded one takes its place: replicas that have two would otherwise take
/// turns.
enum class WitnessKey : std::uint8_t { as_recorded, ours };

/// Our bundle as it is now, with the hash under which others know it: the newest that was recorded, or the next one
/// where something has changed since, recorded first. Other replicas' log keys stay in it. Blocking.
Result<StatedBundle> own_bundle(store::TrustRecords& records, const OwnTrust& own, WallTime now,
                                WitnessKey witness = WitnessKey::as_recorded);
/// The same where only this replica's log keys, or a witness key that is missing, may be new: what else has changed
/// waits until an operator announces it.
Result<StatedBundle> bundle_with_log_keys(store::TrustRecords& records, const OwnTrust& own, WallTime now);
/// Whether a bundle of ours says what keys sign our log.
bool states_log_keys(const Bundle& recorded, const OwnTrust& own);

/// What is ours and nobody else may claim: id, principal domains, anchors. No bundle that is recorded anywhere.
Bundle claims_of(const OwnTrust& own);

trust::OwnParty as_server(const OwnTrust& own, StatedBundle bundle);
trust::OwnParty as_client(const OwnTrust& own, StatedBundle bundle);

}  // namespace fedgate::federation
