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

#include "audit/database_check.h"
#include "audit/leaf.h"
#include "base/scheduling.h"

namespace fedgate::audit {
namespace {

using std::chrono::milliseconds;
using Steady = std::chrono::steady_clock;

constexpr milliseconds first_backoff{100};
constexpr milliseconds longest_backoff{5000};
constexpr milliseconds idle{60'000};
constexpr std::size_t batch_bytes = 8 * 1024 * 1024;

}  // namespace

struct Shipper::State {
  State(Journal& from, store::Store& to, Options with, const log::Logger& logger, Metrics& count)
      : journal(from), store(to), options(std::move(with)), log(logger), metrics(count), check(from, to) {}

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
  std::optional<Steady::time_point> stop_by;
  std::optional<Difference> difference;  // while there is one, nothing is shipped
  std::string lacks;                     // what is gone for good, for operators

  // The thread's own.
  DatabaseCheck check;
  std::uint64_t compared = 0;  // rows below it, in this round; 0: a new one begins
  Steady::time_point compare_at = Steady::now() + options.compare_each;
  Steady::time_point prune_at = Steady::now();
  std::uint64_t pruned = 0;             // since it was said
  std::optional<std::uint64_t> next;    // to ship; unknown until the database has answered
  std::optional<std::uint64_t> stands;  // the last that the database has
  milliseconds backoff = first_backoff;
  std::string trouble;  // logged already
  std::mutex ending;
  std::thread thread;

