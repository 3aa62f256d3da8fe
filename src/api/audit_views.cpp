// SPDX-License-Identifier: Apache-2.0
#include "api/audit_views.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <nlohmann/json.hpp>

#include "api/admin_views.h"
#include "audit/leaf.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/utf8.h"
#include "net/http_message.h"

namespace fedgate::api {

using Json = nlohmann::json;

namespace {

constexpr std::size_t longest_query = 4096, longest_cursor = 640, longest_text = 320, most_events = 1000;

Json leaf_view(const std::optional<LeafReference>& leaf) {
  if (!leaf) return nullptr;
  return {{"log", leaf->log}, {"index", leaf->index}, {"hash", to_hex(leaf->hash)}};
}

Json verdict_view(const federation::CallVerdict& verdict) {
  return {{"correlation_id", verdict.correlation_id.str()},
          {"attempt", verdict.attempt},
          {"standing", to_string(verdict.standing)},
          {"fields", verdict.fields},
          {"detail", verdict.detail}};
}

std::unexpected<Error> wrong(std::string_view name, std::string_view value, std::string_view want) {
  std::string text = "filter ";
  text.append(name).append(": \"").append(value.substr(0, 64)).append("\" is not ").append(want);
  return fail(Code::bad_request, std::move(text));
}

Result<void> one_of(std::string_view name, const std::string& value, const std::vector<std::string_view>& known) {
  if (value.empty() || std::ranges::find(known, value) != known.end()) return {};
  std::string list;
  for (const auto one : known) list.append(list.empty() ? "" : ", ").append(one);
  return wrong(name, value, "one of " + list);
}

template <class Name>
Result<void> named(std::string_view name, const std::string& value) {
  if (value.empty()) return {};
  if (auto parsed = Name::parse(value); !parsed) return wrong(name, value, "well-formed: " + parsed.error().detail);
  return {};
}

/// Principals that no organisation vouches for (an operator's name) are in the trail too.
Result<void> plain(std::string_view name, const std::string& value) {
  bool good = value.size() <= longest_text;
  for (std::size_t i = 0; i < value.size() && good;) {
    const auto length = utf8_length(value, i);
    good = length > 0 && !unprintable(utf8_value(value, i, length));
    i += length;
  }
  if (good) return {};
  return fail(Code::bad_request, "filter " + std::string(name) + ": a text of at most " + std::to_string(longest_text) +
                                     " bytes without control characters is wanted");
}

constexpr std::string_view cursor_version = "e1";

Result<store::AuditQuery::Place> place_of(std::string_view cursor, bool oldest_first) {
  const auto bad = [] { return fail(Code::bad_request, "cursor is not one that this listener gave out"); };
  if (cursor.size() > longest_cursor) return bad();
  const auto text = from_base64url(cursor);
  if (!text) return bad();
  std::array<std::string_view, 5> parts;  // version, order, microseconds, index, log
  std::string_view rest = *text;
  for (std::size_t i = 0; i + 1 < parts.size(); ++i) {
    const auto space = rest.find(' ');
    if (space == std::string_view::npos) return bad();
    parts.at(i) = rest.substr(0, space);
    rest.remove_prefix(space + 1);
  }
  parts.back() = rest;
  const auto number = [](std::string_view digits, auto& into) {
    const auto [end, problem] = std::from_chars(digits.data(), digits.data() + digits.size(), into);
    return problem == std::errc{} && end == digits.data() + digits.size();
  };
  std::int64_t micros = 0;
  store::AuditQuery::Place place;
  if (parts[0] != cursor_version || !number(parts[2], micros) || !number(parts[3], place.index) ||
      place.index >= (1ULL << 53) || parts[4].empty() || parts[4].size() > audit::log_name_max_bytes ||
      !plain("cursor", std::string(parts[4])))
    return bad();
  if (parts[1] != (oldest_first ? "oldest" : "newest"))
    return fail(Code::bad_request, "cursor belongs to the other order: repeat the question that it came from");
  place.timestamp = WallTime(std::chrono::microseconds(micros));
  // Beyond what the databases hold.
  if (place.timestamp < *parse_rfc3339("1970-01-01") || place.timestamp > *parse_rfc3339("9999-12-31")) return bad();
  place.log = parts[4];
  return place;
}

constexpr std::array texts{std::pair{"principal", &store::AuditQuery::principal},
                           std::pair{"organisation", &store::AuditQuery::organisation},
                           std::pair{"peer", &store::AuditQuery::peer},
                           std::pair{"resource", &store::AuditQuery::resource},
                           std::pair{"capability", &store::AuditQuery::capability},
                           std::pair{"correlation_id", &store::AuditQuery::correlation_id},
                           std::pair{"type", &store::AuditQuery::event_type},
                           std::pair{"outcome", &store::AuditQuery::outcome},
                           std::pair{"decision", &store::AuditQuery::decision},
                           std::pair{"credential", &store::AuditQuery::credential},
                           std::pair{"code", &store::AuditQuery::error_code}};

/// Each parameter is known and there once: a misspelt filter must not pass as none.
Result<void> only_known(std::string_view query) {
  std::vector<std::string_view> seen;
  while (!query.empty()) {
    const auto end = query.find('&');
    const auto part = query.substr(0, end);
    query = end == std::string_view::npos ? std::string_view() : query.substr(end + 1);
    const auto name = part.substr(0, part.find('='));
    const bool other = name == "from" || name == "to" || name == "limit" || name == "cursor" || name == "order";
    if (!other &&
        std::ranges::find(texts, name, [](const auto& one) { return std::string_view(one.first); }) == texts.end())
      return fail(Code::bad_request, "there is no filter \"" + std::string(name.substr(0, 64)) + "\"");
    if (std::ranges::find(seen, name) != seen.end())
      return fail(Code::bad_request, "filter " + std::string(name) + " is given twice");
    if (!net::query_value(part, name))
      return fail(Code::bad_request, "filter " + std::string(name) + " is badly escaped");
    seen.push_back(name);
  }
  return {};
}

Result<void> check(const store::AuditQuery& query) {
  std::vector<std::string_view> types, codes;
  for (int i = 0; i <= static_cast<int>(EventType::security_violation); ++i)
    types.push_back(to_string(static_cast<EventType>(i)));
  for (const auto& code : all_codes()) codes.push_back(code.wire_name);
  for (const auto& checked :
       {plain("principal", query.principal), named<Domain>("organisation", query.organisation),
        named<NodeId>("peer", query.peer), named<ResourceId>("resource", query.resource),
        named<CapabilityId>("capability", query.capability),
        named<CorrelationId>("correlation_id", query.correlation_id), one_of("type", query.event_type, types),
        one_of("outcome", query.outcome, {"succeeded", "failed", "not_sent", "unknown"}),
        one_of("decision", query.decision, {"allow", "deny"}), plain("credential", query.credential)})
    if (!checked) return checked;
  // A peer may be newer and state codes that are not ours: only their form is known.
  const bool word = std::ranges::all_of(query.error_code, [](char c) { return (c >= 'a' && c <= 'z') || c == '_'; });
  if (!word || query.error_code.size() > 64) return one_of("code", query.error_code, codes);
  if (query.from && query.to && *query.from >= *query.to)
    return fail(Code::bad_request, "filter to: it must be later than from");
  return {};
}

}  // namespace

Json audit_view(const store::AuditRow& row) {
  Json view{{"log", row.log},
            {"index", row.index},
            {"time", rfc3339(row.timestamp)},
            {"event", row.event_type},
            {"phase", row.phase},
            {"correlation_id", row.correlation_id},
            {"attempt", row.attempt},
            {"origin", row.source_node},
            {"target", row.target_node},
            {"principal", row.principal},
            {"actor", row.actor},
            {"credential", row.credential_id},
            {"resource", row.resource},
            {"protocol", row.resource_protocol},
            {"capability", row.capability_id},
            {"action", row.action},
            {"decision", row.decision},
            {"rule", row.policy_id},
            {"outcome", row.outcome},
            {"code", row.error_code},
            {"reason", row.reason},
            {"request_bytes", row.request_bytes},
            {"response_bytes", row.response_bytes},
            {"duration_us", row.duration_us},
            {"upstream_us", row.upstream_us},
            {"leaf_hash", to_hex(audit::leaf_hash(row.leaf))},
            {"access", ""},
            {"counterparty", nullptr}};
  if (const auto parsed = json::parse(row.leaf); parsed && parsed->is_object()) {
    const Json& leaf = *parsed;
    if (leaf.contains("access")) view["access"] = leaf["access"];
    if (leaf.contains("counterparty")) view["counterparty"] = leaf["counterparty"];
    if (leaf.contains("call_hash")) view["call_hash"] = leaf["call_hash"];
  }
  return view;
}

Json audit_view(const wire::TrailRecord& record) {
  return {{"log", record.log},
          {"index", record.index},
          {"time", rfc3339(record.time)},
          {"phase", to_string(record.phase)},
          {"correlation_id", record.correlation_id.str()},
          {"attempt", record.attempt},
          {"origin", record.origin},
          {"target", record.target},
          {"principal", record.principal},
          {"actor", record.actor},
          {"resource", record.resource},
          {"capability", record.capability},
          {"access", record.access},
          {"outcome", record.outcome},
          {"code", record.code},
          {"call_hash", record.call_hash},
          {"leaf_hash", to_hex(record.leaf_hash)},
          {"counterparty", leaf_view(record.counterparty)}};
}

Json timeline_view(const CorrelationId& id, const NodeId& own, const federation::Timeline& timeline) {
  Json view{{"correlation_id", id.str()},
            {"node_id", own.str()},
            {"entries", Json::array()},
            {"parties", Json::array()},
            {"complete", timeline.complete}};
  for (const auto& entry : told_in_order(timeline)) {
    Json one = entry.ours != nullptr ? audit_view(*entry.ours) : audit_view(*entry.theirs);
    one["side"] = entry.ours != nullptr ? own.str() : entry.party->node.str();
    one["ours"] = entry.ours != nullptr;
    one["standing"] = entry.verdict != nullptr ? Json(to_string(entry.verdict->standing)) : Json(nullptr);
    view["entries"].push_back(std::move(one));
  }
  for (const auto& party : timeline.parties) {
    Json verdicts = Json::array();
    for (const auto& verdict : party.verdicts) verdicts.push_back(verdict_view(verdict));
    view["parties"].push_back({{"node_id", party.node.str()},
                               {"state", to_string(party.answered)},
                               {"detail", party.detail},
                               {"records", party.records.size()},
                               {"verdicts", std::move(verdicts)}});
  }
  return view;
}

Json reconciliation_view(const federation::ReconciliationReport& report) {
  using federation::Agreement;
  Json findings = Json::array();
  for (const auto& finding : report.findings) findings.push_back(verdict_view(finding));
  const auto& tally = report.tally;
  return {{"node_id", report.node.str()},
          {"state", to_string(report.state)},
          {"problem", report.problem},
          {"from", rfc3339(report.from)},
          {"to", rfc3339(report.to)},
          {"begun_at", rfc3339(report.begun)},
          {"reached", rfc3339(report.reached)},
          {"agree", report.state == federation::ReconciliationReport::State::done && tally.agrees()},
          {"counts",
           {{"calls", tally.total()},
            {"agree", tally[Agreement::agrees]},
            {"differing", tally[Agreement::differs]},
            {"missing_here", tally[Agreement::missing_here]},
            {"missing_there", tally[Agreement::missing_there]},
            {"unknown", tally[Agreement::unknown]},
            {"unproven", tally.unproven},
            {"pending", tally[Agreement::pending]}}},
          {"findings", std::move(findings)}};
}

std::string cursor_of(const store::AuditRow& row, const store::AuditQuery& query) {
  return to_base64url(std::string(cursor_version) + (query.oldest_first ? " oldest " : " newest ") +
                      std::to_string(row.timestamp.time_since_epoch().count()) + ' ' + std::to_string(row.index) + ' ' +
                      row.log);
}

Result<store::AuditQuery> audit_query_from(std::string_view query, const nodes::NodeTable& nodes) {
  if (query.size() > longest_query) return fail(Code::bad_request, "the filters are longer than 4096 bytes");
  if (auto known = only_known(query); !known) return fail(known.error());
  store::AuditQuery out;
  const auto text = [&](std::string_view name) { return net::query_value(query, name).value_or(""); };
  for (const auto& [name, member] : texts) out.*member = text(name);
  if (const Node* node = nodes.find_named(out.peer)) out.peer = node->id.str();
  for (const auto& [name, into] : {std::pair{"from", &out.from}, std::pair{"to", &out.to}}) {
    if (const auto value = text(name); !value.empty()) {
      auto time = parse_rfc3339(value);
      if (!time) return fail(time.error().in(name));
      *into = *time;
    }
  }
  if (const auto limit = text("limit"); !limit.empty()) {
    const auto [end, problem] = std::from_chars(limit.data(), limit.data() + limit.size(), out.limit);
    if (problem != std::errc{} || end != limit.data() + limit.size() || out.limit < 1 || out.limit > most_events)
      return fail(Code::bad_request, "limit must be 1 to 1000");
  }
  const auto order = text("order");
  if (auto known = one_of("order", order, {"newest", "oldest"}); !known) return fail(known.error());
  out.oldest_first = order == "oldest";
  if (auto checked = check(out); !checked) return fail(checked.error());
  if (const auto cursor = text("cursor"); !cursor.empty()) {
    auto place = place_of(cursor, out.oldest_first);
    if (!place) return fail(place.error());
    out.before = std::move(*place);
  }
  return out;
}

}  // namespace fedgate::api
