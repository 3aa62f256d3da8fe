// SPDX-License-Identifier: Apache-2.0
#include "trust/initiator.h"

#include <algorithm>

#include "base/hash.h"
#include "trust/openssl.h"

namespace fedgate::trust {

namespace {

std::unexpected<Error> refuse(std::string why) { return fail(Code::identity_mismatch, std::move(why)); }

std::string_view view_of(const Sha256& hash) { return {reinterpret_cast<const char*>(hash.data()), hash.size()}; }

}  // namespace

Initiator::Initiator(const OwnParty& own, const std::optional<InviteToken>& token, NodeId expected,
                     std::span<const Node> nodes, const Clock& clock, const Entropy& entropy)
    : own_(own), token_(token), expected_(std::move(expected)), nodes_(nodes), clock_(clock), entropy_(entropy) {}

Result<ChallengeRequest> Initiator::begin() {
  const NodeId& us = own_.bundle.value.node;
  request_.node = us;
  entropy_.fill(request_.client_nonce);
  if (token_) {
    if (token_->node == us)
      return fail(Code::bad_request, "this invite is our own: it is for " + token_->invited.str());
    if (token_->invited != us)
      return fail(Code::bad_request,
                  "this invite is for " + token_->invited.str() + ", and this gateway is " + us.str());
    if (clock_.wall() >= token_->expires_at)
      return fail(Code::bad_request, "this invite has expired; ask " + token_->node.str() + " for another");
    if (!expected_.empty() && expected_ != token_->node)
      return fail(Code::bad_request, "this invite is from " + token_->node.str() + ", not from " + expected_.str());
    expected_ = token_->node;
    request_.purpose = TrustPurpose::invite;
    request_.invite_id = token_->id;
  }
  if (expected_ == us) return fail(Code::bad_request, us.str() + " is this gateway itself");
  return request_;
}

Result<Candidate> Initiator::check(const ChallengeAnswer& answer, const EnrolmentLink& link) {
  const auto& bundle = answer.bundle;
  const NodeId& node = bundle.value.node;
  if (link.leaf() == nullptr) return refuse("no server certificate was presented");
  if (!expected_.empty() && node != expected_)
    return refuse("the gateway at " + link.remote + " says that it is " + node.str() + ", not " + expected_.str());
  if (token_ && !equal_constant_time(view_of(bundle.sha256), view_of(token_->bundle)))
    return refuse("the bundle of " + node.str() + " is not the one that the invite names: ask them for a new invite, " +
                  "and whether somebody stands between the two gateways");
  const auto peer = check_party(bundle, own_, nodes_, link, Presented::by_server, clock_.wall());
  if (!peer) return fail(peer.error().code, node.str() + ": " + peer.error().detail);
  const auto ours = own_leaf(own_);
  if (!ours) return fail(ours.error());
  auto leaf = pem_of(link.leaf());
  if (!leaf) return fail(leaf.error());
  link_ = &link;
  input_ = {.purpose = request_.purpose,
            .client = request_.node,
            .server = node,
            .client_leaf = ours->sha256,
            .server_leaf = peer->certificate,
            .client_bundle = own_.bundle.sha256,
            .server_bundle = bundle.sha256,
            .client_nonce = request_.client_nonce,
            .challenge = answer.challenge,
            .invite_id = request_.invite_id,
            .channel = link.channel};
  candidate_ = {.node = node,
                .bundle = bundle,
                .leaf = std::move(*leaf),
                .leaf_sha256 = peer->certificate,
                .leaf_key = peer->public_key,
                .own_bundle = own_.bundle.sha256,
                .how = request_.purpose,
                .asked = Asked::outgoing,
                .invite_id = request_.invite_id,
                .remote = link.remote,
                .level_there = std::nullopt,
                .received_at = clock_.wall()};
  return candidate_;
}

Result<TrustRequest> Initiator::prove() {
  if (link_ == nullptr) return fail(Code::internal, "a proof was asked for before the other side was checked");
  auto leaf = own_leaf(own_);
  if (!leaf) return fail(leaf.error());
  const auto key = read_private_key(own_.key_pem);
  if (!key) return fail(key.error().in("our own key"));
  auto proof = sign_proof(key->get(), ProofBy::client, input_);
  if (!proof) return fail(proof.error());
  TrustRequest request{.node = request_.node,
                       .client_cert = std::move(leaf->pem),
                       .challenge = input_.challenge,
                       .bundle = own_.bundle,
                       .proof = std::move(*proof),
                       .invite_proof = {}};
  if (!token_) return request;
  const auto seed = invite_key(token_->seed);
  if (!seed) return fail(seed.error());
  auto invited = sign_proof(seed->get(), ProofBy::invite, input_);
  if (!invited) return fail(invited.error());
  request.invite_proof = std::move(*invited);
  return request;
}

Result<Candidate> Initiator::conclude(const TrustAnswer& answer) {
  if (link_ == nullptr) return fail(Code::internal, "an answer was concluded before the other side was checked");
  const auto from = candidate_.node.str() + ": ";
  if (!answer.success) return fail(Code::peer_refused, from + "it answers that it does not want to");
  if (answer.node != candidate_.node) return refuse(from + "the answer is " + answer.node.str() + "'s");
  if (answer.certificate.sha256 != input_.client_leaf)
    return refuse(from + "it saw another certificate than ours: somebody stands between the two gateways");
  if (answer.level != TrustLevel::pending && answer.level != TrustLevel::trusted)
    return fail(Code::peer_protocol_error, from + "it answers with the level " + std::string(to_string(answer.level)));
  if (auto proven = verify_proof(X509_get0_pubkey(link_->leaf()), ProofBy::server, input_, answer.challenge_response);
      !proven)
    return refuse(from + proven.error().detail);
  candidate_.proof = sha256(answer.challenge_response);
  candidate_.level_there = answer.level;
  return candidate_;
}

bool Initiator::decided() const {
  if (!token_) return false;
  const auto known = std::ranges::find(nodes_, candidate_.node, &Node::id);
  return known == nodes_.end() || known->trust_level < TrustLevel::trusted;
}

}  // namespace fedgate::trust
