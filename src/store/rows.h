// SPDX-License-Identifier: Apache-2.0
//
// What both databases share: the columns of federation_nodes and audit_events, and the SQL that reads the trail.
// Placeholders are $1, $2, …: PostgreSQL's own, and SQLite takes them in the order in which they first stand.
// Pure functions and plain values.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "fedgate/node.h"
#include "fedgate/result.h"
#include "store/store.h"

namespace fedgate::store {

/// A node as it lies in the table: lists as JSON texts; the first endpoint and the first anchor in columns of
/// their own, since that is where users look for them.
struct NodeRow {
  std::string node_id, name, alias;
  std::optional<std::string> endpoint;
  std::string further_endpoints;
  std::optional<std::string> trust_anchor_cert;
  std::string further_trust_anchors, intermediates, pins, spiffe_id, principal_domains, resources, reads, trust_level;
  bool enabled = false;
  std::string source, defined_at;
  std::optional<std::int64_t> rate_limit_per_hour;
  std::string metadata;
  std::optional<WallTime> trusted_since, last_seen;
  WallTime created_at{}, updated_at{};
};
/// Code::bad_request for what not every database can hold: NUL or invalid UTF-8 in a text, a rate of 2^63 or more.
Result<NodeRow> to_row(const Node& node);
Result<Node> from_row(const NodeRow& row);

/// In the order of NodeRow's members.
inline constexpr std::string_view node_columns =
    "node_id, name, alias, endpoint, further_endpoints, trust_anchor_cert, further_trust_anchors, intermediates, "
    "pins, spiffe_id, "
    "principal_domains, resources, reads, trust_level, enabled, source, defined_at, rate_limit_per_hour, metadata, "
    "trusted_since, last_seen, created_at, updated_at";
/// `INSERT … ON CONFLICT … DO UPDATE` of node_columns, created_at apart.
std::string upsert_node_sql();

/// How timestamp and the durations are written is each database's own; the order is this:
/// leaf, log, log_index, timestamp, the texts below, attempt, costs, durations, sizes. (libpqxx joins a row's fields
/// from behind and copies what it has each time: the long one stands in front.)
inline constexpr std::string_view audit_columns =
    "leaf, log, log_index, timestamp, event_type, phase, principal, principal_org, actor, credential_id, resource, "
    "resource_protocol, capability_id, action, decision, reason, policy_id, outcome, error_code, correlation_id, "
    "source_node, target_node, attempt, estimated_cost, actual_cost, duration_ms, upstream_ms, request_bytes, "
    "response_bytes";
inline constexpr std::size_t audit_column_count = 29;
/// event_type to target_node, in the order of audit_columns.
inline constexpr std::string AuditRow::* audit_texts[] = {
    &AuditRow::event_type,    &AuditRow::phase,         &AuditRow::principal,  &AuditRow::principal_org,
    &AuditRow::actor,         &AuditRow::credential_id, &AuditRow::resource,   &AuditRow::resource_protocol,
    &AuditRow::capability_id, &AuditRow::action,        &AuditRow::decision,   &AuditRow::reason,
    &AuditRow::policy_id,     &AuditRow::outcome,       &AuditRow::error_code, &AuditRow::correlation_id,
    &AuditRow::source_node,   &AuditRow::target_node};

/// For a question that was ended.
std::string too_long(std::chrono::milliseconds patience);

struct Select {
  std::string sql;
  std::vector<Parameter> parameters;
};
/// `columns`: audit_columns, or what the database makes of them.
Select audit_select(const AuditQuery& query, std::string_view columns);
Select calls_select(const CallQuery& query, std::string_view columns);
Select log_select(const std::string& log, std::uint64_t from, std::size_t limit, std::string_view columns);

}  // namespace fedgate::store
