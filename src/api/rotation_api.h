// SPDX-License-Identifier: Apache-2.0
//
// What the admin listener serves of our own anchors: POST /api/v2/federation/trust/announce and …/retire, both for
// trust admins; and what it shows of the bundles that a node and we have exchanged. On worker 0 only.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string_view>

#include "api/answers.h"
#include "federation/bundle_exchange.h"
#include "fedgate/principal.h"

namespace fedgate::api {

class RotationApi {
 public:
  explicit RotationApi(federation::BundleExchange& exchange) : exchange_(exchange) {}

  /// Whether a path is one of those above.
  static bool serves(std::string_view path);
  Task<Result<void>> serve(const Operator& who, const net::Request& request, net::Response& response);

 private:
  federation::BundleExchange& exchange_;
};

/// Adds `bundle` to the view of a relationship, and who must act where an operator must.
void describe_bundle(nlohmann::json& view, const federation::BundleState& state);

}  // namespace fedgate::api
