// SPDX-License-Identifier: Apache-2.0
#include "trust/peer_verifier.h"

#include <openssl/x509_vfy.h>

#include <algorithm>
#include <unordered_map>
#include <utility>

#include "base/hash.h"
#include "trust/leaf_rules.h"
#include "trust/openssl.h"

namespace fedgate::trust {

namespace {

constexpr std::size_t most_anchors = 16;
constexpr std::size_t longest_chain = 4;  // protocol.md section 1
constexpr int auth_level = 2;             // 112 bits: no SHA-1, no MD5, no RSA below 2048

struct DigestHash {
  std::size_t operator()(const Sha256& digest) const noexcept {
    return std::hash<std::string_view>{}({reinterpret_cast<const char*>(digest.data()), digest.size()});
  }
};

struct Known {
  NodeId id;
  bool usable = false;
  std::string why_not;          // usable: why its chains cannot be judged all the same; empty where they can
  StorePtr store;               // its own anchors, no others
  std::vector<Sha256> anchors;  // their public keys
  std::vector<Sha256> pins;
};

std::unexpected<Error> refuse(std::string why) { return fail(Code::identity_mismatch, std::move(why)); }

/// An anchor may be any CA certificate, an organisation's issuing CA as well as its root
/// (X509_V_FLAG_PARTIAL_CHAIN): the narrower, the better. It must be a CA, so that a leaf never vouches for itself.
Result<void> check_anchor(X509* anchor) {
  constexpr int basic_constraints_say_so = 1;
  if (X509_check_ca(anchor) == basic_constraints_say_so) return {};
  return fail(Code::invalid_certificate,
              "the trust anchor " + shown(subject_of(anchor)) +
                  " is not a CA certificate (basicConstraints CA:TRUE, keyUsage keyCertSign)");
}

Result<void> add_anchor(Known& known, X509* anchor) {
  if (auto checked = check_anchor(anchor); !checked) return checked;
  const auto key = public_key_sha256(anchor);
  if (!key) return fail(key.error());
  if (X509_STORE_add_cert(known.store.get(), anchor) != 1)
    return fail(Code::internal, "adding a trust anchor: " + openssl_reason());
  known.anchors.push_back(*key);
  return {};
}

Result<void> load(Known& known, const Node& node) {
  const ErrorQueueScope scope;
  known.store.reset(X509_STORE_new());  // no default paths: nothing of the system is believed
  if (!known.store) return fail(Code::internal, "out of memory for trust anchors");
  for (const auto& pem : node.trust_anchors) {
    const auto anchors = read_certificates(pem, most_anchors);
    if (!anchors) return fail(anchors.error().in("trust anchor"));
    for (const auto& anchor : *anchors)
      if (auto added = add_anchor(known, anchor.get()); !added) return added;
  }
  if (known.anchors.empty()) return fail(Code::invalid_certificate, "it has no trust anchor; add its CA certificate");
  if (known.anchors.size() > most_anchors)
    return fail(Code::invalid_certificate, "it has more than " + std::to_string(most_anchors) + " trust anchors");
  for (const auto& text : node.pins) {
    const auto pin = sha256_from_hex(text);
    if (!pin) return fail(Code::invalid_certificate, "pin " + shown(text) + " is not a SHA-256 in hexadecimal");
    known.pins.push_back(*pin);
  }
  return {};
}

std::string about(X509* leaf) { return "the certificate " + shown(subject_of(leaf)) + ": "; }

/// Not the owner of what is in it.
using BorrowedStack = Owned<STACK_OF(X509), [](STACK_OF(X509) * stack) { sk_X509_free(stack); }>;

}  // namespace

struct PeerVerifier::State {
  std::unordered_map<std::string, Known> nodes;
  std::unordered_map<Sha256, std::vector<NodeId>, DigestHash> anchor_owners;  // by public key

