// SPDX-License-Identifier: Apache-2.0
#include "trust/rotation_rules.h"

#include <algorithm>
#include <charconv>
#include <map>

#include "base/hash.h"
#include "base/json.h"
#include "base/time_text.h"
#include "trust/certificate_facts.h"
#include "trust/enrolment.h"
#include "trust/openssl.h"
#include "trust/peer_verifier.h"
#include "trust/proof.h"

namespace fedgate::trust {

namespace {

constexpr std::size_t longest_chain = 4, most_in_one_text = 64;
constexpr std::string_view bundle_context = "fedgate bundle v1";
constexpr std::string_view acknowledgement_context = "fedgate bundle ack v1";

std::unexpected<Error> refuse(std::string why) { return fail(Code::identity_mismatch, std::move(why)); }

using Chain = std::vector<CertificatePtr>;

/// Members in order, ASCII only: canonical as it is written.
class Words {
 public:
  Words& text(std::string_view name, std::string_view value) {
    begin(name);
    json::append_string(out_, value);
    return *this;
  }
  Words& number(std::string_view name, std::uint64_t value) {
    begin(name);
    out_ += std::to_string(value);
    return *this;
  }
  [[nodiscard]] std::string message(std::string_view context) const {
    return signed_message(context, sha256(out_ + '}'));
  }

 private:
  void begin(std::string_view name) { out_.append(out_.empty() ? "{\"" : ",\"").append(name).append("\":"); }
  std::string out_;
};

/// What the signature of a served bundle is over: all of it that could be exchanged, who reads it, and when.
std::string bundle_message(const ServedBundle& served, const Sha256& leaf, const NodeId& reader, const Bytes32& nonce) {
  std::string crosses;
  for (const auto& pem : served.cross_certificates) crosses += to_hex(sha256(pem));
  return Words()
      .text("bundle_sha256", to_hex(served.bundle.sha256))
      .text("cross_certificates_sha256", to_hex(sha256(crosses)))
      .text("leaf_sha256", to_hex(leaf))
      .text("node_id", served.bundle.value.node.view())
      .text("nonce", to_hex(nonce))
      .text("reader", reader.view())
      .number("seq", served.bundle.value.seq)
      .message(bundle_context);
}

std::string acknowledgement_message(const Acknowledgement& one) {
  return Words()
      .text("bundle_sha256", to_hex(one.bundle))
      .text("node_id", one.node.view())
      .number("seq", one.seq)
      .text("time", utc_text(one.time))
      .message(acknowledgement_context);
}

Result<std::string> sign_with(const std::string& key_pem, const std::string& message) {
  const auto key = read_private_key(key_pem);
  if (!key) return fail(key.error());
  return sign_message(key->get(), message);
}

Result<void> verify_with(const X509* leaf, const std::string& message, const std::string& signature) {
  const KeyPtr key(X509_get_pubkey(const_cast<X509*>(leaf)));
  return verify_message(key.get(), message, signature);
}

/// The leaf first, and it is the one with this digest.
Result<Chain> chain_of(const std::string& pem, const Sha256& leaf) {
  auto chain = read_certificates(pem, longest_chain);
  if (!chain) return refuse("the certificate that signs cannot be read: " + chain.error().detail);
  const auto digest = certificate_sha256(chain->front().get());
  if (!digest || *digest != leaf) return refuse("it is signed by another certificate than the connection shows");
  return chain;
}

struct Anchor {
  CertificatePtr certificate;
  Sha256 sha256{};
};

/// Every certificate of these texts.
Result<std::vector<Anchor>> anchors_in(std::span<const std::string> texts) {
  std::vector<Anchor> found;
  for (const auto& text : texts) {
    auto certificates = read_certificates(text, most_in_one_text);
    if (!certificates) return fail(certificates.error());
    for (auto& certificate : *certificates) {
      const auto digest = certificate_sha256(certificate.get());
      if (!digest) return fail(digest.error());
      found.push_back({std::move(certificate), *digest});
    }
  }
  return found;
}

bool has(const std::vector<Anchor>& list, const Sha256& digest) {
  return std::ranges::find(list, digest, &Anchor::sha256) != list.end();
}

/// One certificate each: a second one in the same text would be taken over unseen.
Result<std::vector<Anchor>> anchors_of(const Bundle& bundle) {
  auto anchors = anchors_in(bundle.anchors);
  if (!anchors) return refuse("an anchor of the bundle: " + anchors.error().detail);
  if (anchors->empty() || anchors->size() != bundle.anchors.size())
    return refuse("the bundle must hold its anchors, one certificate each");
  return anchors;
}

/// Signed by the key of one of the elders: strictly, now, and with nothing between.
bool vouched_for(X509* cross, const std::vector<X509*>& elders, WallTime at) {
  const ErrorQueueScope scope;
  const StorePtr store(X509_STORE_new());
  const StoreContextPtr context(X509_STORE_CTX_new());
  if (!store || !context) return false;
  for (X509* elder : elders) X509_STORE_add_cert(store.get(), elder);
  if (X509_STORE_CTX_init(context.get(), store.get(), cross, nullptr) != 1) return false;
  X509_VERIFY_PARAM* rules = X509_STORE_CTX_get0_param(context.get());
  X509_VERIFY_PARAM_set_flags(rules, X509_V_FLAG_X509_STRICT | X509_V_FLAG_PARTIAL_CHAIN);
  X509_VERIFY_PARAM_set_auth_level(rules, 2);
  X509_VERIFY_PARAM_set_time(rules, std::chrono::duration_cast<std::chrono::seconds>(at.time_since_epoch()).count());
  return X509_verify_cert(context.get()) == 1;
}

/// Whether `cross` says, by an elder's key, that this name and key are a CA's.
bool certifies(X509* cross, X509* anchor, const std::vector<X509*>& elders, WallTime at) {
  const auto usage = key_usage_of(cross);
  const auto key = public_key_sha256(cross);
  const auto wanted = public_key_sha256(anchor);
  return key && wanted && *key == *wanted &&
         X509_NAME_cmp(X509_get_subject_name(cross), X509_get_subject_name(anchor)) == 0 && is_ca(cross) && usage &&
         (*usage & KU_KEY_CERT_SIGN) != 0 && vouched_for(cross, elders, at);
}

std::string short_hex(const Sha256& digest) { return to_hex(digest).substr(0, 16); }

/// One judgement, step by step.
class Judge {
 public:
  Judge(const ServedBundle& served, const BundleCase& from)
      : served_(served), from_(from), bundle_(served.bundle.value) {}

