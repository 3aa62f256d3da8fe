// SPDX-License-Identifier: Apache-2.0
#include "federation/audit_query.h"

#include <charconv>
#include <nlohmann/json.hpp>

#include "audit/leaf.h"
#include "base/hash.h"
#include "base/json.h"

namespace fedgate::federation {

namespace {

constexpr const char* query_path = "/api/v2/federation/audit/query";
constexpr std::string_view cursor_version = "c1 ";

std::string cursor_after(const wire::TrailRecord& record) {
  return to_base64url(std::string(cursor_version) + record.correlation_id.str() + ' ' + std::to_string(record.index) +
                      ' ' + record.log);
}

Result<store::CallQuery::Place> place_of(std::string_view cursor) {
  const auto bad = [] { return fail(Code::bad_request, "cursor is not one that this gateway gave out"); };
  if (cursor.size() > wire::longest_cursor) return bad();
  const auto text = from_base64url(cursor);
  if (!text || !text->starts_with(cursor_version)) return bad();
  const auto rest = std::string_view(*text).substr(cursor_version.size());
  const auto first = rest.find(' ');
  const auto second = first == std::string_view::npos ? first : rest.find(' ', first + 1);
  if (second == std::string_view::npos || !CorrelationId::parse(rest.substr(0, first))) return bad();
  store::CallQuery::Place place;
  place.correlation_id = rest.substr(0, first);
  place.log = rest.substr(second + 1);
  const auto number = rest.substr(first + 1, second - first - 1);
  const auto [end, problem] = std::from_chars(number.data(), number.data() + number.size(), place.index);
  const bool whole = problem == std::errc{} && end == number.data() + number.size() && place.index < (1ULL << 53);
  if (!whole || place.log.empty() || place.log.size() > audit::log_name_max_bytes ||
      place.log.find('\0') != std::string::npos)
    return bad();
  return place;
}

/// Ids of calls that began at `time` or later stand behind this text, all others before it.
std::string bound_of(WallTime time) {
  constexpr std::size_t time_part = 13;  // 48 bits and a hyphen
  return CorrelationId::make(std::chrono::ceil<std::chrono::milliseconds>(time), {}).str().substr(0, time_part);
}

}  // namespace

Result<wire::TrailRecord> trail_record(const store::AuditRow& row) {
  wire::TrailRecord record;
  auto id = CorrelationId::parse(row.correlation_id);
  if (!id || (row.phase != "intent" && row.phase != "outcome"))
    return fail(Code::internal, row.log + " " + std::to_string(row.index) + " is no record of a call");
  record.log = row.log;
  record.index = row.index;
  record.leaf_hash = audit::leaf_hash(row.leaf);
  record.time = row.timestamp;
  record.correlation_id = *id;
  record.attempt = row.attempt;
  record.phase = row.phase == "intent" ? Phase::intent : Phase::outcome;
  record.origin = row.source_node;
  record.target = row.target_node;
  record.principal = row.principal;
  record.actor = row.actor;
  record.resource = row.resource;
  record.capability = row.capability_id;
  record.outcome = row.outcome;
  record.code = row.error_code;
  // A leaf that somebody has damaged says nothing; its hash tells.
  if (const auto event = audit::event_of(row.leaf)) {
    if (event->access) record.access = to_string(*event->access);
    record.call_hash = event->call_hash;
    record.counterparty = event->counterparty;
  }
  return record;
}

class Trail::Turn {
 public:
  Turn(Trail& trail, NodeId peer) : trail_(trail), peer_(std::move(peer)) {}
  ~Turn() { trail_.leave(peer_); }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;

