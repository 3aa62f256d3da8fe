// SPDX-License-Identifier: Apache-2.0
//
// What an organisation holds of one record to convince somebody else: its leaf with the proof to a signed checkpoint,
// cosigned where that has happened, and, where it was proven, the leaf of the other side. Owned by the composition
// root; blocking, any thread.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "federation/audit_surroundings.h"
#include "fedgate/checkpoint.h"

namespace fedgate::federation {

/// Where a leaf stands, and whose word that is.
struct LeafStanding {
  ProofPath path;
  Checkpoint checkpoint;
  std::vector<NodeId> cosigned_by;
};

struct CounterpartyReceipt {
  NodeId node{};
  LeafReference leaf{};  ///< as it stated it
  store::ReferenceState state = store::ReferenceState::waiting;
  std::string why{};                       ///< missing
  std::optional<LeafStanding> standing{};  ///< proven
  std::vector<std::string> vkeys{};        ///< of its log
};

struct RecordReceipt {
  std::string log;
  std::uint64_t index = 0;
  std::string leaf{};
  Sha256 leaf_hash{};
  std::optional<LeafStanding> standing{};
  std::string why_not{};  ///< where there is none
  std::optional<CounterpartyReceipt> counterparty{};
};

class Receipts {
 public:
  explicit Receipts(AuditSurroundings around) : around_(std::move(around)), records_(around_.store) {}

  /// Of records that are found already. Makes a checkpoint where none covers them yet.
  Result<std::vector<RecordReceipt>> of(const std::vector<store::AuditRow>& rows);
  /// Of one record, by its place.
  Result<RecordReceipt> at(const std::string& log, std::uint64_t index);
  /// Verifier keys for them: our log's, and the witnesses' that we know.
  [[nodiscard]] std::vector<std::string> vkeys() const;

 private:
  Result<RecordReceipt> receipt(const std::string& log, std::uint64_t index, std::string leaf);
  Result<LeafStanding> standing(std::uint64_t index);
  Result<std::optional<CounterpartyReceipt>> counterparty(const std::string& log, std::uint64_t index,
                                                          const std::string& leaf);

  AuditSurroundings around_;
  store::AuditLogRecords records_;
};

}  // namespace fedgate::federation
