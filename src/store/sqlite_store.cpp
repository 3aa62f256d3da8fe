// SPDX-License-Identifier: Apache-2.0
#include "store/sqlite_store.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <limits>
#include <system_error>

#include "fedgate/clock.h"
#include "store/rows.h"

namespace fedgate::store {
namespace {

constexpr int busy_timeout_ms = 10'000;

std::string_view advice(int code) {
  switch (code) {
    case SQLITE_NOTADB:
      return "this file is no SQLite database; choose another path in store.url";
    case SQLITE_CORRUPT:
      return "the file is damaged; restore it from a backup (`sqlite3 FILE .recover` may help)";
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return "another program holds the database; end it";
    case SQLITE_FULL:
      return "the disk is full; free some space";
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
      return "check the owner and mode of the file and of its directory";
    case SQLITE_IOERR:
      return "check the disk and the file system";
    default:
      return "";
  }
}

Error error_of(const SQLite::Exception& problem, std::string_view where, std::string_view what) {
  auto detail = std::string(where) + ": " + std::string(what) + ": " + problem.what();
  const int code = problem.getErrorCode() & 0xff;
  if (const auto hint = advice(code); !hint.empty()) detail.append(". ").append(hint);
  return {code == SQLITE_CONSTRAINT ? Code::conflict : Code::store_unavailable, std::move(detail)};
}

/// SQLite makes files under the umask: ours is made before it looks, with a mode that keeps others out. The -wal
/// and -shm files take theirs from it.
Result<void> make_file(const std::string& file) {
  const std::filesystem::path path(file);
  std::filesystem::path made;
  for (const auto& part : path.parent_path()) {
    made /= part;
    if (::mkdir(made.c_str(), 0700) != 0 && errno != EEXIST)
      return fail(Code::store_unavailable, "sqlite database " + file + ": cannot make the directory " + made.string() +
                                               ": " + std::strerror(errno));
  }
  const int descriptor = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (descriptor < 0)
    return fail(Code::store_unavailable, "sqlite database " + file + ": cannot open it: " + std::strerror(errno) +
                                             ". Check the owner and mode of the file and of its directory");
  ::close(descriptor);
  return {};
}

std::int64_t micros(WallTime time) { return time.time_since_epoch().count(); }
WallTime time_of(const SQLite::Column& column) { return WallTime(std::chrono::microseconds(column.getInt64())); }
std::optional<WallTime> optional_time(const SQLite::Column& column) {
  if (column.isNull()) return std::nullopt;
  return time_of(column);
}
std::optional<std::string> optional_text(const SQLite::Column& column) {
  if (column.isNull()) return std::nullopt;
  return column.getString();
}

/// Binds one value after the other. Texts are not copied: they outlive the step.
class Binder {
 public:
  explicit Binder(SQLite::Statement& statement) : statement_(statement) {}
  void operator()(const std::string& text) { statement_.bindNoCopy(++index_, text); }
  void operator()(std::int64_t number) { statement_.bind(++index_, number); }
  void operator()(double number) { statement_.bind(++index_, number); }
  void operator()(WallTime time) { (*this)(micros(time)); }
  template <class T>
  void operator()(const std::optional<T>& value) {
    if (value)
      (*this)(*value);
    else
      statement_.bind(++index_);
  }