  [[nodiscard]] Result<const Known*> identify(X509* leaf, const NodeId& expected) const;
  static Result<void> verify_chain(const Known& node, X509_STORE_CTX* context, X509* leaf, STACK_OF(X509) * rest,
                                   Presented presented, WallTime at);
  [[nodiscard]] Result<void> check_issuers(const Known& node, X509_STORE_CTX* context) const;
  [[nodiscard]] const NodeId* other_owner(const Sha256& anchor_key, const NodeId& node) const;
};

const NodeId* PeerVerifier::State::other_owner(const Sha256& anchor_key, const NodeId& node) const {
  const auto found = anchor_owners.find(anchor_key);
  if (found == anchor_owners.end()) return nullptr;
  const auto other = std::ranges::find_if(found->second, [&](const NodeId& owner) { return owner != node; });
  return other == found->second.end() ? nullptr : &*other;
}

PeerVerifier::PeerVerifier(std::unique_ptr<State> state) : state_(std::move(state)) {}
PeerVerifier::~PeerVerifier() = default;

std::shared_ptr<const PeerVerifier> PeerVerifier::make(std::span<const Node> nodes, std::vector<Error>* problems) {
  auto state = std::make_unique<State>();
  const auto report = [problems](const NodeId& node, const Error& error) {
    if (problems != nullptr) problems->push_back(error.in(node.str()));
  };
  for (const auto& node : nodes) {
    Known known{node.id, node.usable(), {}, {}, {}, {}};
    if (auto loaded = load(known, node); !loaded) {
      report(node.id, loaded.error());
      known.why_not = loaded.error().detail;
    }
    // Even a node that cannot be judged keeps its name: no other peer's certificate may carry it.
    for (const auto& key : known.anchors) {
      auto& owners = state->anchor_owners[key];
      if (std::ranges::find(owners, node.id) == owners.end()) owners.push_back(node.id);
    }
    state->nodes.insert_or_assign(node.id.str(), std::move(known));
  }
  for (const auto& [id, known] : state->nodes) {
    if (!known.why_not.empty() || !known.pins.empty()) continue;
    for (const auto& key : known.anchors)
      if (const NodeId* other = state->other_owner(key, known.id); other != nullptr)
        report(known.id, Error(Code::invalid_certificate, "its trust anchor is " + other->str() +
                                                              "'s too, and cannot tell the two apart; give it pins"));
  }
  return std::shared_ptr<const PeerVerifier>(new PeerVerifier(std::move(state)));
}

/// Which one node the leaf claims to be. Nothing is proven yet.
Result<const Known*> PeerVerifier::State::identify(X509* leaf, const NodeId& expected) const {
  const auto names = dns_identities(leaf);
  if (!names) return refuse(about(leaf) + names.error().detail);
  const Known* claimed = nullptr;
  bool exact = false;
  for (const auto& name : *names) {
    const auto found = nodes.find(folded(name));
    if (found == nodes.end()) continue;
    if (claimed != nullptr && claimed != &found->second)
      return refuse(about(leaf) + "it names two peers, " + claimed->id.str() + " and " + found->second.id.str());
    claimed = &found->second;
    exact = exact || name == claimed->id.str();
  }
  if (claimed == nullptr) {
    const std::string wanted = expected.empty() ? "no node of the registry" : "not " + expected.str();
    return refuse(about(leaf) + "its DNS names (the first: " + shown(names->front()) + ") name " + wanted);
  }
  if (!exact)
    return refuse(about(leaf) +
                  "it must spell its node id in lower case and without a final dot: " + claimed->id.str());
  if (!expected.empty() && claimed->id != expected)
    return refuse(about(leaf) + "it names " + claimed->id.str() + ", not " + expected.str() + ", who was called");
  return claimed;
}

Result<void> PeerVerifier::State::verify_chain(const Known& node, X509_STORE_CTX* context, X509* leaf,
                                               STACK_OF(X509) * rest, Presented presented, WallTime at) {
  if (X509_STORE_CTX_init(context, node.store.get(), leaf, rest) != 1)
    return fail(Code::internal, "preparing a chain's verification: " + openssl_reason());
  const bool client = presented == Presented::by_client;
  X509_VERIFY_PARAM* param = X509_STORE_CTX_get0_param(context);
  X509_VERIFY_PARAM_set_auth_level(param, auth_level);
  X509_VERIFY_PARAM_set_depth(param, static_cast<int>(longest_chain));
  X509_VERIFY_PARAM_set_time(
      param, static_cast<std::time_t>(std::chrono::floor<std::chrono::seconds>(at).time_since_epoch().count()));
  if (X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_X509_STRICT | X509_V_FLAG_PARTIAL_CHAIN) != 1 ||
      X509_VERIFY_PARAM_set_purpose(param, client ? X509_PURPOSE_SSL_CLIENT : X509_PURPOSE_SSL_SERVER) != 1)
    return fail(Code::internal, "preparing a chain's verification: " + openssl_reason());
  if (X509_verify_cert(context) == 1) return {};
  const int error = X509_STORE_CTX_get_error(context);
  X509* at_fault = X509_STORE_CTX_get_current_cert(context);
  std::string why =
      "its chain does not verify against the anchors of " + node.id.str() + ": " + X509_verify_cert_error_string(error);
  if (at_fault != nullptr && at_fault != leaf) why += " (" + shown(subject_of(at_fault)) + ")";
  return refuse(std::move(why));
}

