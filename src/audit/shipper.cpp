// SPDX-License-Identifier: Apache-2.0
#include "audit/shipper.h"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "audit/leaf.h"
#include "base/scheduling.h"

namespace fedgate::audit {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds first_backoff{100};
constexpr milliseconds longest_backoff{5000};
constexpr milliseconds idle{60'000};
constexpr std::size_t batch_bytes = 8 * 1024 * 1024;

}  // namespace

struct Shipper::State {
  State(Journal& from, store::Store& to, Options with, const log::Logger& logger, Metrics& count)
      : journal(from), store(to), options(with), log(logger), metrics(count) {}

  Journal& journal;
  store::Store& store;
  const Options options;
  const log::Logger& log;
  Metrics& metrics;

  mutable std::mutex mutex;  // guards down to the next comment
  std::condition_variable_any changed;
  std::stop_source hurry;   // ends the thread's present wait
  std::size_t waiters = 0;  // while there are any, nothing is gathered
  std::uint64_t position = 0;
  std::optional<std::chrono::steady_clock::time_point> stop_by;

  // The thread's own.
  std::optional<std::uint64_t> next;  // to ship; unknown until the database has answered
  milliseconds backoff = first_backoff;
  std::string trouble;  // logged already
  std::mutex ending;
  std::thread thread;

