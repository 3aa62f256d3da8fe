// SPDX-License-Identifier: Apache-2.0
#include "store/postgres_store.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "store/change_listener.h"
#include "store/postgres_values.h"
#include "store/rows.h"

namespace fedgate::store {
namespace {

using Again = PostgresConnection::Again;

// Any constant will do, as long as every fedgate takes the same: "fedgate" in ASCII.
constexpr std::string_view lock_schema = "SELECT pg_advisory_xact_lock(28821961933288549)";
// The same for transactions: one at a time over all replicas.
constexpr std::string_view lock_transaction = "SELECT pg_advisory_xact_lock(28821961933288550)";
constexpr std::chrono::minutes migration_time{30};

constexpr const char* nodes_version_sql =
    "SELECT count(*) || ' ' || coalesce(sum(hashtextextended(node_id || ' ' || xmin::text, 0)), 0) "
    "FROM federation_nodes";
constexpr const char* put_node_statement = "put_node";
constexpr const char* remove_node_statement = "remove_node";
constexpr const char* position_statement = "audit_position";

/// A list of columns with its times as microseconds since 1970. (Exact: a double holds them until the year 2242.)
std::string readable(std::string_view columns) {
  std::string list;
  for (std::string_view rest = columns; !rest.empty();) {
    const auto comma = rest.find(", ");
    const auto column = rest.substr(0, comma);
    rest = comma == std::string_view::npos ? "" : rest.substr(comma + 2);
    const bool time =
        column == "timestamp" || column.ends_with("_at") || column == "trusted_since" || column == "last_seen";
    if (!list.empty()) list += ", ";
    if (time && column != "defined_at")
      list.append("(extract(epoch from ").append(column).append(") * 1000000)::bigint");
    else
      list += column;
  }
  return list;
}

/// Reads one row from left to right.
class Fields {
 public:
  explicit Fields(const pqxx::row& row) : row_(row) {}
  std::string text() {
    const auto field = next();
    return {field.c_str(), field.size()};
  }
  std::optional<std::string> optional_text() {
    const auto field = next();
    return field.is_null() ? std::nullopt : std::optional<std::string>(std::in_place, field.c_str(), field.size());
  }
  template <class T>
  T as() {
    return next().as<T>();
  }
  template <class T>
  std::optional<T> optional() {
    const auto field = next();
    return field.is_null() ? std::nullopt : std::optional<T>(field.as<T>());
  }
  WallTime time() { return WallTime(std::chrono::microseconds(as<std::int64_t>())); }
  std::optional<WallTime> optional_time() {
    const auto micros = optional<std::int64_t>();
    return micros ? std::optional(WallTime(std::chrono::microseconds(*micros))) : std::nullopt;
  }

