// SPDX-License-Identifier: Apache-2.0
#include "trust/revocation_lists.h"

#include <algorithm>
#include <deque>
#include <utility>

#include "trust/crl.h"
#include "trust/openssl.h"

namespace fedgate::trust {

namespace {

constexpr std::size_t most_in_a_file = 64;

}  // namespace

struct RevocationLists::State {
  std::deque<Crl> crls;
  std::vector<std::pair<NodeId, Refusal>> unreadable;

  [[nodiscard]] std::vector<const Crl*> for_chain(std::span<X509* const> chain, const NodeId& node) const;
};

RevocationLists::RevocationLists(std::unique_ptr<State> state) : state_(std::move(state)) {}
RevocationLists::~RevocationLists() = default;

std::shared_ptr<const RevocationLists> RevocationLists::make(std::span<const CrlSource> sources,
                                                             std::vector<Error>* problems) {
  auto state = std::make_unique<State>();
  const auto report = [problems](std::string detail) {
    if (problems != nullptr) problems->emplace_back(Code::invalid_certificate, std::move(detail));
  };
  for (const auto& source : sources) {
    auto read = source.text.size() > most_bytes ? fail(Code::invalid_certificate, "it has more than 32 MiB")
                                                : read_crls(source.text, most_in_a_file);
    if (!read) {
      report(source.name + ": " + read.error().detail);
      state->unreadable.emplace_back(
          source.node, Refusal{Reason::crl_malformed, "the CRL " + shown(source.name) + ": " + read.error().detail});
      continue;
    }
    for (auto& one : *read) {
      const Crl& made = state->crls.emplace_back(std::move(one), source.name, source.node);
      for (const auto& problem : made.problems()) report(problem.detail);
    }
  }
  return std::shared_ptr<const RevocationLists>(new RevocationLists(std::move(state)));
}

/// Those that this chain has to do with. None: CRLs do not decide about it.
std::vector<const Crl*> RevocationLists::State::for_chain(std::span<X509* const> chain, const NodeId& node) const {
  std::vector<const Crl*> found;
  bool concerned = false;
  for (const Crl& crl : crls) {
    if (!crl.node().empty() && crl.node() != node) continue;
    found.push_back(&crl);
    concerned = concerned || !crl.node().empty() ||
                std::ranges::any_of(chain.subspan(1), [&](X509* issuer) { return crl.issued_by(issuer); });
  }
  if (!concerned) found.clear();
  return found;
}

void RevocationLists::check(Findings& findings, std::span<X509* const> chain, const NodeId& node, WallTime at,
                            WallTime& valid_until) const {
  if (chain.size() < 2) return;
  for (const auto& [owner, refusal] : state_->unreadable)
    if (owner == node) findings.add(refusal.reason, "", refusal.detail);
  const auto crls = state_->for_chain(chain, node);
  if (crls.empty()) return;
  for (std::size_t i = 0; i + 1 < chain.size() && !findings.enough(); ++i) {
    X509* issuer = chain[i + 1];
    const About about(findings, i == 0 ? "the certificate" : "the issuer", chain[i]);
    bool known = false;
    bool covered = false;
    bool broken = false;
    WallTime until{};
    std::vector<Refusal> why_not;
    for (const Crl* crl : crls) {
      if (!crl->issued_by(issuer) || !crl->signed_by(issuer)) continue;
      known = true;
      if (auto unusable = crl->unusable(chain[i], issuer, at)) {
        // A list that cannot be believed is not passed over for another: it may be the newer one.
        broken = broken || unusable->reason == Reason::crl_malformed || unusable->reason == Reason::crl_signature;
        why_not.push_back(std::move(*unusable));
        continue;
      }
      covered = true;
      until = std::max(until, crl->next_update());
      if (crl->lists(chain[i])) about.add(Reason::revoked, "its issuer has revoked it (" + crl->source() + ")");
    }
    if (!known)
      about.add(Reason::crl_missing, "CRLs are configured, but none of its issuer " + shown(subject_of(issuer)));
    if (!covered || broken)
      for (const auto& refusal : why_not) about.add(refusal.reason, refusal.detail);
    if (covered) valid_until = std::min(valid_until, until);
  }
}

std::vector<CrlFacts> RevocationLists::facts() const {
  std::vector<CrlFacts> facts;
  for (const Crl& crl : state_->crls)
    facts.push_back({crl.source(), crl.issuer(), crl.this_update(), crl.next_update(), crl.entries(), crl.problems()});
  return facts;
}

}  // namespace fedgate::trust