  void run();
  Result<void> step();
  Result<void> locate();
  Result<void> ship();
  std::vector<store::AuditRow> rows_of(const std::vector<std::string>& leaves, std::uint64_t first);
  void gather(const std::stop_token& wait);
  void failed(const Error& error);
  void recovered();
  void measure();
  [[nodiscard]] bool stopping() const;
  [[nodiscard]] bool late() const;
  std::stop_token next_wait();
  void pause(milliseconds time);
};

Shipper::Shipper(Journal& journal, store::Store& store, Options options, const log::Logger& log, Metrics& metrics)
    : state_(std::make_unique<State>(journal, store, options, log, metrics)) {
  state_->thread = std::thread([own = state_.get()] {
    never_preempt();
    own->run();
  });
}

Shipper::~Shipper() { stop(milliseconds(0)); }

bool Shipper::State::stopping() const {
  const std::lock_guard guard(mutex);
  return stop_by.has_value();
}

bool Shipper::State::late() const {
  const std::lock_guard guard(mutex);
  return stop_by && std::chrono::steady_clock::now() >= *stop_by;
}

// Taken before the journal is looked at, so that whoever asks after that look still ends the wait.
std::stop_token Shipper::State::next_wait() {
  const std::lock_guard guard(mutex);
  if (!stop_by && hurry.stop_requested()) hurry = std::stop_source();
  return hurry.get_token();
}

void Shipper::State::pause(milliseconds time) {
  std::unique_lock guard(mutex);
  changed.wait_for(guard, time, [this] { return stop_by.has_value(); });
}

void Shipper::State::run() {
  for (;;) {
    if (late()) return;
    const bool last = stopping();  // what was durable before this is shipped before the end
    const auto wait = next_wait();
    const auto done = step();
    if (!done) {
      failed(done.error());
      if (last) return;  // the journal keeps them, the next start ships them
      pause(backoff);
      backoff = std::min(backoff * 2, longest_backoff);
      continue;
    }
    recovered();
    measure();
    const auto now = journal.state();
    if (now.durable > *next) {
      if (!last) gather(wait);
    } else if (last) {
      return;
    } else if (now.closed) {
      pause(idle);
    } else if (journal.wait_beyond(*next, idle, wait)) {
      gather(wait);
    }
  }
}

// Lets a batch become worth its transaction, unless somebody waits for it.
void Shipper::State::gather(const std::stop_token& wait) {
  {
    const std::lock_guard guard(mutex);
    if (waiters > 0) return;
  }
  journal.wait_beyond(*next + options.batch - 1, options.gather, wait);
}

Result<void> Shipper::State::step() {
  if (!next) {
    if (auto located = locate(); !located) return located;
  }
  return ship();
}

// The journal is the log. Where the database has more than that, nothing is overwritten and nothing shipped.
Result<void> Shipper::State::locate() {
  const auto last = store.audit_position(journal.log_name());
  if (!last) return fail(last.error());
  const std::uint64_t here = *last ? **last + 1 : 0;
  const auto log_now = journal.state();
  if (here > log_now.durable)
    return fail(Code::conflict, "the database holds record " + std::to_string(here - 1) + " of " + journal.log_name() +
                                    ", the journal ends at " + std::to_string(log_now.durable) +
                                    ": the journal was replaced or set back; restore it, or begin a new log");
  next = std::max(here, log_now.first);
  if (here < log_now.first)
    log.error("the database lacks audit records that are no longer in the journal",
              {{"log", journal.log_name()}, {"from", here}, {"below", log_now.first}});
  {
    const std::lock_guard guard(mutex);
    position = *next;
  }
  changed.notify_all();
  journal.shipped(*next);
  return {};
}

Result<void> Shipper::State::ship() {
  const auto leaves = journal.read(*next, options.batch, batch_bytes);
  if (!leaves) return fail(leaves.error());
  if (leaves->empty()) return {};
  const auto rows = rows_of(*leaves, *next);
  if (auto stored = store.append_audit(rows); !stored) return stored;
  *next += rows.size();
  {
    const std::lock_guard guard(mutex);
    position = *next;
  }
  changed.notify_all();
  journal.shipped(*next);
  return {};
}

std::vector<store::AuditRow> Shipper::State::rows_of(const std::vector<std::string>& leaves, std::uint64_t first) {
  std::vector<store::AuditRow> rows;
  rows.reserve(leaves.size());
  for (const auto& leaf : leaves) {
    const auto index = first + rows.size();
    auto row = row_of(leaf);
    if (!row) {
      // Written by another version: the leaf itself must reach the database all the same.
      log.error("an audit record cannot be read; it is stored as it stands",
                {{"index", index}, {"problem", row.error().detail}});
      row = store::AuditRow();
      row->leaf = leaf;
    }
    row->log = journal.log_name();
    row->index = index;
    rows.push_back(std::move(*row));
  }
  return rows;
}

void Shipper::State::failed(const Error& error) {
  // A commit may have happened although it was reported failed, or the database may have been replaced.
  next.reset();
  measure();
  if (error.detail == trouble) return;
  if (trouble.empty())
    log.error("audit records do not reach the database; the journal keeps them",
              {{"code", error.info().wire_name}, {"problem", error.detail}});
  trouble = error.detail;
}

void Shipper::State::recovered() {
  backoff = first_backoff;
  if (trouble.empty()) return;
  trouble.clear();
  log.info("audit records reach the database again", {{"position", *next}});
}

void Shipper::State::measure() {
  const auto durable = journal.state().durable;
  const std::lock_guard guard(mutex);
  metrics.audit_backlog().Set(durable > position ? static_cast<double>(durable - position) : 0);
}

std::uint64_t Shipper::position() const {
  const std::lock_guard guard(state_->mutex);
  return state_->position;
}

bool Shipper::wait_for(std::uint64_t index, milliseconds time) {
  std::unique_lock guard(state_->mutex);
  if (state_->position >= index) return true;
  ++state_->waiters;
  state_->hurry.request_stop();
  const bool reached = state_->changed.wait_for(guard, time, [&] { return state_->position >= index; });
  --state_->waiters;
  return reached;
}

void Shipper::stop(milliseconds bound) {
  const std::lock_guard once(state_->ending);
  {
    const std::lock_guard guard(state_->mutex);
    const auto by = std::chrono::steady_clock::now() + bound;
    if (!state_->stop_by || by < *state_->stop_by) state_->stop_by = by;
    state_->hurry.request_stop();
  }
  state_->changed.notify_all();
  if (state_->thread.joinable()) state_->thread.join();
}

}  // namespace fedgate::audit
