// SPDX-License-Identifier: Apache-2.0
#include "audit/publisher.h"

#include <algorithm>

#include "audit/durable_file.h"
#include "audit/publisher_state.h"
#include "audit/signing_key.h"
#include "base/hash.h"

namespace fedgate::audit {

namespace {

/// The whole note: text, blank line, signatures.
std::string note_of(const std::string& text, const std::string& signatures) { return text + '\n' + signatures; }

}  // namespace

Publisher::Publisher(std::unique_ptr<State> state) : state_(std::move(state)) {}

Publisher::~Publisher() { stop(std::chrono::milliseconds(0)); }

Result<std::unique_ptr<Publisher>> Publisher::start(Journal& journal, const PublisherOptions& options,
                                                    const Clock& clock, const Entropy& entropy, const log::Logger& log,
                                                    Metrics& metrics) {
  auto state = std::make_unique<State>(journal, options, clock, entropy, log, metrics);
  {
    const std::lock_guard lock(state->making);
    if (auto begun = state->begin(); !begun) return fail(begun.error().in("signing the audit log"));
  }
  auto* running = state.get();
  state->thread = std::thread([running] { running->run(); });
  return std::unique_ptr<Publisher>(new Publisher(std::move(state)));
}

std::string Publisher::State::state_file() const { return directory_of(options.signing_key_file) + "/signer.state"; }
std::string Publisher::State::mark_file() const { return options.journal_directory + "/signed"; }

/// Before the first signature leaves: a state that is lost later must be missed.
Result<void> Publisher::State::mark() {
  if (marked) return {};
  auto written = replace_file(mark_file(), state.key.text() + "\n");
  if (written) marked = true;
  return written;
}

Result<void> Publisher::State::store() { return replace_file(state_file(), text_of(state)); }

/// What others may ask, as the state has it.
void Publisher::State::show() {
  std::vector<wire::VerifierKey> all;
  std::vector<Checkpoint> ended;
  if (signer) all.push_back(signer->vkey());
  for (const auto& one : state.past) {
    if (std::ranges::find(all, one.key) == all.end()) all.push_back(one.key);
    if (auto read = wire::parse_checkpoint(one.note)) ended.push_back(std::move(*read));
  }
  const std::lock_guard lock(mutex);
  keys = std::move(all);
  past = std::move(ended);
  if (!state.last) {
    latest.reset();
    latest_at.reset();
    return;
  }
  latest = std::make_shared<const Checkpoint>(*state.last);
  latest_at = state.at;
  metrics.audit_checkpoint_size().Set(static_cast<double>(state.last->head.size));
  metrics.audit_checkpoint_timestamp().Set(
      std::chrono::duration<double>(std::chrono::floor<std::chrono::seconds>(state.at).time_since_epoch()).count());
}

/// Over what the journal has reported, and the tree has on stable storage.
Result<TreeHead> Publisher::State::durable_head() {
  const auto durable = journal.state().durable;
  auto synced = journal.tree().sync();
  if (!synced) return synced;
  if (synced->size == durable) return synced;
  if (synced->size < durable)
    return fail(Code::internal,
                "the tree has " + std::to_string(synced->size) + " leaves, the journal " + std::to_string(durable));
  return journal.tree().head_at(durable);
}

/// The state goes to stable storage before the note is shown to anybody.
Result<void> Publisher::State::sign(const TreeHead& head) {
  const auto text = wire::checkpoint_text(state.log, head);
  Checkpoint made{state.log, head, note_of(text, signer->sign(text))};
  auto before = state;
  state.last = std::move(made);
  state.at = clock.wall();
  auto stored = mark();
  if (stored) stored = store();
  if (!stored) {
    // Perhaps it is there all the same: then it says more than was ever signed, and what is signed next covers it.
    state = std::move(before);
    return fail(stored.error());
  }
  show();
  return {};
}

Publisher::State::Published Publisher::State::newest() const {
  const std::lock_guard lock(mutex);
  return latest;
}

Result<Publisher::State::Published> Publisher::State::make() {
  {
    const std::lock_guard lock(mutex);
    if (!stopped.empty()) return fail(Code::conflict, "signing has stopped: " + stopped);
  }
  const std::uint64_t signed_size = state.last ? state.last->head.size : 0;
  if (state.last && journal.state().durable == signed_size) return newest();
  auto head = durable_head();
  if (!head) return fail(head.error());
  if (state.last) {
    const auto against = contradiction(state.last->head);
    if (!against) return fail(against.error());
    if (!against->empty()) {
      stop_signing(*against);
      return fail(Code::conflict, "signing has stopped: " + *against);
    }
  }
  if (head->size == 0) return Published();
  if (auto made = sign(*head); !made) return fail(made.error());
  return newest();
}

Result<Publisher::State::Published> Publisher::State::make_and_tell() {
  Result<Published> made = Published();
  bool fresh = false;
  {
    const std::lock_guard signing(making);
    const auto before = state.last;
    made = make();
    fresh = made && *made && state.last != before;
  }
  std::vector<std::function<void(Published)>> listeners;
  {
    const std::lock_guard lock(mutex);
    const bool stays = !made && made.error().detail == problem;
    problem = made || !stopped.empty() ? "" : made.error().detail;
    if (!problem.empty() && !stays) log.error("no checkpoint can be made", {{"detail", problem}});
    listeners = told;
  }
  if (fresh)
    for (const auto& listener : listeners) listener(*made);
  return made;
}

/// The pace is the machine's: a clock that is injected says what is signed, not when.
void Publisher::State::run() {
  const auto tick = std::max(std::min(options.spacing, options.every), std::chrono::milliseconds(1));
  auto last = std::chrono::steady_clock::now();
  std::unique_lock lock(mutex);
  while (!ending) {
    wake.wait_for(lock, tick, [this] { return ending; });
    if (ending) return;
    const std::uint64_t signed_size = latest ? latest->head.size : 0;
    lock.unlock();
    const auto now = std::chrono::steady_clock::now();
    if (now - last >= options.every || journal.state().durable >= signed_size + options.records) {
      last = now;
      (void)make_and_tell();
    }
    lock.lock();
  }
}

std::shared_ptr<const Checkpoint> Publisher::latest() const { return state_->newest(); }

std::optional<WallTime> Publisher::latest_at() const {
  const std::lock_guard lock(state_->mutex);
  return state_->latest_at;
}

std::vector<wire::VerifierKey> Publisher::keys() const {
  const std::lock_guard lock(state_->mutex);
  return state_->keys;
}

std::vector<Checkpoint> Publisher::past() const {
  const std::lock_guard lock(state_->mutex);
  return state_->past;
}

std::string Publisher::stopped() const {
  const std::lock_guard lock(state_->mutex);
  return state_->stopped;
}

std::string Publisher::problem() const {
  const std::lock_guard lock(state_->mutex);
  return state_->problem;
}

Result<std::shared_ptr<const Checkpoint>> Publisher::reach(std::uint64_t size, std::chrono::milliseconds bound) {
  if (auto now = latest(); now && now->head.size >= size) return now;
  if (size > 0 && !state_->journal.wait_beyond(size - 1, bound))
    return fail(Code::deadline_exceeded, "the journal has fewer than " + std::to_string(size) + " records on its disk");
  auto made = state_->make_and_tell();
  if (!made) return made;
  if (!*made || (*made)->head.size < size) return fail(Code::internal, "no checkpoint covers what is durable");
  return made;
}

void Publisher::on_publish(std::function<void(std::shared_ptr<const Checkpoint>)> told) {
  const std::lock_guard lock(state_->mutex);
  state_->told.push_back(std::move(told));
}

void Publisher::stop(std::chrono::milliseconds bound) {
  const std::lock_guard joining(state_->joining);
  if (!state_->thread.joinable()) return;
  {
    const std::lock_guard lock(state_->mutex);
    state_->ending = true;
  }
  state_->wake.notify_all();
  state_->thread.join();
  if (bound.count() > 0) (void)state_->make_and_tell();
}

}  // namespace fedgate::audit
