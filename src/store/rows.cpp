// SPDX-License-Identifier: Apache-2.0
#include "store/rows.h"

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>

#include "base/json.h"

namespace fedgate::store {
namespace {

using Json = nlohmann::json;

constexpr json::Limits limits{.bytes = 16 * 1024 * 1024, .depth = 2};

template <class Names>
Json texts_of(const Names& names) {
  auto list = Json::array();
  for (const auto& name : names) list.push_back(name.str());
  return list;
}

/// The first of a list in a column, the others behind it.
struct Split {
  std::optional<std::string> first;
  Json further = Json::array();
};
Split split(const std::vector<std::string>& list) {
  Split parts;
  if (list.empty()) return parts;
  parts.first = list.front();
  for (std::size_t i = 1; i < list.size(); ++i) parts.further.push_back(list[i]);
  return parts;
}

class Reader {
 public:
  explicit Reader(const NodeRow& row) : row_(row) {}

  std::vector<std::string> list(std::string_view column, const std::string& text) {
    std::vector<std::string> items;
    const auto value = json::parse(text, limits).value_or(Json());
    if (!value.is_array()) return complain(column, "is not a list"), items;
    for (const auto& item : value) {
      if (!item.is_string()) return complain(column, "holds something that is not a text"), items;
      items.push_back(item.get<std::string>());
    }
    return items;
  }
  template <class N>
  std::vector<N> names(std::string_view column, const std::string& text) {
    std::vector<N> items;
    for (const auto& item : list(column, text))
      if (auto name = N::parse(item))
        items.push_back(std::move(*name));
      else
        complain(column, name.error().detail);
    return items;
  }
  std::map<std::string, std::string> map(std::string_view column, const std::string& text) {
    std::map<std::string, std::string> items;
    const auto value = json::parse(text, limits).value_or(Json());
    if (!value.is_object()) return complain(column, "is not an object"), items;
    for (const auto& [key, item] : value.items()) {
      if (!item.is_string()) return complain(column, "holds something that is not a text"), items;
      items.emplace(key, item.get<std::string>());
    }
    return items;
  }
  void complain(std::string_view column, std::string_view what) {
    if (problem_.empty())
      problem_ = "federation_nodes, node " + row_.node_id + ", column " + std::string(column) + ": " +
                 std::string(what) + ". Somebody has edited the table by hand: correct it there";
  }
  [[nodiscard]] const std::string& problem() const { return problem_; }

 private:
  const NodeRow& row_;
  std::string problem_;
};

bool holds_nul(const Node& node) {
  const auto nul = [](const std::string& text) { return text.find('\0') != std::string::npos; };
  return nul(node.name) || nul(node.alias) || nul(node.defined_at) || nul(node.spiffe_id) ||
         std::ranges::any_of(node.endpoints, nul) || std::ranges::any_of(node.trust_anchors, nul) ||
         std::ranges::any_of(node.intermediates, nul) || std::ranges::any_of(node.pins, nul) ||
         std::ranges::any_of(node.metadata, [&](const auto& entry) { return nul(entry.first) || nul(entry.second); });
}

}  // namespace

Result<NodeRow> to_row(const Node& node) {
  const auto refuse = [&](std::string_view why) {
    return fail(Code::bad_request, "node " + node.id.str() + ": " + std::string(why));
  };
  if (node.id.empty()) return refuse("it has no id");
  if (holds_nul(node)) return refuse("a text holds a NUL character");
  if (node.rate_limit_per_hour.value_or(0) > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()))
    return refuse("rate_limit_per_hour is too large");
  NodeRow row;
  row.node_id = node.id.str();
  row.name = node.name;
  row.alias = node.alias;
  try {
    (void)Json(node.name + node.alias + node.defined_at + node.spiffe_id).dump();  // refuses what is not UTF-8
    const auto endpoints = split(node.endpoints);
    const auto anchors = split(node.trust_anchors);
    (void)Json(endpoints.first.value_or("") + anchors.first.value_or("")).dump();
    row.endpoint = endpoints.first;
    row.further_endpoints = endpoints.further.dump();
    row.trust_anchor_cert = anchors.first;
    row.further_trust_anchors = anchors.further.dump();
    row.intermediates = Json(node.intermediates).dump();
    row.pins = Json(node.pins).dump();
    row.spiffe_id = node.spiffe_id;
    row.reads = Json(node.reads).dump();
    row.metadata = Json(node.metadata).dump();
  } catch (const Json::type_error&) {
    return refuse("a text is not valid UTF-8");
  }
  row.principal_domains = texts_of(node.principal_domains).dump();
  row.resources = texts_of(node.resources).dump();
  row.trust_level = to_string(node.trust_level);
  row.enabled = node.enabled;
  row.source = to_string(node.source);
  row.defined_at = node.defined_at;
  if (node.rate_limit_per_hour) row.rate_limit_per_hour = static_cast<std::int64_t>(*node.rate_limit_per_hour);
  row.trusted_since = node.trusted_since;
  row.last_seen = node.last_seen;
  row.created_at = node.created_at;
  row.updated_at = node.updated_at;
  return row;
}