/// A CA that stands behind two nodes can issue either's name: only a pin then tells who is who. Every issuer in the
/// chain counts, not the anchor alone: one node's anchor may have certified the CA that is another node's.
Result<void> PeerVerifier::State::check_issuers(const Known& node, X509_STORE_CTX* context) const {
  const STACK_OF(X509)* chain = X509_STORE_CTX_get0_chain(context);
  const int length = sk_X509_num(chain);
  for (int i = 1; i < length; ++i) {
    const X509* issuer = sk_X509_value(chain, i);
    if (i + 1 < length)  // the anchor's key is the operator's choice
      if (auto checked = check_key(issuer); !checked)
        return refuse("its issuer " + shown(subject_of(issuer)) + ": " + checked.error().detail);
    if (!node.pins.empty()) continue;
    const auto key = public_key_sha256(issuer);
    if (!key) return refuse(key.error().detail);
    if (const NodeId* other = other_owner(*key, node.id); other != nullptr)
      return refuse("its issuer " + shown(subject_of(issuer)) + " is an anchor of " + other->str() +
                    " too; a shared root identifies nobody without a pin, so give " + node.id.str() + " pins");
  }
  return {};
}

Result<PeerIdentity> PeerVerifier::judge(X509* leaf, std::span<X509* const> rest, Presented presented,
                                         const NodeId& expected, WallTime at) const {
  const ErrorQueueScope scope;
  if (leaf == nullptr) return refuse("no certificate was presented");
  if (rest.size() + 1 > longest_chain)
    return refuse(about(leaf) + "its chain has more than " + std::to_string(longest_chain) + " certificates");
  const auto identified = state_->identify(leaf, expected);
  if (!identified) return fail(identified.error());
  const Known& node = **identified;
  if (!node.usable)
    return fail(Code::node_not_trusted,
                about(leaf) + "it names " + node.id.str() + ", which is not trusted or not enabled");
  if (!node.why_not.empty()) return refuse(node.id.str() + " cannot be judged: " + node.why_not);

  // Our own rules first: they cost no signature, and their reasons are plainer than OpenSSL's.
  if (auto checked = check_leaf(leaf, presented, at); !checked) return refuse(about(leaf) + checked.error().detail);
  const StoreContextPtr context(X509_STORE_CTX_new());
  const BorrowedStack untrusted(sk_X509_new_reserve(nullptr, static_cast<int>(rest.size())));
  if (!context || !untrusted) return fail(Code::internal, "out of memory judging a certificate");
  for (X509* certificate : rest) sk_X509_push(untrusted.get(), certificate);
  if (auto verified = State::verify_chain(node, context.get(), leaf, untrusted.get(), presented, at); !verified)
    return fail(verified.error().code, about(leaf) + verified.error().detail);
  if (auto checked = state_->check_issuers(node, context.get()); !checked)
    return refuse(about(leaf) + checked.error().detail);
  const auto digest = certificate_sha256(leaf);
  const auto key = public_key_sha256(leaf);
  if (!digest) return fail(digest.error());
  if (!key) return refuse(about(leaf) + key.error().detail);
  if (!node.pins.empty() && std::ranges::find(node.pins, *key) == node.pins.end())
    return refuse(about(leaf) + "its key " + to_hex(*key) + " is none of the pins of " + node.id.str());
  return PeerIdentity{node.id, *digest, *key};
}

}  // namespace fedgate::trust
