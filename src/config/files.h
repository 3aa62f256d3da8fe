// SPDX-License-Identifier: Apache-2.0
//
// The files that configuration names: where they are, whether others could read or change them, what they hold.
// Remembers what was read, for watching. Blocking, one thread, lives while configuration is loaded.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/draft.h"
#include "config/findings.h"

namespace fedgate::config {

enum class Secrecy : std::uint8_t {
  open,    ///< others may read it, but not write it
  secret,  ///< nobody but its owner (and readers of its group)
};

class Files {
 public:
  /// Paths are relative to the folder of `main_file`.
  Files(const std::string& main_file, Report& report);

  /// Absolute; `credential:NAME` is looked up. Empty, and reported, where that fails.
  std::string locate(const draft::Text& path, std::string_view key);
  /// What the file holds; nothing, and reported at the key's place, where it cannot be used.
  std::optional<std::string> read(const draft::Text& path, std::string_view key, Secrecy secrecy,
                                  std::size_t most_bytes = 1UL << 20);
  /// The same for a file that no key names, by its own number in the report.
  std::optional<std::string> read_whole(const std::string& path, std::size_t file);
  /// Reports unless the folder that will hold `path` exists.
  void demand_parent(const std::string& path, Place place, std::string_view key);

  [[nodiscard]] std::string absolute(std::string_view path) const;
  [[nodiscard]] const std::vector<std::string>& read_so_far() const { return read_; }

 private:
  std::string directory_;
  Report& report_;
  std::vector<std::string> read_;
};

}  // namespace fedgate::config
