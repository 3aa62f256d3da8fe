// SPDX-License-Identifier: Apache-2.0
//
// One export on its way: asks the daemon page by page, writes what comes, remembers how far it is after each page.
// Owned by the verb; one thread.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "cli/export_files.h"
#include "cli/verb.h"
#include "fedgate/clock.h"

namespace fedgate::cli {

struct ExportWish {
  std::string format = "jsonl";  ///< jsonl, csv, tlog
  std::string directory;
  std::string principal, from, to, peer;  ///< empty: any
};

class Export {
 public:
  Export(Context& context, Connection& daemon, ExportFiles& files, const ExportWish& wish)
      : context_(context), daemon_(daemon), files_(files), wish_(wish) {}

  /// Ours, theirs, the manifest. What could not be had is in the manifest, and `problem` says it.
  Result<void> run();
  [[nodiscard]] const std::string& problem() const { return problem_; }
  [[nodiscard]] const nlohmann::json& manifest() const { return manifest_; }

 private:
  Result<void> begin();
  Result<void> ours();
  Result<void> theirs();
  Result<void> log();
  Result<void> write_log_head(const nlohmann::json& head);
  Result<void> write_manifest();
  Result<nlohmann::json> page(const nlohmann::json& body);
  Result<void> write_records(const std::string& side, const nlohmann::json& page);
  [[nodiscard]] std::string file_of(const std::string& side) const { return side + "." + wish_.format; }
  nlohmann::json& kept(const std::string& side) { return files_.state()[side]; }
  void say(const std::string& text);

  Context& context_;
  Connection& daemon_;
  ExportFiles& files_;
  const ExportWish& wish_;
  std::string problem_;
  nlohmann::json manifest_;
  std::chrono::steady_clock::time_point said_ = std::chrono::steady_clock::now();
};

}  // namespace fedgate::cli
