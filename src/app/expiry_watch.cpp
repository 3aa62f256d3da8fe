// SPDX-License-Identifier: Apache-2.0
#include "app/expiry_watch.h"

#include <algorithm>
#include <map>
#include <tuple>

#include "base/time_text.h"

namespace fedgate::app {

namespace {

std::string sentence(const trust::Expiring& thing, WallTime now) {
  const std::string what = thing.subject + ": " + thing.what;
  if (thing.ends <= now) return what + " ended on " + utc_text(thing.ends);
  const auto days = static_cast<long>(trust::days_left(thing.ends, now));
  return what + " ends on " + utc_text(thing.ends) + ", in " + std::to_string(days) + (days == 1 ? " day" : " days");
}

}  // namespace

std::chrono::seconds first_mark(std::span<const std::chrono::seconds> marks) {
  return marks.empty() ? std::chrono::seconds(0) : std::ranges::max(marks);
}

void ExpiryWatch::measure(std::span<const trust::Expiring> things, WallTime now) {
  std::map<Gauge, WallTime> ends;
  for (const auto& thing : things) {
    const auto [known, is_new] = ends.try_emplace({thing.subject, thing.kind}, thing.ends);
    if (!is_new) known->second = std::min(known->second, thing.ends);
  }
  for (const auto& [gauge, end] : ends)
    metrics_.certificate_expiry_days(gauge.first, to_string(gauge.second)).Set(trust::days_left(end, now));
  for (const auto& gauge : gauges_)
    if (!ends.contains(gauge)) metrics_.forget_certificate_expiry_days(gauge.first, to_string(gauge.second));
  gauges_.clear();
  for (const auto& entry : ends) gauges_.insert(entry.first);
}

void ExpiryWatch::look(std::span<const trust::Expiring> things, std::span<const std::chrono::seconds> marks,
                       WallTime now) {
  const std::lock_guard lock(mutex_);
  measure(things, now);
  for (const auto& due : warnings_.due(things, marks, now))
    log_.warning("something ends",
                 {{"what", sentence(due.thing, now)}, {"days_left", trust::days_left(due.thing.ends, now)}});
  std::vector<trust::Expiring> soon;
  for (const auto& thing : things)
    if (thing.ends - now <= first_mark(marks) && std::ranges::find(soon, thing) == soon.end()) soon.push_back(thing);
  std::ranges::sort(soon, {}, [](const trust::Expiring& one) { return std::tie(one.ends, one.subject, one.what); });
  attention_.clear();
  for (const auto& thing : soon) {
    if (attention_.size() == most_lines) break;
    attention_.push_back(sentence(thing, now));
  }
  if (soon.size() > most_lines)
    attention_.push_back(std::to_string(soon.size() - most_lines) + " more certificates and lists end soon: metrics");
}

std::vector<std::string> ExpiryWatch::attention() const {
  const std::lock_guard lock(mutex_);
  return attention_;
}

}  // namespace fedgate::app
