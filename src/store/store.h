// SPDX-License-Identifier: Apache-2.0
//
// The organisation's system of record behind one interface: PostgreSQL 13+ or embedded SQLite, same tables,
// same behaviour, one test suite for both. Functions block: call them on a WorkerPool or an own thread, never
// on an io_context. An implementation serialises its callers (one connection, reconnecting by itself). Errors:
// Code::store_unavailable with what failed and what to try; Code::conflict where a key exists already.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "fedgate/clock.h"
#include "fedgate/node.h"
#include "fedgate/result.h"

namespace fedgate::store {

/// One row of audit_events: product.md section 6. Times in microseconds.
struct AuditRow {
  std::string log;
  std::uint64_t index = 0;
  std::string leaf;  ///< JCS, verbatim
  WallTime timestamp{};
  std::string event_type, phase, principal, principal_org, actor, credential_id, resource, resource_protocol,
      capability_id, action, decision, reason, policy_id, outcome, error_code, correlation_id, source_node, target_node;
  std::uint32_t attempt = 0;
  std::int64_t duration_us = 0, upstream_us = 0;
  std::uint64_t request_bytes = 0, response_bytes = 0;
  std::optional<double> estimated_cost, actual_cost;
  bool operator==(const AuditRow&) const = default;
};

struct AuditQuery {
  std::optional<WallTime> from{};  ///< inclusive
  std::optional<WallTime> to{};    ///< exclusive
  std::string principal{}, peer{}, resource{}, capability{}, correlation_id{}, event_type{}, outcome{},
      decision{};                                          ///< empty: any
  std::string organisation{}, credential{}, error_code{};  ///< empty: any; organisation: of the principal
  std::string pseudonym{};                                 ///< what else `principal` is recorded as; empty: nothing
  std::size_t limit = 100;
  std::chrono::milliseconds patience{10'000};  ///< beyond it Code::deadline_exceeded: a narrower question may do
  /// Keyset: rows that follow this place in the order of the answer, which is (timestamp, log, index), descending
  /// unless oldest_first.
  struct Place {
    WallTime timestamp;
    std::string log;
    std::uint64_t index;
  };
  std::optional<Place> before{};
  bool oldest_first = false;  ///< the other order, for one correlation id
};

/// Records of calls between two nodes: what both may know of, so nothing that an operator did, and no call that `own`
/// denied before it left. In the order of (correlation_id, log, index): the same on both sides, since both know a call
/// by the id that its origin gave it, and ids are ordered by the time at which calls began.
struct CallQuery {
  std::string own{}, peer{};
  std::vector<std::string> correlation_ids{};  ///< these; empty: all of the range
  std::string from{}, to{};                    ///< texts before which ids stand, or not; empty: no end
  std::string principal{};                     ///< empty: any
  std::string pseudonym{};                     ///< what else `principal` is recorded as; empty: nothing
  struct Place {
    std::string correlation_id, log;
    std::uint64_t index = 0;
  };
  std::optional<Place> after{};
  std::size_t limit = 100;
  std::chrono::milliseconds patience{5'000};
};

struct MigrationStatus {
  int version = 0;
  std::string name;
  std::optional<WallTime> applied_at;

  [[nodiscard]] bool applied() const { return applied_at.has_value(); }
};

/// A value for a placeholder ($1, $2, … in the order in which they first stand) or from a column.
using Parameter = std::variant<std::string, std::int64_t, WallTime>;

/// One row that was read, by column from 0. A column that is NULL: an empty text, 0, nothing.
class Row {
 public:
  virtual ~Row() = default;
  [[nodiscard]] virtual std::string text(int column) const = 0;
  [[nodiscard]] virtual std::int64_t number(int column) const = 0;
  [[nodiscard]] virtual std::optional<WallTime> time(int column) const = 0;
};

/// An open transaction, for what must happen together: trust_records.h. SQL that both databases take.
class Transaction {
 public:
  virtual ~Transaction() = default;
  /// How many rows it changed.
  virtual std::int64_t run(const std::string& sql, std::span<const Parameter> parameters) = 0;
  virtual void read(const std::string& sql, std::span<const Parameter> parameters,
                    const std::function<void(const Row&)>& row) = 0;
  /// A list of columns as it must be selected for Row to read its times (`…_at`).
  [[nodiscard]] virtual std::string selected(std::string_view columns) const = 0;
};

class Store {
 public:
  virtual ~Store() = default;

