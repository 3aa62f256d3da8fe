// SPDX-License-Identifier: Apache-2.0
//
// What both databases do alike with the rows of a log.
#include "store/store.h"

namespace fedgate::store {

Result<void> Store::continue_audit(std::span<const AuditRow> rows, std::optional<std::uint64_t> last) {
  if (rows.empty()) return {};
  const auto stands = audit_position(rows.front().log);
  if (!stands) return fail(stands.error());
  if (*stands != last) return fail(continued_elsewhere(rows.front().log, *stands, last));
  return append_audit(rows);
}

Error continued_elsewhere(const std::string& log, std::optional<std::uint64_t> stands,
                          std::optional<std::uint64_t> last) {
  const auto shown = [](std::optional<std::uint64_t> index) {
    return index ? "record " + std::to_string(*index) : std::string("nothing");
  };
  return {Code::conflict, "the last that the database has of " + log + " is " + shown(stands) + ", not " + shown(last) +
                              ": it is another database, it was set back, or another gateway writes to it"};
}

// By the primary key, from the first on: the table is not searched for what is old.
Result<std::size_t> Store::prune_audit(const std::string& log, std::uint64_t below, WallTime before, std::size_t most) {
  std::size_t pruned = 0;
  auto done = transact("pruning audit_events", [&](Transaction& at) -> Result<void> {
    std::optional<std::int64_t> last;
    bool young = false;
    at.read("SELECT " + at.selected("log_index, timestamp") +
                " FROM audit_events WHERE log = $1 AND log_index < $2 ORDER BY log_index LIMIT $3",
            std::vector<Parameter>{log, static_cast<std::int64_t>(below), static_cast<std::int64_t>(most)},
            [&](const Row& row) {
              const auto time = row.time(1);
              young = young || !time || *time >= before;
              if (!young) last = row.number(0);
            });
    if (!last) return {};
    pruned = static_cast<std::size_t>(
        at.run("DELETE FROM audit_events WHERE log = $1 AND log_index <= $2", std::vector<Parameter>{log, *last}));
    return {};
  });
  if (!done) return fail(done.error());
  return pruned;
}

}  // namespace fedgate::store
