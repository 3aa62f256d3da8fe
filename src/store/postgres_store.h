// SPDX-License-Identifier: Apache-2.0
//
// The store in PostgreSQL 13+: the organisation's system of record, which several replicas may share. The trail is
// written with COPY. Any thread; callers are serialised over one connection.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "store/migrations.h"
#include "store/postgres_connection.h"

namespace fedgate::store {

class PostgresStore final : public VersionedStore {
 public:
  static Result<std::unique_ptr<PostgresStore>> open(const Options& options, std::vector<Migration> known);

  [[nodiscard]] std::string_view kind() const override { return "postgresql"; }
  Result<void> ping() override;
  Result<std::vector<Node>> nodes() override;
  Result<std::string> nodes_version() override;
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
  [[nodiscard]] const std::string& where() const override { return connection_.where(); }

 private:
  PostgresStore(PostgresTarget target, std::chrono::milliseconds timeout, std::vector<Migration> known);
  std::mutex mutex_;
  PostgresConnection connection_;
};

}  // namespace fedgate::store
