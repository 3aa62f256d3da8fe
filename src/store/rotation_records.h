// SPDX-License-Identifier: Apache-2.0
//
// What the rotation of anchors needs to outlive a restart: who has acknowledged which bundle, our cross certificates,
// our retired anchors. The bundles themselves are trust_records.h's. Blocking, like Store; any thread.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "fedgate/rotation.h"
#include "store/store.h"

namespace fedgate::store {

/// A node's acknowledgement of our bundle, or ours of a node's.
enum class Given : std::uint8_t { theirs, ours };

/// The newest bundle of one node, without its text.
struct BundleHead {
  std::uint64_t seq = 0;
  Sha256 sha256{};
  WallTime recorded_at{};
};

struct CrossCertificate {
  Sha256 sha256{};
  std::string pem;
  std::string announced_by;
  WallTime announced_at{};
};

struct RetiredAnchor {
  Sha256 sha256{};
  std::string retired_by;
  WallTime retired_at{};
};

class RotationRecords {
 public:
  explicit RotationRecords(Store& store) : store_(store) {}

  Result<std::map<NodeId, BundleHead>> bundle_heads();

  /// In place of the one before. Code::conflict where a newer one of theirs is there.
  Result<void> put_acknowledgement(const NodeId& node, Given given, const Acknowledgement& acknowledgement);
  /// By the node that it was asked of (ours) or that gave it (theirs).
  Result<std::map<NodeId, Acknowledgement>> acknowledgements(Given given);

  /// One that is there stays as it is. Beyond most_cross_certificates the oldest goes.
  Result<void> put_cross_certificate(const CrossCertificate& certificate);
  /// Oldest first.
  Result<std::vector<CrossCertificate>> cross_certificates();

  Result<void> put_retired(const RetiredAnchor& anchor);
  Result<std::vector<RetiredAnchor>> retired();

 private:
  Store& store_;
};

}  // namespace fedgate::store
