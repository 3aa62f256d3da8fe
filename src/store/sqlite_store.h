// SPDX-License-Identifier: Apache-2.0
//
// The store in one file beside the daemon, for one gateway. WAL, so that the shipper's writing and an operator's
// reading do not wait for each other; synchronous=FULL, so that what is reported as done survives a power cut.
// Any thread; callers are serialised.
#pragma once

#include <SQLiteCpp/SQLiteCpp.h>

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "store/migrations.h"

namespace fedgate::store {

class SqliteStore final : public VersionedStore {
 public:
  /// `file` is an absolute path; it is made (0600, missing directories 0700) where it is not there.
  static Result<std::unique_ptr<SqliteStore>> open(const std::string& file, std::vector<Migration> known);

  [[nodiscard]] std::string_view kind() const override { return "sqlite"; }
  Result<void> ping() override;
  Result<std::vector<Node>> nodes() override;
  /// The database of one gateway.
  Result<std::string> nodes_version() override { return std::string(); }
  Result<void> put_node(const Node& node) override;
  Result<bool> remove_node(const NodeId& id) override;
  Result<void> transact(std::string_view what, const std::function<Result<void>(Transaction&)>& work) override;
  Result<void> append_audit(std::span<const AuditRow> rows) override;
  Result<void> continue_audit(std::span<const AuditRow> rows, std::optional<std::uint64_t> last) override;
  Result<std::optional<std::uint64_t>> audit_position(const std::string& log) override;

 protected:
  [[nodiscard]] const std::string& columns_of_audit() const override;
  Result<std::vector<AuditRow>> read_audit(const Select& select, std::chrono::milliseconds patience) override;
  Result<std::vector<MigrationStatus>> applied() override;
  Result<bool> step(const Migration& migration, Direction direction) override;
  [[nodiscard]] const std::string& where() const override { return where_; }

 private:
  SqliteStore(const std::string& file, std::vector<Migration> known);
  /// Runs `work` alone and turns SQLite's exceptions into an Error.
  template <class Work>
  auto guarded(std::string_view what, Work work) -> std::invoke_result_t<Work>;
  /// Prepared at its first use, kept until the schema changes.
  SQLite::Statement& prepared(std::unique_ptr<SQLite::Statement>& kept, const std::string& sql);

  std::string where_;
  std::mutex mutex_;
  SQLite::Database database_;
  void insert_audit(std::span<const AuditRow> rows);
  std::optional<std::uint64_t> last_audit(const std::string& log);

  struct Statements {
    std::unique_ptr<SQLite::Statement> put_node, append, position;
  } statements_;
};

}  // namespace fedgate::store
