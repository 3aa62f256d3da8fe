// SPDX-License-Identifier: Apache-2.0
#include "federation/receipts.h"

#include "audit/batch_proof.h"
#include "audit/leaf.h"
#include "wire/witness_text.h"

namespace fedgate::federation {

namespace {
constexpr std::chrono::seconds checkpoint_patience{5};
}  // namespace

Result<std::vector<RecordReceipt>> Receipts::of(const std::vector<store::AuditRow>& rows) {
  std::vector<RecordReceipt> all;
  for (const auto& row : rows) {
    auto one = receipt(row.log, row.index, row.leaf);
    if (!one) return fail(one.error());
    all.push_back(std::move(*one));
  }
  return all;
}

Result<RecordReceipt> Receipts::at(const std::string& log, std::uint64_t index) {
  if (log == around_.journal.log_name() && index < around_.journal.state().durable) {
    auto leaves = around_.journal.read(index, 1, audit::leaf_max_bytes);
    if (leaves && !leaves->empty()) return receipt(log, index, std::move(leaves->front()));
  }
  auto rows = around_.store.log_rows(log, index, 1);
  if (!rows) return fail(rows.error());
  if (rows->empty() || rows->front().index != index)
    return fail(Code::not_found, "this gateway has no record " + std::to_string(index) + " of " + log);
  return receipt(log, index, std::move(rows->front().leaf));
}

Result<RecordReceipt> Receipts::receipt(const std::string& log, std::uint64_t index, std::string leaf) {
  RecordReceipt made{.log = log, .index = index, .leaf = std::move(leaf)};
  made.leaf_hash = audit::leaf_hash(made.leaf);
  if (log != around_.journal.log_name()) {
    made.why_not = "the tree of " + log + " is not here: ask the replica that writes it";
  } else if (auto where = standing(index); !where) {
    made.why_not = where.error().detail;
  } else if (auto held = around_.journal.tree().leaf_hash_at(index); !held || *held != made.leaf_hash) {
    // What the database holds is a copy; the journal is the log.
    made.why_not = "this is not the leaf that the log holds at " + std::to_string(index);
  } else {
    made.standing = std::move(*where);
  }
  auto other = counterparty(log, index, made.leaf);
  if (!other) return fail(other.error());
  made.counterparty = std::move(*other);
  return made;
}

/// In the newest checkpoint that a witness has cosigned, else in the newest of ours.
Result<LeafStanding> Receipts::standing(std::uint64_t index) {
  LeafStanding where;
  auto cosigned = records_.newest_cosigned(around_.journal.log_name());
  if (cosigned && *cosigned && (*cosigned)->checkpoint.head.size > index) {
    where.checkpoint = std::move((*cosigned)->checkpoint);
    where.cosigned_by = std::move((*cosigned)->cosigned_by);
  } else {
    auto latest = around_.publisher.reach(index + 1, checkpoint_patience);
    if (!latest) return fail(latest.error());
    where.checkpoint = **latest;
  }
  auto path = around_.journal.tree().inclusion(index, where.checkpoint.head.size);
  if (!path) return fail(path.error());
  where.path = std::move(*path);
  return where;
}

Result<std::optional<CounterpartyReceipt>> Receipts::counterparty(const std::string& log, std::uint64_t index,
                                                                  const std::string& leaf) {
  auto event = audit::event_of(leaf);
  if (!event || !event->counterparty) return std::nullopt;
  CounterpartyReceipt other{.node = {}, .leaf = *event->counterparty, .why = {}, .standing = {}, .vkeys = {}};
  auto node = NodeId::parse(std::string_view(other.leaf.log).substr(0, other.leaf.log.find('/')));
  if (!node) return std::nullopt;
  other.node = std::move(*node);
  for (const auto& key : around_.keys.keys_of(other.node, other.leaf.log)) other.vkeys.push_back(key.text());
  auto batch = records_.reference_of(log, index);
  if (!batch) return fail(batch.error());
  if (!*batch) return other;
  other.state = (*batch)->state;
  other.why = (*batch)->why;
  if (other.state != store::ReferenceState::proven) return other;
  auto kept = wire::parse_kept_proof((*batch)->proof);
  if (!kept) return fail(kept.error());
  auto checkpoint = records_.checkpoint(other.leaf.log, (*batch)->checkpoint_size);
  if (!checkpoint) return fail(checkpoint.error());
  if (!*checkpoint) return other;
  const auto& head = (*checkpoint)->checkpoint.head;
  auto path = audit::proves_batch(kept->batch, kept->indexes, head)
                  ? audit::path_in(kept->batch, kept->indexes, head.size, other.leaf.index)
                  : std::nullopt;
  if (!path) return fail(Code::store_unavailable, "a kept proof does not prove any more: restore the database");
  other.standing = LeafStanding{std::move(*path), std::move((*checkpoint)->checkpoint), (*checkpoint)->cosigned_by};
  return other;
}

std::vector<std::string> Receipts::vkeys() const {
  std::vector<std::string> keys;
  for (const auto& key : around_.publisher.keys()) keys.push_back(key.text());
  keys.push_back(around_.witness.vkey().text());
  for (const auto& [node, known] : *around_.keys.table())
    if (known.witness) keys.push_back(known.witness->text());
  return keys;
}

}  // namespace fedgate::federation
