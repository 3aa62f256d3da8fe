// SPDX-License-Identifier: Apache-2.0
//
// The rules by which a CA is replaced without anybody enrolling again (protocol.md section 3). A bundle comes from its
// node, over an ordinary connection, signed by the leaf which that connection shows, for this reader and this nonce; it
// follows the bundle that is known; and what is new in it is vouched for by what was there before, or by an operator.
// No I/O; pure functions, any thread.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "fedgate/clock.h"
#include "fedgate/node.h"
#include "fedgate/result.h"
#include "fedgate/rotation.h"
#include "fedgate/trust_messages.h"

namespace fedgate::trust {

/// Signs for one reader: "fedgate bundle v1". `key_pem`: the key of the first certificate in `served.chain`.
Result<std::string> sign_bundle(const std::string& key_pem, const ServedBundle& served, const NodeId& reader,
                                const Bytes32& nonce);
/// "fedgate bundle ack v1", over node_id, seq, bundle_sha256 and time.
Result<std::string> sign_acknowledgement(const std::string& key_pem, const Acknowledgement& acknowledgement);
/// Code::identity_mismatch unless it is the node's whose connection shows this leaf (SHA-256 of its DER).
Result<void> check_acknowledgement(const Acknowledgement& acknowledgement, const NodeId& node, const Sha256& leaf);

/// The first log of which `next` names a later generation than `known` does, or which it does not name any more;
/// empty: each goes on. A rotation within a generation, and a log that is new, need nobody: the one is signed by both
/// keys, the other contradicts nothing.
std::string begun_anew(const Bundle& known, const Bundle& next);

/// What a bundle is judged by.
struct BundleCase {
  Node row;                           ///< the node as the registry has it
  std::optional<StatedBundle> known;  ///< the newest of its bundles that counts; none: only the row does
  Bundle own;                         ///< ours: nobody else may claim what it says
  std::vector<Node> nodes;            ///< everybody's rows
  Bytes32 nonce{};                    ///< that it was asked for with
  Sha256 leaf{};                      ///< that the connection showed
  WallTime at{};
};

enum class BundleVerdict : std::uint8_t {
  known,                  ///< the one that counts already
  accepted,               ///< `after` may be stored
  operator_decides,       ///< `why` says what nobody has vouched for
  configuration_decides,  ///< the same, of a node that YAML defines
};

struct BundleJudgement {
  BundleVerdict verdict = BundleVerdict::known;
  Node after;                          ///< the row with what the bundle changes
  std::vector<Sha256> added, dropped;  ///< anchors
  std::string why;
};

/// Code::conflict for a seq below the known one; Code::identity_mismatch for what no honest node sends: another node's
/// bundle, a bad signature, another bundle with a known seq, one that does not follow, others' names or anchors,
/// anchors that do not stand behind the leaf.
Result<BundleJudgement> judge_bundle(const ServedBundle& served, const BundleCase& from);

/// Which of the anchors (PEM) this certificate is about, as one of the others' keys has signed it: its position.
/// Code::invalid_certificate says why none.
Result<std::size_t> certified_anchor(const std::string& cross_certificate, std::span<const std::string> anchors,
                                     WallTime at);

/// The certificates of a PEM text, in their order and without anything else that stands there: it may be a key.
Result<std::string> certificates_only(const std::string& pem);

/// Whether a certificate of ours would be accepted by somebody who believes these anchors alone.
Result<void> stands_on(const NodeId& own, const std::string& chain_pem, std::span<const std::string> anchors,
                       WallTime at);

}  // namespace fedgate::trust
