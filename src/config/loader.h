// SPDX-License-Identifier: Apache-2.0
//
// From YAML files to Settings. Every problem is reported at once, each with its place: `file:line:column: what,
// why, what to do`. The same declarations that parse a key hold its documentation, so docs/configuration.md is
// made from them. yaml-cpp's laxness (duplicate keys, `010` as 8, `<<`) ends here. Blocking; start-up, reload,
// offline verbs.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "config/settings.h"
#include "fedgate/clock.h"
#include "fedgate/result.h"

namespace fedgate::config {

enum class Severity : std::uint8_t { error, warning };

struct Finding {
  Severity severity = Severity::error;
  std::string file;
  int line = 0;                            ///< from 1; 0: the file as a whole
  int column = 0;                          ///< from 1
  std::string what;                        ///< what, why, what to do
  [[nodiscard]] std::string text() const;  ///< `file:line:column: error: what`
};

struct Loaded {
  std::shared_ptr<const Settings> settings;  ///< null when any finding is an error
  std::vector<Finding> findings;             ///< in order of file, line
  /// What `listen.admin.address` says, whatever else is wrong: whoever asks a daemon that runs on with earlier
  /// files needs no valid ones. Empty where it is not known.
  std::string admin_address;
  /// Every file that was wanted, there or not, and the folder conf.d: what to watch. Whatever was wrong.
  std::vector<std::string> files{};
};

/// Reads `file` and `conf.d/*.yaml` beside it in name order, merges, binds, checks files, permissions,
/// certificates (key matches, EKU for both directions, SAN is the node id, validity at `clock`), ids, references.
Loaded load(const std::string& file, const Clock& clock);

/// docs/configuration.md, Markdown.
std::string reference();

/// Durations `250ms`, `5s`, `5m`, `1h`, `400d`; sizes `64KiB`, `1MiB`, `10GiB`, `512B`; rates `6000/h`, `100/m`,
/// `10/s`.
Result<std::chrono::milliseconds> parse_duration(std::string_view text);
Result<std::uint64_t> parse_size(std::string_view text);
Result<std::uint64_t> parse_rate_per_hour(std::string_view text);

}  // namespace fedgate::config
