// SPDX-License-Identifier: Apache-2.0
//
// The trail's copy in the database: how it is kept, and what operators are told of it.
#include <charconv>
#include <nlohmann/json.hpp>

#include "app/gateway.h"

namespace fedgate::app {
namespace {

/// Logs of this replica before the present generation: `…/log/a/1` for `…/log/a/2`.
std::vector<std::string> earlier_logs(const std::string& log) {
  const auto slash = log.rfind('/');
  if (slash == std::string::npos) return {};
  unsigned generation = 0;
  (void)std::from_chars(log.data() + slash + 1, log.data() + log.size(), generation);
  std::vector<std::string> earlier;
  for (unsigned number = 1; number < generation; ++number)
    earlier.push_back(log.substr(0, slash + 1) + std::to_string(number));
  return earlier;
}

}  // namespace

audit::Shipper::Options Gateway::shipper_options() const {
  audit::Shipper::Options options;
  options.retention = std::chrono::duration_cast<std::chrono::seconds>(settings_->audit.retention);
  options.earlier_logs = earlier_logs(journal_->log_name());
  options.own_id = settings_->node.id.str();
  options.clock = &environment_.clock;
  options.compare_each = environment_.compare_database_each;
  return options;
}

/// Into `status`, behind everything else about the trail.
void Gateway::describe_database(nlohmann::json& body) const {
  body["audit"]["shipping"] = shipper_->stopped() ? "stopped" : "running";
  const auto told = shipper_->attention();
  if (!told.empty()) body["audit"]["health"] = "degraded";
  for (const auto& line : told) body["attention"].push_back(line);
}

}  // namespace fedgate::app
