// SPDX-License-Identifier: Apache-2.0
//
// Programs run as a person or systemd runs them: child processes with signals, exit statuses and a bound on every
// wait. A child ends with the object that owns it, also when the test itself is killed. Start children on the
// test's main thread: the kernel ends them with the thread that started them.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <optional>
#include <string>
#include <vector>

namespace fedgate::test {

class ChildProcess {
 public:
  /// `out` and `err` become its standard output and error; they stay the caller's.
  ChildProcess(const std::vector<std::string>& command, int out, int err);
  /// SIGKILL, if it still runs.
  ~ChildProcess();
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  [[nodiscard]] pid_t pid() const { return pid_; }
  void send(int signal) const;
  /// Its exit status, or 128 + n where signal n ended it; empty: it still runs after `bound`.
  std::optional<int> wait(std::chrono::milliseconds bound);
  [[nodiscard]] bool running() { return !wait(std::chrono::milliseconds(0)); }

 private:
  pid_t pid_ = -1;
  std::optional<int> status_;
};

struct Finished {
  int status = 0;
  std::string out, err;
};

/// Runs it to its end; throws when it takes longer than a minute.
Finished run(const std::vector<std::string>& command);

}  // namespace fedgate::test
