// SPDX-License-Identifier: Apache-2.0
//
// What trust needs to outlive a restart: invites, candidates, bundles (our own with their history, and those of
// others that we have accepted), and which certificates were seen last. The bounds of protocol.md section 1 are kept
// here, in the transaction that stores, so that they hold over all replicas. Nothing here touches federation_nodes: a
// candidate's anchors count for nothing until an operator has approved it. Blocking, like Store; any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "fedgate/result.h"
#include "fedgate/seen_leaf.h"
#include "fedgate/trust_messages.h"
#include "store/store.h"

namespace fedgate::store {

/// A bundle's place in its node's history.
struct BundleRecord {
  NodeId node;
  std::uint64_t seq = 0;
  Sha256 sha256{};
  std::string text;  ///< canonical JSON
  WallTime recorded_at{};
  bool operator==(const BundleRecord&) const = default;
};

/// begins: what is there of this node is forgotten first. continues: the seq must be the next one, or the bundle the
/// newest that is there already.
enum class History : std::uint8_t { begins, continues };

class TrustRecords {
 public:
  explicit TrustRecords(Store& store) : store_(store) {}
  [[nodiscard]] Store& store() const { return store_; }

  /// Code::conflict beyond most_invites that are open. Those that expired a month ago go.
  Result<void> put_invite(const Invite& invite);
  Result<std::optional<Invite>> invite(const std::string& id);
  /// Newest first.
  Result<std::vector<Invite>> invites();
  /// How many: those that are for `node`, or the one with this id.
  Result<std::size_t> remove_invites(const NodeId& node);
  Result<std::size_t> remove_invite(const std::string& id);

  /// Stores the candidate and, where it comes with an invite, consumes that, in one transaction. The same candidate
  /// again (node, bundle, leaf, direction) replaces the older. What is older than candidates_kept goes. Code::forbidden
  /// where the invite does not serve it (used by another key or with another bundle, expired, cancelled, for another
  /// node); Code::overloaded where there is no place, which an invited one takes from the oldest that was not.
  Result<void> admit(const Candidate& candidate);
  /// Newest first. A candidate's bundle comes back as its text and hash; wire::parse_bundle() reads it.
  Result<std::vector<Candidate>> candidates(WallTime now);
  Result<std::size_t> remove_candidates(const NodeId& node);

  /// Code::conflict where the bundle does not continue the node's history.
  Result<void> put_bundle(const BundleRecord& bundle, History history);
  Result<std::optional<BundleRecord>> newest_bundle(const NodeId& node);

  /// In place of those of the same nodes and ends.
  Result<void> put_seen_leaves(const std::vector<SeenLeaf>& leaves);
  /// Of nodes that are there still; the others' are forgotten.
  Result<std::vector<SeenLeaf>> seen_leaves();

 private:
  Store& store_;
};

}  // namespace fedgate::store
