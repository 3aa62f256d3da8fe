// SPDX-License-Identifier: Apache-2.0
//
// What the tables of wrong and right identities are made of: a chain that claims to be `peer_id`, what is known of that
// peer, and the reasons for which it must be refused. Built for test_now.
#pragma once

#include <functional>
#include <memory>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "base/hash.h"
#include "fedgate/node.h"
#include "support/certificate_builder.h"
#include "trust/leaf_rules.h"

namespace fedgate::test {

using trust::AlternativeName;
using trust::CrlRecipe;
using trust::Issued;
using trust::Recipe;
using IssuedPtr = std::shared_ptr<const Issued>;

inline const std::string peer_id = "orgp.example";
inline const std::string peer_spiffe_id = "spiffe://orgp.example/gateway";

/// What a caller or a server presents, and what the gateway knows of the peer that it claims to be.
struct Identity {
  std::vector<IssuedPtr> chain;  ///< leaf first
  std::vector<std::string> anchors, pins, crls;
  std::string spiffe_id{};
  std::vector<std::string> intermediates{};
  std::vector<Node> others{};
  TrustLevel trust_level = TrustLevel::trusted;
  bool enabled = true;

  [[nodiscard]] Node node() const {
    Node node;
    node.id = NodeId::parse(peer_id).value();
    node.trust_anchors = anchors;
    node.intermediates = intermediates;
    node.pins = pins;
    node.spiffe_id = spiffe_id;
    node.trust_level = trust_level;
    node.enabled = enabled;
    return node;
  }
  /// Known to `fedgate pki verify` with no more than its options.
  [[nodiscard]] bool alone() const { return others.empty() && enabled && trust_level == TrustLevel::trusted; }
};

enum class Ends : std::uint8_t { both, client_only, server_only };

struct IdentityCase {
  std::string name;
  std::vector<std::string> reasons;  ///< exactly these, whatever their order; none: it is right
  std::function<Identity()> make;
  Ends ends = Ends::both;
  bool presentable = true;  ///< by a TLS 1.3 stack: there is a private key and a signature scheme for it
};
inline void PrintTo(const IdentityCase& one, std::ostream* out) { *out << one.name; }

using Change = std::function<void(Recipe&)>;
inline void no_change(Recipe&) {}

/// The CAs that most cases share: made once.
struct Authorities {
  IssuedPtr root = trust::shared(issue(Recipe::authority("Root of P")));
  IssuedPtr same_name = trust::shared(issue(Recipe::authority("Root of P")));
  IssuedPtr stranger = trust::shared(issue(Recipe::authority("Root of a stranger")));
  IssuedPtr issuing = trust::shared(issue(Recipe::intermediate("Issuing CA of P"), root.get()));
};
inline const Authorities& authorities() {
  static const Authorities made;
  return made;
}

inline IssuedPtr leaf_of(const IssuedPtr& issuer, const Change& change = no_change) {
  auto recipe = Recipe::leaf(peer_id);
  change(recipe);
  return trust::shared(issue(recipe, issuer.get()));
}
/// root → leaf
inline Identity by_root(const Change& change) {
  const auto& root = authorities().root;
  return {.chain = {leaf_of(root, change)}, .anchors = {root->pem()}, .pins = {}, .crls = {}};
}
/// another root → leaf
inline Identity below(const Change& of_root, const Change& of_leaf = no_change) {
  auto recipe = Recipe::authority("A root of P");
  of_root(recipe);
  const auto root = trust::shared(issue(recipe));
  return {.chain = {leaf_of(root, of_leaf)}, .anchors = {root->pem()}, .pins = {}, .crls = {}};
}
/// root → intermediate → leaf
inline Identity through(const Change& of_ca, const Change& of_leaf = no_change) {
  const auto& root = authorities().root;
  auto recipe = Recipe::intermediate("A CA of P");
  of_ca(recipe);
  const auto ca = trust::shared(issue(recipe, root.get()));
  return {.chain = {leaf_of(ca, of_leaf), ca}, .anchors = {root->pem()}, .pins = {}, .crls = {}};
}
/// The leaf alone is presented; what stands behind it is configured.
inline Identity unpresented(Identity identity) {
  for (std::size_t i = 1; i < identity.chain.size(); ++i) identity.intermediates.push_back(identity.chain[i]->pem());
  identity.chain.resize(1);
  return identity;
}
/// root with constraints → leaf with names
inline Identity constrained(const std::string& constraints, std::vector<AlternativeName> more = {}) {
  return below([&](Recipe& r) { r.name_constraints = constraints; },
               [&](Recipe& r) { r.names.insert(r.names.end(), more.begin(), more.end()); });
}
inline Identity with_crl(const std::function<void(CrlRecipe&)>& change, const Change& of_leaf = no_change) {
  auto identity = by_root(of_leaf);
  CrlRecipe recipe;
  change(recipe);
  identity.crls = {crl_pem(*authorities().root, recipe)};
  return identity;
}
inline Node other_node(const std::string& name, const std::string& anchor) {
  Node node;
  node.id = NodeId::parse(name).value();
  node.trust_anchors = {anchor};
  node.trust_level = TrustLevel::trusted;
  return node;
}
inline std::string pin_of(const Issued& issued) { return to_hex(trust::public_key_sha256(issued.get()).value()); }
inline Change named(std::vector<AlternativeName> names) {
  return [names = std::move(names)](Recipe& r) { r.names = names; };
}
inline Change with_name(AlternativeName name) {
  return [name = std::move(name)](Recipe& r) { r.names.push_back(name); };
}
inline Change with_raw(const std::string& oid, bool critical, const std::string& der) {
  return [=](Recipe& r) { r.raw.push_back({oid, critical, der}); };
}
inline Change with_key(std::function<trust::KeyPtr()> key) {
  return [key = std::move(key)](Recipe& r) { r.key = key; };
}

}  // namespace fedgate::test
