// SPDX-License-Identifier: Apache-2.0
//
// Both ends of the dialogue against each other, and against whoever does not keep to it.
#include "trust/enrolment.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/pem.h>

#include <cstdio>

#include "base/hash.h"
#include "support/certificate_builder.h"
#include "support/fake_clock.h"
#include "support/fake_entropy.h"
#include "trust/initiator.h"
#include "trust/responder.h"

namespace fedgate::trust {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

NodeId id(const std::string& text) { return NodeId::parse(text).value(); }

std::string key_pem(EVP_PKEY* key) {
  const BioPtr out(BIO_new(BIO_s_mem()));
  must(PEM_write_bio_PrivateKey(out.get(), key, nullptr, nullptr, 0, nullptr, nullptr) == 1, "PEM");
  char* text = nullptr;
  const auto size = BIO_get_mem_data(out.get(), &text);
  return {text, static_cast<std::size_t>(size)};
}

/// Not canonical JSON, which is wire's: any text that changes with the bundle serves here.
StatedBundle stated(Bundle value) {
  std::string text = value.node.str() + std::to_string(value.seq);
  for (const auto& list : {value.endpoints, value.anchors, value.pins})
    for (const auto& item : list) text += "|" + item;
  for (const auto& domain : value.principal_domains) text += "|" + domain.str();
  const auto hash = sha256(text);
  return {std::move(value), std::move(text), hash};
}

struct Organisation {
  Issued ca;
  Issued leaf;
  OwnParty own;

  explicit Organisation(const std::string& name)
      : ca(issue(Recipe::authority("CA of " + name))), leaf(issue(Recipe::leaf(name), &ca)) {
    Bundle bundle;
    bundle.node = id(name);
    bundle.endpoints = {"https://gate." + name + ":8443"};
    bundle.principal_domains = {Domain::parse(name).value()};
    bundle.anchors = {ca.pem()};
    own = {stated(bundle), leaf.pem() + ca.pem(), key_pem(leaf.key.get())};
  }
  [[nodiscard]] NodeId node() const { return own.bundle.value.node; }
  [[nodiscard]] Sha256 anchor() const { return certificate_sha256(ca.get()).value(); }
  /// As a trusted peer's row.
  [[nodiscard]] Node row(TrustLevel level) const {
    Node made;
    made.id = node();
    made.trust_anchors = own.bundle.value.anchors;
    made.principal_domains = own.bundle.value.principal_domains;
    made.trust_level = level;
    return made;
  }
};

const Organisation& org(char letter) {
  static const Organisation all[] = {Organisation("orga.example"), Organisation("orgb.example"),
                                     Organisation("orgc.example")};
  return all[letter - 'a'];
}

EnrolmentLink shown_by(const Issued& leaf, std::uint8_t connection = 1, bool resumed = false) {
  net::Presentation presentation;
  presentation.leaf = leaf.der();
  presentation.exporter.fill(connection);
  presentation.resumed = resumed;
  return enrolment_link(presentation, "192.0.2.1:4711").value();
}

/// A asks B. Each part can be changed before it happens.
class EnrolmentTest : public testing::Test {
 protected:
  test::FakeClock clock{test_now};
  test::FakeEntropy entropy;
  OwnParty a = org('a').own;
  OwnParty b = org('b').own;
  std::vector<Node> known_by_a, known_by_b;
  std::optional<InviteToken> token;
  std::optional<Invite> invite;
  NodeId expected;
  Enrolment mode = Enrolment::open;
  EnrolmentLink seen_by_a = shown_by(org('b').leaf);
  EnrolmentLink seen_by_b = shown_by(org('a').leaf);
  std::optional<Initiator> initiator;
  std::optional<Responder> responder;

  void make_invite_for_a(std::optional<Sha256> anchor = std::nullopt) {
    InviteToken wanted;
    wanted.endpoint = "https://gate.orgb.example:8443";
    wanted.node = id("orgb.example");
    wanted.bundle = b.bundle.sha256;
    wanted.invited = id("orga.example");
    wanted.expires_at = clock.wall() + 24h;
    Invite keep;
    keep.anchor = anchor;
    const auto made = make_invite(wanted, keep, entropy).value();
    token = parse_token(made.token).value();
    invite = made.invite;
    mode = Enrolment::invites;
  }

