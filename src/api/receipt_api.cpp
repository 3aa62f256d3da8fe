// SPDX-License-Identifier: Apache-2.0
#include "api/receipt_api.h"

#include <charconv>
#include <nlohmann/json.hpp>

#include "api/admin_views.h"
#include "base/hash.h"
#include "base/json.h"
#include "trust/operators.h"

namespace fedgate::api {

using Json = nlohmann::json;

namespace {

constexpr std::string_view receipt_path = "/api/v2/audit/receipt";
constexpr std::string_view alarms_path = "/api/v2/audit/alarms";
constexpr std::string_view settle_path = "/api/v2/audit/alarms/settle";
constexpr auto newest_records_wait = std::chrono::milliseconds(2000);
constexpr std::size_t most_records = 64;  // of one call, over all attempts

/// `proof`: C2SP tlog-proof, which needs nothing of ours to be checked; `leaf` in its extra line where we have it.
Json standing_view(const federation::LeafStanding& where, std::uint64_t index, std::string_view leaf) {
  auto path = Json::array();
  for (const auto& hash : where.path) path.push_back(to_hex(hash));
  auto witnesses = Json::array();
  for (const auto& node : where.cosigned_by) witnesses.push_back(node.str());
  return {{"path", std::move(path)},
          {"size", where.checkpoint.head.size},
          {"root", to_hex(where.checkpoint.head.root)},
          {"checkpoint", where.checkpoint.note},
          {"cosigned_by", std::move(witnesses)},
          {"proof", wire::tlog_proof(index, where.path, where.checkpoint, leaf)}};
}

Json counterparty_view(const federation::CounterpartyReceipt& other) {
  Json view = {{"node_id", other.node.str()},
               {"log", other.leaf.log},
               {"index", other.leaf.index},
               {"leaf_hash", to_hex(other.leaf.hash)},
               {"state", other.state == store::ReferenceState::missing ? "receipt_missing" : to_string(other.state)},
               {"why", other.why},
               {"standing", nullptr},
               {"vkeys", other.vkeys}};
  if (other.standing) view["standing"] = standing_view(*other.standing, other.leaf.index, {});
  return view;
}

Json receipt_view(const federation::RecordReceipt& one) {
  Json view = {
      {"log", one.log},      {"index", one.index},     {"leaf", one.leaf},       {"leaf_hash", to_hex(one.leaf_hash)},
      {"standing", nullptr}, {"why_not", one.why_not}, {"counterparty", nullptr}};
  if (one.standing) view["standing"] = standing_view(*one.standing, one.index, one.leaf);
  if (one.counterparty) view["counterparty"] = counterparty_view(*one.counterparty);
  return view;
}

struct Place {
  std::string log;
  std::uint64_t index = 0;
};
std::optional<Place> place_in(const std::string& id) {
  const auto colon = id.rfind(':');
  if (colon == std::string::npos || colon == 0) return std::nullopt;
  Place place{id.substr(0, colon), 0};
  const auto* const last = id.data() + id.size();
  const auto [end, problem] = std::from_chars(id.data() + colon + 1, last, place.index);
  if (problem != std::errc() || end != last) return std::nullopt;
  return place;
}

Result<std::string> text_in(const Json& body, const char* key) {
  const auto found = body.find(key);
  if (found != body.end() && found->is_string() && !found->get_ref<const std::string&>().empty())
    return found->get<std::string>();
  return fail(Code::bad_request, "member \"" + std::string(key) + "\" must be a text");
}

}  // namespace

bool ReceiptApi::serves(std::string_view path) {
  return path == receipt_path || path == alarms_path || path == settle_path;
}

Task<Result<void>> ReceiptApi::serve(const Operator& who, const net::Request& request, net::Response& response) {
  const bool settles = request.path() == settle_path;
  const std::string_view method = settles ? "POST" : "GET";
  if (request.method != method) {
    answer_wrong_method(response, method);
    co_return Result<void>{};
  }
  const Role needed = settles ? Role::trust_admin : Role::auditor;
  if (!trust::may(who, needed))
    co_return fail(Code::forbidden, "this needs the role " + std::string(to_string(needed)) + ", " + who.name +
                                        " has " + std::string(to_string(who.role)));
  Result<Json> body = Json();
  if (settles) {
    if (auto json = demand_json(request); !json) co_return json;
    body = co_await settle(who.name, request.body);
  } else if (request.path() == alarms_path) {
    body = co_await alarms();
  } else {
    body = co_await receipt(net::query_value(request.query(), "id").value_or(std::string()));
  }
  if (!body) co_return fail(body.error());
  answer_json(response, 200, *body);
  co_return Result<void>{};
}

Task<Result<Json>> ReceiptApi::receipt(std::string id) {
  const auto place = place_in(id);
  const auto call = CorrelationId::parse(id);
  if (!place && !call)
    co_return fail(Code::bad_request, "id: a correlation id, or LOG:INDEX as `fedgate audit list` shows them");
  const auto newest = parts_.journal.state().durable;
  co_return co_await parts_.pool.run([this, place, id, newest]() -> Result<Json> {
    // The trail is read from the database; what was promised durable before the question shall be in the answer.
    parts_.shipper.wait_for(newest, newest_records_wait);
    std::vector<federation::RecordReceipt> receipts;
    if (place) {
      auto one = parts_.exchange.receipts.at(place->log, place->index);
      if (!one) return fail(one.error());
      receipts.push_back(std::move(*one));
    } else {
      store::AuditQuery query;
      query.correlation_id = id;
      query.oldest_first = true;
      query.limit = most_records;
      const auto rows = parts_.store.audit(query);
      if (!rows) return fail(rows.error());
      if (rows->empty()) return fail(Code::not_found, "this gateway has no record of " + id);
      auto all = parts_.exchange.receipts.of(*rows);
      if (!all) return fail(all.error());
      receipts = std::move(*all);
    }
    auto views = Json::array();
    for (const auto& one : receipts) views.push_back(receipt_view(one));
    return Json{{"receipts", std::move(views)}, {"vkeys", parts_.exchange.receipts.vkeys()}};
  });
}

Task<Result<Json>> ReceiptApi::alarms() {
  co_return co_await parts_.pool.run([this]() -> Result<Json> {
    const auto all = parts_.exchange.alarms().list();
    if (!all) return fail(all.error());
    auto views = Json::array();
    for (const auto& one : *all)
      views.push_back({{"kind", one.kind},
                       {"node_id", one.node},
                       {"log", one.subject},
                       {"reason", one.reason},
                       {"evidence", one.evidence},
                       {"raised_at", rfc3339(one.raised_at)},
                       {"settled_at", one.settled_at ? Json(rfc3339(*one.settled_at)) : Json(nullptr)},
                       {"settled_by", one.settled_by}});
    return Json{{"alarms", std::move(views)}};
  });
}

Task<Result<Json>> ReceiptApi::settle(std::string who, std::string text) {
  const auto body = json::parse(text);
  if (!body) co_return fail(body.error());
  if (!body->is_object()) co_return fail(Code::bad_request, "the body must be an object");
  const auto kind_text = text_in(*body, "kind");
  const auto node_text = text_in(*body, "node_id");
  const auto log = text_in(*body, "log");
  const auto reason = text_in(*body, "reason");
  for (const auto* one : {&kind_text, &node_text, &log, &reason})
    if (!*one) co_return fail(one->error());
  const auto kind = federation::alarm_kind_from(*kind_text);
  auto node = NodeId::parse(*node_text);
  if (!kind) co_return fail(kind.error());
  if (!node) co_return fail(node.error());
  co_await shielded();
  auto intent = co_await parts_.acts.begin({.who = who,
                                            .action = "audit_alarm_settle",
                                            .subject = node->str(),
                                            .reason = *kind_text + " of " + *log + ": " + *reason});
  if (!intent) co_return fail(intent.error());
  const federation::AlarmPlace place{*kind, *node, *log};
  const auto settled = co_await parts_.pool.run([&] { return parts_.exchange.alarms().settle(place, who); });
  Result<void> done;
  if (!settled) done = fail(settled.error());
  if (settled && !*settled) done = fail(Code::not_found, "no such alarm is raised");
  const auto ended = co_await parts_.acts.end(std::move(*intent), done);
  if (!done) co_return fail(done.error());
  if (!ended) co_return fail(ended.error());
  co_return Json{{"settled", true}};
}

}  // namespace fedgate::api
