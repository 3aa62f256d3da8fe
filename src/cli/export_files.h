// SPDX-License-Identifier: Apache-2.0
//
// The files of an export, written so that it can be broken off and gone on with: what counts of each file is in a state
// file, which is replaced whole once the file's bytes are on the disk; anything behind them is cut off when the export
// goes on. Owned by the verb; one thread.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "fedgate/result.h"

namespace fedgate::cli {

/// A cell that no spreadsheet takes for a formula and no terminal for a command.
std::string csv_cell(std::string_view text);
std::string csv_line(const std::vector<std::string>& cells);

class ExportFiles {
 public:
  /// Makes the directory (0700) or finds the export that was begun there: `asked` must be what it was begun with.
  /// Code::conflict where something else is in it.
  static Result<ExportFiles> open(const std::string& directory, const nlohmann::json& asked);

  /// Whatever must be remembered besides the files; kept with them.
  nlohmann::json& state() { return state_["kept"]; }
  [[nodiscard]] bool begun() const { return begun_; }
  [[nodiscard]] bool has(const std::string& name) const { return state_["files"].contains(name); }

  /// Appends; counts with the next save().
  Result<void> append(const std::string& name, std::string_view text);
  /// Replaces a small file, whole.
  Result<void> put(const std::string& name, std::string_view text);
  /// From here on everything that was appended stays.
  Result<void> save();
  /// The export is whole: nothing to go on with.
  Result<void> finish();
  static constexpr const char* manifest_name = "manifest.json";
  /// `{name, bytes, sha256}` of each file that was appended to or put, the manifest apart.
  Result<nlohmann::json> listing() const;

 private:
  explicit ExportFiles(std::string directory) : directory_(std::move(directory)) {}
  [[nodiscard]] std::string path(const std::string& name) const { return directory_ + "/" + name; }
  std::string directory_;
  nlohmann::json state_;
  bool begun_ = false;
};

}  // namespace fedgate::cli
