// SPDX-License-Identifier: Apache-2.0
#include "audit/journal.h"

#include <algorithm>
#include <array>
#include <future>

#include "audit/journal_state.h"
#include "audit/journal_tree.h"
#include "base/scheduling.h"

namespace fedgate::audit {
namespace {

// So small that a few of them fit into journal_max, or nothing could ever be removed.
JournalOptions fitting(JournalOptions options) {
  options.segment_bytes = std::min(options.segment_bytes, options.max_bytes / 4);
  return options;
}

Result<void> check(const JournalOptions& options) {
  if (options.log_name.empty() || options.log_name.size() > log_name_max_bytes)
    return fail(Code::invalid_configuration, "a log's name has 1 to " + std::to_string(log_name_max_bytes) +
                                                 " bytes: " + options.log_name.substr(0, 64));
  if (options.directory.empty())
    return fail(Code::invalid_configuration, "the journal needs a directory (audit.journal)");
  return {};
}

}  // namespace

Journal::Journal(std::unique_ptr<State> state) : state_(std::move(state)) {}

Journal::~Journal() { close(); }

Result<std::unique_ptr<Journal>> Journal::open(Disk& disk, const JournalOptions& options, const Clock& clock,
                                               const Entropy& entropy, const log::Logger& log, Metrics& metrics) {
  if (auto fits = check(options); !fits) return fail(fits.error());
  auto state = std::make_unique<State>(disk, fitting(options), clock, entropy, log, metrics);
  if (auto made = disk.make_directory(options.directory); !made) return fail(made.error().in("journal"));
  auto locked = disk.lock(options.directory + "/lock");
  if (!locked) return fail(locked.error().in("journal"));
  state->lock = std::move(*locked);
  auto files = SegmentFiles::open(disk, state->options, state->intents, log);
  if (!files) return fail(files.error().in("journal"));
  state->files = std::move(*files);
  for (const auto& intent : state->intents.list()) {
    auto event = event_of(intent.leaf);
    if (!event) return fail(event.error().in("journal"));
    state->found_open.push_back(std::move(*event));
  }
  state->intents_open = state->intents.size();
  state->segments = state->files->segments();
  state->next = state->durable = state->files->next_index();
  state->shipped_at = state->cosigned_at = clock.wall();
  auto tree = open_tree(disk, *state->files, state->options, log);
  if (!tree) return fail(tree.error().in("journal"));
  state->tree = std::move(*tree);
  state->writer = std::thread([own = state.get()] {
    never_preempt();
    own->run();
  });
  return std::unique_ptr<Journal>(new Journal(std::move(state)));
}

PreparedRecord Journal::State::prepare(const AuditEvent& event) const {
  std::array<std::uint8_t, 16> nonce{};
  entropy.fill(nonce);
  const bool hidden = options.principals == Principals::hashed && options.salts != nullptr;
  PreparedRecord record{draft_leaf(hidden ? options.salts->veiled(event) : event, options.log_name, nonce), event.phase,
                        std::nullopt};
  if (event.phase != Phase::event && event.correlation_id) record.call = CallKey::of(event);
  return record;
}

Result<void> Journal::State::admit(const PreparedRecord& record) const {
  if (closing) return fail(Code::audit_unavailable, "the journal is closed");
  if (failing) return fail(Code::audit_unavailable, problem);
  if (waiting >= options.queue)
    return fail(Code::overloaded,
                std::to_string(waiting) + " records wait for the journal's disk (" + options.directory + ")");
  if (record.phase == Phase::intent && intents_open.load(std::memory_order_relaxed) >= options.open_intents)
    return fail(Code::overloaded, std::to_string(options.open_intents) +
                                      " calls with effects have an intent in the journal and no outcome");
  return {};
}

// With the mutex held.
void Journal::State::place(const PreparedRecord& record, std::unique_ptr<Waiter> waiter) {
  if (queue.empty() || queue.back().bytes.size() >= batch_bytes) {
    queue.push_back(std::exchange(spare, {}));
    queue.back().first = next;
  }
  auto& batch = queue.back();
  const auto offset = batch.bytes.size();
  batch.bytes.append(record_overhead, '\0');
  append_leaf(batch.bytes, record.draft, next);
  const auto size = batch.bytes.size() - offset - record_overhead;
  batch.records.push_back({offset, size, record.phase, record.call, std::move(waiter)});
  ++next;
  ++waiting;
  ++queued;
}

// With the mutex held. An outcome that is refused does not come again.
void Journal::State::lose(const PreparedRecord& record) {
  if (closing || record.phase != Phase::outcome || !record.call) return;
  // Whether it has an intent is not known here unless the disk fails; settle() knows.
  const bool has_intent = failing ? open_when_failing.contains(*record.call) : abandoned.size() < options.open_intents;
  if (has_intent) abandoned.emplace(*record.call, outcome_refused);
}

Result<void> Journal::State::enqueue(const PreparedRecord& record, std::unique_ptr<Waiter>& waiter) {
  bool wake = false;
  {
    const std::lock_guard guard(mutex);
    if (auto admitted = admit(record); !admitted) {
      lose(record);
      return admitted;
    }
    place(record, std::move(waiter));
    wake = queued == wake_at;
  }
  if (wake) work.notify_one();
  return {};
}

Task<Result<LeafReference>> Journal::append(const AuditEvent& event) {
  const auto record = state_->prepare(event);
  Result<LeafReference> result = fail(Code::internal, "the journal has not answered");
  co_await asio::async_initiate<const asio::use_awaitable_t<Executor>&, void()>(
      [this, &record, &result](auto handler) {
        using Handler = std::decay_t<decltype(handler)>;
        std::unique_ptr<Waiter> waiter = std::make_unique<HandlerWaiter<Handler>>(std::move(handler), result);
        const auto queued = state_->enqueue(record, waiter);
        if (queued) return;
        state_->metrics.audit_refusals().Increment();
        waiter->answer(fail(queued.error()));
        Resumptions resumptions;
        resumptions.add(std::move(waiter));
        resumptions.post();
      },
      use_task);
  co_return result;
}

void Journal::append(const AuditEvent& event, std::function<void(Result<LeafReference>)> done) {
  std::unique_ptr<Waiter> waiter = std::make_unique<FunctionWaiter>(std::move(done));
  const auto queued = state_->enqueue(state_->prepare(event), waiter);
  if (queued) return;
  state_->metrics.audit_refusals().Increment();
  waiter->answer(fail(queued.error()));
}

Result<LeafReference> Journal::append_within(const AuditEvent& event, std::chrono::milliseconds bound) {
  const auto answer = std::make_shared<std::promise<Result<LeafReference>>>();
  auto durable = answer->get_future();
  append(event, [answer](Result<LeafReference> result) { answer->set_value(std::move(result)); });
  if (durable.wait_for(bound) == std::future_status::ready) return durable.get();
  return fail(Code::deadline_exceeded, "the journal's disk has not answered for " + std::to_string(bound.count()) +
                                           " ms (" + state_->options.directory + "); the record may still get there");
}

const std::vector<AuditEvent>& Journal::open_intents() const { return state_->found_open; }

void Journal::settle_found(std::chrono::milliseconds bound) {
  if (state_->found_open.empty()) return;
  state_->log.warning("calls were open when the gateway ended; their outcome is unknown",
                      {{"calls", state_->found_open.size()}});
  std::uint64_t last = 0;
  {
    const std::lock_guard guard(state_->mutex);
    for (const auto& intent : state_->found_open)
      state_->abandoned.emplace(CallKey::of(intent), "the gateway ended before the outcome was recorded");
    last = state_->next + state_->found_open.size() - 1;
  }
  state_->work.notify_one();
  wait_beyond(last, bound);
}

Result<std::vector<std::string>> Journal::read(std::uint64_t from, std::size_t count, std::size_t bytes) {
  const std::lock_guard one(state_->reading);
  std::uint64_t durable = 0;
  std::vector<SegmentPlace> segments;
  {
    const std::lock_guard guard(state_->mutex);
    durable = state_->durable;
    segments = state_->segments;
  }
  return state_->reader.read(from, durable, count, bytes, segments);
}

bool Journal::wait_beyond(std::uint64_t index, std::chrono::milliseconds time, std::stop_token stop) {
  std::unique_lock guard(state_->mutex);
  state_->progress.wait_for(guard, std::move(stop), time, [&] {
    if (state_->durable > index || state_->closing) return true;
    state_->wanted = std::min(state_->wanted, index);
    return false;
  });
  return state_->durable > index;
}

void Journal::shipped(std::uint64_t below) {
  const std::lock_guard guard(state_->mutex);
  // Less than before: it is another database, or was set back.
  const bool more = below > state_->shipped;
  state_->shipped = below;
  if (!more) return;
  state_->shipped_at = state_->clock.wall();
  state_->try_again_if_full();
}

void Journal::cosigned(std::uint64_t below) {
  const std::lock_guard guard(state_->mutex);
  if (below <= state_->cosigned) return;
  state_->cosigned = below;
  state_->cosigned_at = state_->clock.wall();
  state_->try_again_if_full();
}

void Journal::witnesses(Witnesses there) {
  const std::lock_guard guard(state_->mutex);
  if (there == state_->witnesses) return;
  state_->witnesses = there;
  state_->cosigned_at = state_->clock.wall();
  state_->try_again_if_full();
}

std::uint64_t Journal::prunable() const {
  const std::lock_guard guard(state_->mutex);
  return state_->prunable();
}

// With the mutex held.
std::uint64_t Journal::State::prunable() const {
  return witnesses == Witnesses::none ? shipped : std::min(shipped, cosigned);
}

// With the mutex held.
void Journal::State::try_again_if_full() {
  if (!full) return;
  probe_now = true;
  work.notify_one();
}

MerkleTree& Journal::tree() { return *state_->tree; }

JournalState Journal::state() const {
  const std::lock_guard guard(state_->mutex);
  const bool closed = state_->closing && state_->waiting == 0;
  JournalState now{.next_index = state_->next,
                   .durable = state_->durable,
                   .closed = closed,
                   .failing = state_->failing,
                   .problem = state_->problem};
  if (!state_->segments.empty()) now.first = state_->segments.front().first;
  for (const auto& segment : state_->segments) now.bytes += segment.bytes;
  return now;
}

const std::string& Journal::log_name() const { return state_->options.log_name; }

void Journal::close() {
  const std::lock_guard once(state_->ending);
  {
    const std::lock_guard guard(state_->mutex);
    state_->closing = true;
  }
  state_->work.notify_one();
  state_->progress.notify_all();
  if (!state_->writer.joinable()) return;
  state_->writer.join();
  state_->sync_tree();
}

}  // namespace fedgate::audit
