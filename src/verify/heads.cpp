// SPDX-License-Identifier: Apache-2.0
#include "verify/heads.h"

#include <algorithm>
#include <map>
#include <ranges>

#include "base/hash.h"
#include "base/time_text.h"

namespace fedgate::verify {
namespace {

using Fit = HeadResult::Fit;
using Standing = HeadResult::Standing;

std::string size_text(const TreeHead& head) { return "the head of size " + std::to_string(head.size); }

std::string described(const HeadResult& result) {
  std::string who;
  for (const auto& signer : result.signers) who += (who.empty() ? "" : ", ") + signer;
  return size_text(result.head) + " (" + result.source + ", " +
         (who.empty() ? "signed by no known key" : "signed by " + who) + ")";
}

}  // namespace

Heads::Heads(Findings& findings, const std::string& log, const std::vector<ShownHead>& shown,
             const std::vector<Key>& trusted, const std::vector<Key>& claimed)
    : findings_(findings) {
  for (const auto& each : shown)
    if (each.note.origin == log) admit(each, trusted, claimed);
  std::ranges::sort(entries_, {}, [](const Entry& entry) { return entry.result.head.size; });
  seen_from_.resize(entries_.size());
  std::optional<WallTime> earliest;
  for (std::size_t i = entries_.size(); i-- > 0;) {
    if (const auto& seen = entries_[i].seen; seen && (!earliest || *seen < *earliest)) earliest = seen;
    seen_from_[i] = earliest;
  }
}

void Heads::admit(const ShownHead& shown, const std::vector<Key>& trusted, const std::vector<Key>& claimed) {
  Entry entry;
  entry.result.source = shown.source;
  entry.result.head = shown.note.head;
  bool known_key_failed = false;
  const auto look = [&](const Key& key, bool is_trusted) {
    // A log's key speaks for its own log only.
    if (key.role == KeyRole::log && key.name != shown.note.origin) return;
    const auto judged = judge(shown.note, key);
    if (judged.state == SignatureState::invalid) {
      known_key_failed = known_key_failed || is_trusted;
      findings_.add({is_trusted ? Grade::broken : Grade::irregular, Kind::signature_invalid, 0, 0,
                     shown.source + ": " + size_text(shown.note.head) + " bears a signature of " + key.name +
                         " that is not valid"});
    }
    if (judged.state != SignatureState::valid) return;
    std::string signer = key.name;
    if (judged.time) signer += " at " + utc_text(*judged.time);
    entry.result.signers.push_back(signer);
    if (key.role == KeyRole::log) entry.log_keys.push_back(key.text);
    if (!is_trusted) return;
    entry.by_trusted_log = entry.by_trusted_log || key.role == KeyRole::log;
    entry.by_trusted_witness = entry.by_trusted_witness || key.role == KeyRole::witness;
    if (judged.time && (!entry.seen || *judged.time < *entry.seen)) entry.seen = judged.time;
  };
  for (const auto& key : trusted) look(key, true);
  for (const auto& key : claimed)
    if (std::ranges::find(trusted, key) == trusted.end()) look(key, false);
  if (known_key_failed) return;  // a forged note is evidence of nothing
  const bool has_trusted = entry.by_trusted_log || entry.by_trusted_witness;
  entry.result.standing = has_trusted                              ? Standing::trusted
                          : shown.from == ShownHead::From::witness ? Standing::given
                                                                   : Standing::claimed;
  if (entry.result.signers.empty())
    findings_.add(
        {shown.from == ShownHead::From::witness ? Grade::note : Grade::irregular, Kind::head_unsigned, 0, 0,
         shown.source + ": " + size_text(shown.note.head) + " bears no signature of a key that is known here" +
             (shown.from == ShownHead::From::witness ? "; it is compared all the same, as you gave it" : "")});
  entries_.push_back(std::move(entry));
}

std::optional<std::uint64_t> Heads::next_size() const {
  if (next_ == entries_.size()) return std::nullopt;
  return entries_[next_].result.head.size;
}

void Heads::compare(const TreeHead& computed) {
  for (; next_ < entries_.size() && entries_[next_].result.head.size == computed.size; ++next_) {
    auto& result = entries_[next_].result;
    result.fit = result.head.root == computed.root ? Fit::matches : Fit::differs;
  }
}

std::optional<WallTime> Heads::seen_at(std::uint64_t index) const {
  // The first head that holds the leaf: next_ is never behind it.
  const auto holds = std::ranges::upper_bound(entries_, index, {}, [](const Entry& e) { return e.result.head.size; });
  return holds == entries_.end() ? std::nullopt : seen_from_[static_cast<std::size_t>(holds - entries_.begin())];
}

void Heads::rotated(std::uint64_t index, std::string_view next_key) {
  constexpr std::size_t rotations_at_most = 1000;
  if (rotations_.size() < rotations_at_most) rotations_.push_back({index, std::string(next_key)});
}

void Heads::trust_successors() {
  for (const auto& rotation : rotations_) {
    const auto names = [&](const std::string& vkey) { return vkey.ends_with("+" + rotation.next_key); };
    const bool vouched = std::ranges::any_of(entries_, [&](const Entry& entry) {
      return entry.result.head.size == rotation.index + 1 && entry.result.fit == Fit::matches && entry.by_trusted_log &&
             std::ranges::any_of(entry.log_keys, names);
    });
    if (!vouched) continue;
    for (auto& entry : entries_)
      if (entry.result.head.size > rotation.index && std::ranges::any_of(entry.log_keys, names)) {
        entry.by_trusted_log = true;
        entry.result.standing = Standing::trusted;
      }
  }
}

// One key, two histories: of the same size with different roots, or one that fits these leaves and a smaller one that
// does not. In one pass: a database may keep very many heads.
void Heads::find_forks(std::uint64_t leaves) {
  std::map<std::string, const Entry*, std::less<>> largest_fit, before;
  for (const auto& entry : entries_)
    for (const auto& key : entry.log_keys)
      if (entry.result.fit == Fit::matches) largest_fit[key] = &entry;
  for (const auto& entry : entries_) {
    for (const auto& key : entry.log_keys) {
      const Entry* other = nullptr;
      const auto fit = largest_fit.find(key);
      if (entry.result.fit == Fit::differs && fit != largest_fit.end() &&
          fit->second->result.head.size > entry.result.head.size)
        other = fit->second;
      const auto*& previous = before[key];
      if (previous != nullptr && previous->result.head.size == entry.result.head.size &&
          previous->result.head.root != entry.result.head.root)
        other = previous;
      previous = &entry;
      if (other != nullptr) return fork(entry.result, other->result, leaves);  // one pair proves it
    }
  }
}

void Heads::fork(const HeadResult& a, const HeadResult& b, std::uint64_t leaves) {
  const auto size = std::min(a.head.size, b.head.size);
  std::string text =
      "the log's key has signed two histories that exclude each other: " + described(a) + " and " + described(b);
  if (leaves >= b.head.size && b.fit == Fit::matches) text += "; the leaves here are those of the second";
  if (a.fit == Fit::matches) text += "; the leaves here are those of the first";
  findings_.add({Grade::broken, Kind::fork, 0, size == 0 ? 0 : size - 1, std::move(text)});
}

void Heads::find_altered_range() {
  // Heads that somebody vouches for first; those that came with the log prove the least.
  const auto differs = [&](auto wanted) {
    return std::ranges::find_if(entries_, [&](const Entry& e) { return e.result.fit == Fit::differs && wanted(e); });
  };
  auto first = differs([](const Entry& e) { return e.result.standing != Standing::claimed; });
  if (first == entries_.end()) first = differs([](const Entry&) { return true; });
  if (first == entries_.end()) return;
  const bool weak = first->result.standing == Standing::claimed;
  std::uint64_t proven = 0;
  for (const auto& entry : entries_)
    if (entry.result.fit == Fit::matches && (weak || entry.result.standing == Standing::trusted) &&
        entry.result.head.size <= first->result.head.size)
      proven = std::max(proven, entry.result.head.size);
  const auto size = first->result.head.size;
  const bool rehashed = std::ranges::any_of(entries_, [&](const Entry& e) {
    return e.result.fit == Fit::matches && e.result.standing == Standing::claimed && e.result.head.size >= size;
  });
  std::string text = "leaves " + std::to_string(proven) + " to " + std::to_string(size == 0 ? 0 : size - 1) +
                     " are not those of " + described(first->result);
  if (proven == size) text = "the leaves are not those of " + described(first->result);
  if (rehashed)
    text += "; the log's own head does fit them: the log was replaced, from leaf " + std::to_string(proven) +
            " on at the earliest, and hashed anew";
  if (findings_.any_broken_in(proven, size == 0 ? 0 : size - 1))
    text += "; what is named in this range explains it, or a part of it";
  findings_.add({Grade::broken, Kind::range_altered, proven, size == 0 ? 0 : size - 1, std::move(text)});
}

void Heads::find_truncation(std::uint64_t leaves) {
  if (entries_.empty()) return;
  const auto& largest = entries_.back().result;
  if (largest.head.size <= leaves) return;
  findings_.add({Grade::broken, Kind::truncated, leaves, largest.head.size - 1,
                 "leaves " + std::to_string(leaves) + " to " + std::to_string(largest.head.size - 1) +
                     " are not here, but were signed: " + described(largest) +
                     ". The end was cut off, or this is an older copy"});
}

void Heads::finish(std::uint64_t leaves, Report& report) {
  for (auto& entry : entries_)
    if (entry.result.head.size > leaves) entry.result.fit = Fit::beyond;
  trust_successors();
  find_altered_range();
  find_forks(leaves);
  find_truncation(leaves);
  std::size_t unknown = 0;
  for (const auto& entry : entries_) {
    unknown += entry.result.fit == Fit::unknown ? 1U : 0U;
    if (entry.result.fit != Fit::matches) continue;
    if (entry.by_trusted_witness) report.witnessed = std::max(report.witnessed, entry.result.head.size);
    if (entry.by_trusted_log) report.signed_by_log = std::max(report.signed_by_log, entry.result.head.size);
  }
  if (unknown > 0)
    findings_.add({Grade::note, Kind::head_unproven, 0, 0,
                   std::to_string(unknown) + (unknown == 1 ? " head" : " heads") +
                       " could not be compared: leaves below are missing or out of place"});
  if (entries_.empty())
    findings_.add({Grade::note, Kind::heads_missing, 0, 0,
                   "nothing that is signed says anything of this log: that its leaves hang together proves nothing"});
  for (auto& entry : entries_) report.heads.push_back(std::move(entry.result));
}

}  // namespace fedgate::verify
