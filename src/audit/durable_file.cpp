// SPDX-License-Identifier: Apache-2.0
#include "audit/durable_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>

namespace fedgate::audit {

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

std::unexpected<Error> failed(const char* what, const std::string& path) {
  return fail(Code::io_error, std::string(what) + " " + path + ": " + ::strerrordesc_np(errno));
}

enum class Readers : std::uint8_t { anybody, owner };

/// Empty where nobody else can read or change it.
std::string lax(const std::string& path, const struct stat& facts) {
  if ((facts.st_mode & (S_IRWXO | S_IWGRP)) != 0) return path + " is a secret that others can use: chmod 600 " + path;
  if (facts.st_uid != 0 && facts.st_uid != ::geteuid())
    return path + " is a secret but belongs to uid " + std::to_string(facts.st_uid) + ", who could change it";
  return {};
}

Result<std::optional<std::string>> read(const std::string& path, Readers readers, std::size_t most) {
  // O_NONBLOCK: a pipe must not make the start wait.
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (file.get() < 0 && errno == ENOENT) return std::nullopt;
  if (file.get() < 0) return failed("cannot read", path);
  struct stat facts{};
  if (::fstat(file.get(), &facts) != 0) return failed("cannot read", path);
  if (!S_ISREG(facts.st_mode)) return fail(Code::io_error, path + " is not a regular file");
  if (readers == Readers::owner)
    if (auto why = lax(path, facts); !why.empty()) return fail(Code::io_error, std::move(why));
  std::string text(std::min(most, static_cast<std::size_t>(facts.st_size)) + 1, '\0');
  std::size_t size = 0;
  while (size < text.size()) {
    const auto got = ::read(file.get(), text.data() + size, text.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return failed("cannot read", path);
    if (got == 0) break;
    size += static_cast<std::size_t>(got);
  }
  if (size == text.size())
    return fail(Code::io_error, path + " is larger than " + std::to_string(most) + " bytes, or grows while it is read");
  text.resize(size);
  return text;
}

Result<void> sync_directory(const std::string& path) {
  const Descriptor directory(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (directory.get() < 0 || ::fsync(directory.get()) != 0) return failed("cannot sync", path);
  return {};
}

Result<void> write_synced(const std::string& path, std::string_view text, int flags) {
  const Descriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | flags, 0600));
  if (file.get() < 0 && errno == EEXIST) return fail(Code::conflict, path + " exists already");
  if (file.get() < 0) return failed("cannot make", path);
  while (!text.empty()) {
    const auto written = ::write(file.get(), text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return failed("cannot write", path);
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  if (::fsync(file.get()) != 0) return failed("cannot sync", path);
  return {};
}

}  // namespace

std::string directory_of(const std::string& path) {
  const auto slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

Result<std::optional<std::string>> read_small_file(const std::string& path) {
  return read(path, Readers::anybody, small_file_bytes);
}
Result<std::optional<std::string>> read_secret_file(const std::string& path, std::size_t most) {
  return read(path, Readers::owner, most);
}

Result<void> rename_file(const std::string& from, const std::string& to) {
  if (::rename(from.c_str(), to.c_str()) != 0) return failed("cannot put into place", to);
  return sync_directory(directory_of(to));
}

Result<void> replace_file(const std::string& path, std::string_view text) {
  const auto beside = path + ".new";
  if (auto written = write_synced(beside, text, O_TRUNC); !written) return written;
  return rename_file(beside, path);
}

Result<void> create_file(const std::string& path, std::string_view text) {
  // Whole or not there: link() does not replace.
  const auto beside = path + ".new";
  if (auto written = write_synced(beside, text, O_TRUNC); !written) return written;
  const bool linked = ::link(beside.c_str(), path.c_str()) == 0;
  const int why = errno;
  (void)::unlink(beside.c_str());
  if (!linked && why == EEXIST) return fail(Code::conflict, path + " exists already");
  if (!linked) return fail(Code::io_error, "cannot make " + path + ": " + ::strerrordesc_np(why));
  return sync_directory(directory_of(path));
}

}  // namespace fedgate::audit
