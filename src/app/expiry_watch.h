// SPDX-License-Identifier: Apache-2.0
//
// What ends, kept in view: sets the metric, warns in the log once for each mark, and knows what `status` shall say.
// Told from time to time what there is. Owned by the composition root; any thread.
#pragma once

#include <chrono>
#include <mutex>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/log.h"
#include "base/metrics.h"
#include "fedgate/clock.h"
#include "trust/expiry.h"

namespace fedgate::app {

class ExpiryWatch {
 public:
  static constexpr std::chrono::minutes interval{10};  ///< from look to look
  static constexpr std::size_t most_lines = 5;         ///< in `status`

  ExpiryWatch(Metrics& metrics, const log::Logger& log) : metrics_(metrics), log_(log) {}

  /// `things`: all there are; what is missing is forgotten.
  void look(std::span<const trust::Expiring> things, std::span<const std::chrono::seconds> marks, WallTime now);
  /// Of the last look: what has ended or passed a mark, soonest first.
  [[nodiscard]] std::vector<std::string> attention() const;

 private:
  using Gauge = std::pair<std::string, trust::Expiring::Kind>;
  void measure(std::span<const trust::Expiring> things, WallTime now);

  Metrics& metrics_;
  const log::Logger& log_;
  mutable std::mutex mutex_;  // guards what follows
  trust::ExpiryWarnings warnings_;
  std::set<Gauge> gauges_;
  std::vector<std::string> attention_;
};

/// How long before its end something is worth a warning: the first mark. Zero: when it has ended.
std::chrono::seconds first_mark(std::span<const std::chrono::seconds> marks);

}  // namespace fedgate::app
