// SPDX-License-Identifier: Apache-2.0
//
// Notices that a file of the configuration was changed: the YAML itself, certificates, keys, anchors, CRLs, tokens. It
// looks at what stat(2) says instead of asking inotify: files arrive by rename, through symbolic links that are
// swapped, on network file systems and as systemd credentials, and all of these show there. Blocking, one thread.
#pragma once

#include <sys/stat.h>

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace fedgate::app {

class FileWatch {
 public:
  explicit FileWatch(const std::vector<std::string>& paths) { follow(paths); }

  /// True once for each change, as soon as two looks in a row have seen the same: whoever replaces a certificate and
  /// its key is given the time between two looks to do both.
  bool settled_change();
  /// What is there now counts as seen. Before a reload that something else has asked for.
  void accept();
  /// From now on these. What is known of those among them that were watched already stays: a change that came during
  /// the reload is still noticed.
  void follow(const std::vector<std::string>& paths);

 private:
  /// Device, inode, size, mtime and ctime; zeros: there is none.
  using Mark = std::array<std::int64_t, 7>;
  using Marks = std::map<std::string, Mark>;
  static Mark look_at(const std::string& path);
  [[nodiscard]] Marks look() const;

  Marks seen_;
  Marks unsettled_;
};

}  // namespace fedgate::app
