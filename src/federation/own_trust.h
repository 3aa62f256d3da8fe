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
};

/// Our bundle as it is now, with the hash under which others know it: the newest that was recorded, or the next one
/// where something has changed since, recorded first. Blocking.
Result<StatedBundle> own_bundle(store::TrustRecords& records, const OwnTrust& own, WallTime now);

trust::OwnParty as_server(const OwnTrust& own, StatedBundle bundle);
trust::OwnParty as_client(const OwnTrust& own, StatedBundle bundle);

}  // namespace fedgate::federation
