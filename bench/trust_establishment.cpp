// SPDX-License-Identifier: Apache-2.0
//
// What trust costs on one core: judging a peer's certificate, and one enrolment by invite with everything that both
// ends do, messages included; TLS and storage apart. Usage: bench_trust_establishment [ROUNDS]
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>

#include "base/entropy.h"
#include "base/json.h"
#include "trust/dev_pki.h"
#include "trust/initiator.h"
#include "trust/responder.h"
#include "wire/bundle_text.h"
#include "wire/trust_dialogue.h"

namespace fedgate {
namespace {

template <class T>
T must(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().detail);
  return std::move(*result);
}

struct Organisation {
  NodeId id;
  trust::CertificateAndKey ca, leaf;
  trust::OwnParty own;
  trust::EnrolmentLink link;  ///< as the other side sees it

  explicit Organisation(const std::string& name) : id(must(NodeId::parse(name))) {
    const auto since = system_clock().wall() - std::chrono::hours(1);
    ca = must(trust::make_dev_ca(name, since));
    leaf = must(trust::issue_dev_leaf(ca, {.dns_names = {name}, .common_name = "", .not_before = since}));
    Bundle bundle;
    bundle.node = id;
    bundle.endpoints = {"https://gate." + name + ":8443"};
    bundle.principal_domains = {must(Domain::parse(name))};
    bundle.anchors = {ca.certificate_pem};
    own = {must(wire::state_bundle(bundle)), leaf.certificate_pem, leaf.key_pem};
    link.chain = must(trust::read_certificates(leaf.certificate_pem, 1));
    link.remote = "192.0.2.1:443";
  }
};

double microseconds(std::chrono::steady_clock::time_point since, int rounds) {
  return std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - since).count() / rounds;
}

void validation(const Organisation& peer, int rounds) {
  Node node;
  node.id = peer.id;
  node.trust_anchors = {peer.ca.certificate_pem};
  node.trust_level = TrustLevel::trusted;
  const auto verifier = trust::PeerVerifier::make(std::span(&node, 1));
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < rounds; ++i)
    must(verifier->judge(peer.link.leaf(), {}, trust::Presented::by_client, {}, system_clock().wall()));
  std::printf("certificate validation: %.0f us\n", microseconds(start, rounds));
}

void enrol(const Organisation& inviter, const Organisation& invited, const std::optional<trust::InviteToken>& token,
           const std::optional<Invite>& invite) {
  json::Parser parser;
  trust::Initiator initiator(invited.own, token, {}, {}, system_clock(), system_entropy());
  trust::Responder responder(inviter.own, invited.link, {}, system_clock(), system_entropy());
  const auto asked = wire::challenge_request_body(must(initiator.begin()));
  const auto challenge = wire::challenge_answer_body(
      must(responder.challenge(must(wire::parse_challenge_request(parser, asked)), Enrolment::invites, invite)));
  must(initiator.check(must(wire::parse_challenge_answer(parser, challenge)), inviter.link));
  const auto proof = wire::trust_request_body(must(initiator.prove()));
  const auto admission = must(responder.trust(must(wire::parse_trust_request(parser, proof)), invite));
  const auto answer = wire::trust_answer_body(must(responder.answer(admission, TrustLevel::trusted, "")));
  must(initiator.conclude(must(wire::parse_trust_answer(parser, answer))));
}

void run(int rounds) {
  const Organisation inviter("orga.example"), invited("orgb.example");
  validation(invited, rounds);
  trust::InviteToken wanted;
  wanted.endpoint = "https://gate.orga.example:8443";
  wanted.node = inviter.id;
  wanted.bundle = inviter.own.bundle.sha256;
  wanted.invited = invited.id;
  wanted.expires_at = system_clock().wall() + std::chrono::hours(1);
  Invite keep;
  keep.anchor = must(trust::pem_sha256(invited.ca.certificate_pem));
  const auto made = must(trust::make_invite(wanted, keep, system_entropy()));
  const std::optional<trust::InviteToken> token = must(trust::parse_token(made.token));
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < rounds; ++i) enrol(inviter, invited, token, made.invite);
  std::printf("trust establishment, both ends: %.2f ms\n", microseconds(start, rounds) / 1000);
}

}  // namespace
}  // namespace fedgate

int main(int argc, char** argv) {
  try {
    const int rounds = argc > 1 ? std::atoi(argv[1]) : 500;
    fedgate::run(rounds > 0 ? rounds : 1);
    return 0;
  } catch (const std::exception& problem) {
    std::fprintf(stderr, "%s\n", problem.what());
    return 1;
  }
}