Result<Node> from_row(const NodeRow& row) {
  Reader reader(row);
  Node node;
  if (auto id = NodeId::parse(row.node_id))
    node.id = std::move(*id);
  else
    reader.complain("node_id", id.error().detail);
  if (auto level = trust_level_from(row.trust_level))
    node.trust_level = *level;
  else
    reader.complain("trust_level", level.error().detail);
  node.name = row.name;
  node.alias = row.alias;
  node.endpoints = reader.list("further_endpoints", row.further_endpoints);
  if (row.endpoint) node.endpoints.insert(node.endpoints.begin(), *row.endpoint);
  node.trust_anchors = reader.list("further_trust_anchors", row.further_trust_anchors);
  if (row.trust_anchor_cert) node.trust_anchors.insert(node.trust_anchors.begin(), *row.trust_anchor_cert);
  node.intermediates = reader.list("intermediates", row.intermediates);
  node.pins = reader.list("pins", row.pins);
  node.spiffe_id = row.spiffe_id;
  node.principal_domains = reader.names<Domain>("principal_domains", row.principal_domains);
  node.resources = reader.names<ResourceId>("resources", row.resources);
  node.reads = reader.list("reads", row.reads);
  node.enabled = row.enabled;
  node.source =
      row.source == to_string(NodeSource::configuration) ? NodeSource::configuration : NodeSource::operator_command;
  node.defined_at = row.defined_at;
  if (row.rate_limit_per_hour) node.rate_limit_per_hour = static_cast<std::uint64_t>(*row.rate_limit_per_hour);
  node.metadata = reader.map("metadata", row.metadata);
  node.trusted_since = row.trusted_since;
  node.last_seen = row.last_seen;
  node.created_at = row.created_at;
  node.updated_at = row.updated_at;
  if (!reader.problem().empty()) return fail(Code::store_unavailable, reader.problem());
  return node;
}

std::string upsert_node_sql() {
  std::string sql = "INSERT INTO federation_nodes (";
  sql.append(node_columns).append(") VALUES (");
  std::string updates;
  int number = 0;
  for (std::string_view rest = node_columns; !rest.empty();) {
    const auto comma = rest.find(", ");
    const auto column = rest.substr(0, comma);
    rest = comma == std::string_view::npos ? "" : rest.substr(comma + 2);
    sql.append(number == 0 ? "$" : ", $").append(std::to_string(number + 1));
    ++number;
    if (column == "node_id" || column == "created_at") continue;
    updates.append(updates.empty() ? "" : ", ").append(column).append(" = excluded.").append(column);
  }
  return sql + ") ON CONFLICT (node_id) DO UPDATE SET " + updates;
}

