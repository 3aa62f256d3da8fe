// SPDX-License-Identifier: Apache-2.0
#include "federation/comparison.h"

#include <algorithm>
#include <numeric>
#include <set>
#include <utility>

namespace fedgate::federation {

namespace {

using wire::TrailRecord;
using Records = std::span<const TrailRecord>;

/// One side's records of one attempt.
struct Half {
  const TrailRecord* intent = nullptr;
  const TrailRecord* outcome = nullptr;
  bool twice = false;
  [[nodiscard]] bool empty() const { return intent == nullptr && outcome == nullptr; }
  [[nodiscard]] const TrailRecord& any() const { return outcome != nullptr ? *outcome : *intent; }
};

constexpr std::string_view unknown_outcome = "unknown";
constexpr std::string_view refused_duplicate = "duplicate_call";

Half half_of(Records records, std::uint32_t attempt) {
  Half half;
  for (const auto& record : records) {
    if (record.attempt != attempt) continue;
    auto*& place = record.phase == Phase::intent ? half.intent : half.outcome;
    if (place == nullptr) {
      place = &record;
    } else if (record.code == refused_duplicate) {
      // Somebody sent the call again, and that was refused: another event, of the same id.
    } else if (place->outcome == unknown_outcome || place->code == refused_duplicate) {
      place = &record;  // settled after a fault, and the true one was there all the same
    } else if (record.outcome != unknown_outcome) {
      half.twice = true;
    }
  }
  return half;
}

/// Whether the leaf that one side saw is one that the other shows.
bool shown(const LeafReference& seen, Records others) {
  return std::ranges::any_of(others, [&](const TrailRecord& one) {
    return one.log == seen.log && one.index == seen.index && one.leaf_hash == seen.hash;
  });
}

/// Gathers the differences of two records of the same thing.
class Differences {
 public:
  explicit Differences(CallVerdict& verdict) : verdict_(verdict) {}

  void compare(const TrailRecord& here, const TrailRecord& there) {
    // What was refused early was not read whole: then only what both have is compared.
    const bool whole = here.outcome == "succeeded" || there.outcome == "succeeded" || here.phase == Phase::intent;
    const auto field = [&](const char* name, const std::string& ours, const std::string& theirs) {
      if (ours != theirs && (whole || (!ours.empty() && !theirs.empty()))) differ(name, ours, theirs);
    };
    field("origin", here.origin, there.origin);
    field("target", here.target, there.target);
    // A side may keep people as keyed hashes, which nobody else can compare; call_hash covers them.
    const auto person = [&](const char* name, const std::string& ours, const std::string& theirs) {
      const auto hashed = [](const std::string& text) { return text.starts_with("hmac:"); };
      if (!hashed(ours) && !hashed(theirs)) field(name, ours, theirs);
    };
    person("principal", here.principal, there.principal);
    person("actor", here.actor, there.actor);
    field("resource", here.resource, there.resource);
    field("capability", here.capability, there.capability);
    field("call_hash", here.call_hash, there.call_hash);
    if (here.outcome == unknown_outcome || there.outcome == unknown_outcome) return;
    if (here.outcome != there.outcome) differ("outcome", here.outcome, there.outcome);
    if (here.code != there.code) differ("code", here.code, there.code);
  }
  void leaf(const TrailRecord* record, Records others) {
    if (record == nullptr || !record->counterparty || shown(*record->counterparty, others)) return;
    add("leaf", "of the other side " + record->counterparty->log + " " + std::to_string(record->counterparty->index) +
                    " was seen with another content than it has now");
  }
  void add(const std::string& name, const std::string& what) {
    if (std::ranges::find(verdict_.fields, name) == verdict_.fields.end()) verdict_.fields.push_back(name);
    verdict_.standing = Agreement::differs;
    verdict_.detail += (verdict_.detail.empty() ? "" : "; ") + name + ": " + what;
  }

