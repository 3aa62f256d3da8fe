// SPDX-License-Identifier: Apache-2.0
#include "trust/enrolment.h"

#include <openssl/pem.h>

#include <algorithm>

#include "base/hash.h"
#include "trust/openssl.h"

namespace fedgate::trust {

namespace {

constexpr std::size_t most_in_one_text = 64;

std::unexpected<Error> refuse(std::string why) { return fail(Code::identity_mismatch, std::move(why)); }

Result<void> claims_nothing_of_ours(const Bundle& theirs, const Bundle& ours) {
  if (theirs.node == ours.node) return refuse("the bundle claims this gateway's own id, " + ours.node.str());
  for (const auto& domain : theirs.principal_domains)
    if (domain.view() == ours.node.view() ||
        std::ranges::find(ours.principal_domains, domain) != ours.principal_domains.end())
      return refuse("the bundle claims our own principal domain " + domain.str());
  return {};
}

/// A CA that stands behind two nodes identifies either only by its pins: a newcomer must not bring that about.
Result<void> shares_no_anchor(const Bundle& theirs, const Node& other) {
  if (!theirs.pins.empty() && !other.pins.empty()) return {};
  const auto keys = [](const std::vector<std::string>& anchors) {
    std::vector<Sha256> found;
    for (const auto& pem : anchors)
      if (const auto certificates = read_certificates(pem, most_in_one_text))
        for (const auto& certificate : *certificates)
          if (const auto key = public_key_sha256(certificate.get())) found.push_back(*key);
    return found;
  };
  const auto theirs_keys = keys(theirs.anchors);
  for (const auto& key : keys(other.trust_anchors))
    if (std::ranges::find(theirs_keys, key) != theirs_keys.end())
      return refuse("an anchor of the bundle is " + other.id.str() + "'s too; a shared CA needs pins on both");
  return {};
}

/// The bundle's anchors that count: all of them, or the one that an operator has named.
Result<std::vector<std::string>> anchors_of(const Bundle& bundle, const std::optional<Sha256>& wanted) {
  if (bundle.anchors.empty()) return refuse("the bundle has no trust anchor");
  std::vector<std::string> counted;
  for (const auto& pem : bundle.anchors) {
    const auto hash = pem_sha256(pem);
    if (!hash) return refuse("an anchor of the bundle: " + hash.error().detail);
    if (!wanted || *hash == *wanted) counted.push_back(pem);
  }
  if (counted.empty())
    return refuse("none of the bundle's anchors is the one that the invite names, " + to_hex(*wanted));
  return counted;
}

Node party_node(const Bundle& bundle, std::vector<std::string> anchors) {
  Node node;
  node.id = bundle.node;
  node.trust_anchors = std::move(anchors);
  node.pins = bundle.pins;
  node.trust_level = TrustLevel::trusted;  // in this judgement only
  return node;
}

}  // namespace

Result<void> takes_nothing_of_others(const Bundle& theirs, const Bundle& ours, std::span<const Node> nodes) {
  if (auto checked = claims_nothing_of_ours(theirs, ours); !checked) return checked;
  if (auto checked = shares_no_anchor(theirs, party_node(ours, ours.anchors)); !checked) return checked;
  for (const auto& node : nodes)
    if (node.id != theirs.node && node.id != ours.node)
      if (auto checked = shares_no_anchor(theirs, node); !checked) return checked;
  return {};
}

Result<EnrolmentLink> enrolment_link(const net::Presentation& shown, std::string remote) {
  const ErrorQueueScope scope;
  EnrolmentLink link{{}, {shown.exporter, shown.resumed}, std::move(remote), shown.ocsp};
  if (shown.leaf.empty()) return link;
  std::vector<const std::string*> presented{&shown.leaf};
  for (const auto& der : shown.rest) presented.push_back(&der);
  for (const auto* der : presented) {
    const auto* at = reinterpret_cast<const unsigned char*>(der->data());
    CertificatePtr certificate(d2i_X509(nullptr, &at, static_cast<long>(der->size())));
    if (!certificate) return refuse("a certificate of the presented chain cannot be read");
    link.chain.push_back(std::move(certificate));
  }
  return link;
}

Result<Sha256> pem_sha256(const std::string& pem) {
  const auto certificates = read_certificates(pem, 1);
  if (!certificates) return fail(certificates.error());
  return certificate_sha256(certificates->front().get());
}

Result<OwnLeaf> own_leaf(const OwnParty& own) {
  const auto certificates = read_certificates(own.certificate_pem, most_in_one_text);
  if (!certificates) return fail(certificates.error().in("our own certificate"));
  const auto digest = certificate_sha256(certificates->front().get());
  auto pem = pem_of(certificates->front().get());
  if (!digest) return fail(digest.error());
  if (!pem) return fail(pem.error());
  return OwnLeaf{*digest, std::move(*pem)};
}

Result<CertificateInfo> certificate_info(const X509* certificate) {
  const auto digest = certificate_sha256(certificate);
  const auto key = public_key_sha256(certificate);
  const auto not_after = wall_time(X509_get0_notAfter(certificate));
  if (!digest) return fail(digest.error());
  if (!key) return fail(key.error());
  if (!not_after) return fail(Code::invalid_certificate, "the certificate's validity cannot be read");
  return CertificateInfo{subject_of(certificate), *digest, *key, *not_after};
}

Result<std::string> pem_of(X509* certificate) {
  const ErrorQueueScope scope;
  const BioPtr out(BIO_new(BIO_s_mem()));
  if (!out || PEM_write_bio_X509(out.get(), certificate) != 1)
    return fail(Code::internal, "writing a certificate: " + openssl_reason());
  char* text = nullptr;
  const auto size = BIO_get_mem_data(out.get(), &text);
  return std::string(text, static_cast<std::size_t>(size));
}

Result<PeerIdentity> check_party(const StatedBundle& bundle, const OwnParty& own, std::span<const Node> nodes,
                                 const EnrolmentLink& link, Presented presented, WallTime at,
                                 const std::optional<Sha256>& anchor) {
  const Bundle& theirs = bundle.value;
  if (link.channel.resumed) return refuse("the connection was resumed; enrolment needs a full handshake");
  if (auto checked = claims_nothing_of_ours(theirs, own.bundle.value); !checked) return fail(checked.error());
  auto anchors = anchors_of(theirs, std::nullopt);
  if (!anchors) return fail(anchors.error());
  // Everyone who has a name already keeps it, and a CA that stands behind one of them identifies nobody else.
  std::vector<Node> all{party_node(theirs, std::move(*anchors)),
                        party_node(own.bundle.value, own.bundle.value.anchors)};
  for (const auto& node : nodes)
    if (node.id != theirs.node && node.id != own.bundle.value.node) all.push_back(node);
  for (std::size_t other = 1; other < all.size(); ++other)
    if (auto checked = shares_no_anchor(theirs, all[other]); !checked) return fail(checked.error());
  std::vector<X509*> rest;
  for (std::size_t i = 1; i < link.chain.size(); ++i) rest.push_back(link.chain[i].get());
  const Evidence evidence{.leaf = link.leaf(),
                          .rest = rest,
                          .presented = presented,
                          .expected = theirs.node,
                          .at = at,
                          .staple = link.staple};
  auto peer = PeerVerifier::make(all)->judge(evidence).result();
  if (!peer || !anchor) return peer;
  // CA certificates are public: naming the right one proves nothing, being certified by it does.
  auto named = anchors_of(theirs, anchor);
  if (!named) return fail(named.error());
  all.front().trust_anchors = std::move(*named);
  return PeerVerifier::make(all)->judge(evidence).result();
}

}  // namespace fedgate::trust
