// SPDX-License-Identifier: Apache-2.0
#include "audit/database_check.h"

#include <algorithm>

#include "audit/leaf.h"

namespace fedgate::audit {

Result<std::optional<std::uint64_t>> DatabaseCheck::first() {
  const auto rows = store_.log_rows(journal_.log_name(), 0, 1);
  if (!rows) return fail(rows.error());
  if (rows->empty()) return std::nullopt;
  return rows->front().index;
}

Result<DatabaseCheck::Seen> DatabaseCheck::compare(std::uint64_t from, std::uint64_t end, std::size_t most,
                                                   Beginning beginning) {
  Seen seen{.next = from};
  if (from >= end) return seen;
  const auto rows = store_.log_rows(journal_.log_name(), from, most);
  if (!rows) return fail(rows.error());
  if (beginning == Beginning::anywhere && !rows->empty()) seen.next = std::min(rows->front().index, end);
  for (const auto& row : *rows) {
    if (row.index >= end) break;
    if (row.index > seen.next) judge_gap(seen.next, row.index, seen);
    const auto known = journal_.tree().leaf_hash_at(row.index);
    if (!known) return fail(known.error());
    if (!seen.difference) seen.difference = judge(row, *known);
    if (seen.difference) return seen;
    seen.next = row.index + 1;
  }
  const bool no_more = rows->size() < most || rows->back().index >= end;
  if (!no_more || seen.next >= end) return seen;
  // The last one of these was the last there is, or the one behind `end` follows on a gap.
  seen.cut = rows->empty() || rows->back().index < end;
  if (!seen.cut) judge_gap(seen.next, end, seen);
  seen.next = end;
  return seen;
}

std::optional<Difference> DatabaseCheck::judge(const store::AuditRow& row, const Sha256& known) const {
  if (leaf_hash(row.leaf) == known) return std::nullopt;
  return Difference{row.index,
                    "the database differs from the journal at record " + std::to_string(row.index) + " of " + row.log};
}

// The shipper leaves no gap where the journal has the records: somebody has removed them.
void DatabaseCheck::judge_gap(std::uint64_t from, std::uint64_t below, Seen& seen) const {
  const auto still_there = std::max(from, journal_.state().first);
  if (still_there < below) {
    seen.difference = Difference{still_there, "the database lacks record " + std::to_string(still_there) + " of " +
                                                  journal_.log_name() + ", which it had, and has records behind it"};
    return;
  }
  if (!seen.lacks) seen.lacks = {from, below};
}

}  // namespace fedgate::audit