 private:
  SQLite::Statement& statement_;
  int index_ = 0;
};

void bind_node(SQLite::Statement& statement, const NodeRow& row) {
  Binder bind(statement);
  bind(row.node_id), bind(row.name), bind(row.alias), bind(row.endpoint), bind(row.further_endpoints);
  bind(row.trust_anchor_cert), bind(row.further_trust_anchors), bind(row.intermediates);
  bind(row.pins), bind(row.spiffe_id);
  bind(row.principal_domains);
  bind(row.resources), bind(row.reads), bind(row.trust_level), bind(std::int64_t{row.enabled}), bind(row.source),
      bind(row.defined_at);
  bind(row.rate_limit_per_hour), bind(row.metadata), bind(row.trusted_since), bind(row.last_seen);
  bind(row.created_at), bind(row.updated_at);
}

NodeRow read_node(SQLite::Statement& at) {
  int i = 0;
  const auto text = [&] { return at.getColumn(i++).getString(); };
  NodeRow row;
  row.node_id = text(), row.name = text(), row.alias = text();
  row.endpoint = optional_text(at.getColumn(i++));
  row.further_endpoints = text();
  row.trust_anchor_cert = optional_text(at.getColumn(i++));
  row.further_trust_anchors = text(), row.intermediates = text(), row.pins = text(), row.spiffe_id = text(),
  row.principal_domains = text(), row.resources = text(), row.reads = text();
  row.trust_level = text();
  row.enabled = at.getColumn(i++).getInt() != 0;
  row.source = text(), row.defined_at = text();
  if (const auto rate = at.getColumn(i++); !rate.isNull()) row.rate_limit_per_hour = rate.getInt64();
  row.metadata = text();
  row.trusted_since = optional_time(at.getColumn(i++));
  row.last_seen = optional_time(at.getColumn(i++));
  row.created_at = time_of(at.getColumn(i++));
  row.updated_at = time_of(at.getColumn(i++));
  return row;
}

double millis(std::int64_t microseconds) { return static_cast<double>(microseconds) / 1000.0; }
std::int64_t microseconds(double millis) { return std::llround(millis * 1000.0); }

void bind_audit(SQLite::Statement& statement, const AuditRow& row) {
  Binder bind(statement);
  bind(row.leaf), bind(row.log), bind(static_cast<std::int64_t>(row.index)), bind(row.timestamp);
  for (const auto text : audit_texts) bind(row.*text);
  bind(std::int64_t{row.attempt}), bind(row.estimated_cost), bind(row.actual_cost);
  bind(millis(row.duration_us)), bind(millis(row.upstream_us));
  bind(static_cast<std::int64_t>(row.request_bytes)), bind(static_cast<std::int64_t>(row.response_bytes));
}

AuditRow audit_row(SQLite::Statement& at) {
  AuditRow row;
  int i = 0;
  const auto number = [&] { return at.getColumn(i++).getInt64(); };
  const auto cost = [&]() -> std::optional<double> {
    const auto column = at.getColumn(i++);
    return column.isNull() ? std::nullopt : std::optional(column.getDouble());
  };
  row.leaf = at.getColumn(i++).getString();
  row.log = at.getColumn(i++).getString();
  row.index = static_cast<std::uint64_t>(number());
  row.timestamp = time_of(at.getColumn(i++));
  for (const auto text : audit_texts) row.*text = at.getColumn(i++).getString();
  row.attempt = static_cast<std::uint32_t>(number());
  row.estimated_cost = cost(), row.actual_cost = cost();
  row.duration_us = microseconds(at.getColumn(i++).getDouble());
  row.upstream_us = microseconds(at.getColumn(i++).getDouble());
  row.request_bytes = static_cast<std::uint64_t>(number()), row.response_bytes = static_cast<std::uint64_t>(number());
  return row;
}

/// Rolls back unless committed. IMMEDIATE: the lock is taken at once and waited for, not in the middle.
class Writing {
 public:
  explicit Writing(SQLite::Database& database) : database_(database) { database_.exec("BEGIN IMMEDIATE"); }
  Writing(const Writing&) = delete;
  Writing& operator=(const Writing&) = delete;
  ~Writing() {
    if (!done_) (void)database_.tryExec("ROLLBACK");
  }
  void commit() {
    database_.exec("COMMIT");
    done_ = true;
  }

 private:
  SQLite::Database& database_;
  bool done_ = false;
};

/// Ends what runs on the connection once its time is over.
class Interrupter {
 public:
  Interrupter(sqlite3* database, std::chrono::milliseconds patience)
      : database_(database), until_(std::chrono::steady_clock::now() + patience) {
    constexpr int instructions = 4096;
    sqlite3_progress_handler(
        database_, instructions,
        [](void* self) { return std::chrono::steady_clock::now() > static_cast<Interrupter*>(self)->until_ ? 1 : 0; },
        this);
  }
  ~Interrupter() { sqlite3_progress_handler(database_, 0, nullptr, nullptr); }
  Interrupter(const Interrupter&) = delete;
  Interrupter& operator=(const Interrupter&) = delete;

 private:
  sqlite3* database_;
  SteadyTime until_;
};

class SqliteRow final : public Row {
 public:
  explicit SqliteRow(SQLite::Statement& at) : at_(at) {}
  [[nodiscard]] std::string text(int column) const override { return at_.getColumn(column).getString(); }
  [[nodiscard]] std::int64_t number(int column) const override { return at_.getColumn(column).getInt64(); }
  [[nodiscard]] std::optional<WallTime> time(int column) const override { return optional_time(at_.getColumn(column)); }