  Result<BundleJudgement> judge() {
    if (bundle_.node != from_.row.id) return refuse("it is a bundle of " + bundle_.node.str());
    auto chain = chain_of(served_.chain, from_.leaf);
    if (!chain) return fail(chain.error());
    const auto message = bundle_message(served_, from_.leaf, from_.own.node, from_.nonce);
    if (auto held = verify_with(chain->front().get(), message, served_.signature); !held)
      return refuse("the bundle is not signed by the certificate of this connection");
    if (auto followed = follows(); !followed) return fail(followed.error());
    if (from_.known && from_.known->sha256 == served_.bundle.sha256) return out_;
    if (auto read = read_anchors(); !read) return fail(read.error());
    out_.after = from_.row;
    change_anchors();
    if (from_.known && from_.row.endpoints == from_.known->value.endpoints && !bundle_.endpoints.empty())
      out_.after.endpoints = bundle_.endpoints;
    if (auto checked = check_claims(*chain); !checked) return fail(checked.error());
    decide();
    return std::move(out_);
  }

 private:
  Result<void> follows() const {
    if (!from_.known) return {};
    const auto seq = from_.known->value.seq;
    if (bundle_.seq < seq)
      return fail(Code::conflict, "bundle " + std::to_string(bundle_.seq) + " is older than the one that counts, " +
                                      std::to_string(seq));
    if (bundle_.seq == seq && served_.bundle.sha256 != from_.known->sha256)
      return refuse("a second, different bundle with the number " + std::to_string(seq));
    if (bundle_.seq == seq + 1 && bundle_.previous != from_.known->sha256)
      return refuse("bundle " + std::to_string(bundle_.seq) + " does not follow the one that counts");
    return {};
  }

  Result<void> read_anchors() {
    auto offered = anchors_of(bundle_);
    auto present = anchors_in(from_.row.trust_anchors);
    if (!offered) return fail(offered.error());
    if (!present) return fail(present.error().in("our own record"));
    std::vector<Anchor> before;
    if (from_.known)
      if (auto known = anchors_of(from_.known->value)) before = std::move(*known);
    for (const auto& anchor : *offered)
      if (!has(*present, anchor.sha256)) out_.added.push_back(anchor.sha256);
    // What an operator has given it otherwise is not the bundle's to take.
    for (const auto& anchor : before)
      if (has(*present, anchor.sha256) && !has(*offered, anchor.sha256)) out_.dropped.push_back(anchor.sha256);
    offered_ = std::move(*offered);
    present_ = std::move(*present);
    return {};
  }