namespace {

/// A condition after the other, with the values that they name.
class Conditions {
 public:
  std::string value(Parameter value) {
    parameters_.push_back(std::move(value));
    return "$" + std::to_string(parameters_.size());
  }
  void demand(const std::string& condition) { text_ += (text_.empty() ? " WHERE " : " AND ") + condition; }
  void equals(std::string_view column, const std::string& wanted) {
    if (!wanted.empty()) demand(std::string(column) + " = " + value(wanted));
  }
  void either(std::string_view column, const std::string& wanted, const std::string& other) {
    if (wanted.empty() || other.empty()) return equals(column, wanted);
    const auto first = value(wanted);
    demand(std::string(column) + " IN (" + first + ", " + value(other) + ")");
  }
  Select select(std::string_view columns, const std::string& order, std::size_t limit) && {
    auto sql = "SELECT " + std::string(columns) + " FROM audit_events" + text_ + " ORDER BY " + order + " LIMIT " +
               value(static_cast<std::int64_t>(limit));
    return {std::move(sql), std::move(parameters_)};
  }

 private:
  std::string text_;
  std::vector<Parameter> parameters_;
};

}  // namespace

std::string too_long(std::chrono::milliseconds patience) {
  return "the question was ended after " + std::to_string(patience.count()) +
         " ms: too many records had to be looked at. Ask for a shorter time, with from and to";
}

Select audit_select(const AuditQuery& query, std::string_view columns) {
  Conditions where;
  where.equals("correlation_id", query.correlation_id);
  if (query.from) where.demand("timestamp >= " + where.value(*query.from));
  if (query.to) where.demand("timestamp < " + where.value(*query.to));
  where.either("principal", query.principal, query.pseudonym);
  where.equals("principal_org", query.organisation);
  if (!query.peer.empty()) {
    const auto peer = where.value(query.peer);
    where.demand("(source_node = " + peer + " OR target_node = " + peer + ")");
  }
  where.equals("resource", query.resource);
  where.equals("capability_id", query.capability);
  where.equals("event_type", query.event_type);
  where.equals("outcome", query.outcome);
  where.equals("decision", query.decision);
  where.equals("credential_id", query.credential);
  where.equals("error_code", query.error_code);
  if (query.before) {
    const auto time = where.value(query.before->timestamp);
    const auto log = where.value(query.before->log);
    const auto index = where.value(static_cast<std::int64_t>(query.before->index));
    where.demand("(timestamp, log, log_index) " + std::string(query.oldest_first ? ">" : "<") + " (" + time + ", " +
                 log + ", " + index + ")");
  }
  const std::string way = query.oldest_first ? " ASC" : " DESC";
  return std::move(where).select(columns, "timestamp" + way + ", log" + way + ", log_index" + way, query.limit);
}

Select calls_select(const CallQuery& query, std::string_view columns) {
  Conditions where;
  if (!query.correlation_ids.empty()) {
    std::string list;
    for (const auto& id : query.correlation_ids) list += (list.empty() ? "" : ", ") + where.value(id);
    where.demand("correlation_id IN (" + list + ")");
  }
  if (!query.from.empty()) where.demand("correlation_id >= " + where.value(query.from));
  if (!query.to.empty()) where.demand("correlation_id < " + where.value(query.to));
  const auto own = where.value(query.own);
  const auto peer = where.value(query.peer);
  // SQLite takes values in the order in which they first stand, and these stand here twice.
  where.demand("((source_node = " + own + " AND target_node = " + peer + ") OR (source_node = " + peer +
               " AND target_node = " + own + "))");
  where.demand("action IN ('invoke', 'authorize')");
  where.demand("NOT (source_node = " + own + " AND decision = 'deny')");
  where.either("principal", query.principal, query.pseudonym);
  if (query.after) {
    const auto id = where.value(query.after->correlation_id);
    const auto log = where.value(query.after->log);
    const auto index = where.value(static_cast<std::int64_t>(query.after->index));
    where.demand("(correlation_id, log, log_index) > (" + id + ", " + log + ", " + index + ")");
  }
  return std::move(where).select(columns, "correlation_id, log, log_index", query.limit);
}

Select log_select(const std::string& log, std::uint64_t from, std::size_t limit, std::string_view columns) {
  Conditions where;
  where.equals("log", log);
  where.demand("log_index >= " + where.value(static_cast<std::int64_t>(from)));
  return std::move(where).select(columns, "log_index", limit);
}

}  // namespace fedgate::store
