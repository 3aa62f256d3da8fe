// SPDX-License-Identifier: Apache-2.0
#include "federation/reconciliation.h"

#include <algorithm>

#include "base/time_text.h"
#include "store/audit_log_records.h"

namespace fedgate::federation {

namespace {

constexpr std::chrono::seconds question_time{20};
constexpr std::chrono::seconds shortest_slice{1};
constexpr std::chrono::milliseconds pause{500};
constexpr int most_pauses = 240, most_pauses_incomplete = 20;
constexpr std::chrono::seconds timer_tick{5};
constexpr std::size_t most_batches = 1000, most_unproven = 100'000;

std::string counts_of(const Tally& tally) {
  const auto count = [&](Agreement standing) {
    return std::to_string(tally[standing]) + " " + std::string(to_string(standing));
  };
  return std::to_string(tally.total()) + " calls: " + count(Agreement::differs) + ", " +
         count(Agreement::missing_here) + ", " + count(Agreement::missing_there) + ", " + count(Agreement::unknown) +
         ", " + std::to_string(tally.unproven) + " unproven";
}

Result<const Node*> usable(const nodes::NodeTable& table, std::string_view name) {
  const Node* node = table.find_named(name);
  if (node == nullptr)
    return fail(Code::node_not_found, "no node " + std::string(name) + "; `fedgate nodes list` shows all");
  if (!node->usable())
    return fail(Code::node_not_trusted, node->id.str() + " is not trusted or not enabled: it cannot be asked");
  return node;
}

}  // namespace

std::string_view to_string(ReconciliationReport::State state) {
  switch (state) {
    case ReconciliationReport::State::running:
      return "running";
    case ReconciliationReport::State::done:
      return "done";
    case ReconciliationReport::State::failed:
      return "failed";
  }
  return "failed";
}

Task<Result<void>> TrailStream::fill() {
  while (at_ == page_.size() && (!begun_ || !cursor_.empty())) {
    auto page = co_await fetch_(cursor_);
    if (!page) co_return fail(page.error());
    if (!page->next_cursor.empty() && (page->records.empty() || page->next_cursor == cursor_))
      co_return fail(Code::peer_protocol_error, peer_ + ": a page of its trail does not go on");
    begun_ = true;
    cursor_ = std::move(page->next_cursor);
    page_ = std::move(page->records);
    at_ = 0;
    for (const auto& record : page_) {
      const bool between_us =
          (record.origin == own_ && record.target == peer_) || (record.origin == peer_ && record.target == own_);
      if (!between_us)
        co_return fail(Code::peer_protocol_error, peer_ + " tells of a call that is not one between it and us");
      if (last_ && record.correlation_id < *last_)
        co_return fail(Code::peer_protocol_error, peer_ + ": its records are out of order");
      last_ = record.correlation_id;
    }
  }
  co_return Result<void>{};
}

Task<Result<std::optional<CorrelationId>>> TrailStream::next() {
  auto filled = co_await fill();
  if (!filled) co_return fail(filled.error());
  if (at_ == page_.size()) co_return std::optional<CorrelationId>();
  co_return std::optional(page_[at_].correlation_id);
}

Task<Result<std::vector<wire::TrailRecord>>> TrailStream::take(CorrelationId id) {
  std::vector<wire::TrailRecord> taken;
  while (true) {
    auto filled = co_await fill();
    if (!filled) co_return fail(filled.error());
    if (at_ == page_.size() || page_[at_].correlation_id != id) co_return taken;
    if (taken.size() == most_of_one_call)
      co_return fail(Code::peer_protocol_error,
                     "there are more than " + std::to_string(most_of_one_call) + " records of the call " + id.str());
    taken.push_back(std::move(page_[at_++]));
  }
}

Reconciliation::Reconciliation(Parts parts)
    : parts_(std::move(parts)), runs_(parts_.wheel.executor(), most_runs, [this](const std::exception& error) {
        parts_.log.error("bug: a reconciliation failed", {{"what", error.what()}});
      }) {}

Reconciliation::Report Reconciliation::begin(const NodeId& node, WallTime from, WallTime to) {
  auto report = std::make_shared<ReconciliationReport>();
  report->node = node;
  report->from = report->reached = from;
  report->to = to;
  report->begun = parts_.clock.wall();
  const std::lock_guard lock(mutex_);
  reports_[node] = report;
  return report;
}

Result<ReconciliationReport> Reconciliation::start(std::string id_or_alias, WallTime from, WallTime to) {
  const auto table = parts_.nodes.load();
  const auto node = usable(*table, id_or_alias);
  if (!node) return fail(node.error());
  if (from >= to) return fail(Code::bad_request, "from must be before to");
  if (const auto running = report((*node)->id.view());
      running && running->state == ReconciliationReport::State::running)
    return fail(Code::conflict, "a reconciliation with " + (*node)->id.str() + " is under way, since " +
                                    utc_text(running->begun) + "; wait until it has ended");
  if (runs_.size() >= most_runs)
    return fail(Code::overloaded, std::to_string(runs_.size()) + " reconciliations are running; try again later");
  auto report = begin((*node)->id, from, to);
  if (auto spawned = runs_.spawn(carry(**node, report)); !spawned) {
    report->state = ReconciliationReport::State::failed;
    report->problem = spawned.error().detail;
    return fail(spawned.error());
  }
  return *report;
}

Result<ReconciliationReport> Reconciliation::report(std::string_view id_or_alias) const {
  const auto table = parts_.nodes.load();
  const Node* node = table->find_named(id_or_alias);
  if (node == nullptr)
    return fail(Code::node_not_found, "no node " + std::string(id_or_alias) + "; `fedgate nodes list` shows all");
  const std::lock_guard lock(mutex_);
  const auto found = reports_.find(node->id);
  if (found == reports_.end())
    return fail(Code::not_found, "there has been no reconciliation with " + node->id.str() + " since the start");
  return *found->second;
}

std::vector<std::string> Reconciliation::attention() const {
  std::vector<std::string> list;
  const std::lock_guard lock(mutex_);
  for (const auto& [node, report] : reports_)
    if (report->state != ReconciliationReport::State::running && report->tally.mismatches() > 0)
      list.push_back("our records and those of " + node.str() + " do not agree, " + counts_of(report->tally) +
                     "; `fedgate audit reconcile " + node.str() + "` lists them");
  return list;
}

Task<> Reconciliation::run() {
  bool going_on = true;
  while (going_on) {
    try {
      const auto interval = parts_.pace().interval;
      const auto tick = std::clamp<SteadyTime::duration>(interval / 4, std::chrono::milliseconds(50), timer_tick);
      co_await sleep_until(parts_.wheel, parts_.wheel.now() + tick);
      if (interval.count() > 0) co_await round();
    } catch (const boost::system::system_error&) {
      going_on = false;
    }
  }
  co_await shielded();
  runs_.cancel();
  co_await runs_.join();
}

Task<> Reconciliation::round() {
  const auto pace = parts_.pace();
  const auto table = parts_.nodes.load();
  for (const Node& node : table->all()) {
    if (!node.usable() || node.endpoints.empty()) continue;
    auto& due = due_[node.id];
    if (due > parts_.wheel.now()) continue;
    due = parts_.wheel.now() + pace.interval;
    co_await timed(node);
  }
}

Task<> Reconciliation::timed(Node node) {
  if (const auto running = report(node.id.view()); running && running->state == ReconciliationReport::State::running)
    co_return;
  const auto pace = parts_.pace();
  const auto now = parts_.clock.wall();
  const auto to = now - pace.settling;
  auto* database = &parts_.store;
  // Another replica's timer ticks too, a little earlier or later.
  const auto from = co_await parts_.pool.run([database, id = node.id, now, pace, to] {
    return store::ReconciliationRecords(*database).begin(id, now, pace.interval * 3 / 4, to - pace.first);
  });
  if (!from) {
    parts_.log.warning("no reconciliation", {{"node", node.id.view()}, {"detail", from.error().detail}});
    co_return;
  }
  if (!*from || **from >= to) co_return;
  auto report = begin(node.id, **from, to);
  co_await carry(node, report);
  if (report->state != ReconciliationReport::State::done) co_return;
  const auto noted = co_await parts_.pool.run(
      [database, id = node.id, to] { return store::ReconciliationRecords(*database).reached(id, to); });
  if (!noted)
    parts_.log.warning("a reconciliation is not noted, and done again",
                       {{"node", node.id.view()}, {"detail", noted.error().detail}});
}

Task<> Reconciliation::carry(Node node, Report report) {
  Result<void> done;
  try {
    done = co_await compare(node, *report);
  } catch (const boost::system::system_error&) {
    const std::lock_guard lock(mutex_);
    report->state = ReconciliationReport::State::failed;
    report->problem = "the gateway ended before it did";
    throw;
  }
  {
    const std::lock_guard lock(mutex_);
    report->state = done ? ReconciliationReport::State::done : ReconciliationReport::State::failed;
    if (!done) report->problem = done.error().detail;
  }
  co_await conclude(report);
}

Task<Result<void>> Reconciliation::compare(const Node& node, ReconciliationReport& report) {
  SteadyTime::duration slice = longest_slice;
  Unproven known;
  while (report.reached < report.to) {
    const auto to = std::min(report.to, report.reached + std::chrono::duration_cast<WallTime::duration>(slice));
    auto done = co_await compare_slice(node, report.reached, to, known, report);
    if (done) {
      const std::lock_guard lock(mutex_);
      report.reached = to;
    } else if (done.error().code == Code::deadline_exceeded && slice > shortest_slice) {
      slice /= 4;
    } else {
      co_return done;
    }
  }
  co_return Result<void>{};
}

Task<Result<void>> Reconciliation::compare_slice(const Node& node, WallTime from, WallTime to, Unproven& known,
                                                 ReconciliationReport& report) {
  wire::TrailQuestion question{.from = from, .to = to};
  TrailStream ours(
      [this, id = node.id, question](std::string cursor) {
        auto next = question;
        next.cursor = std::move(cursor);
        return look(id, std::move(next));
      },
      parts_.own_id, node.id);
  TrailStream theirs(
      [this, node, question](std::string cursor) {
        auto next = question;
        next.cursor = std::move(cursor);
        return ask(node, std::move(next));
      },
      parts_.own_id, node.id);
  const Sides sides{.own = parts_.own_id, .peer = node.id, .settled = parts_.clock.wall() - parts_.pace().settling};
  Tally tally;
  std::vector<CallVerdict> findings;
  while (true) {
    auto here = co_await ours.next();
    if (!here) co_return fail(here.error());
    auto there = co_await theirs.next();
    if (!there) co_return fail(there.error());
    if (!*here && !*there) break;
    const CorrelationId id = !*here ? **there : !*there ? **here : std::min(**here, **there);
    auto our_records = co_await ours.take(id);
    if (!our_records) co_return fail(our_records.error());
    auto their_records = co_await theirs.take(id);
    if (!their_records) co_return fail(their_records.error());
    auto not_proven = co_await unproven(node.id, *our_records, known);
    if (!not_proven) co_return fail(not_proven.error());
    if (*not_proven) ++tally.unproven;
    for (auto& verdict : compare_call(*our_records, *their_records, sides)) {
      tally.add(verdict);
      if (*not_proven) verdict.detail += (verdict.detail.empty() ? "" : "; ") + std::string("its receipt is missing");
      const bool quiet = verdict.standing == Agreement::agrees || verdict.standing == Agreement::pending;
      if ((!quiet || *not_proven) && findings.size() < most_findings) findings.push_back(std::move(verdict));
    }
  }
  const std::lock_guard lock(mutex_);
  report.tally.add(tally);
  for (auto& finding : findings)
    if (report.findings.size() < most_findings) report.findings.push_back(std::move(finding));
  co_return Result<void>{};
}

Task<Result<wire::TrailPage>> Reconciliation::ask(Node node, wire::TrailQuestion question) {
  for (int pauses = 0;; ++pauses) {
    auto page = co_await ask_trail(parts_.peers, node, question, parts_.wheel.now() + question_time);
    // What it has not shipped yet would look as if it were missing.
    const bool incomplete = page && !page->complete;
    if (incomplete && pauses >= most_pauses_incomplete)
      co_return fail(Code::peer_unreachable, node.id.str() + ": its newest records have not reached its database");
    const bool again = incomplete || (!page && page.error().code == Code::rate_limited);
    if (!again || pauses == most_pauses) co_return page;
    co_await sleep_until(parts_.wheel, parts_.wheel.now() + pause);
  }
}

Task<Result<wire::TrailPage>> Reconciliation::look(NodeId node, wire::TrailQuestion question) {
  auto page = co_await parts_.trail.own(node, std::move(question));
  if (page && !page->complete)
    co_return fail(Code::store_unavailable, "our own newest records have not reached the database yet");
  co_return page;
}

/// Whether the other side owes the proof of a leaf that one of these names.
Task<Result<bool>> Reconciliation::unproven(const NodeId& node, const std::vector<wire::TrailRecord>& ours,
                                            Unproven& known) {
  for (const auto& record : ours) {
    if (!record.counterparty) continue;
    auto missing = known.find(record.log);
    if (missing == known.end()) {
      auto* database = &parts_.store;
      auto batches = co_await parts_.pool.run([database, node, log = record.log] {
        return store::AuditLogRecords(*database).references(log, node, store::ReferenceState::missing, most_batches);
      });
      if (!batches) co_return fail(batches.error());
      missing = known.emplace(record.log, std::set<std::uint64_t>()).first;
      for (const auto& batch : *batches)
        for (const auto& member : batch.members)
          if (missing->second.size() < most_unproven) missing->second.insert(member.index);
    }
    if (missing->second.contains(record.index)) co_return true;
  }
  co_return false;
}

Task<> Reconciliation::conclude(Report report) {
  const auto& tally = report->tally;
  for (const auto standing :
       {Agreement::differs, Agreement::missing_here, Agreement::missing_there, Agreement::unknown})
    parts_.metrics.audit_mismatches(report->node.str(), to_string(standing)).Set(static_cast<double>(tally[standing]));
  parts_.metrics.audit_mismatches(report->node.str(), "unproven").Set(static_cast<double>(tally.unproven));
  const auto counts = counts_of(tally);
  if (report->state == ReconciliationReport::State::failed)
    parts_.log.warning("a reconciliation did not come to its end",
                       {{"node", report->node.view()}, {"detail", report->problem}, {"until_then", counts}});
  if (tally.mismatches() == 0) co_return;
  parts_.log.error("our records and another organisation's do not agree",
                   {{"node", report->node.view()}, {"counts", counts}});
  AuditEvent event;
  event.type = EventType::security_violation;
  event.time = parts_.clock.wall();
  event.origin = report->node.str();
  event.target = parts_.own_id.str();
  event.action = "reconcile";
  event.reason = utc_text(report->from) + " to " + utc_text(report->to) + ", " + counts;
  auto durable = co_await parts_.journal.append(event);
  if (!durable) parts_.log.error("that is not in the trail", {{"detail", durable.error().detail}});
}

}  // namespace fedgate::federation
