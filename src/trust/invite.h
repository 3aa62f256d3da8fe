// SPDX-License-Identifier: Apache-2.0
//
// An invite's token: `fgi1.` and the base64url of {v, id, endpoint, node_id, bundle_sha256, for, expires_at, seed}. It
// tells the invited organisation where to ask and which bundle it will see there, and gives it an Ed25519 key to sign
// the proof with; the inviter keeps that key's public half only. Whoever holds a token can use it: it travels by a
// confidential way and is never logged. Pure functions, any thread.
#pragma once

#include <openssl/types.h>

#include <string>
#include <string_view>

#include "base/entropy.h"
#include "fedgate/result.h"
#include "fedgate/trust_messages.h"
#include "trust/openssl.h"

namespace fedgate::trust {

struct InviteToken {
  std::string id;
  std::string endpoint;  ///< the inviter's, `https://host:port`
  NodeId node;           ///< the inviter
  Sha256 bundle{};       ///< the inviter's
  NodeId invited;        ///< `for`
  WallTime expires_at{};
  Bytes32 seed{};  ///< secret
};

struct MadeInvite {
  std::string token;  ///< shown once
  Invite invite;      ///< what is kept
};

/// `token`: all but id and seed, which are drawn here. `keep`: what is to be kept besides, anchor and created_*.
Result<MadeInvite> make_invite(InviteToken token, Invite keep, const Entropy& entropy);

std::string token_text(const InviteToken& token);
/// Spaces around it are forgiven, nothing else. Code::bad_request; the detail never shows the token.
Result<InviteToken> parse_token(std::string_view text);

/// The invite's keys, for sign_proof() and verify_proof() with ProofBy::invite.
Result<KeyPtr> invite_key(const Bytes32& seed);
Result<KeyPtr> invite_public_key(const Bytes32& public_key);

}  // namespace fedgate::trust
