// SPDX-License-Identifier: Apache-2.0
//
// Where `audit verify` reads logs and evidence from: exports, databases, files of notes. Only reading; the judging is
// src/verify's, which knows no database. Owned by the verb, one thread.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "store/store.h"
#include "verify/export_reader.h"
#include "verify/log_audit.h"

namespace fedgate::cli {

enum class Reading : std::uint8_t { go_on, stop };
using TakeEntry = std::function<Reading(verify::Entry)>;

/// One log, wherever it is read from.
struct LogSource {
  std::string log, name;
  std::vector<verify::Key> claimed;
  std::vector<verify::ShownHead> heads;
  /// Hands over every entry in order, until it is told to stop; may be called again.
  std::function<Result<void>(const TakeEntry&)> read;
};

Result<LogSource> open_export(const std::string& directory);
/// The logs of a database, or the one of this name.
Result<std::vector<LogSource>> open_logs(const std::shared_ptr<store::Store>& store, const std::string& only);

/// `NAME+HASH+KEY`, or a file with a key a line.
Result<std::vector<verify::Key>> keys_from(const std::string& argument);
/// A file of signed notes.
Result<std::vector<verify::ShownHead>> heads_from(const std::string& path);

}  // namespace fedgate::cli
