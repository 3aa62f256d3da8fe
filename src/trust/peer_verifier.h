// SPDX-License-Identifier: Apache-2.0
//
// Chain validation is not identity: this is where a presented certificate chain becomes exactly one node, or
// a refusal with its reason. Used by the peers listener, outgoing connections and `fedgate check` alike.
// A node's chain is verified against that node's own anchors only, with X509_verify_cert (strict flags, auth
// level 2, the right purpose), and by our own rules: the node_id as an exact DNS SAN and no other configured
// peer's, no CN, no wildcard, EKU present and right for the direction, leaf not a CA, pins. An anchor is any CA
// certificate: an organisation's issuing CA serves as well as its root, and is the narrower choice. A CA that stands
// behind two nodes identifies neither without pins. Immutable, any thread.
#pragma once

#include <openssl/types.h>

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "fedgate/clock.h"
#include "fedgate/node.h"
#include "fedgate/principal.h"
#include "fedgate/result.h"

namespace fedgate::trust {

/// Which end of the connection the judged certificate is: decides the extended key usage it must have.
enum class Presented : std::uint8_t { by_client, by_server };

/// The anchors of every node that may connect or be connected to: parsed once when the registry changes.
class PeerVerifier {
 public:
  /// Nodes whose anchors or pins cannot be used are reported in `problems` (node: why), and so are those that share an
  /// anchor and have no pins. They are refused, and their ids stay reserved: no other peer's certificate may name them.
  static std::shared_ptr<const PeerVerifier> make(std::span<const Node> nodes, std::vector<Error>* problems = nullptr);
  ~PeerVerifier();

  /// At most four certificates in all. `expected` empty: any usable node (server side); else that node and no
  /// other (client side). Code::identity_mismatch with the operator's reason, or the one node that this chain
  /// speaks for. A node that is not trusted or not enabled is refused with Code::node_not_trusted.
  [[nodiscard]] Result<PeerIdentity> judge(X509* leaf, std::span<X509* const> rest, Presented presented,
                                           const NodeId& expected, WallTime at) const;

 private:
  struct State;
  explicit PeerVerifier(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace fedgate::trust
