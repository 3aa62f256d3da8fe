// SPDX-License-Identifier: Apache-2.0
#include "trust/responder.h"

#include <algorithm>

#include "base/hash.h"
#include "fedgate/levels.h"
#include "trust/invite.h"
#include "trust/openssl.h"

namespace fedgate::trust {

namespace {

std::unexpected<Error> refuse(std::string why) { return fail(Code::identity_mismatch, std::move(why)); }
std::unexpected<Error> forbid(std::string why) { return fail(Code::forbidden, std::move(why)); }

bool same(const Bytes32& one, const Bytes32& other) {
  const auto view = [](const Bytes32& bytes) {
    return std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  };
  return equal_constant_time(view(one), view(other));
}

Result<void> check_invite(const std::optional<Invite>& invite, const NodeId& node, WallTime now) {
  if (!invite) return forbid(node.str() + " shows an invite that this gateway has not made, or has cancelled");
  const auto named = "invite " + invite->id;
  if (invite->node != node) return forbid(named + " is for " + invite->node.str() + ", not for " + node.str());
  if (now >= invite->expires_at) return forbid(named + " for " + node.str() + " has expired; make another");
  return {};
}

/// Who used it first may come again: its answer may have been lost.
Result<void> check_use(const Invite& invite, const PeerIdentity& peer, const Sha256& bundle) {
  if (!invite.used_at) return {};
  const auto named = "invite " + invite.id + " for " + invite.node.str();
  if (invite.used_by_key != peer.public_key)
    return refuse(named + " was used already, by another key: the token may be stolen. Cancel it, and ask " +
                  invite.node.str() + " which key is theirs");
  if (invite.used_by_bundle != bundle) return refuse(named + " was used already, with another bundle");
  return {};
}

bool has_all(const std::vector<std::string>& known, const std::vector<std::string>& anchors) {
  return std::ranges::all_of(anchors, [&](const std::string& anchor) {
    const auto hash = pem_sha256(anchor);
    return hash && std::ranges::any_of(known, [&](const std::string& one) {
             const auto other = pem_sha256(one);
             return other && *other == *hash;
           });
  });
}

}  // namespace

Responder::Responder(const OwnParty& own, const EnrolmentLink& link, std::span<const Node> nodes, const Clock& clock,
                     const Entropy& entropy)
    : own_(own), link_(link), nodes_(nodes), clock_(clock), entropy_(entropy) {}

const Node* Responder::known(const NodeId& id) const {
  const auto found = std::ranges::find(nodes_, id, &Node::id);
  return found == nodes_.end() ? nullptr : &*found;
}

Result<ChallengeAnswer> Responder::challenge(const ChallengeRequest& request, Enrolment mode,
                                             const std::optional<Invite>& invite) {
  if (asked_) return refuse("a second challenge was asked for on one connection");
  if (link_.channel.resumed) return refuse("the connection was resumed; enrolment needs a full handshake");
  if (link_.leaf() == nullptr) return refuse("no client certificate was presented");
  if (mode == Enrolment::closed) return forbid("enrolment is closed (trust.enrolment)");
  if (request.node == own_.bundle.value.node) return refuse("the other side claims this gateway's own id");
  const bool invited = request.purpose == TrustPurpose::invite;
  if (!invited && request.purpose != TrustPurpose::request)
    return refuse("a challenge for \"" + std::string(to_string(request.purpose)) + "\" is not given here");
  if (invited) {
    if (auto checked = check_invite(invite, request.node, clock_.wall()); !checked) return fail(checked.error());
  } else {
    if (mode != Enrolment::open)
      return forbid(request.node.str() +
                    " asks without an invite; `fedgate trust invite` makes one, trust.enrolment: open lets it ask");
    if (const auto* node = known(request.node); node != nullptr && !may(*node, Act::ask))
      return forbid(request.node.str() + " is revoked or disabled and may not ask");
  }
  asked_ = request;
  challenge_.emplace();
  entropy_.fill(*challenge_);
  answer_until_ = clock_.steady() + challenge_time;
  return ChallengeAnswer{*challenge_, own_.bundle, clock_.wall() + challenge_time};
}

Result<void> Responder::check_challenge(const TrustRequest& request, const std::optional<Bytes32>& challenge) const {
  if (!challenge || !asked_)
    return refuse("no challenge is open on this connection: a proof was replayed or came twice");
  if (clock_.steady() >= answer_until_) return refuse("the challenge has expired");
  if (!same(*challenge, request.challenge)) return refuse("the challenge is not the one that was given here");
  if (request.node != asked_->node)
    return refuse("the challenge was given to " + asked_->node.str() + ", and " + request.node.str() + " answers");
  if (request.bundle.value.node != request.node)
    return refuse(request.node.str() + " shows the bundle of " + request.bundle.value.node.str());
  return {};
}

Result<ProofInput> Responder::check_proofs(const TrustRequest& request, const std::optional<Invite>& invite,
                                           const PeerIdentity& peer, const Bytes32& challenge) const {
  const auto ours = own_leaf(own_);
  if (!ours) return fail(ours.error());
  ProofInput input{.purpose = asked_->purpose,
                   .client = request.node,
                   .server = own_.bundle.value.node,
                   .client_leaf = peer.certificate,
                   .server_leaf = ours->sha256,
                   .client_bundle = request.bundle.sha256,
                   .server_bundle = own_.bundle.sha256,
                   .client_nonce = asked_->client_nonce,
                   .challenge = challenge,
                   .invite_id = asked_->invite_id,
                   .channel = link_.channel};
  if (auto proven = verify_proof(X509_get0_pubkey(link_.leaf()), ProofBy::client, input, request.proof); !proven)
    return fail(proven.error().in(request.node.str()));
  if (!invite) return input;
  const auto key = invite_public_key(invite->public_key);
  if (!key) return fail(key.error());
  if (auto proven = verify_proof(key->get(), ProofBy::invite, input, request.invite_proof); !proven)
    return refuse(request.node.str() + ": invite " + invite->id + ": " + proven.error().detail);
  return input;
}

Result<Admission> Responder::trust(const TrustRequest& request, const std::optional<Invite>& invite) {
  const auto challenge = std::exchange(challenge_, std::nullopt);
  if (auto checked = check_challenge(request, challenge); !checked) return fail(checked.error());
  const bool invited = asked_->purpose == TrustPurpose::invite;
  if (invited)
    if (auto checked = check_invite(invite, request.node, clock_.wall()); !checked) return fail(checked.error());
  const auto shown_leaf = pem_sha256(request.client_cert);
  const auto info = certificate_info(link_.leaf());
  if (!info) return refuse(request.node.str() + ": " + info.error().detail);
  if (!shown_leaf || *shown_leaf != info->sha256)
    return refuse(request.node.str() + ": client_cert is not the certificate of this connection");
  const auto peer = check_party(request.bundle, own_, nodes_, link_, Presented::by_client, clock_.wall(),
                                invited ? invite->anchor : std::nullopt);
  if (!peer) return fail(peer.error().code, request.node.str() + ": " + peer.error().detail);
  auto input = check_proofs(request, invited ? invite : std::nullopt, *peer, *challenge);
  if (!input) return fail(input.error());
  if (invited)
    if (auto checked = check_use(*invite, *peer, request.bundle.sha256); !checked) return fail(checked.error());
  auto leaf = pem_of(link_.leaf());
  if (!leaf) return fail(leaf.error());
  const auto* node = known(request.node);
  const bool undecided = node == nullptr || node->trust_level < TrustLevel::trusted;
  return Admission{.candidate = {.node = request.node,
                                 .bundle = request.bundle,
                                 .leaf = std::move(*leaf),
                                 .leaf_sha256 = peer->certificate,
                                 .leaf_key = peer->public_key,
                                 .own_bundle = own_.bundle.sha256,
                                 .how = asked_->purpose,
                                 .asked = Asked::incoming,
                                 .invite_id = asked_->invite_id,
                                 .remote = link_.remote,
                                 .proof = sha256(request.proof),
                                 .level_there = std::nullopt,
                                 .received_at = clock_.wall()},
                   .certificate = *info,
                   .decided = invited && invite->anchor && undecided,
                   .known = node != nullptr && node->trust_level == TrustLevel::trusted &&
                            has_all(node->trust_anchors, request.bundle.value.anchors),
                   .input = std::move(*input)};
}

Result<TrustAnswer> Responder::answer(const Admission& admission, TrustLevel level, std::string message) const {
  const auto key = read_private_key(own_.key_pem);
  if (!key) return fail(key.error().in("our own key"));
  auto proof = sign_proof(key->get(), ProofBy::server, admission.input);
  if (!proof) return fail(proof.error());
  return TrustAnswer{.success = true,
                     .node = own_.bundle.value.node,
                     .level = level,
                     .certificate = admission.certificate,
                     .challenge_response = std::move(*proof),
                     .expires_at = admission.candidate.received_at + candidates_kept,
                     .message = std::move(message)};
}

}  // namespace fedgate::trust
