// SPDX-License-Identifier: Apache-2.0
#include "cli/audit_sources.h"

#include <algorithm>
#include <array>
#include <filesystem>

namespace fedgate::cli {
namespace {

constexpr std::size_t rows_at_once = 2000;
constexpr std::int64_t heads_at_most = 20'000;

using verify::Column;

/// What a row repeats of its leaf. principal_org, the costs and the durations, which are rounded, are left out.
std::vector<Column> columns_of(store::AuditRow& row) {
  std::vector<Column> columns;
  const auto text = [&](std::string_view name, std::string_view member, std::string& value) {
    columns.push_back({Column::Type::text, name, member, std::move(value)});
  };
  const auto number = [&](std::string_view name, std::string_view member, std::uint64_t value) {
    columns.push_back({Column::Type::number, name, member, std::to_string(value)});
  };
  columns.push_back(
      {Column::Type::time, "timestamp", "time", std::to_string(row.timestamp.time_since_epoch().count())});
  text("event_type", "event", row.event_type), text("phase", "phase", row.phase);
  text("principal", "principal", row.principal), text("actor", "actor", row.actor);
  text("credential_id", "credential", row.credential_id), text("resource", "resource", row.resource);
  text("resource_protocol", "protocol", row.resource_protocol), text("capability_id", "capability", row.capability_id);
  text("action", "action", row.action), text("decision", "decision", row.decision);
  text("reason", "reason", row.reason), text("policy_id", "rule", row.policy_id);
  text("outcome", "outcome", row.outcome), text("error_code", "code", row.error_code);
  text("correlation_id", "correlation_id", row.correlation_id);
  text("source_node", "origin", row.source_node), text("target_node", "target", row.target_node);
  number("attempt", "attempt", row.attempt);
  number("request_bytes", "request_bytes", row.request_bytes);
  number("response_bytes", "response_bytes", row.response_bytes);
  return columns;
}

Result<void> read_rows(store::Store& store, const std::string& log, const TakeEntry& take) {
  for (std::uint64_t from = 0;;) {
    auto rows = store.log_rows(log, from, rows_at_once);
    if (!rows) return fail(rows.error());
    for (auto& row : *rows) {
      from = row.index + 1;
      auto columns = columns_of(row);
      if (take({row.index, row.leaf.empty() ? "?" : std::move(row.leaf), {}, std::move(columns)}) == Reading::stop)
        return {};
    }
    if (rows->size() < rows_at_once) return {};
  }
}

/// The checkpoints that this database keeps of the log; some of them where they are very many.
Result<std::vector<verify::ShownHead>> kept_heads(store::Store& store, const std::string& log) {
  constexpr int since_version = 6;
  const auto migrations = store.migrations();
  if (!migrations) return fail(migrations.error());
  const bool kept = std::ranges::any_of(
      *migrations, [](const auto& migration) { return migration.version == since_version && migration.applied(); });
  std::vector<std::string> notes;
  if (kept) {
    const auto read = store.transact("reading checkpoints", [&](store::Transaction& transaction) -> Result<void> {
      notes.clear();
      const std::array<store::Parameter, 1> parameters{log};
      std::int64_t count = 0, number = 0;
      transaction.read("SELECT count(*) FROM audit_checkpoints WHERE log = $1", parameters,
                       [&](const store::Row& row) { count = row.number(0); });
      // Evenly, and the newest in any case: one every few seconds adds up.
      const auto step = count / heads_at_most + 1;
      transaction.read("SELECT note FROM audit_checkpoints WHERE log = $1 ORDER BY size", parameters,
                       [&](const store::Row& row) {
                         if (++number % step == 0 || number == count) notes.push_back(row.text(0));
                       });
      return {};
    });
    if (!read) return fail(read.error());
  }
  std::vector<verify::ShownHead> heads;
  for (const auto& note : notes) {
    auto head = verify::read_head(note);
    if (!head) return fail(head.error().in("table audit_checkpoints, log " + log));
    heads.push_back({std::move(*head), "table audit_checkpoints", {}});
  }
  return heads;
}

}  // namespace

Result<LogSource> open_export(const std::string& directory) {
  auto opened = verify::ExportReader::open(directory);
  if (!opened) return fail(opened.error());
  const auto reader = std::make_shared<verify::ExportReader>(std::move(*opened));
  if (reader->log().empty())
    return fail(Code::bad_request, directory + ": neither its checkpoint nor a leaf says whose log it is");
  LogSource source{reader->log(), directory, reader->keys(), reader->heads(), {}};
  source.read = [reader](const TakeEntry& take) -> Result<void> {
    if (auto again = reader->rewind(); !again) return again;
    for (verify::Entry entry;;) {
      const auto more = reader->next(entry);
      if (!more) return fail(more.error());
      if (!*more) return {};
      if (take(std::move(entry)) == Reading::stop) return {};
    }
  };
  return source;
}

Result<std::vector<LogSource>> open_logs(const std::shared_ptr<store::Store>& store, const std::string& only) {
  std::vector<std::string> logs;
  const auto listed = store->transact("listing the logs", [&](store::Transaction& transaction) -> Result<void> {
    logs.clear();
    // From name to name along the key: a database of millions of records holds a handful of logs.
    for (std::string last;;) {
      const std::array<store::Parameter, 1> parameters{last};
      std::string next;
      transaction.read("SELECT log FROM audit_events WHERE log > $1 ORDER BY log LIMIT 1", parameters,
                       [&](const store::Row& row) { next = row.text(0); });
      if (next.empty()) return {};
      logs.push_back(next);
      last = std::move(next);
    }
  });
  if (!listed) return fail(listed.error());
  std::vector<LogSource> sources;
  for (const auto& log : logs) {
    if (!only.empty() && log != only) continue;
    auto heads = kept_heads(*store, log);
    if (!heads) return fail(heads.error());
    sources.push_back(
        {log, std::string(store->kind()) + " database", {}, std::move(*heads), [store, log](const auto& take) {
           return read_rows(*store, log, take);
         }});
  }
  if (sources.empty())
    return fail(Code::not_found, only.empty() ? "the database holds no log" : "the database holds no log " + only);
  return sources;
}

Result<std::vector<verify::Key>> keys_from(const std::string& argument) {
  if (!std::filesystem::exists(argument)) {
    auto key = verify::read_key(argument);
    if (!key) return fail(Code::usage, "--vkey: neither a file nor a key: " + key.error().detail);
    return std::vector{std::move(*key)};
  }
  const auto text = verify::read_text(argument, verify::ExportReader::small_file_at_most);
  if (!text) return fail(text.error());
  auto keys = verify::read_keys(*text);
  if (!keys) return fail(Code::usage, "--vkey " + argument + ": " + keys.error().detail);
  if (keys->empty()) return fail(Code::usage, "--vkey " + argument + ": there is no key in it");
  return keys;
}

Result<std::vector<verify::ShownHead>> heads_from(const std::string& path) {
  const auto text = verify::read_text(path, verify::ExportReader::small_file_at_most);
  if (!text) return fail(text.error());
  auto read = verify::read_heads(*text);
  if (!read) return fail(Code::usage, "--witness " + path + ": " + read.error().detail);
  std::vector<verify::ShownHead> heads;
  for (auto& head : *read) heads.push_back({std::move(head), path, verify::ShownHead::From::witness});
  return heads;
}

}  // namespace fedgate::cli
