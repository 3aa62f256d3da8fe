// SPDX-License-Identifier: Apache-2.0
#include "nodes/revocations.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <optional>
#include <system_error>
#include <utility>

namespace fedgate::nodes {
namespace {

constexpr std::string_view heading =
    "# Nodes that an operator has revoked, and when (microseconds since 1970). fedgate keeps this file.\n";
constexpr std::size_t size_max = 64UL << 20;

std::unexpected<Error> failed(std::string_view what, const std::string& path, int error) {
  return fail(Code::io_error, "revocations: " + std::string(what) + " " + path + ": " +
                                  std::generic_category().message(error) + "; check its directory's owner and space");
}

class Descriptor {
 public:
  Descriptor(const std::string& path, int flags) : fd_(::open(path.c_str(), flags | O_CLOEXEC | O_NOFOLLOW, 0600)) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  [[nodiscard]] int get() const { return fd_; }

 private:
  int fd_;
};

/// Nothing where there is no file.
Result<std::optional<std::string>> read_file(const std::string& path) {
  const Descriptor file(path, O_RDONLY);
  if (file.get() < 0) {
    if (errno == ENOENT) return std::nullopt;
    return failed("opening", path, errno);
  }
  std::string text;
  char buffer[65'536];
  for (;;) {
    const auto n = ::read(file.get(), buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return failed("reading", path, errno);
    if (n == 0) return text;
    text.append(buffer, static_cast<std::size_t>(n));
    if (text.size() > size_max) return failed("reading", path, EFBIG);
  }
}

Result<void> write_and_sync(const std::string& path, std::string_view text) {
  const Descriptor file(path, O_WRONLY | O_CREAT | O_TRUNC);
  if (file.get() < 0) return failed("creating", path, errno);
  while (!text.empty()) {
    const auto n = ::write(file.get(), text.data(), text.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return failed("writing", path, errno);
    text.remove_prefix(static_cast<std::size_t>(n));
  }
  if (::fsync(file.get()) != 0) return failed("syncing", path, errno);
  return {};
}

Result<void> replace_durably(const std::string& path, std::string_view text) {
  const std::string fresh = path + ".new";
  if (auto written = write_and_sync(fresh, text); !written) return written;
  if (::rename(fresh.c_str(), path.c_str()) != 0) return failed("replacing", path, errno);
  const auto slash = path.find_last_of('/');
  const std::string directory = slash == std::string::npos ? "." : path.substr(0, std::max<std::size_t>(slash, 1));
  const Descriptor above(directory, O_RDONLY | O_DIRECTORY);
  if (above.get() < 0 || ::fsync(above.get()) != 0) return failed("syncing the directory", directory, errno);
  return {};
}

}  // namespace

Result<std::unique_ptr<Revocations>> Revocations::open(std::string file) {
  std::unique_ptr<Revocations> made(new Revocations(std::move(file)));
  auto text = read_file(made->file_);
  if (!text) return fail(text.error());
  if (!*text) return made;
  if (auto parsed = made->parse(**text); !parsed) return fail(parsed.error());
  return made;
}

Result<void> Revocations::parse(std::string_view text) {
  std::size_t line_number = 1;
  const auto bad = [&] {
    return fail(Code::io_error, file_ + ":" + std::to_string(line_number) +
                                    ": this is not how fedgate wrote it, so it is not known who was revoked; mend it "
                                    "(a line is NODE MICROSECONDS) with what `fedgate audit list` says, or restore it");
  };
  if (!text.starts_with('#')) return bad();
  for (; !text.empty(); ++line_number) {
    const auto end = text.find('\n');
    const auto line = text.substr(0, end);
    if (end == std::string_view::npos) return bad();  // cut off: each line we write ends
    text.remove_prefix(end + 1);
    if (line.starts_with('#')) continue;
    const auto space = line.find(' ');
    if (space == std::string_view::npos) return bad();
    auto node = NodeId::parse(line.substr(0, space));
    std::int64_t micros = 0;
    const auto number = line.substr(space + 1);
    const auto [stopped, problem] = std::from_chars(number.data(), number.data() + number.size(), micros);
    if (!node || problem != std::errc{} || stopped != number.data() + number.size()) return bad();
    revoked_.insert_or_assign(std::move(*node), WallTime(std::chrono::microseconds(micros)));
  }
  return {};
}

std::map<NodeId, WallTime> Revocations::all() const {
  const std::lock_guard lock(mutex_);
  return revoked_;
}

void Revocations::add(const NodeId& node, WallTime at) {
  const std::lock_guard lock(mutex_);
  const auto [entry, fresh] = revoked_.emplace(node, at);
  if (!fresh && entry->second >= at) return;
  entry->second = at;
  unsaved_[node] = ++changes_;
}

void Revocations::lift(const NodeId& node, WallTime reinstated) {
  const std::lock_guard lock(mutex_);
  const auto entry = revoked_.find(node);
  if (entry == revoked_.end() || entry->second >= reinstated) return;
  revoked_.erase(entry);
  unsaved_[node] = ++changes_;
}

std::vector<NodeId> Revocations::unsaved() const {
  const std::lock_guard lock(mutex_);
  std::vector<NodeId> nodes;
  for (const auto& [node, change] : unsaved_) nodes.push_back(node);
  return nodes;
}

Result<void> Revocations::save() {
  const std::lock_guard one(saving_);
  std::string text(heading);
  std::uint64_t written_to = 0;
  {
    const std::lock_guard lock(mutex_);
    if (unsaved_.empty()) return {};
    written_to = changes_;
    for (const auto& [node, at] : revoked_)
      text += node.str() + " " + std::to_string(at.time_since_epoch().count()) + "\n";
  }
  if (auto written = replace_durably(file_, text); !written) return written;
  const std::lock_guard lock(mutex_);
  std::erase_if(unsaved_, [&](const auto& one_change) { return one_change.second <= written_to; });
  return {};
}

}  // namespace fedgate::nodes
