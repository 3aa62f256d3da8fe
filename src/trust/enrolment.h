// SPDX-License-Identifier: Apache-2.0
//
// What both ends of an enrolment have in common: who we are, what the connection shows of the other side, and the
// judgement of a bundle together with the chain that was presented beside it. Nothing here believes a bundle: the chain
// is checked against the bundle's own anchors, which shows only that the two belong together. No I/O; pure functions.
#pragma once

#include <openssl/types.h>

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "fedgate/clock.h"
#include "fedgate/node.h"
#include "fedgate/principal.h"
#include "fedgate/result.h"
#include "fedgate/trust_messages.h"
#include "net/tls.h"
#include "trust/openssl.h"
#include "trust/peer_verifier.h"
#include "trust/proof.h"

namespace fedgate::trust {

/// This gateway, as it appears on one connection.
struct OwnParty {
  StatedBundle bundle;
  std::string certificate_pem;  ///< the leaf that this side presented, first in the text
  std::string key_pem;
};

/// The connection, and what the other side presented on it: not judged yet.
struct EnrolmentLink {
  std::vector<CertificatePtr> chain;  ///< leaf first; empty: none was presented
  ChannelBinding channel;
  std::string remote;
  std::string staple{};  ///< a server's OCSP response, DER; empty: none

  [[nodiscard]] X509* leaf() const { return chain.empty() ? nullptr : chain.front().get(); }
};
/// Code::identity_mismatch where a certificate cannot be read.
Result<EnrolmentLink> enrolment_link(const net::Presentation& shown, std::string remote);

/// Whether the bundle is this node's as far as can be seen: it is not ours and claims nothing of ours, its anchors are
/// CAs, and the presented chain leads to them (to `anchor` alone, a SHA-256 of its DER, where that is given) and names
/// that node and none of `nodes`. Code::identity_mismatch with the operator's reason.
Result<PeerIdentity> check_party(const StatedBundle& bundle, const OwnParty& own, std::span<const Node> nodes,
                                 const EnrolmentLink& link, Presented presented, WallTime at,
                                 const std::optional<Sha256>& anchor = std::nullopt);

/// Whether the bundle claims nothing of ours, and its anchors are neither ours nor another node's (but with pins on
/// both). Code::identity_mismatch.
Result<void> takes_nothing_of_others(const Bundle& theirs, const Bundle& ours, std::span<const Node> nodes);

/// SHA-256 over the DER of the one certificate in the PEM text.
Result<Sha256> pem_sha256(const std::string& pem);
/// Our leaf: its digest, and its PEM without the chain behind it.
struct OwnLeaf {
  Sha256 sha256{};
  std::string pem;
};
Result<OwnLeaf> own_leaf(const OwnParty& own);
Result<CertificateInfo> certificate_info(const X509* certificate);
Result<std::string> pem_of(X509* certificate);

}  // namespace fedgate::trust
