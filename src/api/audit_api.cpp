// SPDX-License-Identifier: Apache-2.0
#include "api/audit_api.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "api/admin_views.h"
#include "api/audit_views.h"
#include "base/hash.h"
#include "base/json.h"
#include "trust/operators.h"

namespace fedgate::api {

using Json = nlohmann::json;

namespace {

constexpr std::string_view events_path = "/api/v2/audit/events";
constexpr std::string_view calls_path = "/api/v2/audit/calls/";
constexpr std::string_view log_path = "/api/v2/audit/log";
constexpr std::string_view reconcile_path = "/api/v2/audit/reconcile";
constexpr std::string_view export_path = "/api/v2/audit/export";
constexpr std::chrono::milliseconds newest_records_wait{2000};
constexpr std::chrono::seconds peer_time{15};
constexpr std::size_t most_rows = 500, most_leaves = 2000, leaves_bytes = 4 * std::size_t{1024} * 1024;

Result<void> only(const Json& body, std::initializer_list<std::string_view> known) {
  if (!body.is_object()) return fail(Code::bad_request, "an object is wanted");
  for (const auto& [key, value] : body.items())
    if (std::ranges::find(known, key) == known.end())
      return fail(Code::bad_request, "unknown member \"" + key.substr(0, 64) + "\"");
  return {};
}

Result<std::string> text_in(const Json& body, const char* key) {
  constexpr std::size_t longest = 1024;
  const auto found = body.find(key);
  if (found == body.end() || found->is_null()) return std::string();
  if (found->is_string() && found->get_ref<const std::string&>().size() <= longest) return found->get<std::string>();
  return fail(Code::bad_request, "member \"" + std::string(key) + "\" must be a text");
}

Result<WallTime> time_in(const Json& body, const char* key, WallTime otherwise) {
  const auto text = text_in(body, key);
  if (!text) return fail(text.error());
  if (text->empty()) return otherwise;
  auto time = parse_rfc3339(*text);
  if (!time) return fail(time.error().in(key));
  return time;
}

/// `to`, as a filter of events takes it.
std::string query_of(const Json& body, std::initializer_list<const char*> names) {
  std::string query;
  for (const auto* name : names) {
    const auto found = body.find(name);
    if (found == body.end() || found->is_null()) continue;
    const auto value = found->is_string() ? found->get<std::string>() : found->dump();
    query += (query.empty() ? "" : "&") + std::string(name) + "=" + net::percent_encode(value);
  }
  return query;
}

Json checkpoint_view(const std::optional<Checkpoint>& checkpoint) {
  if (!checkpoint) return nullptr;
  return {{"origin", checkpoint->origin},
          {"size", checkpoint->head.size},
          {"root", to_hex(checkpoint->head.root)},
          {"note", checkpoint->note}};
}

}  // namespace

bool AuditApi::serves(std::string_view path) {
  return path == events_path || path.starts_with(calls_path) || path == log_path || path == export_path ||
         path == reconcile_path || path.starts_with(std::string(reconcile_path) + "/");
}

Task<Result<void>> AuditApi::serve(const Operator& who, const net::Request& request, net::Response& response) {
  if (!trust::may(who, Role::auditor))
    co_return fail(Code::forbidden,
                   "this needs the role auditor, " + who.name + " has " + std::string(to_string(who.role)));
  const auto path = request.path();
  const bool posts = path == export_path || path == reconcile_path;
  const std::string_view method = posts ? "POST" : "GET";
  if (request.method != method) {
    answer_wrong_method(response, method);
    co_return Result<void>{};
  }
  Json body;
  if (posts) {
    if (auto ok = demand_json(request); !ok) co_return fail(ok.error());
    auto parsed = json::parse(request.body);
    if (!parsed) co_return fail(parsed.error());
    body = std::move(*parsed);
  }
  Result<Json> answer = fail(Code::not_found, "no such path on the admin listener");
  if (path == events_path) {
    answer = co_await events(request.query());
  } else if (path == log_path) {
    answer = co_await log();
  } else if (path == export_path) {
    answer = co_await export_page(std::move(body));
  } else if (path == reconcile_path) {
    answer = co_await reconcile(std::move(body));
  } else if (path.starts_with(calls_path)) {
    answer = co_await call(std::string(path.substr(calls_path.size())), request.query());
  } else {
    const auto report = parts_.reconciliation.report(path.substr(reconcile_path.size() + 1));
    answer = report ? Result<Json>(reconciliation_view(*report)) : fail(report.error());
  }
  if (!answer) co_return fail(answer.error());
  answer_json(response, path == reconcile_path ? 202 : 200, *answer);
  co_return Result<void>{};
}

Result<store::AuditQuery> AuditApi::query_from(std::string_view filters) const {
  auto query = audit_query_from(filters, *parts_.nodes.load());
  if (query) query->pseudonym = parts_.salts.known_pseudonym(query->principal).value_or("");
  return query;
}

Json AuditApi::view_of(store::AuditRow row) const {
  for (auto* name : {&row.principal, &row.actor})
    if (auto known = parts_.salts.principal_of(*name)) *name = std::move(*known);
  return audit_view(row);
}

Task<Result<Json>> AuditApi::events(std::string_view filters) {
  auto query = query_from(filters);
  if (!query) co_return fail(query.error());
  const std::size_t limit = query->limit;
  query->limit += 1;  // one more tells whether there is a next page
  const auto newest = parts_.journal.state().durable;
  auto* shipper = &parts_.shipper;
  auto* store = &parts_.store;
  auto rows = co_await parts_.pool.run([shipper, store, newest, asked = *query] {
    // The trail is read from the database; what was promised durable before the question shall be in the answer.
    shipper->wait_for(newest, newest_records_wait);
    return store->audit(asked);
  });
  if (!rows) co_return fail(rows.error());
  Json next = nullptr;
  if (rows->size() > limit) {
    rows->resize(limit);
    next = cursor_of(rows->back(), *query);
  }
  Json events = Json::array();
  for (auto& row : *rows) events.push_back(view_of(std::move(row)));
  co_return Json{
      {"events", std::move(events)}, {"next_cursor", std::move(next)}, {"complete", shipper->position() >= newest}};
}

Task<Result<Json>> AuditApi::call(std::string id, std::string_view query) {
  const auto correlation_id = CorrelationId::parse(id);
  if (!correlation_id) co_return fail(correlation_id.error());
  if (!query.empty() && query != "local=true" && query != "local=false")
    co_return fail(Code::bad_request, "only local=true or local=false may follow");
  const auto ask = query == "local=true" ? federation::AskPeers::no : federation::AskPeers::yes;
  const auto timeline = co_await parts_.timelines.of(*correlation_id, ask);
  if (!timeline) co_return fail(timeline.error());
  co_return timeline_view(*correlation_id, parts_.own_id, *timeline);
}

Task<Result<Json>> AuditApi::log() {
  const auto log = co_await parts_.pool.run([this] { return parts_.signed_log(); });
  if (!log) co_return fail(log.error());
  const auto state = parts_.journal.state();
  co_return Json{{"log", log->name},
                 {"durable", state.durable},
                 {"first", state.first},
                 {"checkpoint", checkpoint_view(log->newest)},
                 {"witnessed", checkpoint_view(log->witnessed)},
                 {"vkeys", log->vkeys}};
}

Task<Result<Json>> AuditApi::reconcile(Json body) {
  if (auto ok = only(body, {"node", "from", "to"}); !ok) co_return fail(ok.error());
  auto node = text_in(body, "node");
  if (!node) co_return fail(node.error());
  const auto now = parts_.wheel.clock().wall();
  const auto to = time_in(body, "to", now);
  if (!to) co_return fail(to.error());
  const auto from = time_in(body, "from", *to - std::chrono::hours(24));
  if (!from) co_return fail(from.error());
  auto report = parts_.reconciliation.start(std::move(*node), *from, *to);
  if (!report) co_return fail(report.error());
  co_return reconciliation_view(*report);
}

Task<Result<Json>> AuditApi::export_page(Json body) {
  const auto side = body.is_object() ? text_in(body, "side") : fail(Code::bad_request, "an object is wanted");
  if (!side) co_return fail(side.error());
  Result<Json> page;
  if (*side == "ours")
    page = co_await export_ours(std::move(body));
  else if (*side == "theirs")
    page = co_await export_theirs(std::move(body));
  else if (*side == "log")
    page = co_await export_log(std::move(body));
  else
    page = fail(Code::bad_request, "member \"side\" must be ours, theirs or log");
  co_return page;
}

/// Records as `events` shows them, oldest first, with their leaves.
Task<Result<Json>> AuditApi::export_ours(Json body) {
  if (auto ok = only(body, {"side", "from", "to", "principal", "peer", "cursor"}); !ok) co_return fail(ok.error());
  auto query = query_from("order=oldest&" + query_of(body, {"from", "to", "principal", "peer", "cursor"}));
  if (!query) co_return fail(query.error());
  query->limit = most_rows + 1;
  auto rows = co_await parts_.pool.run([this, asked = *query]() -> Result<std::vector<store::AuditRow>> {
    if (!parts_.shipper.wait_for(parts_.journal.state().durable, newest_records_wait))
      return fail(Code::store_unavailable, "the newest records have not reached the database; try again");
    return parts_.store.audit(asked);
  });
  if (!rows) co_return fail(rows.error());
  Json next = nullptr;
  if (rows->size() > most_rows) {
    rows->pop_back();
    next = cursor_of(rows->back(), *query);
  }
  Json records = Json::array();
  for (const auto& row : *rows) {
    auto view = view_of(row);
    view["leaf"] = row.leaf;
    records.push_back(std::move(view));
  }
  co_return Json{{"records", std::move(records)}, {"next_cursor", std::move(next)}};
}

/// What a peer tells of the calls between it and us, by the time at which they began.
Task<Result<Json>> AuditApi::export_theirs(Json body) {
  if (auto ok = only(body, {"side", "from", "to", "principal", "peer", "cursor"}); !ok) co_return fail(ok.error());
  wire::TrailQuestion question;
  const auto name = text_in(body, "peer");
  auto principal = text_in(body, "principal");
  auto cursor = text_in(body, "cursor");
  const auto from = time_in(body, "from", WallTime{});
  const auto to = time_in(body, "to", parts_.wheel.clock().wall());
  if (!name) co_return fail(name.error());
  if (!principal) co_return fail(principal.error());
  if (!cursor) co_return fail(cursor.error());
  if (!from) co_return fail(from.error());
  if (!to) co_return fail(to.error());
  const auto table = parts_.nodes.load();
  const Node* node = table->find_named(*name);
  if (node == nullptr) co_return fail(Code::node_not_found, "no node " + *name + "; `fedgate nodes list` shows all");
  if (!node->usable())
    co_return fail(Code::node_not_trusted, node->id.str() + " is not trusted or not enabled: it cannot be asked");
  question.from = *from;
  question.to = *to;
  question.principal = std::move(*principal);
  question.cursor = std::move(*cursor);
  const auto page = co_await ask_trail(parts_.peers, *node, question, parts_.wheel.now() + peer_time);
  if (!page) co_return fail(page.error());
  Json records = Json::array();
  for (const auto& record : page->records) records.push_back(audit_view(record));
  co_return Json{{"records", std::move(records)},
                 {"next_cursor", page->next_cursor.empty() ? Json(nullptr) : Json(page->next_cursor)},
                 {"complete", page->complete}};
}

/// Leaves of our log, from the journal, or the database where the journal has removed them. What neither has, or what
/// the database has changed, is there as its hash.
Task<Result<Json>> AuditApi::export_log(Json body) {
  if (auto ok = only(body, {"side", "from_index", "to_index"}); !ok) co_return fail(ok.error());
  const auto number = [&](const char* key) -> Result<std::uint64_t> {
    const auto found = body.find(key);
    if (found != body.end() && found->is_number_unsigned()) return found->get<std::uint64_t>();
    return fail(Code::bad_request, "member \"" + std::string(key) + "\" must be a whole number");
  };
  const auto from = number("from_index");
  const auto to = number("to_index");
  if (!from) co_return fail(from.error());
  if (!to) co_return fail(to.error());
  const auto state = parts_.journal.state();
  if (*from >= *to || *to > state.durable)
    co_return fail(Code::bad_request, "from_index < to_index <= durable is wanted");
  co_return co_await parts_.pool.run([this, first = *from, end = *to, kept = state.first]() -> Result<Json> {
    const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(end - first, most_leaves));
    Json leaves = Json::array();
    const auto put = [&](std::uint64_t index, const std::string& leaf) -> Result<void> {
      const auto hash = parts_.journal.tree().leaf_hash_at(index);
      if (!hash) return fail(hash.error());
      const bool good = !leaf.empty() && audit::leaf_hash(leaf) == *hash;
      leaves.push_back(good ? Json{{"leaf", to_base64(leaf)}}
                            : Json{{"hash", to_hex(*hash)}, {"changed", !leaf.empty()}});
      return {};
    };
    if (first >= kept) {
      auto read = parts_.journal.read(first, count, leaves_bytes);
      if (!read) return fail(read.error());
      for (std::size_t i = 0; i < read->size(); ++i)
        if (auto done = put(first + i, (*read)[i]); !done) return fail(done.error());
    } else {
      const auto last = std::min(first + count, kept);
      const auto rows = parts_.store.log_rows(parts_.journal.log_name(), first, last - first);
      if (!rows) return fail(rows.error());
      auto row = rows->begin();
      for (auto index = first; index < last; ++index) {
        while (row != rows->end() && row->index < index) ++row;
        const bool there = row != rows->end() && row->index == index;
        if (auto done = put(index, there ? row->leaf : std::string()); !done) return fail(done.error());
      }
    }
    return Json{{"leaves", std::move(leaves)}};
  });
}

}  // namespace fedgate::api
