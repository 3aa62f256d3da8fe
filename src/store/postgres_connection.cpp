// SPDX-License-Identifier: Apache-2.0
#include "store/postgres_connection.h"

#include <libpq-fe.h>

#include <fstream>
#include <iterator>
#include <map>

namespace fedgate::store {
namespace {

constexpr int oldest_server = 130000;
/// The server ends a statement first; only if it is silent, the watchdog ends the connection.
constexpr std::chrono::milliseconds grace{2000};

std::string conninfo_quoted(std::string_view value) {
  std::string text = "'";
  for (const char c : value) {
    if (c == '\'' || c == '\\') text += '\\';
    text += c;
  }
  return text + "'";
}

Result<std::map<std::string, std::string>> parse_url(const std::string& url) {
  char* message = nullptr;
  const std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)> parsed(PQconninfoParse(url.c_str(), &message),
                                                                            &PQconninfoFree);
  const std::unique_ptr<char, decltype(&PQfreemem)> owned(message, &PQfreemem);
  // libpq's own message may quote the URL, and with it a password that should not be there.
  if (!parsed)
    return fail(Code::invalid_configuration,
                "store.url: not a PostgreSQL URL that libpq understands; write postgresql://user@host:5432/database");
  std::map<std::string, std::string> values;
  for (const auto* option = parsed.get(); option->keyword != nullptr; ++option)
    if (option->val != nullptr) values[option->keyword] = option->val;
  return values;
}

Result<std::string> read_password(const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  if (!in)
    return fail(Code::io_error, "store.password_file " + file + ": cannot read it; check its path, owner and mode");
  std::string password{std::istreambuf_iterator<char>(in), {}};
  while (!password.empty() && (password.back() == '\n' || password.back() == '\r')) password.pop_back();
  if (password.empty()) return fail(Code::invalid_configuration, "store.password_file " + file + ": it is empty");
  if (password.find('\0') != std::string::npos)
    return fail(Code::invalid_configuration, "store.password_file " + file + ": it holds a NUL character");
  return password;
}

std::string_view advice(std::string_view state) {
  struct Row {
    std::string_view prefix, text;
  };
  static constexpr Row rows[] = {
      {"28", "check the user in store.url, store.password_file and the server's pg_hba.conf"},
      {"3D000", "make the database: createdb -O USER DATABASE"},
      {"42501", "grant the user its rights: it must own the tables of fedgate"},
      {"42P01", "a table is missing: run `fedgate migrate up`"},
      {"25006",
       "this server is read-only, perhaps a standby: name the primary, or add target_session_attrs=read-write"},
      {"53100", "the server's disk is full"},
      {"53300", "the server has no connection left: raise max_connections"},
      {"57014", "the statement took too long; look for locks in pg_stat_activity"},
      {"55P03", "another session holds a lock; look for it in pg_stat_activity"},
      {"57P", "the server is starting, stopping or ended this connection; it is tried again"},
  };
  for (const auto& row : rows)
    if (state.starts_with(row.prefix)) return row.text;
  return "";
}

std::string one_line(std::string_view text) {
  std::string line;
  for (const char c : text) {
    if (c != '\n' && c != '\t')
      line += c;
    else if (!line.empty() && line.back() != ' ')
      line += ' ';
  }
  while (!line.empty() && line.back() == ' ') line.pop_back();
  return line;
}

}  // namespace

