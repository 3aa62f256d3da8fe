// SPDX-License-Identifier: Apache-2.0
#include "store/audit_log_records.h"

#include <algorithm>
#include <charconv>

#include "base/hash.h"

namespace fedgate::store {
namespace {

constexpr std::string_view witnessed_columns = "log, node_id, size, root, note, witnessed_at";
constexpr std::string_view checkpoint_columns = "log, node_id, size, root, note, cosigned_by, recorded_at";
constexpr std::string_view reference_columns =
    "log, node_id, other_log, state, members, checkpoint_size, proof, why, noted_at";
constexpr std::string_view alarm_columns =
    "kind, node_id, subject, reason, evidence, raised_at, settled_at, settled_by";
constexpr const char* reference_purpose = "references";

std::int64_t number(std::uint64_t value) { return static_cast<std::int64_t>(value); }

Error damaged(std::string_view what) {
  return {Code::store_unavailable, std::string(what) + " cannot be read: somebody has edited it by hand; restore it"};
}

/// The lines after the empty one.
std::vector<std::string_view> signature_lines(std::string_view note) {
  std::vector<std::string_view> lines;
  const auto gap = note.find("\n\n");
  if (gap == std::string_view::npos) return lines;
  note.remove_prefix(gap + 2);
  while (!note.empty()) {
    const auto end = std::min(note.find('\n'), note.size() - 1);
    lines.push_back(note.substr(0, end + 1));
    note.remove_prefix(end + 1);
  }
  return lines;
}

/// `note` and the signatures of `other` that it lacks.
std::string merged(std::string note, std::string_view other) {
  auto known = signature_lines(note);
  std::string added;
  std::size_t count = known.size();
  for (const auto line : signature_lines(other)) {
    if (count >= AuditLogRecords::most_signatures || std::ranges::find(known, line) != known.end()) continue;
    added += line;
    ++count;
  }
  return note + added;
}

std::string names_text(const std::vector<NodeId>& nodes) {
  std::string text;
  for (const auto& node : nodes) text += (text.empty() ? " " : "") + node.str() + " ";
  return text;
}

bool read_names(std::string_view text, std::vector<NodeId>& out) {
  while (!text.empty()) {
    const auto end = text.find(' ');
    const auto name = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (name.empty()) continue;
    auto node = NodeId::parse(name);
    if (!node) return false;
    out.push_back(std::move(*node));
  }
  return true;
}

/// `index other_index hash` a line.
std::string members_text(const std::vector<CallReference>& members) {
  std::string text;
  text.reserve(members.size() * 88);
  for (const auto& one : members)
    text += std::to_string(one.index) + ' ' + std::to_string(one.other_index) + ' ' + to_hex(one.hash) + '\n';
  return text;
}

bool read_members(std::string_view text, std::vector<CallReference>& out) {
  const auto digits = [&text](std::uint64_t& value) {
    const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (problem != std::errc() || end == text.data() + text.size() || *end != ' ') return false;
    text.remove_prefix(static_cast<std::size_t>(end - text.data()) + 1);
    return true;
  };
  while (!text.empty()) {
    CallReference one;
    if (!digits(one.index) || !digits(one.other_index) || text.size() < 65 || text[64] != '\n') return false;
    const auto hash = sha256_from_hex(text.substr(0, 64));
    if (!hash) return false;
    one.hash = *hash;
    text.remove_prefix(65);
    out.push_back(one);
  }
  return !out.empty();
}

/// log, node_id, size, root, note
bool read_checkpoint(const Row& row, NodeId& whose, Checkpoint& checkpoint) {
  auto node = NodeId::parse(row.text(1));
  const auto root = sha256_from_hex(row.text(3));
  if (!node || !root || row.number(2) < 0) return false;
  whose = std::move(*node);
  checkpoint = {row.text(0), {static_cast<std::uint64_t>(row.number(2)), *root}, row.text(4)};
  return true;
}

bool read(const Row& row, WitnessedLog& one) {
  one.at = row.time(5).value_or(WallTime{});
  return read_checkpoint(row, one.node, one.checkpoint);
}

bool read(const Row& row, KeptCheckpoint& one) {
  one.at = row.time(6).value_or(WallTime{});
  return read_checkpoint(row, one.node, one.checkpoint) && read_names(row.text(5), one.cosigned_by);
}

bool read(const Row& row, ReferenceBatch& one) {
  auto node = NodeId::parse(row.text(1));
  const auto state = row.text(3);
  if (!node || !read_members(row.text(4), one.members)) return false;
  one.log = row.text(0);
  one.node = std::move(*node);
  one.other_log = row.text(2);
  one.state = state == to_string(ReferenceState::waiting)  ? ReferenceState::waiting
              : state == to_string(ReferenceState::proven) ? ReferenceState::proven
                                                           : ReferenceState::missing;
  one.checkpoint_size = static_cast<std::uint64_t>(row.number(5));
  one.proof = row.text(6);
  one.why = row.text(7);
  one.at = row.time(8).value_or(WallTime{});
  return true;
}

bool read(const Row& row, AlarmRecord& one) {
  one = {row.text(0), row.text(1), row.text(2), row.text(3), row.text(4), row.time(5).value_or(WallTime{}),
         row.time(6), row.text(7)};
  return true;
}

/// All rows that a query finds, in a transaction that is open.
template <class T>
Result<std::vector<T>> select(Transaction& at, std::string_view columns, const std::string& rest,
                              const std::vector<Parameter>& parameters) {
  std::vector<T> found;
  bool good = true;
  at.read("SELECT " + at.selected(columns) + " " + rest, parameters, [&](const Row& row) {
    T one;
    good = read(row, one) && good;
    found.push_back(std::move(one));
  });
  if (!good) return fail(damaged("a row " + rest));
  return found;
}

template <class T>
Result<std::vector<T>> list(Store& store, std::string_view columns, const std::string& rest,
                            const std::vector<Parameter>& parameters) {
  Result<std::vector<T>> found;
  auto done = store.transact("reading what is kept of audit logs", [&](Transaction& at) -> Result<void> {
    found = select<T>(at, columns, rest, parameters);
    if (!found) return fail(found.error());
    return {};
  });
  if (!done) return fail(done.error());
  return found;
}

template <class T>
Result<std::optional<T>> first(Result<std::vector<T>> found) {
  if (!found) return fail(found.error());
  return found->empty() ? std::nullopt : std::optional(std::move(found->front()));
}

Result<void> keep_in(Transaction& at, KeptCheckpoint one) {
  const auto& head = one.checkpoint.head;
  const std::vector<Parameter> key{one.checkpoint.origin, number(head.size)};
  auto known =
      first(select<KeptCheckpoint>(at, checkpoint_columns, "FROM audit_checkpoints WHERE log = $1 AND size = $2", key));
  if (!known) return fail(known.error());
  if (*known) {
    auto& before = **known;
    if (before.checkpoint.head != head)
      return fail(Code::conflict, "another head of " + one.checkpoint.origin + " with size " +
                                      std::to_string(head.size) + " is kept: root " +
                                      to_hex(before.checkpoint.head.root) + ", not " + to_hex(head.root));
    auto note = merged(before.checkpoint.note, one.checkpoint.note);
    auto names = before.cosigned_by;
    for (const auto& node : one.cosigned_by)
      if (std::ranges::find(names, node) == names.end()) names.push_back(node);
    if (note == before.checkpoint.note && names == before.cosigned_by) return {};
    at.run("UPDATE audit_checkpoints SET note = $1, cosigned_by = $2 WHERE log = $3 AND size = $4",
           std::vector<Parameter>{std::move(note), names_text(names), one.checkpoint.origin, number(head.size)});
    return {};
  }
  at.run("INSERT INTO audit_checkpoints (" + std::string(checkpoint_columns) + ") VALUES ($1, $2, $3, $4, $5, $6, $7)",
         std::vector<Parameter>{one.checkpoint.origin, one.node.str(), number(head.size), to_hex(head.root),
                                one.checkpoint.note, names_text(one.cosigned_by), one.at});
  return {};
}

void insert_batch(Transaction& at, const ReferenceBatch& one) {
  at.run(
      "INSERT INTO audit_references (log, first_index, last_index, node_id, other_log, state, member_count, "
      "members, checkpoint_size, proof, why, noted_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
      std::vector<Parameter>{one.log, number(one.members.front().index), number(one.members.back().index),
                             one.node.str(), one.other_log, std::string(to_string(one.state)),
                             number(one.members.size()), members_text(one.members), number(one.checkpoint_size),
                             one.proof, one.why, one.at});
}

std::uint64_t position_in(Transaction& at, const std::string& log) {
  std::int64_t position = 0;
  at.read("SELECT position FROM audit_positions WHERE log = $1 AND purpose = $2",
          std::vector<Parameter>{log, reference_purpose}, [&](const Row& row) { position = row.number(0); });
  return static_cast<std::uint64_t>(position);
}

}  // namespace

std::string_view to_string(ReferenceState state) {
  switch (state) {
    case ReferenceState::waiting:
      return "waiting";
    case ReferenceState::proven:
      return "proven";
    case ReferenceState::missing:
      return "missing";
  }
  return "waiting";
}

Result<std::optional<WitnessedLog>> AuditLogRecords::witnessed(const std::string& log) {
  return first(list<WitnessedLog>(store_, witnessed_columns, "FROM audit_witnessed WHERE log = $1", {log}));
}

Result<std::vector<WitnessedLog>> AuditLogRecords::witnessed_logs(const NodeId& node) {
  return list<WitnessedLog>(store_, witnessed_columns, "FROM audit_witnessed WHERE node_id = $1 ORDER BY log",
                            {node.str()});
}

Result<bool> AuditLogRecords::advance(std::uint64_t expected, const WitnessedLog& next, const NodeId& witness) {
  bool swapped = false;
  auto done = store_.transact("writing how far a log is witnessed", [&](Transaction& at) -> Result<void> {
    swapped = false;
    const auto& [origin, head, note] = next.checkpoint;
    const auto before =
        first(select<WitnessedLog>(at, witnessed_columns, "FROM audit_witnessed WHERE log = $1", {origin}));
    if (!before) return fail(before.error());
    if ((*before ? (*before)->checkpoint.head.size : 0) != expected) return {};
    if (*before && expected == head.size && (*before)->checkpoint.head.root != head.root) return {};
    if (auto kept = keep_in(at, {next.node, next.checkpoint, {witness}, next.at}); !kept) return kept;
    at.run("DELETE FROM audit_witnessed WHERE log = $1", std::vector<Parameter>{origin});
    at.run("INSERT INTO audit_witnessed (" + std::string(witnessed_columns) + ") VALUES ($1, $2, $3, $4, $5, $6)",
           std::vector<Parameter>{origin, next.node.str(), number(head.size), to_hex(head.root), note, next.at});
    swapped = true;
    return {};
  });
  if (!done) return fail(done.error());
  return swapped;
}

Result<void> AuditLogRecords::keep(const KeptCheckpoint& checkpoint) {
  return store_.transact("keeping a checkpoint", [&](Transaction& at) { return keep_in(at, checkpoint); });
}

Result<std::optional<KeptCheckpoint>> AuditLogRecords::checkpoint(const std::string& log, std::uint64_t size) {
  return first(list<KeptCheckpoint>(store_, checkpoint_columns, "FROM audit_checkpoints WHERE log = $1 AND size = $2",
                                    {log, number(size)}));
}

Result<std::optional<KeptCheckpoint>> AuditLogRecords::newest_checkpoint(const std::string& log) {
  return first(list<KeptCheckpoint>(store_, checkpoint_columns,
                                    "FROM audit_checkpoints WHERE log = $1 ORDER BY size DESC LIMIT 1", {log}));
}

Result<std::optional<KeptCheckpoint>> AuditLogRecords::newest_cosigned(const std::string& log, const NodeId& by) {
  const std::string rest = " ORDER BY size DESC LIMIT 1";
  if (by.empty())
    return first(list<KeptCheckpoint>(store_, checkpoint_columns,
                                      "FROM audit_checkpoints WHERE log = $1 AND cosigned_by <> ''" + rest, {log}));
  // A node id holds neither % nor _.
  return first(list<KeptCheckpoint>(store_, checkpoint_columns,
                                    "FROM audit_checkpoints WHERE log = $1 AND cosigned_by LIKE $2" + rest,
                                    {log, "% " + by.str() + " %"}));
}

Result<std::uint64_t> AuditLogRecords::position(const std::string& log) {
  std::uint64_t position = 0;
  auto done = store_.transact("reading how far a log was read", [&](Transaction& at) -> Result<void> {
    position = position_in(at, log);
    return {};
  });
  if (!done) return fail(done.error());
  return position;
}

Result<bool> AuditLogRecords::note_references(const std::string& log, std::uint64_t from, std::uint64_t upto,
                                              std::span<const ReferenceBatch> found) {
  bool noted = false;
  auto done = store_.transact("noting leaves of others", [&](Transaction& at) -> Result<void> {
    noted = false;
    if (position_in(at, log) != from) return {};
    for (const auto& one : found) insert_batch(at, one);
    at.run("DELETE FROM audit_positions WHERE log = $1 AND purpose = $2",
           std::vector<Parameter>{log, reference_purpose});
    at.run("INSERT INTO audit_positions (log, purpose, position) VALUES ($1, $2, $3)",
           std::vector<Parameter>{log, reference_purpose, number(upto)});
    noted = true;
    return {};
  });
  if (!done) return fail(done.error());
  return noted;
}

Result<std::vector<ReferenceBatch>> AuditLogRecords::references(const std::string& log, const NodeId& node,
                                                                ReferenceState state, std::size_t limit) {
  return list<ReferenceBatch>(store_, reference_columns,
                              "FROM audit_references WHERE log = $1 AND node_id = $2 AND state = $3 AND state <> "
                              "'proven' ORDER BY first_index LIMIT $4",
                              {log, node.str(), std::string(to_string(state)), number(limit)});
}

Result<bool> AuditLogRecords::settle_references(const ReferenceBatch& before, std::span<const ReferenceBatch> parts) {
  bool settled = false;
  auto done = store_.transact("noting what is proven", [&](Transaction& at) -> Result<void> {
    settled = at.run(
                  "DELETE FROM audit_references WHERE log = $1 AND first_index = $2 AND state = $3 AND "
                  "member_count = $4",
                  std::vector<Parameter>{before.log, number(before.members.front().index),
                                         std::string(to_string(before.state)), number(before.members.size())}) == 1;
    if (!settled) return {};
    for (const auto& one : parts) insert_batch(at, one);
    return {};
  });
  if (!done) return fail(done.error());
  return settled;
}

Result<std::optional<ReferenceBatch>> AuditLogRecords::reference_of(const std::string& log, std::uint64_t index) {
  auto found = list<ReferenceBatch>(store_, reference_columns,
                                    "FROM audit_references WHERE log = $1 AND first_index > $2 AND first_index <= $3 "
                                    "ORDER BY first_index",
                                    {log, number(index) - number(longest_span), number(index)});
  if (!found) return fail(found.error());
  for (auto& batch : *found)
    if (std::ranges::binary_search(batch.members, index, {}, &CallReference::index)) return std::move(batch);
  return std::nullopt;
}

Result<std::map<NodeId, OpenReferences>> AuditLogRecords::open_references(const std::string& log) {
  std::map<NodeId, OpenReferences> open;
  auto done = store_.transact("counting what is not proven", [&](Transaction& at) -> Result<void> {
    bool good = true;
    open.clear();
    at.read(
        "SELECT node_id, state, CAST(SUM(member_count) AS BIGINT) FROM audit_references WHERE log = $1 AND state "
        "<> 'proven' GROUP BY node_id, state",
        std::vector<Parameter>{log}, [&](const Row& row) {
          const auto node = NodeId::parse(row.text(0));
          good = node.has_value() && good;
          if (!node) return;
          auto& counts = open[*node];
          (row.text(1) == to_string(ReferenceState::missing) ? counts.missing : counts.waiting) =
              static_cast<std::uint64_t>(row.number(2));
        });
    if (!good) return fail(damaged("a row of audit_references"));
    return {};
  });
  if (!done) return fail(done.error());
  return open;
}

Result<void> AuditLogRecords::put_alarm(const AlarmRecord& alarm) {
  return store_.transact("writing an alarm", [&](Transaction& at) -> Result<void> {
    at.run("DELETE FROM audit_alarms WHERE kind = $1 AND node_id = $2 AND subject = $3",
           std::vector<Parameter>{alarm.kind, alarm.node, alarm.subject});
    at.run(
        "INSERT INTO audit_alarms (kind, node_id, subject, reason, evidence, raised_at, settled_by) VALUES ($1, "
        "$2, $3, $4, $5, $6, $7)",
        std::vector<Parameter>{alarm.kind, alarm.node, alarm.subject, alarm.reason, alarm.evidence, alarm.raised_at,
                               std::string()});
    return {};
  });
}

Result<bool> AuditLogRecords::settle_alarm(const AlarmRecord& alarm, WallTime now, const std::string& by) {
  bool settled = false;
  auto done = store_.transact("settling an alarm", [&](Transaction& at) -> Result<void> {
    settled = at.run(
                  "UPDATE audit_alarms SET settled_at = $1, settled_by = $2 WHERE kind = $3 AND node_id = $4 AND "
                  "subject = $5 AND settled_at IS NULL",
                  std::vector<Parameter>{now, by, alarm.kind, alarm.node, alarm.subject}) > 0;
    return {};
  });
  if (!done) return fail(done.error());
  return settled;
}

Result<std::vector<AlarmRecord>> AuditLogRecords::alarms() {
  return list<AlarmRecord>(store_, alarm_columns, "FROM audit_alarms ORDER BY raised_at, kind, node_id, subject", {});
}

}  // namespace fedgate::store