  void change_anchors() {
    auto& anchors = out_.after.trust_anchors;
    std::erase_if(anchors, [&](const std::string& text) {
      const auto in = anchors_in({&text, 1});
      return in && !in->empty() && std::ranges::all_of(*in, [&](const Anchor& one) {
               return std::ranges::find(out_.dropped, one.sha256) != out_.dropped.end();
             });
    });
    for (const auto& anchor : offered_)
      if (std::ranges::find(out_.added, anchor.sha256) != out_.added.end())
        if (auto pem = pem_of(anchor.certificate.get())) anchors.push_back(std::move(*pem));
  }

  /// Nothing of others, usable anchors, and they stand behind the very certificate that signs.
  Result<void> check_claims(const Chain& chain) const {
    if (out_.after.trust_anchors.size() > most_anchors_a_node)
      return refuse("more than " + std::to_string(most_anchors_a_node) + " anchors would speak for it");
    for (const auto& pem : bundle_.anchors) {
      const auto flaws = flaws_of_anchor(pem);
      if (!flaws) return refuse(flaws.error().detail);
      if (!flaws->empty()) return refuse("an anchor of the bundle is not usable: " + flaws->front().detail);
    }
    Bundle claimed = bundle_;
    claimed.pins = from_.row.pins;
    if (auto free = takes_nothing_of_others(claimed, from_.own, from_.nodes); !free) return free;
    std::vector<Node> all{out_.after};
    all.front().trust_anchors = bundle_.anchors;
    for (const auto& node : from_.nodes)
      if (node.id != bundle_.node) all.push_back(node);
    std::vector<X509*> rest;
    for (std::size_t i = 1; i < chain.size(); ++i) rest.push_back(chain[i].get());
    // No staple comes with a bundle; the connection that it came over has shown this very leaf, and was judged by one.
    const auto stood = PeerVerifier::make(all)
                           ->judge({.leaf = chain.front().get(),
                                    .rest = rest,
                                    .presented = Presented::by_server,
                                    .expected = bundle_.node,
                                    .at = from_.at,
                                    .staple = {},
                                    .staple_duty = StapleDuty::in_handshake})
                           .result();
    if (!stood) return refuse("its anchors do not stand behind its own certificate: " + stood.error().detail);
    return {};
  }

  void decide() {
    const bool configured = from_.row.source == NodeSource::configuration;
    out_.why = unvouched();
    if (out_.why.empty() && from_.known) {
      // No configuration speaks of logs: here the operator decides, whoever defines the node.
      if (const auto log = begun_anew(from_.known->value, bundle_); !log.empty()) {
        out_.why = "it begins its audit log " + log + " anew; ask its operator why, and what became of the old one";
        out_.verdict = BundleVerdict::operator_decides;
        out_.after = from_.row;
        return;
      }
    }
    if (out_.why.empty()) {
      out_.verdict = BundleVerdict::accepted;
      // What YAML says stays; that it has the new anchors already is what had to be known.
      if (configured) out_.after = from_.row;
      return;
    }
    out_.verdict = configured ? BundleVerdict::configuration_decides : BundleVerdict::operator_decides;
    out_.after = from_.row;
  }

  /// What nobody has vouched for; empty: nothing.
  [[nodiscard]] std::string unvouched() const {
    if (from_.known && bundle_.principal_domains != from_.known->value.principal_domains)
      return "it states other principal domains";
    const bool pins_known =
        from_.known ? bundle_.pins == from_.known->value.pins : bundle_.pins.empty() || bundle_.pins == from_.row.pins;
    if (!pins_known) return "it states other pins";
    const bool configured = from_.row.source == NodeSource::configuration;
    if (configured && !out_.added.empty())
      return "anchor " + short_hex(out_.added.front()) + "... is not in the configuration";
    std::vector<X509*> elders;
    for (const auto& anchor : present_) elders.push_back(anchor.certificate.get());
    for (const auto& anchor : offered_) {
      if (std::ranges::find(out_.added, anchor.sha256) == out_.added.end()) continue;
      const bool certified = std::ranges::any_of(served_.cross_certificates, [&](const std::string& pem) {
        const auto cross = read_certificates(pem, 1);
        return cross && certifies(cross->front().get(), anchor.certificate.get(), elders, from_.at);
      });
      if (!certified) return "anchor " + short_hex(anchor.sha256) + "... is not certified by one that counts";
    }
    return {};
  }

