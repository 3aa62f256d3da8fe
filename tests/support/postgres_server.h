// SPDX-License-Identifier: Apache-2.0
//
// A real PostgreSQL on a unix socket in a temporary directory: one per test process, started at its first use, ended
// with the process (also a killed one: the kernel tells the server). Each test takes a database of its own. Skip the
// test with unavailable()'s reason where there is no PostgreSQL. One thread at a time.
#pragma once

#include <libpq-fe.h>
#include <pwd.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <pqxx/pqxx>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

// libpqxx 6.4 loses one result (2 kB) with each connection that breaks under it: it asks for the connection's
// encoding before it owns what libpq gave it. Not ours to repair, and bounded by how often connections break.
extern "C" __attribute__((weak, used, visibility("default"))) const char* __lsan_default_suppressions() {
  return "leak:libpqxx\n";
}

namespace fedgate::test {

class PostgresServer {
 public:
  static constexpr const char* binaries = "/usr/lib/postgresql/15/bin";

  /// Why there can be none; empty: there can.
  static std::string unavailable() {
    if (!std::filesystem::exists(std::string(binaries) + "/postgres"))
      return std::string("no PostgreSQL in ") + binaries + " (apt-get install postgresql-15)";
    if (::geteuid() == 0 && ::getpwnam("postgres") == nullptr) return "running as root and there is no user postgres";
    return "";
  }
  /// Of this process.
  static PostgresServer& shared() {
    static PostgresServer server;
    return server;
  }

  PostgresServer() {
    char path[] = "/tmp/fedgate-postgres-XXXXXX";
    if (::mkdtemp(path) == nullptr) throw std::runtime_error("mkdtemp failed");
    directory_ = path;
    try {
      if (::geteuid() == 0) {
        const auto* user = ::getpwnam("postgres");
        if (::chown(path, user->pw_uid, user->pw_gid) != 0) throw std::runtime_error("chown failed");
      }
      const auto data = directory_ + "/data";
      if (wait_for(spawn({std::string(binaries) + "/initdb", "-D", data, "-U", "fedgate", "-A", "trust", "-E", "UTF8",
                          "--no-locale", "--no-sync"})) != 0)
        throw std::runtime_error("initdb failed: " + log());
      ask_password_of("secured");
      start();
    } catch (...) {
      std::filesystem::remove_all(directory_);
      throw;
    }
  }
  PostgresServer(const PostgresServer&) = delete;
  PostgresServer& operator=(const PostgresServer&) = delete;
  ~PostgresServer() {
    stop();
    std::error_code ignored;
    std::filesystem::remove_all(directory_, ignored);
  }

  void start() {
    server_ = spawn({std::string(binaries) + "/postgres", "-D", directory_ + "/data", "-k", directory_, "-c",
                     "listen_addresses=", "-c", "shared_buffers=32MB", "-c", "fsync=off"});
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (::PQping(("host=" + directory_ + " user=fedgate dbname=postgres").c_str()) != PQPING_OK) {
      if (std::chrono::steady_clock::now() > end || ::waitpid(server_, nullptr, WNOHANG) != 0)
        throw std::runtime_error("PostgreSQL does not start: " + log());
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
  }
  /// Ends it at once, connections included; start() brings it back with its data.
  void stop() {
    if (server_ <= 0) return;
    ::kill(server_, SIGINT);
    (void)wait_for(server_);
    server_ = -1;
  }

  /// A new, empty database's URL.
  std::string new_database() {
    const auto name = "test_" + std::to_string(++databases_);
    execute("CREATE DATABASE " + name);
    return url(name);
  }
  [[nodiscard]] std::string url(const std::string& database, const std::string& user = "fedgate") const {
    return "postgresql://" + user + "@/" + database + "?host=" + directory_;
  }
  /// One statement in the database `postgres`, as its superuser.
  pqxx::result execute(const std::string& sql) const {
    pqxx::connection connection(url("postgres"));
    return pqxx::nontransaction(connection).exec(sql);
  }
  [[nodiscard]] const std::string& directory() const { return directory_; }

 private:
  /// Everybody else is trusted.
  void ask_password_of(const std::string& user) const {
    const auto file = directory_ + "/data/pg_hba.conf";
    std::ifstream in(file);
    const std::string rest{std::istreambuf_iterator<char>(in), {}};
    in.close();
    std::ofstream(file) << "local all " << user << " scram-sha-256\n" << rest;
  }
  [[nodiscard]] std::string log() const {
    std::ifstream in(directory_ + "/log");
    return {std::istreambuf_iterator<char>(in), {}};
  }
  [[nodiscard]] pid_t spawn(std::vector<std::string> command) const {
    if (::geteuid() == 0)  // PostgreSQL refuses to run as root
      command.insert(command.begin(), {"setpriv", "--reuid", "postgres", "--regid", "postgres", "--clear-groups",
                                       "--pdeathsig", "SIGQUIT", "--"});
    std::vector<char*> arguments;
    for (auto& word : command) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    const auto output = directory_ + "/log";
    const pid_t child = ::fork();
    if (child < 0) throw std::runtime_error("fork failed");
    if (child > 0) return child;
    ::prctl(PR_SET_PDEATHSIG, SIGQUIT);
    if (::chdir("/") != 0 || ::freopen(output.c_str(), "a", stdout) == nullptr || ::dup2(1, 2) < 0) ::_exit(126);
    ::execvp(arguments[0], arguments.data());
    ::_exit(127);
  }
  static int wait_for(pid_t child) {
    int status = 0;
    while (::waitpid(child, &status, 0) < 0)
      if (errno != EINTR) return -1;
    return status;
  }

  std::string directory_;
  pid_t server_ = -1;
  int databases_ = 0;
};

}  // namespace fedgate::test