 private:
  void differ(const char* name, const std::string& here, const std::string& there) {
    add(name, "here " + (here.empty() ? "nothing" : here) + ", there " + (there.empty() ? "nothing" : there));
  }
  CallVerdict& verdict_;
};

CallVerdict one_sided(CallVerdict verdict, const Half& half, bool ours, const Sides& sides) {
  const TrailRecord& record = half.any();
  const std::string& holder = ours ? sides.own.str() : sides.peer.str();
  const std::string& other = ours ? sides.peer.str() : sides.own.str();
  if (record.origin == holder) {
    if (half.outcome == nullptr || half.outcome->outcome == unknown_outcome) {
      verdict.standing = Agreement::unknown;
      verdict.detail = holder + " does not know how it ended, and " + other + " has no record of it";
      return verdict;
    }
    const bool nothing_happened = half.outcome->outcome == "not_sent" || half.outcome->outcome == "failed";
    // Without a leaf of the other side there is no sign that the call ever arrived.
    if (nothing_happened && !half.outcome->counterparty) return verdict;
  }
  verdict.standing = ours ? Agreement::missing_there : Agreement::missing_here;
  verdict.detail = other + " has no record of it";
  return verdict;
}

CallVerdict both_sided(CallVerdict verdict, const Half& here, const Half& there, Records ours, Records theirs,
                       const Sides& sides) {
  if (here.outcome == nullptr || there.outcome == nullptr) {
    const bool ours_lacks = here.outcome == nullptr;
    verdict.standing = ours_lacks && there.outcome == nullptr ? Agreement::unknown
                       : ours_lacks                           ? Agreement::missing_here
                                                              : Agreement::missing_there;
    verdict.detail = verdict.standing == Agreement::unknown
                         ? "neither side has an outcome"
                         : (ours_lacks ? sides.own : sides.peer).str() + " has no record of how it ended";
    return verdict;
  }
  Differences differences(verdict);
  differences.compare(*here.outcome, *there.outcome);
  if (here.intent != nullptr && there.intent != nullptr) differences.compare(*here.intent, *there.intent);
  for (const auto* record : {here.intent, here.outcome}) differences.leaf(record, theirs);
  for (const auto* record : {there.intent, there.outcome}) differences.leaf(record, ours);
  if (here.twice || there.twice) differences.add("outcome", "recorded twice");
  if (verdict.standing == Agreement::differs) return verdict;
  const bool write = here.outcome->access == "write" && there.outcome->access == "write";
  if (write && (here.intent == nullptr) != (there.intent == nullptr) && here.outcome->outcome == "succeeded") {
    verdict.standing = here.intent == nullptr ? Agreement::missing_here : Agreement::missing_there;
    verdict.detail = (here.intent == nullptr ? sides.own : sides.peer).str() + " has no intent of it";
  } else if (here.outcome->outcome == unknown_outcome || there.outcome->outcome == unknown_outcome) {
    verdict.standing = Agreement::unknown;
    verdict.detail = "here " + here.outcome->outcome + ", there " + there.outcome->outcome;
  }
  return verdict;
}

CallVerdict compare_attempt(const CorrelationId& id, std::uint32_t attempt, Records ours, Records theirs,
                            const Sides& sides) {
  const Half here = half_of(ours, attempt), there = half_of(theirs, attempt);
  CallVerdict verdict;
  verdict.correlation_id = id;
  verdict.attempt = attempt;
  verdict = here.empty()    ? one_sided(std::move(verdict), there, false, sides)
            : there.empty() ? one_sided(std::move(verdict), here, true, sides)
                            : both_sided(std::move(verdict), here, there, ours, theirs, sides);
  const bool incomplete = verdict.standing == Agreement::missing_here || verdict.standing == Agreement::missing_there ||
                          here.outcome == nullptr || there.outcome == nullptr;
  if (incomplete && verdict.standing != Agreement::agrees && id.time() >= sides.settled) {
    verdict.standing = Agreement::pending;
    verdict.detail = "it may still run: " + verdict.detail;
  }
  return verdict;
}

}  // namespace

std::string_view to_string(Agreement standing) {
  constexpr std::array<std::string_view, 6> names{"agrees",        "differs", "missing_here",
                                                  "missing_there", "unknown", "pending"};
  return names.at(static_cast<std::size_t>(standing));
}

std::vector<CallVerdict> compare_call(Records ours, Records theirs, const Sides& sides) {
  std::set<std::uint32_t> attempts;
  for (const auto& side : {ours, theirs})
    for (const auto& record : side) attempts.insert(record.attempt);
  std::vector<CallVerdict> verdicts;
  const CorrelationId id = ours.empty() && theirs.empty() ? CorrelationId()
                           : ours.empty()                 ? theirs.front().correlation_id
                                                          : ours.front().correlation_id;
  for (const auto attempt : attempts) verdicts.push_back(compare_attempt(id, attempt, ours, theirs, sides));
  return verdicts;
}

void Tally::add(const Tally& other) {
  for (std::size_t i = 0; i < calls.size(); ++i) calls.at(i) += other.calls.at(i);
  unproven += other.unproven;
}

std::uint64_t Tally::total() const { return std::accumulate(calls.begin(), calls.end(), std::uint64_t{0}); }

std::uint64_t Tally::mismatches() const {
  return (*this)[Agreement::differs] + (*this)[Agreement::missing_here] + (*this)[Agreement::missing_there] + unproven;
}

bool Tally::agrees() const { return mismatches() == 0 && (*this)[Agreement::unknown] == 0; }

}  // namespace fedgate::federation
