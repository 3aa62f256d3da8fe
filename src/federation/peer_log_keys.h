// SPDX-License-Identifier: Apache-2.0
//
// By which keys the nodes we know sign their audit logs and witness others': what the newest of their bundles that
// counts here says (protocol.md sections 2 and 5). Owned by the composition root, filled by the bundle exchange
// whenever it looks at what is recorded; a key that its bundle names under another node's name is left out. Any thread;
// answers come from memory.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/snapshot.h"
#include "fedgate/bundle.h"
#include "fedgate/id.h"
#include "wire/signed_note.h"

namespace fedgate::federation {

class PeerLogKeys {
 public:
  PeerLogKeys();

  /// Newest first; of all its replicas, generations and, after a rotation, of both keys of one name: a fresh checkpoint
  /// must bear the signature of the first of its name, an old one that of any. Empty: its bundle is not known yet, or
  /// states none.
  [[nodiscard]] std::vector<wire::VerifierKey> log_keys(const NodeId& node) const;
  /// The same, of one log only.
  [[nodiscard]] std::vector<wire::VerifierKey> keys_of(const NodeId& node, std::string_view log) const;
  [[nodiscard]] std::optional<wire::VerifierKey> witness_key(const NodeId& node) const;

  struct Known {
    Sha256 bundle{};
    std::vector<wire::VerifierKey> logs;
    std::optional<wire::VerifierKey> witness;
  };
  using Table = std::map<NodeId, Known>;
  [[nodiscard]] std::shared_ptr<const Table> table() const { return table_.load(); }
  void publish(Table table);

 private:
  Snapshot<Table> table_;
};

/// What a bundle says of its node's own keys; what it cannot say (another node's names, a log's key as a witness's) is
/// left out.
PeerLogKeys::Known keys_in(const StatedBundle& bundle);

}  // namespace fedgate::federation
