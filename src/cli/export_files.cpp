// SPDX-License-Identifier: Apache-2.0
#include "cli/export_files.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "base/hash.h"
#include "base/json.h"
#include "cli/table.h"

namespace fedgate::cli {
namespace {

constexpr const char* state_name = "export.state";

std::unexpected<Error> cannot(std::string_view what, const std::string& path) {
  return fail(Code::io_error, "cannot " + std::string(what) + " " + path + ": " + std::strerror(errno));
}

class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  ~Descriptor() {
    if (number_ >= 0) ::close(number_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  [[nodiscard]] int get() const { return number_; }

 private:
  int number_;
};

Result<void> write_all(int file, std::string_view text, const std::string& path) {
  while (!text.empty()) {
    const auto written = ::write(file, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return cannot("write", path);
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

Result<void> sync_file(const std::string& path, int flags) {
  const Descriptor file(::open(path.c_str(), flags | O_CLOEXEC));
  if (file.get() < 0 || ::fsync(file.get()) != 0) return cannot("sync", path);
  return {};
}

Result<void> replace(const std::string& path, std::string_view text) {
  const auto fresh = path + ".new";
  {
    const Descriptor file(::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    if (file.get() < 0) return cannot("write", fresh);
    if (auto written = write_all(file.get(), text, fresh); !written) return written;
    if (::fsync(file.get()) != 0) return cannot("sync", fresh);
  }
  if (::rename(fresh.c_str(), path.c_str()) != 0) return cannot("write", path);
  return {};
}

Result<std::string> hash_of(const std::string& path) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat status{};
  if (file.get() < 0 || ::fstat(file.get(), &status) != 0) return cannot("read", path);
  if (status.st_size == 0) return to_hex(sha256(""));
  const auto size = static_cast<std::size_t>(status.st_size);
  void* memory = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.get(), 0);
  if (memory == MAP_FAILED) return cannot("read", path);
  auto hash = to_hex(sha256({static_cast<const char*>(memory), size}));
  ::munmap(memory, size);
  return hash;
}

}  // namespace

std::string csv_cell(std::string_view text) {
  std::string cell = printable(text);
  // What spreadsheets take for the beginning of a formula, the wide forms too.
  constexpr std::array<std::string_view, 8> formulas{
      "=", "+", "-", "@", "\xEF\xBC\x9D", "\xEF\xBC\x8B", "\xEF\xBC\x8D", "\xEF\xBC\xA0"};
  const auto begins = std::string_view(cell).substr(std::min(cell.find_first_not_of(' '), cell.size()));
  if (std::ranges::any_of(formulas, [&](std::string_view sign) { return begins.starts_with(sign); }))
    cell.insert(cell.begin(), '\'');
  std::string quoted = "\"";
  for (const char c : cell) quoted.append(c == '"' ? 2 : 1, c);
  return quoted += '"';
}

std::string csv_line(const std::vector<std::string>& cells) {
  std::string line;
  for (const auto& cell : cells) line += (line.empty() ? "" : ",") + csv_cell(cell);
  return line += "\r\n";
}

Result<ExportFiles> ExportFiles::open(const std::string& directory, const nlohmann::json& asked) {
  ExportFiles files(directory);
  std::error_code problem;
  if (::mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST) return cannot("make the directory", directory);
  if (!std::filesystem::is_directory(directory, problem))
    return fail(Code::io_error, directory + " is not a directory");
  std::ifstream in(files.path(state_name), std::ios::binary);
  if (!in) {
    if (!std::filesystem::is_empty(directory, problem))
      return fail(Code::conflict, directory + " is not empty and holds no export that could go on; name another");
    files.state_ = {{"asked", asked}, {"files", nlohmann::json::object()}, {"kept", nlohmann::json::object()}};
    return files;
  }
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  auto state = json::parse(text);
  if (!state || !part_of(*state, "files").is_object() || !part_of(*state, "kept").is_object())
    return fail(Code::conflict, files.path(state_name) + " cannot be read; remove the directory and begin again");
  if (part_of(*state, "asked") != asked)
    return fail(Code::conflict, directory + " holds another export, which is not finished: " +
                                    part_of(*state, "asked").dump() + "; name another directory");
  files.state_ = std::move(*state);
  files.begun_ = true;
  for (const auto& [name, file] : files.state_["files"].items())
    if (name.find('/') != std::string::npos || !file.is_number_unsigned() ||
        ::truncate(files.path(name).c_str(), static_cast<off_t>(file.get<std::uint64_t>())) != 0)
      return fail(Code::io_error, files.path(name) + " is not as the export has left it; remove the directory");
  return files;
}

Result<void> ExportFiles::append(const std::string& name, std::string_view text) {
  const auto file_path = path(name);
  const Descriptor file(::open(file_path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  if (file.get() < 0) return cannot("write", file_path);
  if (auto written = write_all(file.get(), text, file_path); !written) return written;
  if (::fdatasync(file.get()) != 0) return cannot("sync", file_path);
  auto& size = state_["files"][name];
  size = (size.is_null() ? std::uint64_t{0} : size.get<std::uint64_t>()) + text.size();
  return {};
}

Result<void> ExportFiles::put(const std::string& name, std::string_view text) {
  state_["files"][name] = text.size();
  return replace(path(name), text);
}

Result<void> ExportFiles::save() {
  if (auto done = replace(path(state_name), state_.dump()); !done) return done;
  return sync_file(directory_, O_RDONLY | O_DIRECTORY);
}

Result<void> ExportFiles::finish() {
  if (::unlink(path(state_name).c_str()) != 0 && errno != ENOENT) return cannot("remove", path(state_name));
  return sync_file(directory_, O_RDONLY | O_DIRECTORY);
}

Result<nlohmann::json> ExportFiles::listing() const {
  auto list = nlohmann::json::array();
  for (const auto& [name, bytes] : state_["files"].items()) {
    if (name == manifest_name) continue;
    auto hash = hash_of(path(name));
    if (!hash) return fail(hash.error());
    list.push_back({{"name", name}, {"bytes", bytes}, {"sha256", std::move(*hash)}});
  }
  return list;
}

}  // namespace fedgate::cli