 private:
  Trail& trail_;
  NodeId peer_;
};

Result<void> Trail::enter(const NodeId& peer) {
  const std::lock_guard lock(mutex_);
  auto& visit = visits_[peer];
  if (visit.busy) return fail(Code::rate_limited, peer.str() + " asks while its last question is being answered");
  const auto now = parts_.clock.steady();
  if (now >= visit.window + std::chrono::minutes(1)) {
    visit.window = now;
    visit.asked = 0;
  }
  if (++visit.asked > questions_a_minute)
    return fail(Code::rate_limited,
                peer.str() + " asks more than " + std::to_string(questions_a_minute) + " times a minute");
  visit.busy = true;
  return {};
}

void Trail::leave(const NodeId& peer) {
  const std::lock_guard lock(mutex_);
  visits_[peer].busy = false;
}

Result<Trail::Page> Trail::read(const NodeId& peer, const wire::TrailQuestion& question) const {
  const auto newest = parts_.journal.state().durable;
  Page page;
  page.complete = parts_.shipper.wait_for(newest, newest_wait);
  store::CallQuery query{.own = parts_.own_id.str(), .peer = peer.str(), .principal = question.principal};
  query.pseudonym = parts_.salts.known_pseudonym(question.principal).value_or("");
  for (const auto& id : question.correlation_ids) query.correlation_ids.push_back(id.str());
  if (question.from) query.from = bound_of(*question.from);
  if (question.to) query.to = bound_of(*question.to);
  if (!question.cursor.empty()) {
    auto place = place_of(question.cursor);
    if (!place) return fail(place.error());
    query.after = std::move(*place);
  }
  query.limit = wire::most_trail_records + 1;  // one more tells whether there is a next page
  const auto rows = parts_.store.calls(query);
  if (!rows) return fail(rows.error());
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < rows->size(); ++i) {
    auto record = trail_record((*rows)[i]);
    if (!record) continue;
    auto text = wire::trail_record_text(*record);
    bytes += text.size() + 1;
    const bool full = page.records.size() == wire::most_trail_records || bytes > wire::longest_trail_page;
    if (full && !page.records.empty()) {
      page.next_cursor = cursor_after(page.records.back());
      break;
    }
    page.texts.push_back(std::move(text));
    page.records.push_back(std::move(*record));
  }
  const bool more = rows->size() == query.limit;
  if (more && page.next_cursor.empty() && !page.records.empty()) page.next_cursor = cursor_after(page.records.back());
  return page;
}

Task<Result<std::string>> Trail::answer(NodeId peer, std::string body) {
  if (auto entered = enter(peer); !entered) co_return fail(entered.error());
  const Turn turn(*this, peer);
  const auto question = wire::parse_trail_question(body);
  if (!question) co_return fail(question.error());
  const auto page = co_await parts_.pool.run([this, peer, asked = *question] { return read(peer, asked); });
  if (!page) co_return fail(page.error());
  co_return wire::trail_page_body(page->texts, page->next_cursor, page->complete);
}

Task<Result<wire::TrailPage>> Trail::own(NodeId peer, wire::TrailQuestion question) {
  auto page = co_await parts_.pool.run([this, peer, asked = std::move(question)] { return read(peer, asked); });
  if (!page) co_return fail(page.error());
  co_return wire::TrailPage{std::move(page->records), std::move(page->next_cursor), page->complete};
}

Task<Result<wire::TrailPage>> ask_trail(PeerClient& peers, const Node& node, const wire::TrailQuestion& question,
                                        SteadyTime deadline) {
  if (node.endpoints.empty()) co_return fail(Code::peer_unreachable, node.id.str() + " has no endpoint");
  Route route;
  route.node = node.id;
  route.endpoint = node.endpoints.front();
  net::Request request;
  request.method = "POST";
  request.target = query_path;
  request.headers.add("Content-Type", "application/json");
  request.body = wire::trail_question_body(question);
  auto answer = co_await peers.ask(route, std::move(request), deadline);
  if (!answer) co_return fail(answer.error());
  if (answer->status == 200) {
    auto page = wire::parse_trail_page(answer->body);
    if (!page) co_return fail(page.error().in(node.id.str()));
    co_return page;
  }
  const std::string status = node.id.str() + " answers " + std::to_string(answer->status);
  if (answer->status == 429) co_return fail(Code::rate_limited, status + ": it is asked too often");
  if (answer->status == 504) co_return fail(Code::deadline_exceeded, status + ": the question is too large for it");
  if (answer->status == 503) co_return fail(Code::peer_unreachable, status + ": its database cannot be used");
  co_return fail(Code::peer_refused,
                 status + (answer->status == 404 ? "; its version does not tell of its trail" : std::string()));
}

}  // namespace fedgate::federation
