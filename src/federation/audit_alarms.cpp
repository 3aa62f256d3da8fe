// SPDX-License-Identifier: Apache-2.0
#include "federation/audit_alarms.h"

#include <array>
#include <utility>

namespace fedgate::federation {
namespace {

constexpr std::chrono::seconds disk_patience{5};
constexpr std::array kinds{AlarmKind::stale_cosigning, AlarmKind::fork, AlarmKind::vanished_log, AlarmKind::lost_state};

AuditEvent event_of(const AlarmPlace& place, const NodeId& own, const std::string& reason, WallTime now) {
  AuditEvent event;
  event.type = EventType::security_violation;
  event.time = now;
  event.origin = place.node.str();
  event.target = own.str();
  event.action = "audit_" + std::string(to_string(place.kind));
  event.resource = place.subject;
  event.error_code = code_info(Code::conflict).wire_name;
  event.reason = reason;
  return event;
}

}  // namespace

std::string_view to_string(AlarmKind kind) {
  switch (kind) {
    case AlarmKind::stale_cosigning:
      return "stale_cosigning";
    case AlarmKind::fork:
      return "fork";
    case AlarmKind::vanished_log:
      return "vanished_log";
    case AlarmKind::lost_state:
      return "lost_state";
  }
  return "fork";
}

Result<AlarmKind> alarm_kind_from(std::string_view text) {
  for (const auto kind : kinds)
    if (to_string(kind) == text) return kind;
  return fail(Code::bad_request, "no alarm is called that: " + std::string(text.substr(0, 64)));
}

AuditAlarms::AuditAlarms(store::Store& store, audit::Journal& journal, NodeId own_id, const Clock& clock,
                         const log::Logger& log, Metrics& metrics)
    : records_(store), journal_(journal), own_id_(std::move(own_id)), clock_(clock), log_(log), metrics_(metrics) {}

void AuditAlarms::raise(const AlarmPlace& place, std::string reason, std::string evidence) {
  const std::lock_guard one(changing_);
  // What was raised before a restart is not raised again.
  if (!loaded_)
    if (auto looked = look_now(); !looked) log_.warning("alarms cannot be read", {{"detail", looked.error().detail}});
  if (raised(place)) return;
  const auto now = clock_.wall();
  Open open{{.kind = std::string(to_string(place.kind)),
             .node = place.node.str(),
             .subject = place.subject,
             .reason = std::move(reason),
             .evidence = std::move(evidence),
             .raised_at = now},
            false};
  log_.error("audit alarm", {{"kind", open.record.kind},
                             {"node", open.record.node},
                             {"log", open.record.subject},
                             {"detail", open.record.reason}});
  // The trail first: what dies in between is seen and recorded again.
  const auto durable = journal_.append_within(event_of(place, own_id_, open.record.reason, now), disk_patience);
  if (!durable) log_.error("an audit alarm is not in the trail yet", {{"detail", durable.error().detail}});
  const auto stored = records_.put_alarm(open.record);
  if (!stored) log_.error("an audit alarm is not stored yet", {{"detail", stored.error().detail}});
  open.stored = stored.has_value();
  const std::lock_guard lock(mutex_);
  open_[place] = std::move(open);
  measure();
}

Result<bool> AuditAlarms::settle(const AlarmPlace& place, const std::string& by) {
  const std::lock_guard one(changing_);
  const auto settled = records_.settle_alarm(
      {.kind = std::string(to_string(place.kind)), .node = place.node.str(), .subject = place.subject}, clock_.wall(),
      by);
  if (!settled) return settled;
  log_.info("audit alarm settled",
            {{"kind", to_string(place.kind)}, {"node", place.node.view()}, {"log", place.subject}, {"by", by}});
  const std::lock_guard lock(mutex_);
  const bool known = open_.erase(place) > 0;
  measure();
  return known || *settled;
}

Result<void> AuditAlarms::look() {
  const std::lock_guard one(changing_);
  return look_now();
}

/// With changing_ held.
Result<void> AuditAlarms::look_now() {
  std::map<AlarmPlace, Open> known;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [place, open] : open_)
      if (!open.stored) known[place] = open;
  }
  for (auto& [place, open] : known) {
    if (auto stored = records_.put_alarm(open.record); !stored) return stored;
    open.stored = true;
  }
  auto recorded = records_.alarms();
  if (!recorded) return fail(recorded.error());
  std::map<AlarmPlace, Open> now;
  for (auto& record : *recorded) {
    const auto kind = alarm_kind_from(record.kind);
    auto node = NodeId::parse(record.node);
    if (record.settled_at || !kind || !node) continue;
    AlarmPlace place{*kind, std::move(*node), record.subject};
    now[std::move(place)] = {std::move(record), true};
  }
  const std::lock_guard lock(mutex_);
  open_ = std::move(now);
  loaded_ = true;
  measure();
  return {};
}

bool AuditAlarms::raised(const AlarmPlace& place) const {
  const std::lock_guard lock(mutex_);
  return open_.contains(place);
}

std::size_t AuditAlarms::open() const {
  const std::lock_guard lock(mutex_);
  return open_.size();
}

std::vector<std::string> AuditAlarms::attention() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> lines;
  for (const auto& [place, open] : open_)
    lines.push_back("audit alarm (" + open.record.kind + ", " + open.record.subject + "): " + open.record.reason);
  return lines;
}

void AuditAlarms::measure() const {
  std::array<std::size_t, kinds.size()> counts{};
  for (const auto& [place, open] : open_) ++counts[static_cast<std::size_t>(place.kind)];
  for (const auto kind : kinds)
    metrics_.audit_alarms(to_string(kind)).Set(static_cast<double>(counts[static_cast<std::size_t>(kind)]));
}

}  // namespace fedgate::federation
