// SPDX-License-Identifier: Apache-2.0
//
// What a server showed in a handshake in which nobody judged it, judged afterwards and with every reason: for an
// operator who wants to know why two gateways do not come together. Pure functions, any thread.
#pragma once

#include <optional>

#include "fedgate/clock.h"
#include "fedgate/id.h"
#include "net/tls.h"
#include "trust/certificate_facts.h"
#include "trust/peer_verifier.h"

namespace fedgate::trust {

struct JudgedServer {
  Judgement judgement;
  std::optional<CertificateFacts> leaf;  ///< as presented, believed or not; empty: none that can be read
};
/// As an outgoing connection to `expected` would judge it.
JudgedServer judge_server(const PeerVerifier& verifier, const net::Presentation& shown, const NodeId& expected,
                          WallTime at);

}  // namespace fedgate::trust
