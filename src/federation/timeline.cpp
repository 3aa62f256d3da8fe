// SPDX-License-Identifier: Apache-2.0
#include "federation/timeline.h"

#include <algorithm>
#include <tuple>

namespace fedgate::federation {

namespace {

constexpr std::chrono::seconds newest_wait{2};

/// Where a record stands in the course of its attempt.
int step_of(std::string_view phase, bool at_origin) {
  if (phase == "intent") return at_origin ? 0 : 1;
  if (phase == "outcome") return at_origin ? 3 : 2;
  return 4;
}

const CallVerdict* verdict_of(const Timeline::Party& party, std::uint32_t attempt) {
  const auto found = std::ranges::find(party.verdicts, attempt, &CallVerdict::attempt);
  return found == party.verdicts.end() ? nullptr : &*found;
}

/// Records of calls with `peer`, as it might know them.
std::vector<wire::TrailRecord> shared_with(const std::vector<store::AuditRow>& rows, const std::string& own,
                                           const std::string& peer) {
  std::vector<wire::TrailRecord> records;
  for (const auto& row : rows) {
    const bool between_us =
        (row.source_node == own && row.target_node == peer) || (row.source_node == peer && row.target_node == own);
    const bool never_left = row.source_node == own && row.decision == "deny";
    const bool a_call = row.action == "invoke" || row.action == "authorize";
    if (!between_us || never_left || !a_call) continue;
    if (auto record = trail_record(row)) records.push_back(std::move(*record));
  }
  return records;
}

}  // namespace

std::string_view to_string(Timeline::Answered answered) {
  switch (answered) {
    case Timeline::Answered::yes:
      return "answered";
    case Timeline::Answered::unreachable:
      return "unreachable";
    case Timeline::Answered::not_asked:
      return "not_asked";
  }
  return "not_asked";
}

std::vector<TimelineEntry> told_in_order(const Timeline& timeline) {
  struct Placed {
    std::tuple<std::uint32_t, int, WallTime, std::string, std::uint64_t> place;
    TimelineEntry entry;
  };
  std::vector<Placed> all;
  for (const auto& row : timeline.ours) {
    TimelineEntry entry{.ours = &row};
    bool at_origin = true;
    for (const auto& party : timeline.parties) {
      if (row.source_node != party.node.view() && row.target_node != party.node.view()) continue;
      entry.party = &party;
      entry.verdict = verdict_of(party, row.attempt);
      at_origin = row.source_node != party.node.view();
    }
    all.push_back({{row.attempt, step_of(row.phase, at_origin), row.timestamp, row.log, row.index}, entry});
  }
  for (const auto& party : timeline.parties)
    for (const auto& record : party.records) {
      const auto step = step_of(to_string(record.phase), record.origin == party.node.view());
      all.push_back({{record.attempt, step, record.time, record.log, record.index},
                     {.theirs = &record, .party = &party, .verdict = verdict_of(party, record.attempt)}});
    }
  std::ranges::sort(all, {}, &Placed::place);
  std::vector<TimelineEntry> entries;
  for (const auto& one : all) entries.push_back(one.entry);
  return entries;
}

Task<Result<Timeline>> Timelines::of(CorrelationId id, AskPeers ask) {
  Timeline timeline;
  auto rows = co_await parts_.pool.run([this, id, &timeline]() -> Result<std::vector<store::AuditRow>> {
    timeline.complete = parts_.shipper.wait_for(parts_.journal.state().durable, newest_wait);
    store::AuditQuery query;
    query.correlation_id = id.str();
    query.limit = most_records;
    query.oldest_first = true;
    return parts_.store.audit(query);
  });
  if (!rows) co_return fail(rows.error());
  if (rows->empty())
    co_return fail(Code::not_found,
                   "this gateway has no record of " + id.str() + "; the other side's gateway may have one");
  timeline.ours = std::move(*rows);
  for (const auto& row : timeline.ours)
    for (const auto& name : {row.source_node, row.target_node}) {
      auto node = NodeId::parse(name);
      if (!node || *node == parts_.own_id || timeline.parties.size() == most_parties) continue;
      if (std::ranges::find(timeline.parties, *node, &Timeline::Party::node) == timeline.parties.end())
        timeline.parties.push_back({.node = std::move(*node), .detail = {}, .records = {}, .verdicts = {}});
    }
  std::erase_if(timeline.parties, [&](const Timeline::Party& party) {
    return shared_with(timeline.ours, parts_.own_id.str(), party.node.str()).empty();
  });
  if (ask == AskPeers::yes)
    for (auto& party : timeline.parties) {
      const auto ours = shared_with(timeline.ours, parts_.own_id.str(), party.node.str());
      co_await meet(id, party, ours);
    }
  co_return timeline;
}

Task<> Timelines::meet(CorrelationId id, Timeline::Party& party, const std::vector<wire::TrailRecord>& ours) {
  const auto table = parts_.nodes.load();
  const Node* node = table->find(party.node);
  if (node == nullptr || !node->usable()) {
    party.detail = party.node.str() + " is not trusted or not enabled any more";
    co_return;
  }
  wire::TrailQuestion question;
  question.correlation_ids = {id};
  const auto deadline = parts_.wheel.now() + question_time;
  party.answered = Timeline::Answered::unreachable;
  do {
    auto page = co_await ask_trail(parts_.peers, *node, question, deadline);
    if (!page && page.error().code == Code::rate_limited && parts_.wheel.now() < deadline) {
      co_await sleep_until(parts_.wheel, parts_.wheel.now() + std::chrono::milliseconds(200));
      continue;
    }
    if (!page) {
      party.detail = page.error().detail;
      co_return;
    }
    for (auto& record : page->records) {
      const bool between_us = (record.origin == party.node.view() && record.target == parts_.own_id.view()) ||
                              (record.origin == parts_.own_id.view() && record.target == party.node.view());
      if (between_us && record.correlation_id == id && party.records.size() < most_records)
        party.records.push_back(std::move(record));
    }
    question.cursor = page->next_cursor;
    if (question.cursor.empty() || party.records.size() >= most_records) break;
  } while (true);
  party.answered = Timeline::Answered::yes;
  const Sides sides{.own = parts_.own_id, .peer = party.node, .settled = parts_.clock.wall() - parts_.settling()};
  party.verdicts = compare_call(ours, party.records, sides);
}

}  // namespace fedgate::federation