  void run();
  Result<void> step();
  Result<void> locate();
  Result<void> look_at(std::uint64_t here);
  Result<void> ship();
  Result<void> do_chores();
  Result<void> compare_page();
  Result<std::size_t> prune();
  [[nodiscard]] milliseconds until_chores() const;
  Result<void> take(const DatabaseCheck::Seen& seen);
  void differs(const Difference& found);
  void agrees();
  void set_back(std::uint64_t here, std::uint64_t first);
  void lack(std::uint64_t from, std::uint64_t below);
  void record(const std::string& what);
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
    : state_(std::make_unique<State>(journal, store, std::move(options), log, metrics)) {
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
    auto done = step();
    if (done && !last) done = do_chores();
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
      pause(until_chores());
    } else if (journal.wait_beyond(*next, until_chores(), wait)) {
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
  auto shipped = ship();
  if (shipped || shipped.error().code != Code::conflict) return shipped;
  // It does not stand where it stood: another database after a failover, one that was set back, one that others write.
  next.reset();
  if (auto located = locate(); !located) return located;
  return ship();
}

// The journal is the log. Where the database has more than that, nothing is overwritten and nothing shipped.
Result<void> Shipper::State::locate() {
  const auto last = store.audit_position(journal.log_name());
  if (!last) return fail(last.error());
  const std::uint64_t here = *last ? **last + 1 : 0;
  const auto log_now = journal.state();
  if (here > log_now.durable) {
    differs({here - 1, "the database holds record " + std::to_string(here - 1) + " of " + journal.log_name() +
                           ", the journal ends at " + std::to_string(log_now.durable) +
                           ": the journal was replaced or set back; restore it, or begin a new log"});
    return fail(Code::conflict, difference->what);
  }
  if (auto same = look_at(here); !same) return same;
  if (here < log_now.first || here < position) set_back(here, log_now.first);
  next = std::max(here, log_now.first);
  stands = *last;
  {
    const std::lock_guard guard(mutex);
    position = *next;
  }
  changed.notify_all();
  journal.shipped(*next);
  return {};
}

/// Before anything is added: the newest rows, and the one that differed when it was last looked at.
Result<void> Shipper::State::look_at(std::uint64_t here) {
  using Beginning = DatabaseCheck::Beginning;
  if (difference && difference->index < here) {
    const auto oldest = check.first();
    if (!oldest) return fail(oldest.error());
    const auto begin = std::max(difference->index, oldest->value_or(here));
    const auto again = check.compare(begin, std::min(begin + 1, here), 1, Beginning::exactly);
    if (!again) return fail(again.error());
    if (again->difference) return fail(Code::conflict, difference->what);
  }
  const auto seen =
      check.compare(here - std::min<std::uint64_t>(here, options.compare), here, options.compare, Beginning::anywhere);
  if (!seen) return fail(seen.error());
  if (auto same = take(*seen); !same) return same;
  agrees();
  return {};
}

Result<void> Shipper::State::ship() {
  const auto leaves = journal.read(*next, options.batch, batch_bytes);
  if (!leaves) return fail(leaves.error());
  if (leaves->empty()) return {};
  const auto rows = rows_of(*leaves, *next);
  if (auto stored = store.continue_audit(rows, stands); !stored) return stored;
  *next += rows.size();
  stands = *next - 1;
  {
    const std::lock_guard guard(mutex);
    position = *next;
  }
  changed.notify_all();
  journal.shipped(*next);
  return {};
}

// One page or batch of what is due, so that shipping never waits for long.
Result<void> Shipper::State::do_chores() {
  const auto now = Steady::now();
  if (now >= compare_at) {
    compare_at = now + options.compare_each;
    if (auto compared_one = compare_page(); !compared_one) return compared_one;
  }
  if (options.retention.count() == 0 || now < prune_at) return {};
  const auto gone = prune();
  if (gone && *gone > 0) return {};  // there may be more
  if (pruned > 0)
    log.info("audit records older than audit.retention were pruned from the database", {{"rows", pruned}});
  if (!gone) log.warning("old audit records cannot be pruned from the database", {{"problem", gone.error().detail}});
  pruned = 0;
  prune_at = now + options.prune_each;
  return {};
}

milliseconds Shipper::State::until_chores() const {
  auto due = std::min(compare_at, Steady::now() + idle);
  if (options.retention.count() > 0) due = std::min(due, prune_at);
  return std::max(milliseconds(0), std::chrono::ceil<milliseconds>(due - Steady::now()));
}

Result<void> Shipper::State::compare_page() {
  using Beginning = DatabaseCheck::Beginning;
  const auto end = stands ? *stands + 1 : 0;
  const auto seen =
      check.compare(compared, end, options.compare, compared == 0 ? Beginning::anywhere : Beginning::exactly);
  if (!seen) return fail(seen.error());
  if (auto same = take(*seen); !same) return same;
  compared = seen->next < end ? seen->next : 0;
  return seen->cut ? locate() : Result<void>();
}

// One row stays, whatever its age: it says where the database stands.
Result<std::size_t> Shipper::State::prune() {
  const auto before = options.clock->wall() - options.retention;
  const auto below = std::min(journal.prunable(), stands.value_or(0));
  auto gone = store.prune_audit(journal.log_name(), below, before, options.prune);
  if (gone && *gone > 0) {
    const auto oldest = check.first();
    if (!oldest) return fail(oldest.error());
    if (compared > 0) compared = std::max(compared, oldest->value_or(0));
  }
  for (const auto& log_name : options.earlier_logs) {
    if (!gone || *gone > 0) break;
    gone = store.prune_audit(log_name, INT64_MAX, before, options.prune);
  }
  if (gone) pruned += *gone;
  return gone;
}

Result<void> Shipper::State::take(const DatabaseCheck::Seen& seen) {
  if (seen.lacks) lack(seen.lacks->from, seen.lacks->below);
  if (!seen.difference) return {};
  differs(*seen.difference);
  return fail(Code::conflict, seen.difference->what);
}

void Shipper::State::differs(const Difference& found) {
  if (difference && difference->index == found.index) return;
  {
    const std::lock_guard guard(mutex);
    difference = found;
  }
  log.error("the database differs from the journal; nothing more is shipped to it, nothing is overwritten",
            {{"log", journal.log_name()}, {"index", found.index}, {"problem", found.what}});
  record(found.what);
}

void Shipper::State::agrees() {
  if (!difference) return;
  log.info("the database agrees with the journal again", {{"log", journal.log_name()}, {"index", difference->index}});
  const std::lock_guard guard(mutex);
  difference.reset();
}

// Another database, an empty one after a failover perhaps, or one that was restored from a backup.
void Shipper::State::set_back(std::uint64_t here, std::uint64_t first) {
  if (here < position)
    log.warning("the database has fewer audit records than it had; what the journal has of them is shipped again",
                {{"log", journal.log_name()}, {"from", std::max(here, first)}, {"below", position}});
  compared = 0;
  if (here < first) lack(here, first);
}

void Shipper::State::lack(std::uint64_t from, std::uint64_t below) {
  auto text = "the database lacks records " + std::to_string(from) + " to " + std::to_string(below - 1) + " of " +
              journal.log_name() + ", which are no longer in the journal: look for them in its backups";
  if (text == lacks) return;
  log.error("the database lacks audit records that are no longer in the journal",
            {{"log", journal.log_name()}, {"from", from}, {"below", below}});
  record(text);
  const std::lock_guard guard(mutex);
  lacks = std::move(text);
}

void Shipper::State::record(const std::string& what) {
  AuditEvent event;
  event.type = EventType::security_violation;
  event.time = options.clock->wall();
  event.origin = options.own_id;
  event.action = "ship_audit";
  event.reason = what;
  journal.append(event, [&out = log](const Result<LeafReference>& answer) {
    if (!answer) out.error("this is not in the trail", {{"problem", answer.error().detail}});
  });
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

bool Shipper::stopped() const {
  const std::lock_guard guard(state_->mutex);
  return state_->difference.has_value();
}

std::vector<std::string> Shipper::attention() const {
  const std::lock_guard guard(state_->mutex);
  std::vector<std::string> told;
  if (state_->difference) told.push_back(state_->difference->what + "; nothing is shipped to it until it is put right");
  if (!state_->lacks.empty()) told.push_back(state_->lacks);
  return told;
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
