// SPDX-License-Identifier: Apache-2.0
#include "audit/disk.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

namespace fedgate::audit {
namespace {

std::unexpected<Error> failed(std::string_view what, const std::string& path, int error) {
  std::string detail(what);
  detail += " " + path + ": " + std::generic_category().message(error);
  if (error == ENOSPC || error == EDQUOT) detail += "; free space on this file system";
  if (error == EACCES || error == EPERM || error == EROFS) detail += "; check the owner and mode of the directory";
  return fail(error == ENOENT ? Code::not_found : Code::io_error, std::move(detail));
}

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&&) = delete;
  [[nodiscard]] int get() const { return fd_; }

 private:
  int fd_;
};

class RealFile final : public DiskFile {
 public:
  RealFile(Descriptor fd, std::string path) : fd_(std::move(fd)), path_(std::move(path)) {}

  Result<void> write_at(std::uint64_t offset, std::string_view bytes) override {
    while (!bytes.empty()) {
      const auto n = ::pwrite(fd_.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return failed("writing", path_, errno);
      if (n == 0) return failed("writing", path_, ENOSPC);
      bytes.remove_prefix(static_cast<std::size_t>(n));
      offset += static_cast<std::uint64_t>(n);
    }
    return {};
  }

  Result<std::string> read_at(std::uint64_t offset, std::size_t size) override {
    std::string bytes(size, '\0');
    std::size_t have = 0;
    while (have < size) {
      const auto n = ::pread(fd_.get(), bytes.data() + have, size - have, static_cast<off_t>(offset + have));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return failed("reading", path_, errno);
      if (n == 0) break;
      have += static_cast<std::size_t>(n);
    }
    bytes.resize(have);
    return bytes;
  }

  Result<void> sync() override {
    if (::fdatasync(fd_.get()) != 0) return failed("syncing", path_, errno);
    return {};
  }

  Result<void> allocate(std::uint64_t bytes) override {
    int result = 0;
    do {
      result = ::fallocate(fd_.get(), 0, 0, static_cast<off_t>(bytes));
    } while (result != 0 && errno == EINTR);
    if (result == 0) return {};
    if (errno != EOPNOTSUPP && errno != ENOSYS) return failed("allocating space for", path_, errno);
    // A file system without fallocate: the zeros are there, the promise of space is not.
    const auto now = size();
    if (!now) return fail(now.error());
    if (*now < bytes) return truncate(bytes);
    return {};
  }

  Result<void> truncate(std::uint64_t bytes) override {
    int result = 0;
    do {
      result = ::ftruncate(fd_.get(), static_cast<off_t>(bytes));
    } while (result != 0 && errno == EINTR);
    if (result != 0) return failed("truncating", path_, errno);
    return {};
  }

  Result<std::uint64_t> size() override {
    struct stat status{};
    if (::fstat(fd_.get(), &status) != 0) return failed("looking at", path_, errno);
    return static_cast<std::uint64_t>(status.st_size);
  }

 private:
  Descriptor fd_;
  std::string path_;
};

std::string parent_of(const std::string& path) {
  const auto slash = path.find_last_of('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

class RealDisk final : public Disk {
 public:
  Result<void> make_directory(const std::string& path) override {
    if (::mkdir(path.c_str(), 0700) == 0) return sync_directory(parent_of(path));
    if (errno == EEXIST) return {};
    if (errno != ENOENT || parent_of(path) == path) return failed("making the directory", path, errno);
    if (auto above = make_directory(parent_of(path)); !above) return above;
    if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) return failed("making the directory", path, errno);
    return sync_directory(parent_of(path));
  }

  Result<std::vector<std::string>> list(const std::string& directory) override {
    DIR* open = ::opendir(directory.c_str());
    if (open == nullptr) return failed("listing", directory, errno);
    const std::unique_ptr<DIR, int (*)(DIR*)> closer(open, &::closedir);
    std::vector<std::string> names;
    errno = 0;
    while (const dirent* entry = ::readdir(open)) {
      const std::string name = entry->d_name;
      if (name != "." && name != "..") names.push_back(name);
    }
    if (errno != 0) return failed("listing", directory, errno);
    std::ranges::sort(names);
    return names;
  }

  Result<std::unique_ptr<DiskFile>> create(const std::string& path) override {
    return file(path, O_RDWR | O_CREAT | O_EXCL, "creating");
  }
  Result<std::unique_ptr<DiskFile>> open(const std::string& path) override { return file(path, O_RDWR, "opening"); }

  Result<void> remove(const std::string& path) override {
    if (::unlink(path.c_str()) != 0) return failed("removing", path, errno);
    return {};
  }

  Result<void> sync_directory(const std::string& path) override {
    const Descriptor fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (fd.get() < 0) return failed("opening the directory", path, errno);
    if (::fsync(fd.get()) != 0) return failed("syncing the directory", path, errno);
    return {};
  }

  Result<std::unique_ptr<DiskFile>> lock(const std::string& path) override {
    Descriptor fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    if (fd.get() < 0) return failed("opening the lock", path, errno);
    if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
      if (errno == EWOULDBLOCK)
        return fail(Code::conflict, path + " is locked: another fedgate process uses this directory; stop it first");
      return failed("locking", path, errno);
    }
    return std::make_unique<RealFile>(std::move(fd), path);
  }

 private:
  static Result<std::unique_ptr<DiskFile>> file(const std::string& path, int flags, std::string_view what) {
    Descriptor fd(::open(path.c_str(), flags | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (fd.get() < 0) return failed(what, path, errno);
    return std::make_unique<RealFile>(std::move(fd), path);
  }
};

}  // namespace

std::unique_ptr<Disk> real_disk() { return std::make_unique<RealDisk>(); }

}  // namespace fedgate::audit