Result<PostgresTarget> postgres_target(const Options& options) {
  auto values = parse_url(options.url);
  if (!values) return fail(values.error());
  auto& v = *values;
  if (v.contains("password"))
    return fail(Code::invalid_configuration,
                "store.url holds a password: write it into a file of its own and name that in store.password_file");
  if (!options.password_file.empty()) {
    auto password = read_password(options.password_file);
    if (!password) return fail(password.error());
    v["password"] = std::move(*password);
  }
  v.try_emplace("connect_timeout", "5");
  v.try_emplace("keepalives_idle", "30");
  v.try_emplace("keepalives_interval", "5");
  v.try_emplace("keepalives_count", "3");
  v.try_emplace("tcp_user_timeout", "20000");
  v.try_emplace("application_name", "fedgate");
  v["client_encoding"] = "UTF8";
  // Ours come first, so that what the URL says wins.
  v["options"] = "-c statement_timeout=" + std::to_string(options.timeout.count()) +
                 " -c idle_in_transaction_session_timeout=" + std::to_string((options.timeout + grace).count()) +
                 " -c client_min_messages=warning" + (v["options"].empty() ? "" : " " + v["options"]);
  PostgresTarget target;
  for (const auto& [key, value] : v) target.parameters += key + "=" + conninfo_quoted(value) + " ";
  const auto shown = [&](const char* key, std::string_view otherwise) {
    const auto found = v.find(key);
    return found == v.end() ? std::string(otherwise) : found->second;
  };
  target.where = "postgresql at " + shown("host", shown("hostaddr", "the local socket")) + " port " +
                 shown("port", "5432") + ", database " + shown("dbname", shown("user", "of the same name as the user"));
  return target;
}

PostgresConnection::Session::Session(const std::string& parameters) : connection(parameters), quiet(connection) {
  // libpqxx would reconnect in silence, behind the watchdog's back and without our statements.
#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wdeprecated-declarations"
  connection.inhibit_reactivation(true);
#pragma clang diagnostic pop
}

PostgresConnection::PostgresConnection(PostgresTarget target, std::chrono::milliseconds timeout, Prepare prepare)
    : target_(std::move(target)),
      usual_patience_(timeout + grace),
      patience_(usual_patience_),
      prepare_(std::move(prepare)) {}

pqxx::connection& PostgresConnection::connect() {
  fresh_ = !session_;
  if (session_) return session_->connection;
  auto session = std::make_unique<Session>(target_.parameters);
  if (const auto version = session->connection.server_version(); version < oldest_server)
    throw pqxx::feature_not_supported("the server is PostgreSQL " + std::to_string(version / 10000) +
                                      "; fedgate needs 13 or newer");
  prepare_(session->connection);
  session_ = std::move(session);
  return session_->connection;
}

Result<void> PostgresConnection::ping() {
  return run("looking whether the server answers", Again::safe, [](pqxx::connection& connection) -> Result<void> {
    pqxx::nontransaction(connection).exec("SELECT 1");
    return {};
  });
}

bool PostgresConnection::close_if_broken(const std::exception& problem) {
  const auto* sql = dynamic_cast<const pqxx::sql_error*>(&problem);
  const bool ended = sql != nullptr && (sql->sqlstate().starts_with("08") || sql->sqlstate().starts_with("57P"));
  const bool broken = ended || dynamic_cast<const pqxx::broken_connection*>(&problem) != nullptr || !session_ ||
                      !session_->connection.is_open();
  // A statement that failed leaves the connection usable; anything else (a protocol out of step) may not.
  if (broken || sql == nullptr) session_.reset();
  return broken;
}

Error PostgresConnection::error_of(const std::exception& problem, std::string_view what, bool broken) const {
  const std::string_view message = problem.what();
  const auto* sql = dynamic_cast<const pqxx::sql_error*>(&problem);
  // Behind a statement's first line the server quotes the row: that is the trail's, not the log's.
  auto detail = target_.where + ": " + std::string(what) + ": " +
                one_line(sql != nullptr ? message.substr(0, message.find('\n')) : message);
  auto code = Code::store_unavailable;
  if (sql != nullptr) {
    const std::string& state = sql->sqlstate();
    if (!state.empty()) detail += " (SQLSTATE " + state + ")";
    if (const auto hint = advice(state); !hint.empty()) detail.append(". ").append(hint);
    if (state == "23505") code = Code::conflict;
    if (state.starts_with("22")) code = Code::bad_request;
  } else if (broken) {
    detail +=
        ". Check that the server runs and listens there, and that user and database exist "
        "(pg_isready, psql with the same URL)";
  }
  return {code, std::move(detail)};
}

}  // namespace fedgate::store