  Result<ChallengeAnswer> challenge(std::function<void(ChallengeRequest&)> change = {}) {
    initiator.emplace(a, token, expected, known_by_a, clock, entropy);
    responder.emplace(b, seen_by_b, known_by_b, clock, entropy);
    auto request = initiator->begin();
    if (!request) return fail(request.error());
    if (change) change(*request);
    return responder->challenge(*request, mode, invite);
  }
  Result<TrustRequest> prove() {
    auto answer = challenge();
    if (!answer) return fail(answer.error());
    auto candidate = initiator->check(*answer, seen_by_a);
    if (!candidate) return fail(candidate.error());
    return initiator->prove();
  }
  Result<Admission> admit(std::function<void(TrustRequest&)> change = {}) {
    auto request = prove();
    if (!request) return fail(request.error());
    if (change) change(*request);
    return responder->trust(*request, invite);
  }
  Result<Candidate> finish() {
    auto admission = admit();
    if (!admission) return fail(admission.error());
    auto answer = responder->answer(*admission, TrustLevel::pending, "act");
    if (!answer) return fail(answer.error());
    return initiator->conclude(*answer);
  }
  template <class T>
  static void expect_refused(const Result<T>& result, const std::string& why, Code code = Code::identity_mismatch) {
    ASSERT_FALSE(result) << "wanted: " << why;
    EXPECT_EQ(result.error().code, code) << result.error().detail;
    EXPECT_THAT(result.error().detail, HasSubstr(why));
  }
};

TEST_F(EnrolmentTest, ARequestLeavesACandidateOnBothSides) {
  const auto admission = admit().value();
  EXPECT_FALSE(admission.decided);
  EXPECT_FALSE(admission.known);
  EXPECT_EQ(admission.candidate.node, id("orga.example"));
  EXPECT_EQ(admission.candidate.bundle, a.bundle);
  EXPECT_EQ(admission.candidate.own_bundle, b.bundle.sha256);
  EXPECT_EQ(admission.candidate.leaf_sha256, certificate_sha256(org('a').leaf.get()).value());
  EXPECT_EQ(admission.candidate.leaf_key, public_key_sha256(org('a').leaf.get()).value());
  EXPECT_EQ(admission.candidate.asked, Asked::incoming);
  EXPECT_EQ(admission.candidate.remote, "192.0.2.1:4711");
  EXPECT_EQ(admission.candidate.received_at, clock.wall());
  const auto answer = responder->answer(admission, TrustLevel::pending, "act").value();
  EXPECT_EQ(answer.expires_at, clock.wall() + candidates_kept);
  const auto candidate = initiator->conclude(answer).value();
  EXPECT_EQ(candidate.node, id("orgb.example"));
  EXPECT_EQ(candidate.bundle, b.bundle);
  EXPECT_EQ(candidate.own_bundle, a.bundle.sha256);
  EXPECT_EQ(candidate.asked, Asked::outgoing);
  EXPECT_EQ(candidate.level_there, TrustLevel::pending);
  EXPECT_FALSE(initiator->decided());
}

TEST_F(EnrolmentTest, AnInviteWithTheAnchorDecides) {
  make_invite_for_a(org('a').anchor());
  const auto admission = admit().value();
  EXPECT_TRUE(admission.decided);
  EXPECT_EQ(admission.candidate.how, TrustPurpose::invite);
  EXPECT_EQ(admission.candidate.invite_id, invite->id);
  ASSERT_TRUE(initiator->conclude(responder->answer(admission, TrustLevel::trusted, "").value()));
  EXPECT_TRUE(initiator->decided());
}

TEST_F(EnrolmentTest, AnInviteWithoutTheAnchorLeavesTheInviterPending) {
  make_invite_for_a();
  EXPECT_FALSE(admit().value().decided);
}

TEST_F(EnrolmentTest, WhatIsTrustedOrRevokedAlreadyIsNotChanged) {
  for (const auto level : {TrustLevel::trusted, TrustLevel::revoked}) {
    make_invite_for_a(org('a').anchor());
    known_by_b = {org('a').row(level)};
    known_by_a = {org('b').row(level)};
    const auto admission = admit().value();
    EXPECT_FALSE(admission.decided);
    EXPECT_EQ(admission.known, level == TrustLevel::trusted);
    ASSERT_TRUE(initiator->conclude(responder->answer(admission, TrustLevel::pending, "").value()));
    EXPECT_FALSE(initiator->decided());
  }
  known_by_b.front().trust_level = TrustLevel::trusted;
  known_by_b.front().trust_anchors = {org('c').ca.pem()};
  EXPECT_FALSE(admit().value().known) << "other anchors than those that are known";
}

// ---- who may ask ------------------------------------------------------------------------------------------------

TEST_F(EnrolmentTest, WhoMayAsk) {
  mode = Enrolment::closed;
  expect_refused(challenge(), "closed", Code::forbidden);
  make_invite_for_a();
  mode = Enrolment::closed;
  expect_refused(challenge(), "closed", Code::forbidden);
  token.reset();
  mode = Enrolment::invites;
  expect_refused(challenge(), "without an invite", Code::forbidden);
  mode = Enrolment::open;
  EXPECT_TRUE(challenge());
  for (const auto level : {TrustLevel::untrusted, TrustLevel::pending, TrustLevel::trusted}) {
    known_by_b = {org('a').row(level)};
    EXPECT_TRUE(challenge()) << to_string(level);
  }
  known_by_b = {org('a').row(TrustLevel::revoked)};
  expect_refused(challenge(), "revoked", Code::forbidden);
  known_by_b = {org('a').row(TrustLevel::trusted)};
  known_by_b.front().enabled = false;
  expect_refused(challenge(), "disabled", Code::forbidden);
  known_by_b.clear();
  expect_refused(challenge([](auto& request) { request.purpose = TrustPurpose::verify; }), "verify");
  expect_refused(challenge([](auto& request) { request.node = id("orgb.example"); }), "own id");
}

TEST_F(EnrolmentTest, InvitesThatDoNotServe) {
  make_invite_for_a();
  const auto right = invite;
  invite.reset();
  expect_refused(challenge(), "has not made", Code::forbidden);
  invite = right;
  invite->node = id("orgc.example");
  expect_refused(challenge(), "is for orgc.example", Code::forbidden);
  invite = right;
  invite->expires_at = clock.wall();
  expect_refused(challenge(), "expired", Code::forbidden);
  invite = right;
  ASSERT_TRUE(admit());
  const auto request = prove().value();
  invite.reset();
  expect_refused(responder->trust(request, invite), "cancelled", Code::forbidden);
}

TEST_F(EnrolmentTest, AnInviteIsUsedByOneKeyWithOneBundle) {
  make_invite_for_a(org('a').anchor());
  invite->used_at = clock.wall();
  invite->used_by_key = public_key_sha256(org('a').leaf.get()).value();
  invite->used_by_bundle = a.bundle.sha256;
  EXPECT_TRUE(admit()) << "the same once more: its answer was lost";
  invite->used_by_key->front() ^= 1;
  expect_refused(admit(), "used already, by another key");
  invite->used_by_key->front() ^= 1;
  invite->used_by_bundle->front() ^= 1;
  expect_refused(admit(), "another bundle");
}

TEST_F(EnrolmentTest, AThiefOfATokenGetsNoFurtherThanACandidate) {
  // C has A's token and a CA of its own that issues A's name.
  const auto false_ca = issue(Recipe::authority("CA of orga.example"));
  const auto false_leaf = issue(Recipe::leaf("orga.example"), &false_ca);
  Bundle bundle = a.bundle.value;
  const auto thief = [&](std::vector<std::string> anchors) {
    bundle.anchors = std::move(anchors);
    a = {stated(bundle), false_leaf.pem(), key_pem(false_leaf.key.get())};
    seen_by_b = shown_by(false_leaf);
  };
  make_invite_for_a(org('a').anchor());
  thief({false_ca.pem()});
  expect_refused(admit(), "none of the bundle's anchors");
  thief({false_ca.pem(), org('a').ca.pem()});  // CA certificates are public
  expect_refused(admit(), "orga.example");
  make_invite_for_a();
  const auto admission = admit().value();
  EXPECT_FALSE(admission.decided) << "the fingerprint will differ from what the operators compare";
}

// ---- the asking side's certificate, bundle and proofs --------------------------------------------------------------

TEST_F(EnrolmentTest, TheBundleMustBeTheirOwn) {
  const auto refused = [&](auto change, const std::string& why) {
    a = org('a').own;
    Bundle bundle = a.bundle.value;
    change(bundle);
    a.bundle = stated(bundle);
    expect_refused(admit(), why);
  };
  refused([](Bundle& x) { x.principal_domains.push_back(Domain::parse("orgb.example").value()); }, "our own principal");
  refused([](Bundle& x) { x.anchors.clear(); }, "no trust anchor");
  refused([](Bundle& x) { x.anchors = {"rubbish"}; }, "anchor");
  refused([](Bundle& x) { x.anchors = {org('a').leaf.pem()}; }, "CA");
  refused([](Bundle& x) { x.anchors = {org('c').ca.pem()}; }, "orga.example");
  refused([](Bundle& x) { x.anchors = {org('a').ca.pem() + org('c').ca.pem()}; }, "more than 1");
  refused([](Bundle& x) { x.anchors.push_back(org('b').ca.pem()); }, "a shared CA needs pins");
  refused([](Bundle& x) { x.pins = {std::string(64, 'a')}; }, "pin");
  known_by_b = {org('c').row(TrustLevel::trusted)};
  refused([](Bundle& x) { x.anchors.push_back(org('c').ca.pem()); }, "orgc.example's too");
  a = org('a').own;
  ASSERT_TRUE(admit());
  expect_refused(admit([](TrustRequest& x) { x.bundle = org('c').own.bundle; }), "bundle of orgc.example");
  Bundle other = a.bundle.value;
  other.endpoints = {"https://elsewhere"};
  expect_refused(admit([&](TrustRequest& x) { x.bundle = stated(other); }), "proof does not hold");
}

TEST_F(EnrolmentTest, TheCertificateMustBeTheirs) {
  const auto refused = [&](const Issued& leaf, const std::string& why) {
    a = {org('a').own.bundle, leaf.pem(), key_pem(leaf.key.get())};
    seen_by_b = shown_by(leaf);
    expect_refused(admit(), why);
  };
  refused(issue(Recipe::leaf("orgc.example"), &org('a').ca), "orga.example");
  refused(issue(Recipe::leaf("orga.example"), &org('c').ca), "orga.example");
  auto both = Recipe::leaf("orga.example");
  both.names.push_back({GEN_DNS, "orgb.example"});
  refused(issue(both, &org('a').ca), "orgb.example");
  both.names.back().text = "orgc.example";
  known_by_b = {org('c').row(TrustLevel::revoked)};
  refused(issue(both, &org('a').ca), "orgc.example");
  auto server_only = Recipe::leaf("orga.example");
  server_only.extended_key_usage = "serverAuth";
  refused(issue(server_only, &org('a').ca), "clientAuth");
  a = org('a').own;
  seen_by_b = shown_by(org('a').leaf);
  ASSERT_TRUE(admit());
  clock.advance(24h * 40);
  expect_refused(admit(), "expired");
  clock.advance(-24h * 40);
  seen_by_b.chain.clear();
  expect_refused(challenge(), "no client certificate");
}

TEST_F(EnrolmentTest, TheCertificateMustBeTheConnections) {
  expect_refused(admit([](TrustRequest& x) { x.client_cert = org('c').leaf.pem(); }), "client_cert is not");
  expect_refused(admit([](TrustRequest& x) { x.client_cert = "rubbish"; }), "client_cert is not");
  // C relays what A signed over a connection of its own, with A's certificate in the message only.
  const auto request = prove().value();
  const auto connection_of_c = shown_by(org('c').leaf, 2);
  Responder other(b, connection_of_c, known_by_b, clock, entropy);
  const auto given = other.challenge(
      {.node = id("orga.example"), .purpose = TrustPurpose::request, .client_nonce = {}, .invite_id = {}},
      Enrolment::open, std::nullopt);
  ASSERT_TRUE(given);
  auto relayed = request;
  relayed.challenge = given->challenge;
  expect_refused(other.trust(relayed, std::nullopt), "client_cert is not");
}

TEST_F(EnrolmentTest, ProofsOfOtherConnectionsAndTimes) {
  seen_by_b.channel.exporter.fill(9);
  expect_refused(admit(), "another connection");  // relayed
  seen_by_b = shown_by(org('a').leaf, 1, true);
  expect_refused(challenge(), "resumed");
  seen_by_b = shown_by(org('a').leaf);

  const auto first = prove().value();
  ASSERT_TRUE(responder->trust(first, invite));
  expect_refused(responder->trust(first, invite), "no challenge is open");  // replayed here
  ASSERT_TRUE(prove());
  expect_refused(responder->trust(first, invite), "not the one");  // replayed on the next one
  auto patched = first;
  const auto fresh = prove().value();
  patched.challenge = fresh.challenge;
  expect_refused(responder->trust(patched, invite), "proof does not hold");
  expect_refused(responder->trust(fresh, invite), "no challenge is open");  // once, whatever came of it

  const auto late = prove().value();
  clock.advance(59s);
  ASSERT_TRUE(responder->trust(late, invite));
  const auto later = prove().value();
  clock.advance(60s);
  expect_refused(responder->trust(later, invite), "expired");

  ASSERT_TRUE(challenge());
  expect_refused(
      responder->challenge(
          {.node = id("orga.example"), .purpose = TrustPurpose::request, .client_nonce = {}, .invite_id = {}}, mode,
          invite),
      "second challenge");
  Responder unasked(b, seen_by_b, known_by_b, clock, entropy);
  expect_refused(unasked.trust(fresh, invite), "no challenge is open");
  expect_refused(admit([](TrustRequest& x) { x.node = id("orgc.example"); }), "answers");
}

TEST_F(EnrolmentTest, ForeignAndReflectedProofs) {
  const auto forged = [&](std::function<void(TrustRequest&)> change, const std::string& why) {
    expect_refused(admit(std::move(change)), why);
  };
  forged([](TrustRequest& x) { x.proof.back() = static_cast<char>(x.proof.back() ^ 1); }, "proof does not hold");
  forged([](TrustRequest& x) { x.proof.clear(); }, "proof does not hold");
  a.key_pem = org('c').own.key_pem;
  expect_refused(admit(), "proof does not hold");
  a = org('a').own;
  make_invite_for_a();
  forged([](TrustRequest& x) { x.invite_proof = x.proof; }, "invite");
  forged([](TrustRequest& x) { x.invite_proof.clear(); }, "invite");
  token->seed.front() ^= 1;
  expect_refused(admit(), "invite");
  token->seed.front() ^= 1;
  EXPECT_TRUE(admit());
  forged([](TrustRequest& x) { x.bundle.sha256.front() ^= 1; }, "proof does not hold");
}

// ---- the answering side, seen from the asking one ------------------------------------------------------------------

TEST_F(EnrolmentTest, WhoAnswersMustBeWhoIsMeant) {
  const auto checked = [&] {
    const auto answer = challenge();
    return answer ? initiator->check(*answer, seen_by_a) : Result<Candidate>(fail(answer.error()));
  };
  EXPECT_TRUE(checked());
  expected = id("orgc.example");
  expect_refused(checked(), "not orgc.example");
  expected = id("orgb.example");
  EXPECT_TRUE(checked());
  seen_by_a = shown_by(org('c').leaf);
  expect_refused(checked(), "orgb.example");
  seen_by_a = shown_by(org('b').leaf, 1, true);
  expect_refused(checked(), "resumed");
  seen_by_a.chain.clear();
  expect_refused(checked(), "no server certificate");
  seen_by_a = shown_by(org('b').leaf);
  make_invite_for_a();
  EXPECT_TRUE(checked());
  Bundle other = b.bundle.value;
  other.endpoints = {"https://elsewhere.orgb.example"};
  b.bundle = stated(other);
  expect_refused(checked(), "not the one that the invite names");
}

TEST_F(EnrolmentTest, TheirProofMustHold) {
  const auto concluded = [&](std::function<void(TrustAnswer&)> change) {
    auto answer = responder->answer(admit().value(), TrustLevel::pending, "").value();
    change(answer);
    return initiator->conclude(answer);
  };
  EXPECT_TRUE(concluded([](TrustAnswer&) {}));
  expect_refused(concluded([](TrustAnswer& x) { x.challenge_response.back() ^= 1; }), "proof does not hold");
  expect_refused(concluded([](TrustAnswer& x) { x.node = id("orgc.example"); }), "orgc.example's");
  expect_refused(concluded([](TrustAnswer& x) { x.certificate.sha256.front() ^= 1; }), "another certificate");
  expect_refused(concluded([](TrustAnswer& x) { x.success = false; }), "does not want", Code::peer_refused);
  expect_refused(concluded([](TrustAnswer& x) { x.level = TrustLevel::revoked; }), "revoked",
                 Code::peer_protocol_error);
  // Our own proof sent back to us.
  expect_refused(
      [&] {
        const auto request = prove().value();
        const auto admission = responder->trust(request, invite).value();
        auto answer = responder->answer(admission, TrustLevel::pending, "").value();
        answer.challenge_response = request.proof;
        return initiator->conclude(answer);
      }(),
      "proof does not hold");
  // B's certificate in front of somebody else's key.
  b.key_pem = org('c').own.key_pem;
  expect_refused(concluded([](TrustAnswer&) {}), "proof does not hold");
}

TEST_F(EnrolmentTest, TokensThatAreNotForUs) {
  make_invite_for_a();
  const auto right = token;
  const auto begun = [&] {
    initiator.emplace(a, token, expected, known_by_a, clock, entropy);
    return initiator->begin();
  };
  EXPECT_TRUE(begun());
  token->invited = id("orgc.example");
  expect_refused(begun(), "is for orgc.example", Code::bad_request);
  token = right;
  token->node = id("orga.example");
  expect_refused(begun(), "our own", Code::bad_request);
  token = right;
  expected = id("orgc.example");
  expect_refused(begun(), "not from orgc.example", Code::bad_request);
  expected = {};
  clock.advance(24h);
  expect_refused(begun(), "expired", Code::bad_request);
  token.reset();
  expected = id("orga.example");
  expect_refused(begun(), "itself", Code::bad_request);
}

TEST_F(EnrolmentTest, OutOfOrder) {
  initiator.emplace(a, token, expected, known_by_a, clock, entropy);
  EXPECT_FALSE(initiator->prove());
  EXPECT_FALSE(initiator->conclude({}));
}

TEST_F(EnrolmentTest, DISABLED_Cost) {
  make_invite_for_a(org('a').anchor());
  constexpr int rounds = 300;
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < rounds; ++i) ASSERT_TRUE(finish());
  const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - start;
  std::printf("one enrolment, both ends, without TLS and storage: %.2f ms\n", took.count() / rounds);
}

TEST(EnrolmentLinkTest, RubbishIsNoCertificate) {
  net::Presentation presentation;
  EXPECT_EQ(enrolment_link(presentation, "x")->leaf(), nullptr);
  presentation.leaf = "rubbish";
  EXPECT_FALSE(enrolment_link(presentation, "x"));
}

}  // namespace
}  // namespace fedgate::trust
