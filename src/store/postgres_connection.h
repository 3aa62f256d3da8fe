// SPDX-License-Identifier: Apache-2.0
//
// One connection to PostgreSQL that comes back by itself. What blocks has an end: connecting, each statement (by the
// server), each operation (by a watchdog, should the server fall silent). libpqxx's exceptions become Errors here.
// Not thread-safe; owned by a PostgresStore.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <pqxx/pqxx>
#include <string>
#include <string_view>

#include "fedgate/result.h"
#include "store/store.h"
#include "store/watchdog.h"

namespace fedgate::store {

/// What libpq is told, and what people are told; the second never holds a password.
struct PostgresTarget {
  std::string parameters;
  std::string where;
};
/// Reads the URL (no inline password) and the password file, adds timeouts and keepalives where the URL has none.
Result<PostgresTarget> postgres_target(const Options& options);

class PostgresConnection {
 public:
  /// Called with each new connection before its first use: prepares statements.
  using Prepare = std::function<void(pqxx::connection&)>;
  PostgresConnection(PostgresTarget target, std::chrono::milliseconds timeout, Prepare prepare);

  [[nodiscard]] const std::string& where() const { return target_.where; }

  /// Whether an operation may be done again when nobody knows if it has been done.
  enum class Again : std::uint8_t { safe, unsafe };
  /// Runs `work(pqxx::connection&)`, which returns a Result. A connection found broken is replaced and the work done
  /// once more, where that is safe; where it is not, the connection is tried before.
  template <class Work>
  auto run(std::string_view what, Again again, Work work) -> std::invoke_result_t<Work, pqxx::connection&> {
    if (again == Again::unsafe && session_)
      if (auto alive = ping(); !alive) return fail(alive.error());
    for (bool first = true;; first = false) {
      try {
        auto& connection = connect();
        const Watchdog::Watch watch(watchdog_, connection.sock(), patience_);
        return work(connection);
      } catch (const std::exception& problem) {
        const bool fresh = fresh_;
        const auto broken = close_if_broken(problem);
        // On a connection made for this very attempt, a second one would meet the same.
        if (!broken || !first || fresh || again == Again::unsafe) return fail(error_of(problem, what, broken));
      }
    }
  }

  /// Whether the server answers; reconnects.
  Result<void> ping();

  /// For operations that may take longer than others (migrations), until the next call.
  void set_patience(std::chrono::milliseconds time) { patience_ = time; }
  [[nodiscard]] std::chrono::milliseconds usual_patience() const { return usual_patience_; }

 private:
  struct Session {
    explicit Session(const std::string& parameters);
    pqxx::connection connection;
    pqxx::quiet_errorhandler quiet;
  };
  pqxx::connection& connect();
  bool close_if_broken(const std::exception& problem);
  [[nodiscard]] Error error_of(const std::exception& problem, std::string_view what, bool broken) const;

  PostgresTarget target_;
  std::chrono::milliseconds usual_patience_, patience_;
  Prepare prepare_;
  bool fresh_ = false;  // the session was made by the latest connect()
  Watchdog watchdog_;
  std::unique_ptr<Session> session_;
};

}  // namespace fedgate::store
