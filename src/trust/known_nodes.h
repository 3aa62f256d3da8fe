// SPDX-License-Identifier: Apache-2.0
//
// Every node that a certificate could name, with what speaks for it: its own anchors, judged when they are loaded, its
// pins, and whose anchors are whose. Owned by PeerVerifier, used by its .cpp only. Immutable once made, any thread.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "fedgate/node.h"
#include "trust/leaf_rules.h"
#include "trust/openssl.h"
#include "trust/refusal.h"

namespace fedgate::trust {

inline constexpr std::size_t most_anchors = 16, most_intermediates = 16;

/// One that cannot be used, and why.
struct BadAnchor {
  CertificatePtr certificate;
  std::vector<Refusal> refusals;
};

struct KnownNode {
  NodeId id;
  std::string spiffe_id;         // empty: known by its DNS name
  bool usable = false;           // trusted and enabled
  std::vector<Refusal> why_not;  // its chains cannot be judged; empty where they can
  StorePtr store;                // its own good anchors, no others
  std::vector<Sha256> anchors;   // their public keys, and those of the bad ones
  std::vector<BadAnchor> bad;
  std::vector<CertificatePtr> intermediates;  // behind those that are presented; not believed by themselves
  std::vector<Sha256> pins;
};

class KnownNodes {
 public:
  KnownNodes(std::span<const Node> nodes, std::vector<Error>* problems);

  [[nodiscard]] const KnownNode* find(const NodeId& id) const;
  /// Whom the names claim; nothing is proven yet. Null, with findings, unless it is exactly one node and the expected.
  const KnownNode* identify(const About& about, const LeafNames& names, const NodeId& expected) const;
  /// Another node whose anchor has this public key.
  [[nodiscard]] const NodeId* other_owner(const Sha256& anchor_key, const NodeId& node) const;

 private:
  struct DigestHash {
    std::size_t operator()(const Sha256& digest) const noexcept {
      return std::hash<std::string_view>{}({reinterpret_cast<const char*>(digest.data()), digest.size()});
    }
  };
  std::unordered_map<std::string, KnownNode> by_name_;
  std::unordered_map<std::string, const KnownNode*> by_spiffe_id_;  // folded
  std::unordered_map<Sha256, std::vector<NodeId>, DigestHash> anchor_owners_;
};

}  // namespace fedgate::trust
