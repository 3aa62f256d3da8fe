// SPDX-License-Identifier: Apache-2.0
#include "trust/peer_verifier.h"

#include <openssl/x509_vfy.h>

#include <algorithm>
#include <utility>

#include "base/hash.h"
#include "trust/certificate_rules.h"
#include "trust/issuer_rules.h"
#include "trust/known_nodes.h"
#include "trust/name_constraints.h"
#include "trust/ocsp.h"
#include "trust/openssl.h"
#include "trust/verify_errors.h"

namespace fedgate::trust {

namespace {

constexpr std::size_t longest_chain = 4;  // protocol.md section 1
constexpr int auth_level = 2;             // 112 bits: no SHA-1, no MD5, no RSA below 2048
constexpr std::string_view leaf_role = "the certificate";
constexpr std::string_view issuer_role = "the issuer";

/// Ready for X509_verify_cert; false where OpenSSL fails.
bool prepare(X509_STORE_CTX* context, const KnownNode& node, const Evidence& evidence, STACK_OF(X509) * rest) {
  if (X509_STORE_CTX_init(context, node.store.get(), evidence.leaf, rest) != 1) return false;
  const bool client = evidence.presented == Presented::by_client;
  X509_VERIFY_PARAM* param = X509_STORE_CTX_get0_param(context);
  X509_VERIFY_PARAM_set_auth_level(param, auth_level);
  X509_VERIFY_PARAM_set_depth(param, static_cast<int>(longest_chain));
  const auto seconds = std::chrono::floor<std::chrono::seconds>(evidence.at).time_since_epoch();
  X509_VERIFY_PARAM_set_time(param, static_cast<std::time_t>(seconds.count()));
  return X509_VERIFY_PARAM_set_flags(
             param, X509_V_FLAG_X509_STRICT | X509_V_FLAG_PARTIAL_CHAIN | X509_V_FLAG_POLICY_CHECK) == 1 &&
         X509_VERIFY_PARAM_set_purpose(param, client ? X509_PURPOSE_SSL_CLIENT : X509_PURPOSE_SSL_SERVER) == 1;
}

/// Where OpenSSL looks for issuers before the anchors: what was presented, then what is configured for the node.
std::vector<X509*> issuers_of(const KnownNode& node, const Evidence& evidence) {
  std::vector<X509*> issuers(evidence.rest.begin(), evidence.rest.end());
  for (const auto& one : node.intermediates) issuers.push_back(one.get());
  return issuers;
}

/// As far as it was built, leaf first.
std::vector<X509*> chain_of(X509_STORE_CTX* context) {
  const STACK_OF(X509)* built = X509_STORE_CTX_get0_chain(context);
  std::vector<X509*> chain;
  for (int i = 0; built != nullptr && i < sk_X509_num(built); ++i) chain.push_back(sk_X509_value(built, i));
  return chain;
}

}  // namespace

struct PeerVerifier::State {
  KnownNodes nodes;
  std::shared_ptr<const RevocationLists> crls;

