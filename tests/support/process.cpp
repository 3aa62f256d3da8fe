// SPDX-License-Identifier: Apache-2.0
#include "support/process.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <stdexcept>

#include "support/eventually.h"

namespace fedgate::test {

namespace {

/// Output of any size without anybody who must read along.
class Capture {
 public:
  Capture() : descriptor_(::memfd_create("output", MFD_CLOEXEC)) {
    if (descriptor_ < 0) throw std::runtime_error("memfd_create failed");
  }
  ~Capture() { ::close(descriptor_); }
  Capture(const Capture&) = delete;
  Capture& operator=(const Capture&) = delete;
  [[nodiscard]] int descriptor() const { return descriptor_; }
  [[nodiscard]] std::string text() const {
    std::string all;
    std::array<char, 4096> part{};
    for (;;) {
      const auto n = ::pread(descriptor_, part.data(), part.size(), static_cast<off_t>(all.size()));
      if (n <= 0) return all;
      all.append(part.data(), static_cast<std::size_t>(n));
    }
  }

 private:
  int descriptor_;
};

}  // namespace

ChildProcess::ChildProcess(const std::vector<std::string>& command, int out, int err) {
  std::vector<std::string> words = command;
  std::vector<char*> arguments;
  arguments.reserve(words.size() + 1);
  for (auto& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  pid_ = ::fork();
  if (pid_ < 0) throw std::runtime_error("fork failed");
  if (pid_ > 0) return;
  // The test has threads: nothing here may allocate or lock.
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::dup2(out, STDOUT_FILENO) < 0 || ::dup2(err, STDERR_FILENO) < 0) ::_exit(126);
  ::execv(arguments[0], arguments.data());
  ::_exit(127);
}

ChildProcess::~ChildProcess() {
  if (!running()) return;
  ::kill(pid_, SIGKILL);
  (void)wait(std::chrono::seconds(30));
}

void ChildProcess::send(int signal) const {
  if (!status_) ::kill(pid_, signal);
}

std::optional<int> ChildProcess::wait(std::chrono::milliseconds bound) {
  if (status_) return status_;
  int status = 0;
  const auto ended = [&] { return ::waitpid(pid_, &status, WNOHANG) == pid_; };
  if (!eventually(ended, bound)) return std::nullopt;
  status_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return status_;
}

Finished run(const std::vector<std::string>& command) {
  const Capture out;
  const Capture err;
  ChildProcess child(command, out.descriptor(), err.descriptor());
  const auto status = child.wait(std::chrono::minutes(1));
  if (!status) throw std::runtime_error(command.front() + " does not end: " + out.text() + err.text());
  return {*status, out.text(), err.text()};
}

}  // namespace fedgate::test
