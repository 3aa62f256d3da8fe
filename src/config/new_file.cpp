// SPDX-License-Identifier: Apache-2.0
#include "config/new_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <string_view>

namespace fedgate::config {
namespace {

std::string reason() { return std::string(::strerrordesc_np(errno)); }

}  // namespace

Result<void> make_directory(const std::string& path) {
  std::error_code problem;
  const auto parent = std::filesystem::path(path).parent_path();
  if (!parent.empty()) std::filesystem::create_directories(parent, problem);
  if (::mkdir(path.c_str(), 0700) == 0) return {};
  const int why = errno;
  if (why == EEXIST && std::filesystem::is_directory(path, problem)) return {};
  return fail(Code::io_error, "cannot make the directory " + path + ": " + std::string(::strerrordesc_np(why)));
}

Result<void> write_new(const NewFile& file) {
  const int fd = ::open(file.path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, file.mode);
  if (fd < 0 && errno == EEXIST) return fail(Code::conflict, file.path + " exists already and is not overwritten");
  if (fd < 0) return fail(Code::io_error, "cannot make " + file.path + ": " + reason());
  std::string_view rest = file.text;
  while (!rest.empty()) {
    const auto written = ::write(fd, rest.data(), rest.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) {
      auto problem = fail(Code::io_error, "cannot write " + file.path + ": " + reason());
      ::close(fd);
      return problem;
    }
    rest.remove_prefix(static_cast<std::size_t>(written));
  }
  if (::close(fd) != 0) return fail(Code::io_error, "cannot write " + file.path + ": " + reason());
  return {};
}

}  // namespace fedgate::config
