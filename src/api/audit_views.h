// SPDX-License-Identifier: Apache-2.0
//
// The trail as the admin listener shows it, and the questions that it understands (docs/http-api.md). Pure functions.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "federation/reconciliation.h"
#include "federation/timeline.h"
#include "fedgate/result.h"
#include "nodes/node_table.h"
#include "store/store.h"

namespace fedgate::api {

nlohmann::json audit_view(const store::AuditRow& row);
/// The same members, as far as another organisation tells them.
nlohmann::json audit_view(const wire::TrailRecord& record);
nlohmann::json timeline_view(const CorrelationId& id, const NodeId& own, const federation::Timeline& timeline);
nlohmann::json reconciliation_view(const federation::ReconciliationReport& report);

/// The query part of GET /api/v2/audit/events. `nodes`: a peer may be named by its alias. Code::bad_request says which
/// value is wrong and how it should look; a name that is not known is one too, since it would filter nothing.
Result<store::AuditQuery> audit_query_from(std::string_view query, const nodes::NodeTable& nodes);
/// Opaque to clients; good for the same order only.
std::string cursor_of(const store::AuditRow& row, const store::AuditQuery& query);

}  // namespace fedgate::api