 private:
  pqxx::field next() { return row_[column_++]; }
  const pqxx::row& row_;
  pqxx::row::size_type column_ = 0;
};

NodeRow read_node(const pqxx::row& from) {
  Fields at(from);
  NodeRow row;
  row.node_id = at.text(), row.name = at.text(), row.alias = at.text();
  row.endpoint = at.optional_text(), row.further_endpoints = at.text();
  row.trust_anchor_cert = at.optional_text(), row.further_trust_anchors = at.text();
  row.intermediates = at.text();
  row.pins = at.text(), row.spiffe_id = at.text(), row.principal_domains = at.text(), row.resources = at.text();
  row.reads = at.text(), row.trust_level = at.text();
  row.enabled = at.as<bool>();
  row.source = at.text(), row.defined_at = at.text();
  row.rate_limit_per_hour = at.optional<std::int64_t>();
  row.metadata = at.text();
  row.trusted_since = at.optional_time(), row.last_seen = at.optional_time();
  row.created_at = at.time(), row.updated_at = at.time();
  return row;
}

void write_node(Values& to, const NodeRow& row) {
  to.add(row.node_id), to.add(row.name), to.add(row.alias), to.add(row.endpoint), to.add(row.further_endpoints);
  to.add(row.trust_anchor_cert), to.add(row.further_trust_anchors), to.add(row.intermediates);
  to.add(row.pins), to.add(row.spiffe_id);
  to.add(row.principal_domains);
  to.add(row.resources), to.add(row.reads), to.add(row.trust_level), to.add(row.enabled), to.add(row.source),
      to.add(row.defined_at);
  to.add(row.rate_limit_per_hour), to.add(row.metadata), to.add(row.trusted_since), to.add(row.last_seen);
  to.add(row.created_at), to.add(row.updated_at);
}

AuditRow audit_row(const pqxx::row& from) {
  Fields at(from);
  AuditRow row;
  row.leaf = at.text();
  row.log = at.text();
  row.index = at.as<std::uint64_t>();
  row.timestamp = at.time();
  for (const auto text : audit_texts) row.*text = at.text();
  row.attempt = at.as<std::uint32_t>();
  row.estimated_cost = at.optional<double>(), row.actual_cost = at.optional<double>();
  row.duration_us = std::llround(at.as<double>() * 1000.0), row.upstream_us = std::llround(at.as<double>() * 1000.0);
  row.request_bytes = at.as<std::uint64_t>(), row.response_bytes = at.as<std::uint64_t>();
  return row;
}

void write_audit(Values& to, const AuditRow& row) {
  to.add(row.leaf), to.add(row.log), to.add(row.index), to.add(row.timestamp);
  for (const auto text : audit_texts) to.add(row.*text);
  to.add(row.attempt), to.add(row.estimated_cost), to.add(row.actual_cost);
  to.add_millis(row.duration_us), to.add_millis(row.upstream_us);
  to.add(row.request_bytes), to.add(row.response_bytes);
}

void copy_audit(pqxx::transaction_base& transaction, const std::string& table, std::span<const AuditRow> rows) {
  pqxx::stream_to stream(transaction, table, std::array{std::string(audit_columns)});
  Values values;
  std::array<Value, audit_column_count> line;  // libpqxx takes what std::get takes
  for (const auto& row : rows) {
    values.clear();
    write_audit(values, row);
    std::ranges::copy(values.list(), line.begin());
    stream << line;
  }
  stream.complete();
}

/// Heard by the other replicas when the transaction is committed, and by us.
void tell_others(pqxx::work& work) { work.exec0(std::string("NOTIFY ") + nodes_channel); }

void prepare_statements(pqxx::connection& connection) {
  connection.prepare(put_node_statement, upsert_node_sql());
  connection.prepare(remove_node_statement, "DELETE FROM federation_nodes WHERE node_id = $1");
  connection.prepare(position_statement, "SELECT max(log_index) FROM audit_events WHERE log = $1");
}

class PostgresRow final : public Row {
 public:
  explicit PostgresRow(const pqxx::row& row) : row_(row) {}
  [[nodiscard]] std::string text(int column) const override { return {row_[column].c_str(), row_[column].size()}; }
  [[nodiscard]] std::int64_t number(int column) const override { return row_[column].as<std::int64_t>(0); }
  [[nodiscard]] std::optional<WallTime> time(int column) const override {
    if (row_[column].is_null()) return std::nullopt;
    return WallTime(std::chrono::microseconds(row_[column].as<std::int64_t>()));
  }

 private:
  const pqxx::row& row_;
};

class PostgresTransaction final : public Transaction {
 public:
  explicit PostgresTransaction(pqxx::work& work) : work_(work) {}
  std::int64_t run(const std::string& sql, std::span<const Parameter> parameters) override {
    return execute(sql, parameters).affected_rows();
  }
  void read(const std::string& sql, std::span<const Parameter> parameters,
            const std::function<void(const Row&)>& row) override {
    for (const auto& one : execute(sql, parameters)) row(PostgresRow(one));
  }
  [[nodiscard]] std::string selected(std::string_view columns) const override { return readable(columns); }

