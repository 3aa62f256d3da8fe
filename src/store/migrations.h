// SPDX-License-Identifier: Apache-2.0
//
// The numbered SQL that makes the schema, and the rules for applying it: in order, one transaction each, under the
// database's own lock (two replicas may start at once), never on a database that a newer program has changed.
// Each store says how its database does the single steps; VersionedStore does the rest. Blocking, like Store.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "fedgate/result.h"
#include "store/rows.h"
#include "store/store.h"

namespace fedgate::store {

/// As built into the program: `sqlite/001_federation_nodes.up.sql` and its text.
struct MigrationFile {
  std::string_view path;
  std::string_view text;
};
std::span<const MigrationFile> built_in_migrations();

struct Migration {
  int version = 0;
  std::string name;
  std::string up;
  std::string down;
};

/// Those for one kind of database, by version, from `directory` or (empty) the built-in ones. An error where a
/// number is missing or twice, or has no way back.
Result<std::vector<Migration>> load_migrations(std::string_view kind, const std::string& directory);

class VersionedStore : public Store {
 public:
  Result<std::vector<MigrationStatus>> migrations() final;
  Result<int> migrate_up() final;
  Result<int> migrate_down(int steps) final;
  /// At open: an error where the schema is newer than the program, or behind and `migrate` is false.
  Result<void> prepare_schema(bool migrate);

  Result<std::vector<AuditRow>> audit(const AuditQuery& query) final;
  Result<std::vector<AuditRow>> calls(const CallQuery& query) final;
  Result<std::vector<AuditRow>> log_rows(const std::string& log, std::uint64_t from, std::size_t limit) final;

 protected:
  enum class Direction : std::uint8_t { up, down };
  explicit VersionedStore(std::vector<Migration> known) : known_(std::move(known)) {}

  /// What schema_migrations holds, by version; nothing where there is no such table yet.
  virtual Result<std::vector<MigrationStatus>> applied() = 0;
  /// In one transaction, under a lock that excludes other programs: runs the step and records it. False where
  /// somebody else has done it meanwhile.
  virtual Result<bool> step(const Migration& migration, Direction direction) = 0;
  /// audit_columns, or what the database makes of them.
  [[nodiscard]] virtual const std::string& columns_of_audit() const = 0;
  /// Code::deadline_exceeded after `patience`.
  virtual Result<std::vector<AuditRow>> read_audit(const Select& select, std::chrono::milliseconds patience) = 0;
  /// For messages: which database this is. Never with a password.
  [[nodiscard]] virtual const std::string& where() const = 0;

 private:
  /// What is applied, provided that this program knows all of it.
  Result<std::vector<MigrationStatus>> applied_and_known();
  std::vector<Migration> known_;
};

}  // namespace fedgate::store
