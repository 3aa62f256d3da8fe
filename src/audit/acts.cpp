// SPDX-License-Identifier: Apache-2.0
#include "audit/acts.h"

#include <algorithm>
#include <array>
#include <utility>

namespace fedgate::audit {

Acts::Acts(Journal& journal, NodeId own_id, const Clock& clock, const Entropy& entropy, const log::Logger& log,
           std::chrono::milliseconds patience)
    : journal_(journal), own_id_(std::move(own_id)), clock_(clock), entropy_(entropy), log_(log), patience_(patience) {}

AuditEvent Acts::event_of(const Act& act) const {
  AuditEvent event;
  event.type = act.type;
  event.phase = Phase::event;
  event.time = clock_.wall();
  event.origin = own_id_.str();
  event.target = act.subject;
  event.principal = act.who;
  event.action = act.action;
  event.reason = act.reason;
  event.duration = act.duration;
  return event;
}

AuditEvent Acts::intent_of(const Act& act) const {
  AuditEvent intent = event_of(act);
  intent.phase = Phase::intent;
  std::array<std::uint8_t, 10> random{};
  entropy_.fill(random);
  intent.correlation_id = CorrelationId::make(intent.time, random);
  return intent;
}

AuditEvent Acts::outcome_of(AuditEvent intent, const Result<void>& done) const {
  AuditEvent outcome = std::move(intent);
  outcome.phase = Phase::outcome;
  outcome.time = clock_.wall();
  if (done) {
    outcome.effect = Effect::succeeded;
    return outcome;
  }
  // A database that did not answer may have done it all the same.
  outcome.effect = done.error().code == Code::store_unavailable ? Effect::unknown : Effect::failed;
  outcome.error_code = done.error().info().wire_name;
  outcome.reason = done.error().detail;
  return outcome;
}

Task<Result<AuditEvent>> Acts::begin(Act act) {
  AuditEvent intent = intent_of(act);
  auto durable = co_await journal_.append(intent);
  if (!durable) co_return fail(durable.error().in("nothing was done, since it could not be recorded before"));
  co_return intent;
}

Result<AuditEvent> Acts::begin_blocking(const Act& act) {
  AuditEvent intent = intent_of(act);
  auto durable = journal_.append_within(intent, patience_);
  if (durable) return intent;
  const auto error = durable.error().in("nothing was done, since it could not be recorded before");
  // The intent may get there yet; then this stands behind it.
  journal_.append(outcome_of(std::move(intent), fail(error)), [](const Result<LeafReference>&) {});
  return fail(error);
}

Task<Result<void>> Acts::end(AuditEvent intent, Result<void> done) {
  auto durable = co_await journal_.append(outcome_of(std::move(intent), done));
  if (!durable) co_return fail(durable.error());
  co_return Result<void>{};
}

Result<void> Acts::end_blocking(const AuditEvent& intent, const Result<void>& done) {
  auto durable = journal_.append_within(outcome_of(intent, done), patience_);
  if (!durable) return fail(durable.error());
  return {};
}

Task<bool> Acts::note(Act act) {
  AuditEvent event = event_of(act);
  auto durable = co_await journal_.append(event);
  if (!durable) owe(std::move(event), durable.error());
  co_return durable.has_value();
}

bool Acts::note_blocking(const Act& act) {
  AuditEvent event = event_of(act);
  auto durable = journal_.append_within(event, patience_);
  // Late is not lost: it is in the journal's queue, and would be there twice.
  if (!durable && durable.error().code != Code::deadline_exceeded) owe(std::move(event), durable.error());
  return durable.has_value();
}

void Acts::owe(AuditEvent event, const Error& why) {
  log_.error("an operator's act is not in the trail yet",
             {{"action", event.action}, {"subject", event.target}, {"by", event.principal}, {"detail", why.detail}});
  const std::lock_guard lock(mutex_);
  if (owed_.size() < owed_max) owed_.push_back(std::move(event));
}

std::size_t Acts::owed() const {
  const std::lock_guard lock(mutex_);
  return owed_.size();
}

Task<> Acts::pay() {
  for (;;) {
    AuditEvent next;
    {
      const std::lock_guard lock(mutex_);
      if (owed_.empty()) co_return;
      next = owed_.front();
    }
    auto durable = co_await journal_.append(next);
    if (!durable) co_return;
    const std::lock_guard lock(mutex_);
    owed_.erase(owed_.begin());
  }
}

}  // namespace fedgate::audit
