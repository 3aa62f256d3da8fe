// SPDX-License-Identifier: Apache-2.0
#include "verify/calls.h"

#include <algorithm>
#include <cstring>

#include "base/hash.h"
#include "base/time_text.h"

namespace fedgate::verify {
namespace {

constexpr std::size_t first_slots = 1024;

/// The parties belong to it: a peer may use our correlation id for a call of its own.
std::uint64_t fingerprint_of(const Record& record) {
  std::string key(record.correlation_id);
  key.append("\n").append(std::to_string(record.attempt)).append("\n");
  key.append(record.origin).append("\n").append(record.target);
  const auto hash = sha256(key);
  std::uint64_t fingerprint = 0;
  std::memcpy(&fingerprint, hash.data(), sizeof fingerprint);
  return fingerprint == 0 ? 1 : fingerprint;  // 0 marks a free slot
}

std::string named(const Record& record) {
  return "leaf " + std::to_string(record.index) + " (call " + std::string(record.correlation_id) + ")";
}

}  // namespace

Calls::Calls(Findings& findings, std::string_view log)
    : findings_(findings), node_(log.substr(0, log.find('/'))), first_generation_(log.ends_with("/1")) {}

bool FingerprintSet::insert(std::uint64_t fingerprint) {
  if (used_ * 4 >= slots_.size() * 3) grow();
  for (auto at = fingerprint & (slots_.size() - 1);; at = (at + 1) & (slots_.size() - 1)) {
    if (slots_[at] == fingerprint) return false;
    if (slots_[at] != 0) continue;
    slots_[at] = fingerprint;
    ++used_;
    return true;
  }
}

bool FingerprintSet::contains(std::uint64_t fingerprint) const {
  if (slots_.empty()) return false;
  for (auto at = fingerprint & (slots_.size() - 1); slots_[at] != 0; at = (at + 1) & (slots_.size() - 1))
    if (slots_[at] == fingerprint) return true;
  return false;
}

void FingerprintSet::grow() {
  const auto old = std::exchange(slots_, std::vector<std::uint64_t>(std::max(first_slots, slots_.size() * 2)));
  used_ = 0;
  for (const auto fingerprint : old)
    if (fingerprint != 0) insert(fingerprint);
}

void Calls::add(const Record& record) {
  check_time(record);
  check_reference(record);
  if (!record.correlation_id.empty() && record.phase != "event") check_call(record);
}

void Calls::check_time(const Record& record) {
  const bool behind = latest_ && record.time + tolerance < *latest_;
  // An operator's act that could not be recorded at once is recorded later, with its own time.
  const auto grade = record.phase == "event" ? Grade::note : Grade::irregular;
  if (behind && !behind_)
    findings_.add({grade, Kind::time_backwards, record.index, record.index,
                   "leaf " + std::to_string(record.index) + " says " + utc_text(record.time) +
                       ", after one that said " + utc_text(*latest_)});
  behind_ = behind;
  latest_ = std::max(latest_.value_or(record.time), record.time);
}

void Calls::check_call(const Record& record) {
  const auto call = fingerprint_of(record);
  const auto twice = [&](std::string_view what) {
    findings_.add({Grade::irregular, Kind::duplicate_record, record.index, record.index,
                   named(record) + ": " + std::string(what)});
  };
  if (record.phase == "intent") {
    if (open_.contains(call)) return twice("a second intent of one attempt");
    if (settled_.contains(call)) return twice("an intent after its outcome");
    open_.emplace(call, record.index);
    return;
  }
  const bool had_intent = open_.erase(call) > 0;
  // What was turned down had no effect; the same call may come again and be turned down again.
  const bool may_have_acted = record.outcome == "succeeded" || record.outcome == "unknown";
  if (!may_have_acted && !had_intent) return;
  const bool needs_intent = record.access == "write" || record.access.empty();  // operators' acts have no access
  if (!settled_.insert(call)) return twice("a second outcome of one attempt");
  // What was open when a generation ended is settled in the next.
  const bool before_this_log = !first_generation_ && record.outcome == "unknown";
  if (may_have_acted && needs_intent && !had_intent && whole_ && !before_this_log)
    findings_.add({Grade::irregular, Kind::intent_missing, record.index, record.index,
                   named(record) + ": an outcome (" + std::string(record.outcome) +
                       ") of what had effects, and no intent before it"});
}

void Calls::check_reference(const Record& record) {
  if (record.phase == "event") return;
  if (!record.counterparty_readable) {
    findings_.add({Grade::irregular, Kind::reference_malformed, record.index, record.index,
                   "leaf " + std::to_string(record.index) + ": what it says of the other side's leaf cannot be read"});
    return;
  }
  if (!record.counterparty) return;
  const auto& log = record.counterparty->log;
  const auto other = record.origin == node_ ? record.target : record.origin;
  if (log.starts_with(std::string(other) + "/") && other != node_) return;
  findings_.add({Grade::irregular, Kind::reference_malformed, record.index, record.index,
                 "leaf " + std::to_string(record.index) + ": it refers to " + log +
                     ", which is not a log of the call's other party " + std::string(other)});
}

std::uint64_t Calls::finish() {
  if (open_.empty()) return 0;
  const auto first = std::ranges::min_element(open_, {}, [](const auto& entry) { return entry.second; })->second;
  findings_.add({Grade::note, Kind::intent_open, first, first,
                 std::to_string(open_.size()) + (open_.size() == 1 ? " intent has" : " intents have") +
                     " no outcome here yet, the first at leaf " + std::to_string(first)});
  return open_.size();
}

}  // namespace fedgate::verify