 private:
  SQLite::Statement& at_;
};

class SqliteTransaction final : public Transaction {
 public:
  explicit SqliteTransaction(SQLite::Database& database) : database_(database) {}
  std::int64_t run(const std::string& sql, std::span<const Parameter> parameters) override {
    SQLite::Statement statement(database_, sql);
    bind_all(statement, parameters);
    return statement.exec();
  }
  void read(const std::string& sql, std::span<const Parameter> parameters,
            const std::function<void(const Row&)>& row) override {
    SQLite::Statement statement(database_, sql);
    bind_all(statement, parameters);
    const SqliteRow at(statement);
    while (statement.executeStep()) row(at);
  }
  [[nodiscard]] std::string selected(std::string_view columns) const override { return std::string(columns); }

 private:
  static void bind_all(SQLite::Statement& statement, std::span<const Parameter> parameters) {
    Binder bind(statement);
    for (const auto& parameter : parameters) std::visit(bind, parameter);
  }
  SQLite::Database& database_;
};

}  // namespace

template <class Work>
auto SqliteStore::guarded(std::string_view what, Work work) -> std::invoke_result_t<Work> {
  const std::lock_guard lock(mutex_);
  try {
    return work();
  } catch (const SQLite::Exception& problem) {
    statements_ = {};  // resetting one that failed would report its error once more
    return fail(error_of(problem, where_, what));
  }
}

SqliteStore::SqliteStore(const std::string& file, std::vector<Migration> known)
    : VersionedStore(std::move(known)),
      where_("sqlite database " + file),
      // mutex_ serialises already; SQLite's own costs a twelfth of the shipper's CPU.
      database_(file, SQLite::OPEN_READWRITE | SQLite::OPEN_NOMUTEX, busy_timeout_ms) {
  // For a new file: rows of a kilobyte fill such pages better than the usual 4096, at a tenth less CPU a row.
  database_.exec("PRAGMA page_size = 8192");
  database_.exec("PRAGMA journal_mode = WAL");
  database_.exec("PRAGMA synchronous = FULL");
}

Result<std::unique_ptr<SqliteStore>> SqliteStore::open(const std::string& file, std::vector<Migration> known) {
  if (auto made = make_file(file); !made) return fail(made.error());
  try {
    return std::unique_ptr<SqliteStore>(new SqliteStore(file, std::move(known)));
  } catch (const SQLite::Exception& problem) {
    return fail(error_of(problem, "sqlite database " + file, "cannot open it"));
  }
}

SQLite::Statement& SqliteStore::prepared(std::unique_ptr<SQLite::Statement>& kept, const std::string& sql) {
  if (!kept) kept = std::make_unique<SQLite::Statement>(database_, sql);
  kept->reset();
  return *kept;
}

Result<void> SqliteStore::ping() {
  return guarded("ping", [&]() -> Result<void> {
    database_.exec("SELECT count(*) FROM sqlite_schema");
    return {};
  });
}

Result<std::vector<MigrationStatus>> SqliteStore::applied() {
  return guarded("reading schema_migrations", [&]() -> Result<std::vector<MigrationStatus>> {
    std::vector<MigrationStatus> list;
    if (!database_.tableExists("schema_migrations")) return list;
    SQLite::Statement read(database_, "SELECT version, name, applied_at FROM schema_migrations ORDER BY version");
    while (read.executeStep())
      list.push_back({read.getColumn(0).getInt(), read.getColumn(1).getString(), time_of(read.getColumn(2))});
    return list;
  });
}

Result<bool> SqliteStore::step(const Migration& migration, Direction direction) {
  return guarded("migrating", [&]() -> Result<bool> {
    statements_ = {};
    Writing writing(database_);
    database_.exec(
        "CREATE TABLE IF NOT EXISTS schema_migrations (version INTEGER NOT NULL PRIMARY KEY, "
        "name TEXT NOT NULL, applied_at INTEGER NOT NULL) STRICT");
    SQLite::Statement is_applied(database_, "SELECT 1 FROM schema_migrations WHERE version = ?");
    is_applied.bind(1, migration.version);
    const bool up = direction == Direction::up;
    if (is_applied.executeStep() == up) return false;
    is_applied.reset();
    database_.exec(up ? migration.up : migration.down);
    SQLite::Statement record(database_, up ? "INSERT INTO schema_migrations VALUES (?, ?, ?)"
                                           : "DELETE FROM schema_migrations WHERE version = ?");
    record.bind(1, migration.version);
    if (up) {
      record.bind(2, migration.name);
      record.bind(3, micros(system_clock().wall()));
    }
    record.exec();
    writing.commit();
    return true;
  });
}

Result<std::vector<Node>> SqliteStore::nodes() {
  return guarded("reading the nodes", [&]() -> Result<std::vector<Node>> {
    SQLite::Statement read(database_,
                           "SELECT " + std::string(node_columns) + " FROM federation_nodes ORDER BY node_id");
    std::vector<Node> list;
    while (read.executeStep()) {
      auto node = from_row(read_node(read));
      if (!node) return fail(node.error().in(where_));
      list.push_back(std::move(*node));
    }
    return list;
  });
}

Result<void> SqliteStore::put_node(const Node& node) {
  const auto row = to_row(node);
  if (!row) return fail(row.error());
  return guarded("writing node " + row->node_id, [&]() -> Result<void> {
    auto& put = prepared(statements_.put_node, upsert_node_sql());
    bind_node(put, *row);
    put.exec();
    put.reset();
    return {};
  });
}

Result<bool> SqliteStore::remove_node(const NodeId& id) {
  return guarded("removing node " + id.str(), [&]() -> Result<bool> {
    SQLite::Statement remove(database_, "DELETE FROM federation_nodes WHERE node_id = ?");
    remove.bindNoCopy(1, id.str());
    return remove.exec() > 0;
  });
}

Result<void> SqliteStore::transact(std::string_view what, const std::function<Result<void>(Transaction&)>& work) {
  return guarded(what, [&]() -> Result<void> {
    Writing writing(database_);
    SqliteTransaction transaction(database_);
    if (auto done = work(transaction); !done) return done;
    writing.commit();
    return {};
  });
}

// In a transaction that is open.
void SqliteStore::insert_audit(std::span<const AuditRow> rows) {
  static const auto sql = [] {
    std::string text = "INSERT INTO audit_events (" + std::string(audit_columns) + ") VALUES (?";
    for (std::size_t i = 1; i < audit_column_count; ++i) text += ", ?";
    return text + ") ON CONFLICT DO NOTHING";
  }();
  auto& append = prepared(statements_.append, sql);
  for (const auto& row : rows) {
    bind_audit(append, row);
    append.exec();
    append.reset();
  }
}

Result<void> SqliteStore::append_audit(std::span<const AuditRow> rows) {
  if (rows.empty()) return {};
  return guarded("writing audit_events", [&]() -> Result<void> {
    Writing writing(database_);
    insert_audit(rows);
    writing.commit();
    return {};
  });
}

Result<void> SqliteStore::continue_audit(std::span<const AuditRow> rows, std::optional<std::uint64_t> last) {
  if (rows.empty()) return {};
  return guarded("writing audit_events", [&]() -> Result<void> {
    Writing writing(database_);
    if (const auto stands = last_audit(rows.front().log); stands != last)
      return fail(continued_elsewhere(rows.front().log, stands, last));
    insert_audit(rows);
    writing.commit();
    return {};
  });
}

std::optional<std::uint64_t> SqliteStore::last_audit(const std::string& log) {
  auto& read = prepared(statements_.position, "SELECT max(log_index) FROM audit_events WHERE log = ?");
  read.bind(1, log);
  std::optional<std::uint64_t> last;
  if (read.executeStep() && !read.getColumn(0).isNull())
    last = static_cast<std::uint64_t>(read.getColumn(0).getInt64());
  read.reset();
  return last;
}

Result<std::optional<std::uint64_t>> SqliteStore::audit_position(const std::string& log) {
  return guarded("reading audit_events", [&]() -> Result<std::optional<std::uint64_t>> { return last_audit(log); });
}

const std::string& SqliteStore::columns_of_audit() const {
  static const std::string columns(audit_columns);
  return columns;
}

Result<std::vector<AuditRow>> SqliteStore::read_audit(const Select& select, std::chrono::milliseconds patience) {
  return guarded("reading audit_events", [&]() -> Result<std::vector<AuditRow>> {
    const Interrupter interrupter(database_.getHandle(), patience);
    std::vector<AuditRow> list;
    try {
      SQLite::Statement read(database_, select.sql);
      Binder bind(read);
      for (const auto& parameter : select.parameters) std::visit(bind, parameter);
      while (read.executeStep()) list.push_back(audit_row(read));
    } catch (const SQLite::Exception& problem) {
      if (problem.getErrorCode() != SQLITE_INTERRUPT) throw;
      return fail(Code::deadline_exceeded, too_long(patience));
    }
    return list;
  });
}

}  // namespace fedgate::store