  const KnownNode* whom(Findings& findings, const Evidence& evidence) const;
  std::optional<PeerIdentity> judge(Findings& findings, const Evidence& evidence) const;
  void verify_chain(Findings& findings, const KnownNode& node, const Evidence& evidence, WallTime& valid_until) const;
  enum class Built : std::uint8_t { in_part, to_an_anchor };
  static void check_chain(Findings& findings, std::span<X509* const> chain, const Evidence& evidence, Built built);
  static void explain(Findings& findings, const KnownNode& node, X509_STORE_CTX* context, std::span<X509* const> chain,
                      const Evidence& evidence);
  void check_revocation(Findings& findings, const KnownNode& node, std::span<X509* const> chain,
                        const Evidence& evidence, WallTime& valid_until) const;
  void check_owners(Findings& findings, const KnownNode& node, std::span<X509* const> chain) const;
};

PeerVerifier::PeerVerifier(std::unique_ptr<State> state) : state_(std::move(state)) {}
PeerVerifier::~PeerVerifier() = default;

std::shared_ptr<const PeerVerifier> PeerVerifier::make(std::span<const Node> nodes, std::vector<Error>* problems,
                                                       std::shared_ptr<const RevocationLists> crls) {
  return std::shared_ptr<const PeerVerifier>(
      new PeerVerifier(std::make_unique<State>(KnownNodes(nodes, problems), std::move(crls))));
}

/// The node that the leaf claims to be and that may be here. Where it is another and all reasons are wanted: the one
/// that was expected, so that the rest can be judged too.
const KnownNode* PeerVerifier::State::whom(Findings& findings, const Evidence& evidence) const {
  const About about(findings, leaf_role, evidence.leaf);
  const KnownNode* node = nodes.identify(about, names_of(evidence.leaf), evidence.expected);
  if (node == nullptr && !evidence.expected.empty()) node = nodes.find(evidence.expected);
  if (node == nullptr || findings.enough()) return nullptr;
  if (!node->usable)
    about.add(Reason::node_not_trusted, "it names " + node->id.str() + ", which is not trusted or not enabled");
  for (const auto& refusal : node->why_not) findings.add(refusal.reason, "", refusal.detail);
  return node;
}

/// A CA that stands behind two nodes can issue either's name: only a pin then tells who is who. Every issuer in the
/// chain counts, not the anchor alone: one node's anchor may have certified the CA that is another node's.
void PeerVerifier::State::check_owners(Findings& findings, const KnownNode& node, std::span<X509* const> chain) const {
  if (!node.pins.empty()) return;
  for (X509* issuer : chain.subspan(1)) {
    const About about(findings, issuer_role, issuer);
    const auto key = public_key_sha256(issuer);
    if (!key) return about.add(Reason::key, key.error().detail);
    if (const NodeId* other = nodes.other_owner(*key, node.id); other != nullptr)
      about.add(Reason::anchor_shared, "it is an anchor of " + other->str() +
                                           " too; a shared root identifies nobody without a pin, so give " +
                                           node.id.str() + " pins");
  }
}

/// What OpenSSL has built, whether it verified or not: the rules for issuers and names. Where it verified the last is
/// an anchor, whose form was judged when it was loaded.
void PeerVerifier::State::check_chain(Findings& findings, std::span<X509* const> chain, const Evidence& evidence,
                                      Built built) {
  const auto loaded = built == Built::to_an_anchor ? chain.size() - 1 : chain.size();
  for (std::size_t i = 1; i < chain.size() && !findings.enough(); ++i) {
    const About about(findings, issuer_role, chain[i]);
    if (i < loaded) check_issuer(about, chain[i]);
    check_issuer_usage(about, chain[i], evidence.presented);
    check_time(about, chain[i], evidence.at);
  }
  if (!findings.enough()) check_constrained_names(findings, chain);
}

/// OpenSSL's verdict, where it is a refusal; and the anchor that would have been found if it were a good one.
void PeerVerifier::State::explain(Findings& findings, const KnownNode& node, X509_STORE_CTX* context,
                                  std::span<X509* const> chain, const Evidence& evidence) {
  for (const auto& bad : node.bad)
    if (!chain.empty() &&
        X509_NAME_cmp(X509_get_issuer_name(chain.back()), X509_get_subject_name(bad.certificate.get())) == 0)
      for (const auto& refusal : bad.refusals) findings.add(refusal.reason, "", refusal.detail);
  for (X509* offered : issuers_of(node, evidence))  // as an issuer, but not one that OpenSSL would take for it
    if (!chain.empty() && std::ranges::find(chain, offered) == chain.end() &&
        X509_NAME_cmp(X509_get_issuer_name(chain.back()), X509_get_subject_name(offered)) == 0)
      check_issuer(About(findings, issuer_role, offered), offered);
  X509* at_fault = X509_STORE_CTX_get_current_cert(context);
  const bool of_leaf = at_fault == nullptr || at_fault == evidence.leaf;
  add_verify_error(About(findings, of_leaf ? leaf_role : issuer_role, of_leaf ? evidence.leaf : at_fault),
                   X509_STORE_CTX_get_error(context), node.id.str());
}

void PeerVerifier::State::verify_chain(Findings& findings, const KnownNode& node, const Evidence& evidence,
                                       WallTime& valid_until) const {
  const StoreContextPtr context(X509_STORE_CTX_new());
  const auto issuers = issuers_of(node, evidence);
  const BorrowedStack rest(sk_X509_new_reserve(nullptr, static_cast<int>(issuers.size())));
  if (!context || !rest) return findings.add(Reason::internal, "", "out of memory judging a certificate");
  for (X509* certificate : issuers) sk_X509_push(rest.get(), certificate);
  if (!prepare(context.get(), node, evidence, rest.get()))
    return findings.add(Reason::internal, "", "preparing a chain's verification: " + openssl_reason());
  const bool verified = X509_verify_cert(context.get()) == 1 && X509_STORE_CTX_get_error(context.get()) == X509_V_OK;
  const auto chain = chain_of(context.get());
  if (verified && chain.size() < 2)
    return findings.add(Reason::internal, "", "a chain was verified that has no issuer");
  // Our own rules speak first: their reasons are plainer than OpenSSL's for the same flaw.
  check_chain(findings, chain, evidence, verified ? Built::to_an_anchor : Built::in_part);
  if (!verified) return explain(findings, node, context.get(), chain, evidence);
  check_owners(findings, node, chain);
  if (findings.enough()) return;
  for (const X509* certificate : chain)
    if (const auto end = wall_time(X509_get0_notAfter(certificate))) valid_until = std::min(valid_until, *end);
  check_revocation(findings, node, chain, evidence, valid_until);
}

void PeerVerifier::State::check_revocation(Findings& findings, const KnownNode& node, std::span<X509* const> chain,
                                           const Evidence& evidence, WallTime& valid_until) const {
  if (crls) crls->check(findings, chain, node.id, evidence.at, valid_until);
  const About about(findings, leaf_role, evidence.leaf);
  if (!evidence.staple.empty()) {
    const auto answer = judge_ocsp(evidence.staple, chain[0], chain[1], evidence.at);
    if (answer.status == OcspAnswer::Status::good)
      valid_until = std::min(valid_until, answer.valid_until);
    else
      about.add(answer.refusal.reason, answer.refusal.detail);
  } else if (evidence.presented == Presented::by_server && evidence.staple_duty == StapleDuty::here &&
             demands_staple(evidence.leaf)) {
    about.add(Reason::ocsp_missing, "it demands a stapled OCSP response (TLS feature), and there is none");
  }
}

std::optional<PeerIdentity> PeerVerifier::State::judge(Findings& findings, const Evidence& evidence) const {
  const ErrorQueueScope scope;
  if (evidence.leaf == nullptr) {
    findings.add(Reason::no_certificate, "", "no certificate was presented");
    return std::nullopt;
  }
  const About about(findings, leaf_role, evidence.leaf);
  if (evidence.rest.size() + 1 > longest_chain) {
    about.add(Reason::chain_too_long, "its chain has more than " + std::to_string(longest_chain) + " certificates");
    return std::nullopt;
  }
  // These cost no signature, and their reasons are plainer than OpenSSL's.
  check_form(about, evidence.leaf);
  if (findings.enough()) return std::nullopt;
  const KnownNode* node = whom(findings, evidence);
  if (findings.enough()) return std::nullopt;
  check_time(about, evidence.leaf, evidence.at);
  check_leaf(about, evidence.leaf, evidence.presented);
  if (findings.enough() || node == nullptr) return std::nullopt;
  WallTime valid_until = WallTime::max();
  const bool readable = (X509_get_extension_flags(evidence.leaf) & EXFLAG_INVALID) == 0;  // else a finding says so
  if (node->why_not.empty() && (readable || findings.none())) verify_chain(findings, *node, evidence, valid_until);
  if (findings.enough()) return std::nullopt;

  const auto digest = certificate_sha256(evidence.leaf);
  const auto key = public_key_sha256(evidence.leaf);
  if (!digest || !key) {
    about.add(Reason::internal, (digest ? key : digest).error().detail);
    return std::nullopt;
  }
  if (!node->pins.empty() && std::ranges::find(node->pins, *key) == node->pins.end())
    about.add(Reason::pin_mismatch, "its key " + to_hex(*key) + " is none of the pins of " + node->id.str());
  if (!findings.none()) return std::nullopt;
  return PeerIdentity{node->id, *digest, *key, valid_until};
}

Judgement PeerVerifier::judge(const Evidence& evidence, Findings::Extent extent) const {
  Findings findings(extent);
  Judgement judgement;
  judgement.identity = state_->judge(findings, evidence);
  if (!judgement.identity && findings.none())
    findings.add(Reason::internal, "", "the judgement ended without an identity and without a reason");
  judgement.refusals = std::move(findings).take();
  if (!judgement.refusals.empty()) judgement.identity.reset();
  return judgement;
}

Result<PeerIdentity> PeerVerifier::judge(X509* leaf, std::span<X509* const> rest, Presented presented,
                                         const NodeId& expected, WallTime at) const {
  return judge({.leaf = leaf, .rest = rest, .presented = presented, .expected = expected, .at = at, .staple = {}})
      .result();
}

Result<PeerIdentity> Judgement::result() const {
  if (identity) return *identity;
  const Refusal first = refusals.empty() ? Refusal{} : refusals.front();
  return fail(first.reason == Reason::node_not_trusted ? Code::node_not_trusted : Code::identity_mismatch,
              std::string(first.id()) + ": " + first.detail);
}

}  // namespace fedgate::trust
