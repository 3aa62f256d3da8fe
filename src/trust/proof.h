// SPDX-License-Identifier: Apache-2.0
//
// The proof of protocol.md section 2: a signature that shows possession of a leaf's key (or of an invite's) for one
// dialogue on one connection. It names both nodes, both leaves and both bundles, so it cannot be used for another
// pair; nonce and challenge, so it cannot be replayed; its role, so it cannot be reflected; and the connection's
// exporter (RFC 9266), so it cannot be relayed. Resumed connections share keys with an earlier one and prove nothing.
// Pure functions, any thread.
#pragma once

#include <openssl/types.h>

#include <string>
#include <string_view>

#include "fedgate/id.h"
#include "fedgate/result.h"
#include "fedgate/trust_messages.h"

namespace fedgate::trust {

/// What TLS says of the connection that a proof is bound to.
struct ChannelBinding {
  Bytes32 exporter{};  ///< `EXPORTER-Channel-Binding`, empty context
  bool resumed = false;
};

enum class ProofBy : std::uint8_t { client, server, invite };

struct ProofInput {
  TrustPurpose purpose = TrustPurpose::request;
  NodeId client, server;
  Sha256 client_leaf{}, server_leaf{};  ///< of the certificates (DER)
  Sha256 client_bundle{}, server_bundle{};
  Bytes32 client_nonce{}, challenge{};
  std::string invite_id;
  ChannelBinding channel;
};

/// What every signature of ours is over: 64 spaces, a context of its own, a NUL, a digest.
std::string signed_message(std::string_view context, const Sha256& digest);
/// RSA-PSS with SHA-256, ECDSA with its curve's hash, or Ed25519. Code::invalid_certificate for another kind of key.
Result<std::string> sign_message(EVP_PKEY* key, std::string_view message);
/// Code::identity_mismatch.
Result<void> verify_message(EVP_PKEY* key, std::string_view message, std::string_view signature);

/// The bytes that are signed: 64 spaces, "fedgate trust v1, client" (server, invite), a NUL, the digest of the input.
std::string proof_message(ProofBy by, const ProofInput& input);

/// As sign_message(); Code::internal for a resumed connection, which the caller must not use.
Result<std::string> sign_proof(EVP_PKEY* key, ProofBy by, const ProofInput& input);
/// Code::identity_mismatch.
Result<void> verify_proof(EVP_PKEY* key, ProofBy by, const ProofInput& input, std::string_view signature);

}  // namespace fedgate::trust
