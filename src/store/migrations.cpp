// SPDX-License-Identifier: Apache-2.0
#include "store/migrations.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <system_error>

namespace fedgate::store {
namespace {

constexpr std::string_view up_suffix = ".up.sql";
constexpr std::string_view down_suffix = ".down.sql";

/// `001_federation_nodes.up.sql` → into `found`.
Result<void> take(std::map<int, Migration>& found, std::string_view file, std::string_view text) {
  const bool up = file.ends_with(up_suffix);
  if (!up && !file.ends_with(down_suffix)) return {};
  const auto stem = file.substr(0, file.size() - (up ? up_suffix : down_suffix).size());
  const auto bar = stem.find('_');
  int version = 0;
  const auto digits = stem.substr(0, bar);
  const auto [end, bad] = std::from_chars(digits.data(), digits.data() + digits.size(), version);
  if (bar == std::string_view::npos || bad != std::errc{} || end != digits.data() + digits.size() || version < 1)
    return fail(Code::invalid_configuration,
                "migration " + std::string(file) + ": the name must be NNN_name.up.sql or NNN_name.down.sql");
  auto& entry = found[version];
  const auto name = stem.substr(bar + 1);
  auto& side = up ? entry.up : entry.down;
  if (!side.empty() || (!entry.name.empty() && entry.name != name))
    return fail(Code::invalid_configuration, "migration " + std::string(file) + ": this number is given twice");
  entry.version = version;
  entry.name = name;
  side = text;
  return {};
}

Result<void> take_directory(std::map<int, Migration>& found, const std::filesystem::path& directory) {
  std::error_code problem;
  std::filesystem::directory_iterator files(directory, problem);
  if (problem)
    return fail(Code::invalid_configuration, "migrations in " + directory.string() + ": " + problem.message());
  for (const auto& file : files) {
    std::ifstream in(file.path(), std::ios::binary);
    const std::string text{std::istreambuf_iterator<char>(in), {}};
    if (!in.good() && !in.eof()) return fail(Code::io_error, "migration " + file.path().string() + ": cannot read it");
    if (auto taken = take(found, file.path().filename().string(), text); !taken) return fail(taken.error());
  }
  return {};
}

}  // namespace

Result<std::vector<Migration>> load_migrations(std::string_view kind, const std::string& directory) {
  std::map<int, Migration> found;
  if (!directory.empty()) {
    if (auto taken = take_directory(found, std::filesystem::path(directory) / kind); !taken) return fail(taken.error());
  } else {
    const auto prefix = std::string(kind) + "/";
    for (const auto& file : built_in_migrations()) {
      if (!file.path.starts_with(prefix)) continue;
      if (auto taken = take(found, file.path.substr(prefix.size()), file.text); !taken) return fail(taken.error());
    }
  }
  std::vector<Migration> ordered;
  for (auto& [version, migration] : found) {
    const auto expected = static_cast<int>(ordered.size()) + 1;
    if (version != expected)
      return fail(Code::invalid_configuration,
                  "migrations for " + std::string(kind) + ": number " + std::to_string(expected) + " is missing");
    if (migration.up.empty() || migration.down.empty())
      return fail(Code::invalid_configuration, "migration " + std::to_string(version) + "_" + migration.name + " for " +
                                                   std::string(kind) + ": both .up.sql and .down.sql are needed");
    ordered.push_back(std::move(migration));
  }
  if (ordered.empty())
    return fail(Code::invalid_configuration,
                "no migrations for " + std::string(kind) + (directory.empty() ? "" : " in " + directory));
  return ordered;
}

Result<std::vector<MigrationStatus>> VersionedStore::migrations() {
  auto done = applied();
  if (!done) return fail(done.error());
  std::map<int, MigrationStatus> all;
  for (const auto& migration : known_) all[migration.version] = {migration.version, migration.name, std::nullopt};
  for (auto& status : *done) all[status.version] = std::move(status);
  std::vector<MigrationStatus> list;
  for (auto& [version, status] : all) list.push_back(std::move(status));
  return list;
}

Result<std::vector<MigrationStatus>> VersionedStore::applied_and_known() {
  auto done = applied();
  if (!done) return done;
  const auto newest = done->empty() ? 0 : done->back().version;
  if (const auto highest = known_.back().version; newest > highest)
    return fail(Code::store_unavailable,
                where() + ": its schema has version " + std::to_string(newest) + ", this program knows up to " +
                    std::to_string(highest) +
                    ". A newer fedgate has migrated it: run that version, or use it to `fedgate migrate down " +
                    std::to_string(newest - highest) + "` first");
  return done;
}

Result<int> VersionedStore::migrate_up() {
  const auto done = applied_and_known();
  if (!done) return fail(done.error());
  int count = 0;
  for (const auto& migration : known_) {
    if (std::ranges::any_of(*done, [&](const auto& status) { return status.version == migration.version; })) continue;
    const auto made = step(migration, Direction::up);
    if (!made) return fail(made.error().in("migration " + std::to_string(migration.version) + "_" + migration.name));
    if (*made) ++count;
  }
  return count;
}

Result<int> VersionedStore::migrate_down(int steps) {
  if (steps < 1) return fail(Code::usage, "migrate down: give the number of migrations to undo, 1 or more");
  const auto done = applied_and_known();
  if (!done) return fail(done.error());
  int count = 0;
  for (auto status = done->rbegin(); status != done->rend() && count < steps; ++status) {
    const auto& migration = known_[static_cast<std::size_t>(status->version - 1)];
    const auto undone = step(migration, Direction::down);
    if (!undone)
      return fail(undone.error().in("undoing migration " + std::to_string(migration.version) + "_" + migration.name));
    if (*undone) ++count;
  }
  return count;
}

Result<void> VersionedStore::prepare_schema(bool migrate) {
  const auto done = applied_and_known();
  if (!done) return fail(done.error());
  const auto missing = known_.size() - done->size();
  if (missing == 0) return {};
  if (!migrate)
    return fail(Code::store_unavailable, where() + ": its schema is behind by " + std::to_string(missing) +
                                             " migrations and store.migrate is manual: run `fedgate migrate up`");
  if (auto made = migrate_up(); !made) return fail(made.error());
  return {};
}

Result<std::vector<AuditRow>> VersionedStore::audit(const AuditQuery& query) {
  return read_audit(audit_select(query, columns_of_audit()), query.patience);
}

Result<std::vector<AuditRow>> VersionedStore::calls(const CallQuery& query) {
  return read_audit(calls_select(query, columns_of_audit()), query.patience);
}

Result<std::vector<AuditRow>> VersionedStore::log_rows(const std::string& log, std::uint64_t from, std::size_t limit) {
  return read_audit(log_select(log, from, limit, columns_of_audit()), std::chrono::seconds(10));
}

}  // namespace fedgate::store
