// SPDX-License-Identifier: Apache-2.0
#include <ctime>

#include "audit/journal_state.h"

namespace fedgate::audit {
namespace {

constexpr std::chrono::microseconds gather_each{100};  // for each caller that is expected
constexpr std::chrono::microseconds gather_most{2000};

std::string shown(WallTime time) {
  const auto seconds = std::chrono::system_clock::to_time_t(time);
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  std::array<char, 32> text{};
  return {text.data(), std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &parts)};
}

}  // namespace

void Journal::State::run() {
  std::unique_lock guard(mutex);
  for (;;) {
    if (failing) {
      work.wait_for(guard, options.probe, [this] { return closing || probe_now; });
      if (closing) return;
      probe_now = false;
      guard.unlock();
      probe();
      guard.lock();
      continue;
    }
    work.wait(guard, [this] { return closing || !queue.empty() || !abandoned.empty(); });
    if (!abandoned.empty()) settle(guard);
    if (queue.empty() && closing) return;
    if (queue.empty()) continue;
    gather(guard);
    Batch batch = std::move(queue.front());
    queue.pop_front();
    const std::size_t size = batch.records.size();
    queued -= size;
    guard.unlock();
    commit(std::move(batch));
    // Rarely: whoever signs the tree has it synced long before.
    if (tree->size() - tree->synced() > unsynced_most) sync_tree();
    guard.lock();
    callers = size + queued;
  }
}

// Whoever made these calls has been answered or is gone: all that can be said is that nobody knows.
void Journal::State::settle(std::unique_lock<std::mutex>& guard) {
  const auto calls = std::exchange(abandoned, {});
  guard.unlock();
  std::vector<PreparedRecord> outcomes;
  for (const auto& [call, why] : calls) {
    const auto* leaf = intents.find(call);
    if (leaf == nullptr) continue;  // it had no intent
    auto event = event_of(*leaf);
    if (!event) continue;  // it was read at open or written by us: it cannot be
    event->phase = Phase::outcome;
    event->time = clock.wall();
    event->effect = Effect::unknown;
    event->error_code = code_info(Code::outcome_unknown).wire_name;
    event->reason = why;
    outcomes.push_back(prepare(*event));
  }
  if (!outcomes.empty())
    log.warning("calls are recorded as unknown: their outcome was not", {{"calls", outcomes.size()}});
  guard.lock();
  // Past the bound on the queue, and kept by refuse() if this is lost, too.
  for (const auto& outcome : outcomes)
    place(outcome, std::make_unique<FunctionWaiter>([](const Result<LeafReference>&) {}));
}

// One sync costs as much CPU as twenty records. Where several callers append at the same time, those of the last
// batch are about to come again: they are waited for, shortly, so that they share a sync. A single caller never waits.
void Journal::State::gather(std::unique_lock<std::mutex>& guard) {
  if (callers < 2 || queued >= callers || closing) return;
  wake_at = callers;
  const auto patience = std::min<std::chrono::microseconds>(gather_most, gather_each * static_cast<long>(callers));
  work.wait_for(guard, patience, [this] { return closing || queued >= wake_at; });
  wake_at = 1;
}

void Journal::State::commit(Batch batch) {
  if (const auto written = write(batch); written) {
    succeed(batch);
  } else {
    refuse(batch, describe(written.error()));
  }
  batch.bytes.clear();
  batch.records.clear();
  const std::lock_guard guard(mutex);
  spare = std::move(batch);
}

Result<void> Journal::State::write(Batch& batch) {
  auto place = BatchPlace::first;
  auto index = batch.first;
  for (const auto& record : batch.records) {
    seal_record(batch.bytes.data() + record.offset, record.size, index++, place);
    place = BatchPlace::later;
  }
  if (options.salts != nullptr)
    if (auto kept = options.salts->flush(); !kept) return kept;
  return files->append(batch.bytes, batch.records.size(), intents, removable);
}

