// SPDX-License-Identifier: Apache-2.0
//
// What two gateways say to each other while trust begins: the messages as values, and what is kept of them until an
// operator has decided (invites, candidates). wire/trust_dialogue.h reads and writes the messages, trust/responder.h
// and trust/initiator.h judge them, the store keeps the records. Plain values, any thread.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "fedgate/bundle.h"
#include "fedgate/clock.h"
#include "fedgate/id.h"
#include "fedgate/node.h"

namespace fedgate {

/// A nonce, a challenge, an Ed25519 seed or public key, a TLS exporter.
using Bytes32 = std::array<std::uint8_t, 32>;

enum class TrustPurpose : std::uint8_t { request, invite, verify };
std::string_view to_string(TrustPurpose purpose);
Result<TrustPurpose> trust_purpose_from(std::string_view text);

/// `trust.enrolment`: who may ask at the peers listener. invites: whoever holds one that is open.
enum class Enrolment : std::uint8_t { closed, invites, open };

/// `trust/challenge`
struct ChallengeRequest {
  NodeId node;
  TrustPurpose purpose = TrustPurpose::request;
  Bytes32 client_nonce{};
  std::string invite_id;  ///< empty: none
};
struct ChallengeAnswer {
  Bytes32 challenge{};
  StatedBundle bundle;
  WallTime expires_at{};
};

/// `trust`
struct TrustRequest {
  NodeId node;
  std::string client_cert;  ///< PEM: must be the TLS leaf
  Bytes32 challenge{};
  StatedBundle bundle;
  std::string proof;         ///< signature, raw bytes
  std::string invite_proof;  ///< empty: none
};
/// What the answering side saw of the asking one.
struct CertificateInfo {
  std::string subject;
  Sha256 sha256{};
  Sha256 public_key{};
  WallTime not_after{};
};
struct TrustAnswer {
  bool success = true;
  NodeId node;
  TrustLevel level = TrustLevel::pending;  ///< what the asking node now is at the answering one
  CertificateInfo certificate;
  std::string challenge_response;  ///< the answering side's proof, raw bytes
  WallTime expires_at{};           ///< until when the candidate is kept
  std::string message;             ///< who must act next, for the asking side's operator
};

/// An invite as its maker keeps it: never the seed, only the public half of the key that it makes.
struct Invite {
  std::string id;
  NodeId node;                   ///< whom it is for
  std::optional<Sha256> anchor;  ///< the invited CA's certificate (DER), where it is known: both sides finish then
  Bytes32 public_key{};
  WallTime created_at{};
  WallTime expires_at{};
  std::string created_by;
  std::optional<WallTime> used_at;
  std::optional<Sha256> used_by_key;  ///< public key (SPKI) of the leaf that used it
  std::optional<Sha256> used_by_bundle;
  bool operator==(const Invite&) const = default;
};

/// Incoming: it asked us. Outgoing: we asked it.
enum class Asked : std::uint8_t { incoming, outgoing };
std::string_view to_string(Asked asked);
Result<Asked> asked_from(std::string_view text);

/// A node that has shown a bundle and proven its key, and about which nobody has decided yet. Its anchors count for
/// nothing: they become a node's only when a candidate is approved.
struct Candidate {
  NodeId node;
  StatedBundle bundle;
  std::string leaf;  ///< PEM
  Sha256 leaf_sha256{};
  Sha256 leaf_key{};    ///< of its SubjectPublicKeyInfo
  Sha256 own_bundle{};  ///< ours, as the other side saw it: the fingerprint is made of both
  TrustPurpose how = TrustPurpose::request;
  Asked asked = Asked::incoming;
  std::string invite_id;
  std::string remote;  ///< address it came from, or that we called
  Sha256 proof{};      ///< digest of the signed proof; zero while we are still asking
  /// What the other side said we are there; none while the dialogue is unfinished.
  std::optional<TrustLevel> level_there;
  WallTime received_at{};
  bool operator==(const Candidate&) const = default;
};

/// Bounds that hold over all replicas, because the store enforces them.
inline constexpr std::size_t most_candidates = 32;
inline constexpr std::size_t most_candidates_a_node = 4;
inline constexpr std::size_t most_invites = 256;
inline constexpr auto candidates_kept = std::chrono::hours(24 * 7);

}  // namespace fedgate
