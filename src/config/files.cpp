// SPDX-License-Identifier: Apache-2.0
#include "config/files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "config/document.h"
#include "config/scalars.h"
#include "fedgate/result.h"

namespace fedgate::config {
namespace {

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  [[nodiscard]] int get() const { return fd_; }

 private:
  int fd_;
};

std::string system_reason() { return std::string(::strerrordesc_np(errno)); }

/// Empty where the file may be used.
std::string lax_permissions(const std::string& path, const struct stat& facts, Secrecy secrecy) {
  if (secrecy == Secrecy::open) {
    if ((facts.st_mode & S_IWOTH) == 0) return {};
    return path + " can be written by everybody, who could then decide whom this gateway trusts: chmod o-w " + path;
  }
  if ((facts.st_mode & (S_IRWXO | S_IWGRP)) != 0) {
    return path + " is a secret that others can " + ((facts.st_mode & (S_IWOTH | S_IWGRP)) != 0 ? "change" : "read") +
           ": chmod 600 " + path;
  }
  if (facts.st_uid != 0 && facts.st_uid != ::geteuid()) {
    return path + " is a secret but belongs to uid " + std::to_string(facts.st_uid) +
           ", who could change it: chown root " + path + ", or run as that user";
  }
  return {};
}

/// The error's detail names the file.
Result<std::string> read_checked(const std::string& path, Secrecy secrecy, std::size_t most_bytes) {
  // O_NONBLOCK: a pipe must not make start-up wait.
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (file.get() < 0) return fail(Code::io_error, "cannot read " + path + ": " + system_reason());
  struct stat facts{};
  if (::fstat(file.get(), &facts) != 0) return fail(Code::io_error, "cannot read " + path + ": " + system_reason());
  if (!S_ISREG(facts.st_mode)) return fail(Code::io_error, path + " is not a regular file");
  if (auto lax = lax_permissions(path, facts, secrecy); !lax.empty()) return fail(Code::io_error, std::move(lax));
  std::string text;
  std::string buffer(64UL << 10, '\0');
  while (text.size() <= most_bytes) {
    const auto got = ::read(file.get(), buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail(Code::io_error, "cannot read " + path + ": " + system_reason());
    if (got == 0) return text;
    text.append(buffer, 0, static_cast<std::size_t>(got));
  }
  return fail(Code::io_error, path + " has more than " + std::to_string(most_bytes >> 20) + " MiB");
}

}  // namespace

Files::Files(const std::string& main_file, Report& report) : report_(report) {
  std::error_code ignored;
  directory_ = std::filesystem::absolute(main_file, ignored).lexically_normal().parent_path().string();
}

std::string Files::absolute(std::string_view path) const {
  return (std::filesystem::path(directory_) / std::filesystem::path(path)).lexically_normal().string();
}

std::string Files::locate(const draft::Text& path, std::string_view key) {
  constexpr std::string_view credential = "credential:";
  if (path->empty() || !path.usable()) return {};
  if (!path->starts_with(credential)) return absolute(*path);
  const auto name = path->substr(credential.size());
  const char* directory =
      std::getenv("CREDENTIALS_DIRECTORY");  // NOLINT: loading is single-threaded as to the environment
  if (name.empty() || name.find('/') != std::string::npos || name == "." || name == "..") {
    report_.error(path.place, "`" + std::string(key) + "`: a credential's name is one word, as in credential:node.key");
    return {};
  }
  if (directory == nullptr || *directory == '\0') {
    report_.error(path.place, "`" + std::string(key) + "`: there is no credential `" + shorten(name) +
                                  "`, because systemd has set no CREDENTIALS_DIRECTORY; add LoadCredential=" +
                                  shorten(name) + ":PATH to the unit, or give a path");
    return {};
  }
  return (std::filesystem::path(directory) / name).lexically_normal().string();
}

std::optional<std::string> Files::read(const draft::Text& path, std::string_view key, Secrecy secrecy,
                                       std::size_t most_bytes) {
  const auto where = locate(path, key);
  if (where.empty()) return std::nullopt;
  auto text = read_checked(where, secrecy, most_bytes);
  if (std::ranges::find(read_, where) == read_.end()) read_.push_back(where);
  if (text) return std::move(*text);
  report_.error(path.place, "`" + std::string(key) + "`: " + text.error().detail);
  return std::nullopt;
}

std::optional<std::string> Files::read_whole(const std::string& path, std::size_t file) {
  read_.push_back(absolute(std::filesystem::absolute(path).string()));
  auto text = read_checked(path, Secrecy::open, largest_document);
  if (text) return std::move(*text);
  report_.error({file, 0, 0}, text.error().detail);
  return std::nullopt;
}

void Files::demand_parent(const std::string& path, Place place, std::string_view key) {
  const auto parent = std::filesystem::path(path).parent_path();
  std::error_code problem;
  const auto status = std::filesystem::status(parent, problem);
  if (std::filesystem::is_directory(status)) return;
  if (std::filesystem::exists(status)) {
    report_.error(place, "`" + std::string(key) + "`: " + parent.string() + " is not a directory");
  } else if (problem && problem != std::errc::no_such_file_or_directory) {
    report_.error(place, "`" + std::string(key) + "`: cannot look into " + parent.string() + ": " + problem.message());
  } else {
    report_.error(place, "`" + std::string(key) + "`: the directory " + parent.string() + " does not exist: mkdir -p " +
                             parent.string());
  }
}

}  // namespace fedgate::config