 private:
  pqxx::result execute(const std::string& sql, std::span<const Parameter> parameters) {
    Values values;
    for (const auto& parameter : parameters) std::visit([&](const auto& value) { values.add(value); }, parameter);
    return work_.exec_params(sql, pqxx::prepare::make_dynamic_params(values.list()));
  }
  pqxx::work& work_;
};

}  // namespace

PostgresStore::PostgresStore(PostgresTarget target, std::chrono::milliseconds timeout, std::vector<Migration> known)
    : VersionedStore(std::move(known)), connection_(std::move(target), timeout, prepare_statements) {}

Result<std::unique_ptr<PostgresStore>> PostgresStore::open(const Options& options, std::vector<Migration> known) {
  auto target = postgres_target(options);
  if (!target) return fail(target.error());
  std::unique_ptr<PostgresStore> store(new PostgresStore(std::move(*target), options.timeout, std::move(known)));
  if (auto alive = store->ping(); !alive) return fail(alive.error());
  return store;
}

Result<void> PostgresStore::ping() {
  const std::lock_guard lock(mutex_);
  return connection_.ping();
}

Result<std::vector<MigrationStatus>> PostgresStore::applied() {
  const std::lock_guard lock(mutex_);
  return connection_.run(
      "reading schema_migrations", Again::safe,
      [](pqxx::connection& connection) -> Result<std::vector<MigrationStatus>> {
        pqxx::read_transaction read(connection);
        std::vector<MigrationStatus> list;
        if (read.exec1("SELECT to_regclass('schema_migrations')")[0].is_null()) return list;
        for (const auto& row : read.exec("SELECT version, name, (extract(epoch from applied_at) * 1000000)::bigint "
                                         "FROM schema_migrations ORDER BY version"))
          list.push_back({row[0].as<int>(), row[1].as<std::string>(),
                          WallTime(std::chrono::microseconds(row[2].as<std::int64_t>()))});
        return list;
      });
}

Result<bool> PostgresStore::step(const Migration& migration, Direction direction) {
  const std::lock_guard lock(mutex_);
  connection_.set_patience(migration_time);
  auto made = connection_.run("migrating", Again::unsafe, [&](pqxx::connection& connection) -> Result<bool> {
    pqxx::work work(connection);
    work.exec("SET LOCAL statement_timeout = '25min'; SET LOCAL lock_timeout = '5min'");
    work.exec(std::string(lock_schema));
    work.exec(
        "CREATE TABLE IF NOT EXISTS schema_migrations (version integer NOT NULL PRIMARY KEY, name text NOT NULL, "
        "applied_at timestamptz NOT NULL DEFAULT now())");
    const bool up = direction == Direction::up;
    const bool is_applied =
        !work.exec_params("SELECT 1 FROM schema_migrations WHERE version = $1", migration.version).empty();
    if (is_applied == up) return false;
    work.exec(up ? migration.up : migration.down);
    if (up)
      work.exec_params("INSERT INTO schema_migrations (version, name) VALUES ($1, $2)", migration.version,
                       migration.name);
    else
      work.exec_params("DELETE FROM schema_migrations WHERE version = $1", migration.version);
    work.commit();
    return true;
  });
  connection_.set_patience(connection_.usual_patience());
  return made;
}

Result<std::vector<Node>> PostgresStore::nodes() {
  static const auto sql = "SELECT " + readable(node_columns) + " FROM federation_nodes ORDER BY node_id";
  const std::lock_guard lock(mutex_);
  return connection_.run("reading the nodes", Again::safe,
                         [&](pqxx::connection& connection) -> Result<std::vector<Node>> {
                           std::vector<Node> list;
                           for (const auto& row : pqxx::nontransaction(connection).exec(sql)) {
                             auto node = from_row(read_node(row));
                             if (!node) return fail(node.error().in(where()));
                             list.push_back(std::move(*node));
                           }
                           return list;
                         });
}

// A row's xmin is the transaction that wrote it: replicas' clocks do not matter.
Result<std::string> PostgresStore::nodes_version() {
  const std::lock_guard lock(mutex_);
  return connection_.run("looking for changed nodes", Again::safe,
                         [&](pqxx::connection& connection) -> Result<std::string> {
                           return pqxx::nontransaction(connection).exec1(nodes_version_sql)[0].as<std::string>();
                         });
}

Result<void> PostgresStore::put_node(const Node& node) {
  const auto row = to_row(node);
  if (!row) return fail(row.error());
  Values values;
  write_node(values, *row);
  const std::lock_guard lock(mutex_);
  return connection_.run("writing node " + row->node_id, Again::safe,
                         [&](pqxx::connection& connection) -> Result<void> {
                           pqxx::work work(connection);
                           work.exec_prepared(put_node_statement, pqxx::prepare::make_dynamic_params(values.list()));
                           tell_others(work);
                           work.commit();
                           return {};
                         });
}

Result<bool> PostgresStore::remove_node(const NodeId& id) {
  const std::lock_guard lock(mutex_);
  return connection_.run("removing node " + id.str(), Again::unsafe, [&](pqxx::connection& connection) -> Result<bool> {
    pqxx::work work(connection);
    const auto gone = work.exec_prepared(remove_node_statement, id.str()).affected_rows();
    tell_others(work);
    work.commit();
    return gone > 0;
  });
}

Result<void> PostgresStore::transact(std::string_view what, const std::function<Result<void>(Transaction&)>& work) {
  const std::lock_guard lock(mutex_);
  return connection_.run(what, Again::safe, [&](pqxx::connection& connection) -> Result<void> {
    pqxx::work open(connection);
    open.exec(std::string(lock_transaction));
    PostgresTransaction transaction(open);
    if (auto done = work(transaction); !done) return done;
    open.commit();
    return {};
  });
}

Result<void> PostgresStore::append_audit(std::span<const AuditRow> rows) {
  if (rows.empty()) return {};
  const std::lock_guard lock(mutex_);
  return connection_.run("writing audit_events", Again::safe, [&](pqxx::connection& connection) -> Result<void> {
    try {
      // Rows are new but for a batch whose answer was lost: copied straight in, not written twice.
      pqxx::work work(connection);
      copy_audit(work, "audit_events", rows);
      work.commit();
      return {};
    } catch (const pqxx::unique_violation&) {
    }
    pqxx::work work(connection);
    work.exec("CREATE TEMPORARY TABLE audit_batch (LIKE audit_events) ON COMMIT DROP");
    copy_audit(work, "audit_batch", rows);
    const std::string columns(audit_columns);
    work.exec("INSERT INTO audit_events (" + columns + ") SELECT " + columns +
              " FROM audit_batch ON CONFLICT DO NOTHING");
    work.commit();
    return {};
  });
}

// In one transaction: after a failover this may be another database than that which answered last.
Result<void> PostgresStore::continue_audit(std::span<const AuditRow> rows, std::optional<std::uint64_t> last) {
  if (rows.empty()) return {};
  const auto& log = rows.front().log;
  const std::lock_guard lock(mutex_);
  return connection_.run("writing audit_events", Again::safe, [&](pqxx::connection& connection) -> Result<void> {
    try {
      pqxx::work work(connection);
      const auto answer = work.exec_prepared(position_statement, log);
      std::optional<std::uint64_t> stands;
      if (!answer[0][0].is_null()) stands = answer[0][0].as<std::uint64_t>();
      if (stands != last) return fail(continued_elsewhere(log, stands, last));
      copy_audit(work, "audit_events", rows);
      work.commit();
      return {};
    } catch (const pqxx::unique_violation&) {
      return fail(continued_elsewhere(log, rows.back().index, last));
    }
  });
}

Result<std::optional<std::uint64_t>> PostgresStore::audit_position(const std::string& log) {
  const std::lock_guard lock(mutex_);
  return connection_.run("reading audit_events", Again::safe,
                         [&](pqxx::connection& connection) -> Result<std::optional<std::uint64_t>> {
                           pqxx::nontransaction read(connection);
                           const auto answer = read.exec_prepared(position_statement, log);
                           if (answer[0][0].is_null()) return std::nullopt;
                           return answer[0][0].as<std::uint64_t>();
                         });
}

const std::string& PostgresStore::columns_of_audit() const {
  static const auto columns = readable(audit_columns);
  return columns;
}

Result<std::vector<AuditRow>> PostgresStore::read_audit(const Select& select, std::chrono::milliseconds patience) {
  Values values;
  for (const auto& parameter : select.parameters) std::visit([&](const auto& value) { values.add(value); }, parameter);
  const std::lock_guard lock(mutex_);
  return connection_.run(
      "reading audit_events", Again::safe, [&](pqxx::connection& connection) -> Result<std::vector<AuditRow>> {
        pqxx::read_transaction read(connection);
        read.exec0("SET LOCAL statement_timeout = " + std::to_string(std::max<std::int64_t>(patience.count(), 1)));
        try {
          std::vector<AuditRow> list;
          for (const auto& row : read.exec_params(select.sql, pqxx::prepare::make_dynamic_params(values.list())))
            list.push_back(audit_row(row));
          return list;
        } catch (const pqxx::sql_error& problem) {
          constexpr std::string_view query_canceled = "57014";
          if (problem.sqlstate() != query_canceled) throw;
          return fail(Code::deadline_exceeded, too_long(patience));
        }
      });
}

}  // namespace fedgate::store
