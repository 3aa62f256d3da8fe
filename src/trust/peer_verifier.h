// SPDX-License-Identifier: Apache-2.0
//
// Chain validation is not identity: this is where a presented certificate chain becomes exactly one node, or
// a refusal with its reasons. Used by the peers listener, outgoing connections and `fedgate pki verify` alike.
// A node's chain is verified against that node's own anchors only, with X509_verify_cert (strict flags, auth
// level 2, policies, the right purpose), and by our own rules (certificate_rules.h, extension_rules.h, leaf_rules.h,
// issuer_rules.h, name_constraints.h, revocation_lists.h, ocsp.h): the node_id as an exact DNS SAN, or the configured
// SPIFFE ID as the one URI, and no other configured peer's; no CN, no wildcard, EKU present and right for the
// direction, leaf not a CA, pins. No path is searched beyond the chain presented and the node's configured
// intermediates. An anchor is any CA certificate: an organisation's issuing CA serves as well as its root, and is the
// narrower choice. A CA that stands behind two nodes identifies neither without pins. docs/trust.md has every rule and
// reason. Immutable, any thread.
#pragma once

#include <openssl/types.h>

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "fedgate/clock.h"
#include "fedgate/node.h"
#include "fedgate/principal.h"
#include "fedgate/result.h"
#include "trust/leaf_rules.h"
#include "trust/refusal.h"
#include "trust/revocation_lists.h"

namespace fedgate::trust {

/// Where a leaf that demands a stapled OCSP response has to have it.
enum class StapleDuty : std::uint8_t {
  here,          ///< in `staple`
  in_handshake,  ///< the handshake that showed this leaf was judged by it already
};

/// What there is to judge.
struct Evidence {
  X509* leaf = nullptr;
  std::span<X509* const> rest;  ///< as presented; with the leaf four at most
  Presented presented = Presented::by_client;
  NodeId expected;  ///< empty: any usable node (server side); else that node and no other (client side)
  WallTime at{};
  std::string_view staple;  ///< OCSP response, DER; empty: none. A server's leaf may demand one.
  StapleDuty staple_duty = StapleDuty::here;
};

struct Judgement {
  std::optional<PeerIdentity> identity;  ///< exactly where there is no refusal
  std::vector<Refusal> refusals;

  [[nodiscard]] bool accepted() const { return identity.has_value(); }
  /// The identity; else Code::node_not_trusted or Code::identity_mismatch, the detail `reason: sentence` of the first.
  [[nodiscard]] Result<PeerIdentity> result() const;
};

/// The anchors of every node that may connect or be connected to: parsed once when the registry changes.
class PeerVerifier {
 public:
  /// Nodes whose anchors or pins cannot be used are reported in `problems` (node: why), and so are those that share an
  /// anchor and have no pins. They are refused, and their names stay reserved: no other peer's certificate may hold
  /// them. `crls` null: revocation lists decide about nobody.
  static std::shared_ptr<const PeerVerifier> make(std::span<const Node> nodes, std::vector<Error>* problems = nullptr,
                                                  std::shared_ptr<const RevocationLists> crls = nullptr);
  ~PeerVerifier();

  /// Accepts only what passes every rule, whatever `extent` says: Extent::every goes on after the first reason, for a
  /// person who wants to know them all.
  [[nodiscard]] Judgement judge(const Evidence& evidence, Findings::Extent extent = Findings::Extent::first) const;
  /// The same, without a staple, as Judgement::result() gives it.
  [[nodiscard]] Result<PeerIdentity> judge(X509* leaf, std::span<X509* const> rest, Presented presented,
                                           const NodeId& expected, WallTime at) const;

 private:
  struct State;
  explicit PeerVerifier(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace fedgate::trust
