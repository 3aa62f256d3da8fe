// SPDX-License-Identifier: Apache-2.0
#include "trust/known_nodes.h"

#include <algorithm>
#include <utility>

#include "base/hash.h"
#include "trust/issuer_rules.h"
#include "trust/name_syntax.h"

namespace fedgate::trust {

namespace {

/// An anchor may be any CA certificate, an organisation's issuing CA as well as its root
/// (X509_V_FLAG_PARTIAL_CHAIN): the narrower, the better. It must be a CA, so that a leaf never vouches for itself.
Result<void> add_anchor(KnownNode& known, CertificatePtr anchor) {
  const auto key = public_key_sha256(anchor.get());
  if (!key) return fail(key.error());
  known.anchors.push_back(*key);
  Findings findings(Findings::Extent::every);
  const About about(findings, "the trust anchor", anchor.get());
  check_issuer(about, anchor.get());
  check_own_signature(about, anchor.get());
  if (!findings.none()) {
    known.bad.push_back({std::move(anchor), std::move(findings).take()});
    return {};
  }
  if (X509_STORE_add_cert(known.store.get(), anchor.get()) != 1)
    return fail(Code::internal, "adding a trust anchor: " + openssl_reason());
  return {};
}

Result<void> load_anchors(KnownNode& known, const Node& node) {
  known.store.reset(X509_STORE_new());  // no default paths: nothing of the system is believed
  if (!known.store) return fail(Code::internal, "out of memory for trust anchors");
  for (const auto& pem : node.trust_anchors) {
    auto anchors = read_certificates(pem, most_anchors);
    if (!anchors) return fail(anchors.error().in("trust anchor"));
    for (auto& anchor : *anchors)
      if (auto added = add_anchor(known, std::move(anchor)); !added) return added;
  }
  if (known.anchors.size() > most_anchors)
    return fail(Code::invalid_certificate, "it has more than " + std::to_string(most_anchors) + " trust anchors");
  return {};
}

Result<void> load_intermediates(KnownNode& known, const Node& node) {
  for (const auto& pem : node.intermediates) {
    auto certificates = read_certificates(pem, most_intermediates);
    if (!certificates) return fail(certificates.error().in("intermediate"));
    for (auto& certificate : *certificates) known.intermediates.push_back(std::move(certificate));
  }
  if (known.intermediates.size() > most_intermediates)
    return fail(Code::invalid_certificate,
                "it has more than " + std::to_string(most_intermediates) + " configured intermediates");
  return {};
}

Result<void> load_pins(KnownNode& known, const Node& node) {
  for (const auto& text : node.pins) {
    const auto pin = sha256_from_hex(text);
    if (!pin) return fail(Code::invalid_certificate, "pin " + shown(text) + " is not a SHA-256 in hexadecimal");
    known.pins.push_back(*pin);
  }
  if (node.spiffe_id.empty()) return {};
  if (auto checked = check_spiffe_id(node.spiffe_id); !checked)
    return fail(Code::invalid_certificate, shown(node.spiffe_id) + " is " + checked.error().detail);
  return {};
}

KnownNode load(const Node& node) {
  const ErrorQueueScope scope;
  KnownNode known{node.id, node.spiffe_id, node.usable(), {}, {}, {}, {}, {}, {}};
  auto loaded = load_anchors(known, node);
  if (loaded) loaded = load_intermediates(known, node);
  if (loaded) loaded = load_pins(known, node);
  if (!loaded)
    known.why_not.push_back({Reason::anchor_unusable, node.id.str() + " cannot be judged: " + loaded.error().detail});
  else if (known.anchors.empty())
    known.why_not.push_back({Reason::anchor_missing, node.id.str() + " has no trust anchor; add its CA certificate"});
  else if (known.bad.size() == known.anchors.size())
    for (const auto& bad : known.bad)
      known.why_not.insert(known.why_not.end(), bad.refusals.begin(), bad.refusals.end());
  return known;
}

}  // namespace

KnownNodes::KnownNodes(std::span<const Node> nodes, std::vector<Error>* problems) {
  const auto report = [problems](const NodeId& node, std::string_view why) {
    if (problems != nullptr) problems->push_back(Error(Code::invalid_certificate, std::string(why)).in(node.str()));
  };
  for (const auto& node : nodes) {
    KnownNode known = load(node);
    if (!known.why_not.empty()) {
      report(node.id, known.why_not.front().detail);
    } else {
      for (const auto& bad : known.bad) report(node.id, bad.refusals.front().detail);
    }
    // Even a node that cannot be judged keeps its names: no other peer's certificate may hold them.
    for (const auto& key : known.anchors) {
      auto& owners = anchor_owners_[key];
      if (std::ranges::find(owners, node.id) == owners.end()) owners.push_back(node.id);
    }
    by_name_.insert_or_assign(node.id.str(), std::move(known));
  }
  for (const auto& [id, known] : by_name_) {
    if (!known.spiffe_id.empty() && !by_spiffe_id_.emplace(folded(known.spiffe_id), &known).second)
      report(known.id, "its spiffe_id is another node's too; chains that hold it are refused for one of them");
    if (!known.why_not.empty() || !known.pins.empty()) continue;
    for (const auto& key : known.anchors)
      if (const NodeId* other = other_owner(key, known.id); other != nullptr)
        report(known.id, "its trust anchor is " + other->str() + "'s too, and cannot tell the two apart; give it pins");
  }
}

const KnownNode* KnownNodes::find(const NodeId& id) const {
  const auto found = by_name_.find(id.str());
  return found == by_name_.end() ? nullptr : &found->second;
}

const NodeId* KnownNodes::other_owner(const Sha256& anchor_key, const NodeId& node) const {
  const auto found = anchor_owners_.find(anchor_key);
  if (found == anchor_owners_.end()) return nullptr;
  const auto other = std::ranges::find_if(found->second, [&](const NodeId& owner) { return owner != node; });
  return other == found->second.end() ? nullptr : &*other;
}

const KnownNode* KnownNodes::identify(const About& about, const LeafNames& names, const NodeId& expected) const {
  const KnownNode* claimed = nullptr;
  bool exact = false;
  bool ambiguous = false;
  const auto claim = [&](const KnownNode& node, bool exactly) {
    if (claimed != nullptr && claimed != &node && !std::exchange(ambiguous, true))
      about.add(Reason::san_ambiguous, "it names two peers, " + claimed->id.str() + " and " + node.id.str());
    claimed = &node;
    exact = exact || exactly;
  };
  for (const auto& name : names.dns)
    if (const auto found = by_name_.find(folded(name)); found != by_name_.end())
      claim(found->second, found->second.spiffe_id.empty() && name == found->first);
  for (const auto& uri : names.uris)
    if (const auto found = by_spiffe_id_.find(folded(uri)); found != by_spiffe_id_.end())
      claim(*found->second, uri == found->second->spiffe_id);
  if (ambiguous) return nullptr;
  const KnownNode* wanted = expected.empty() ? claimed : find(expected);
  const bool by_uri = wanted != nullptr && !wanted->spiffe_id.empty();
  if (by_uri ? names.uris.empty() : names.dns.empty()) {
    about.add(Reason::san_missing, by_uri ? "it has no URI among its alternative names"
                                          : "it has no DNS name among its alternative names (the common name does not "
                                            "count)");
    return nullptr;
  }
  if (claimed == nullptr || (!expected.empty() && claimed->id != expected)) {
    const std::string first = names.dns.empty() ? names.uris.front() : names.dns.front();
    about.add(Reason::san_mismatch,
              "its names (the first: " + shown(first) + ") name " +
                  (expected.empty() ? "no node of the registry"
                                    : (claimed == nullptr ? "nobody we know" : claimed->id.str()) + ", not " +
                                          expected.str() + ", who was called"));
    return nullptr;
  }
  if (!exact) {
    about.add(Reason::san_mismatch,
              by_uri ? "it must hold " + shown(claimed->spiffe_id) + " letter by letter"
                     : "it must spell its node id in lower case and without a final dot: " + claimed->id.str());
    return nullptr;
  }
  if (by_uri && names.uris.size() != 1) {
    about.add(Reason::spiffe_not_alone, "it holds more than one URI, and a SPIFFE identity stands alone");
    return nullptr;
  }
  return claimed;
}

}  // namespace fedgate::trust