  const ServedBundle& served_;
  const BundleCase& from_;
  const Bundle& bundle_;
  std::vector<Anchor> offered_, present_;
  BundleJudgement out_;
};

/// The latest generation of each log that these verifier keys name.
std::map<std::string, std::uint64_t> generations_in(const std::vector<std::string>& vkeys) {
  std::map<std::string, std::uint64_t> latest;
  for (const auto& key : vkeys) {
    const auto name = key.substr(0, key.find('+'));
    const auto slash = name.rfind('/');
    if (slash == std::string::npos) continue;
    std::uint64_t number = 0;
    std::from_chars(name.data() + slash + 1, name.data() + name.size(), number);
    auto& known = latest[name.substr(0, slash)];
    known = std::max(known, number);
  }
  return latest;
}

}  // namespace

std::string begun_anew(const Bundle& known, const Bundle& next) {
  const auto now = generations_in(next.log_vkeys);
  for (const auto& [log, number] : generations_in(known.log_vkeys)) {
    const auto found = now.find(log);
    if (found == now.end() || found->second != number) return log;
  }
  return {};
}

Result<std::string> sign_bundle(const std::string& key_pem, const ServedBundle& served, const NodeId& reader,
                                const Bytes32& nonce) {
  const auto chain = read_certificates(served.chain, longest_chain);
  if (!chain) return fail(chain.error().in("our own certificate"));
  const auto leaf = certificate_sha256(chain->front().get());
  if (!leaf) return fail(leaf.error());
  return sign_with(key_pem, bundle_message(served, *leaf, reader, nonce));
}

Result<std::string> sign_acknowledgement(const std::string& key_pem, const Acknowledgement& acknowledgement) {
  return sign_with(key_pem, acknowledgement_message(acknowledgement));
}

Result<void> check_acknowledgement(const Acknowledgement& acknowledgement, const NodeId& node, const Sha256& leaf) {
  if (acknowledgement.node != node) return refuse("an acknowledgement in the name of " + acknowledgement.node.str());
  const auto chain = chain_of(acknowledgement.leaf, leaf);
  if (!chain) return fail(chain.error());
  return verify_with(chain->front().get(), acknowledgement_message(acknowledgement), acknowledgement.signature);
}

Result<BundleJudgement> judge_bundle(const ServedBundle& served, const BundleCase& from) {
  const ErrorQueueScope scope;
  return Judge(served, from).judge();
}

Result<std::size_t> certified_anchor(const std::string& cross_certificate, std::span<const std::string> anchors,
                                     WallTime at) {
  const ErrorQueueScope scope;
  const auto cross = read_certificates(cross_certificate, 1);
  if (!cross) return fail(cross.error());
  const auto all = anchors_in(anchors);
  if (!all) return fail(all.error());
  if (all->size() != anchors.size()) return fail(Code::invalid_certificate, "anchors: one certificate each is wanted");
  for (std::size_t i = 0; i < all->size(); ++i) {
    std::vector<X509*> elders;
    for (std::size_t other = 0; other < all->size(); ++other)
      if (other != i) elders.push_back((*all)[other].certificate.get());
    if (certifies(cross->front().get(), (*all)[i].certificate.get(), elders, at)) return i;
  }
  return fail(Code::invalid_certificate,
              subject_of(cross->front().get()) +
                  ": a cross certificate must hold the name and key of one of trust.anchors, be a CA's, valid now, and "
                  "signed by the key of another one of them");
}

Result<std::string> certificates_only(const std::string& pem) {
  const auto certificates = read_certificates(pem, most_in_one_text);
  if (!certificates) return fail(certificates.error());
  std::string text;
  for (const auto& certificate : *certificates) {
    const auto one = pem_of(certificate.get());
    if (!one) return one;
    text += *one;
  }
  return text;
}

Result<void> stands_on(const NodeId& own, const std::string& chain_pem, std::span<const std::string> anchors,
                       WallTime at) {
  const auto facts = certificate_facts(chain_pem);
  if (!facts) return fail(facts.error());
  Node node;
  node.id = own;
  node.trust_anchors.assign(anchors.begin(), anchors.end());
  node.trust_level = TrustLevel::trusted;
  if (std::ranges::find(facts->dns_names, own.str()) == facts->dns_names.end() && facts->uris.size() == 1)
    node.spiffe_id = facts->uris.front();
  const auto chain = read_certificates(chain_pem, most_in_one_text);
  if (!chain) return fail(chain.error());
  std::vector<X509*> rest;
  for (std::size_t i = 1; i < chain->size(); ++i) rest.push_back((*chain)[i].get());
  const auto presented = facts->server_auth ? Presented::by_server : Presented::by_client;
  // Whether we staple what our leaf demands shows in each handshake.
  const auto judged = PeerVerifier::make({&node, 1})
                          ->judge({.leaf = chain->front().get(),
                                   .rest = rest,
                                   .presented = presented,
                                   .expected = own,
                                   .at = at,
                                   .staple = {},
                                   .staple_duty = StapleDuty::in_handshake})
                          .result();
  if (!judged) return fail(judged.error());
  return {};
}

}  // namespace fedgate::trust