void Journal::State::succeed(Batch& batch) {
  const auto leaf = [&batch](const QueuedRecord& record) {
    return std::string_view(batch.bytes).substr(record.offset + record_overhead, record.size);
  };
  hashes.clear();
  for (const auto& record : batch.records) hashes.push_back(leaf_hash(leaf(record)));
  tree->append(hashes);
  auto index = batch.first;
  for (auto& record : batch.records) {
    if (record.call && record.phase == Phase::intent) intents.open(*record.call, index, leaf(record));
    if (record.call && record.phase == Phase::outcome) intents.settle(*record.call);
    ++index;
  }
  intents_open.store(intents.size(), std::memory_order_relaxed);
  metrics.audit_records().Increment(static_cast<double>(batch.records.size()));
  bool awaited = false;
  {
    const std::lock_guard guard(mutex);
    durable = index;
    waiting -= batch.records.size();
    segments = files->segments();
    awaited = durable > wanted;
    if (awaited) wanted = UINT64_MAX;
  }
  if (awaited) progress.notify_all();
  Resumptions resumptions;
  for (std::size_t i = 0; i < batch.records.size(); ++i) {
    auto& waiter = batch.records[i].waiter;
    waiter->answer(LeafReference{options.log_name, batch.first + i, hashes[i]});
    resumptions.add(std::move(waiter));
  }
  resumptions.post();
}

// Nothing of the batch counts, nor what was queued behind it: their indexes go to those who come after.
void Journal::State::refuse(Batch& batch, const Error& error) {
  auto open = intents.keys();
  std::deque<Batch> behind;
  const auto lose_outcomes = [&](const Batch& given_up) {
    for (const auto& record : given_up.records)
      if (record.phase == Phase::outcome && record.call && open_when_failing.contains(*record.call))
        abandoned.emplace(*record.call, outcome_refused);
  };
  {
    const std::lock_guard guard(mutex);
    failing = true;
    open_when_failing = std::move(open);
    lose_outcomes(batch);
    for (const auto& given_up : queue) lose_outcomes(given_up);
    problem = error.detail;
    full = files->full();
    behind.swap(queue);
    queued = 0;
    next = durable;
    waiting = 0;
    segments = files->segments();
  }
  log.error("the journal cannot be written; calls are refused until it can", {{"problem", error.detail}});
  Resumptions resumptions;
  std::size_t refused = 0;
  const auto answer_all = [&](Batch& given_up) {
    for (auto& record : given_up.records) {
      record.waiter->answer(fail(error));
      resumptions.add(std::move(record.waiter));
    }
    refused += given_up.records.size();
  };
  answer_all(batch);
  for (auto& given_up : behind) answer_all(given_up);
  metrics.audit_refusals().Increment(static_cast<double>(refused));
  resumptions.post();
}

void Journal::State::probe() {
  const auto repaired = files->repair(intents, removable);
  const auto why = repaired ? Error() : describe(repaired.error());
  {
    const std::lock_guard guard(mutex);
    failing = !repaired;
    if (repaired) open_when_failing.clear();
    full = files->full();
    problem = why.detail;
    segments = files->segments();
  }
  if (repaired) log.info("the journal can be written again", {{"next_index", files->next_index()}});
}

// A leaf goes only when the tree can vouch for it without.
std::uint64_t Journal::State::may_be_removed() {
  std::uint64_t below = 0;
  {
    const std::lock_guard guard(mutex);
    below = prunable();
  }
  if (tree->synced() < below) sync_tree();
  return std::min(below, tree->synced());
}

void Journal::State::sync_tree() {
  const auto synced = tree->sync();
  if (!synced && !tree_failing)
    log.error("the log's hash tree cannot be written; memory keeps what is new of it",
              {{"problem", synced.error().detail}});
  tree_failing = !synced;
}

Error Journal::State::describe(const Error& error) {
  std::string detail = "the journal cannot be written: " + error.detail;
  if (files->full()) {
    const std::lock_guard guard(mutex);
    if (witnesses == Witnesses::none || shipped <= cosigned)
      detail += " with records that the database has not taken: it has been away since " + shown(shipped_at) +
                "; bring the database back, or raise audit.journal_max";
    else
      detail += " with records that no peer has cosigned: the last cosigned checkpoint is of " + shown(cosigned_at) +
                "; see with `fedgate status` why, or raise audit.journal_max";
  }
  return {Code::audit_unavailable, std::move(detail)};
}

}  // namespace fedgate::audit
