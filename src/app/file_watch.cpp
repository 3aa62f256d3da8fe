// SPDX-License-Identifier: Apache-2.0
#include "app/file_watch.h"

#include <utility>

namespace fedgate::app {

FileWatch::Mark FileWatch::look_at(const std::string& path) {
  struct stat found{};
  if (::stat(path.c_str(), &found) != 0) return {};
  return {static_cast<std::int64_t>(found.st_dev),
          static_cast<std::int64_t>(found.st_ino),
          found.st_size,
          found.st_mtim.tv_sec,
          found.st_mtim.tv_nsec,
          found.st_ctim.tv_sec,
          found.st_ctim.tv_nsec};
}

FileWatch::Marks FileWatch::look() const {
  Marks now;
  for (const auto& [path, mark] : seen_) now.emplace(path, look_at(path));
  return now;
}

bool FileWatch::settled_change() {
  Marks now = look();
  if (now == seen_) {
    unsettled_.clear();
    return false;
  }
  if (now != unsettled_) {
    unsettled_ = std::move(now);
    return false;
  }
  seen_ = std::exchange(unsettled_, {});
  return true;
}

void FileWatch::accept() {
  seen_ = look();
  unsettled_.clear();
}

void FileWatch::follow(const std::vector<std::string>& paths) {
  Marks next;
  for (const std::string& path : paths) {
    const auto known = seen_.find(path);
    next.emplace(path, known == seen_.end() ? look_at(path) : known->second);
  }
  seen_ = std::move(next);
  unsettled_.clear();
}

}  // namespace fedgate::app