  [[nodiscard]] virtual std::string_view kind() const = 0;  ///< sqlite, postgresql
  virtual Result<void> ping() = 0;

  virtual Result<std::vector<MigrationStatus>> migrations() = 0;
  /// Applies what is missing, one transaction each; how many.
  virtual Result<int> migrate_up() = 0;
  virtual Result<int> migrate_down(int steps) = 0;

  virtual Result<std::vector<Node>> nodes() = 0;
  /// Another text after each change of a node, whoever made it; empty: nobody else can make one.
  virtual Result<std::string> nodes_version() = 0;
  /// Inserts or replaces by node_id; created_at of an existing row stays. Durable when it returns.
  virtual Result<void> put_node(const Node& node) = 0;
  /// False where there was none.
  virtual Result<bool> remove_node(const NodeId& id) = 0;

  /// All of `work` or nothing: nothing where it returns an error, which is passed on. Excludes other transactions of
  /// this kind, those of other replicas too. Where the connection breaks, nobody knows whether it was done: what is
  /// done here must bear being done again.
  virtual Result<void> transact(std::string_view what, const std::function<Result<void>(Transaction&)>& work) = 0;

  /// All or nothing; rows that are there already (same log and index) are left alone.
  virtual Result<void> append_audit(std::span<const AuditRow> rows) = 0;
  /// The same, where `last` is the highest index that the database has of this log; nothing: it has none of it. Else
  /// nothing is written and Code::conflict: somebody else writes there, or it is another database than it was.
  virtual Result<void> continue_audit(std::span<const AuditRow> rows, std::optional<std::uint64_t> last);
  /// Removes the oldest rows of a log, at most `most` of them: those below `below` that are older than `before`, up to
  /// the first that is not, so that what is there has no gap. How many.
  Result<std::size_t> prune_audit(const std::string& log, std::uint64_t below, WallTime before, std::size_t most);
  /// Highest index stored for this log.
  virtual Result<std::optional<std::uint64_t>> audit_position(const std::string& log) = 0;
  virtual Result<std::vector<AuditRow>> audit(const AuditQuery& query) = 0;
  virtual Result<std::vector<AuditRow>> calls(const CallQuery& query) = 0;
  /// Of one log from this index on, in its order; some may be missing.
  virtual Result<std::vector<AuditRow>> log_rows(const std::string& log, std::uint64_t from, std::size_t limit) = 0;
};

/// Why continue_audit() wrote nothing.
Error continued_elsewhere(const std::string& log, std::optional<std::uint64_t> stands,
                          std::optional<std::uint64_t> last);

struct Options {
  std::string url{};                   ///< `sqlite:/path` or `postgresql://…` (libpq URI)
  std::string password_file{};         ///< PostgreSQL; empty: as libpq finds it
  bool migrate = true;                 ///< `migrate: auto`; manual: a schema that is behind is an error
  std::string migrations_directory{};  ///< empty: those built into the program; else it holds sqlite/, postgresql/
  bool any_schema = false;             ///< `fedgate migrate`: neither check nor migrate when opening
  std::chrono::milliseconds timeout{30'000};  ///< of one PostgreSQL operation, migrations apart
};

/// Opens, checks the schema, migrates where allowed. The error says what to do (start the server, run
/// `fedgate migrate up`, …) and never shows a password.
Result<std::unique_ptr<Store>> open(const Options& options);

}  // namespace fedgate::store
