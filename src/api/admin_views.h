// SPDX-License-Identifier: Apache-2.0
//
// Values as the admin listener shows and reads them (docs/http-api.md). Pure functions.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>

#include "federation/node_check.h"
#include "fedgate/node.h"
#include "fedgate/result.h"
#include "trust/expiry.h"

namespace fedgate::api {

std::string rfc3339(WallTime time);
Result<WallTime> parse_rfc3339(std::string_view text);

nlohmann::json node_view(const Node& node);
/// `attention`: it has ended, or ends within `warn_before`.
nlohmann::json expiry_view(std::span<const trust::Expiring> things, std::chrono::seconds warn_before, WallTime now);
nlohmann::json check_view(const federation::CheckReport& report);
/// POST …/nodes: strict about members and their types.
Result<Node> node_from(const nlohmann::json& body);

}  // namespace fedgate::api
