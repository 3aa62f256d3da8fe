// SPDX-License-Identifier: Apache-2.0
#include "verify/report.h"

#include <algorithm>
#include <array>
#include <tuple>

namespace fedgate::verify {

std::string_view to_string(Grade grade) {
  constexpr std::array<std::string_view, 3> names{"broken", "irregular", "note"};
  return names[static_cast<std::size_t>(grade)];
}

std::string_view to_string(Kind kind) {
  constexpr std::array<std::string_view, 24> names{"leaf_damaged",
                                                   "leaf_misfiled",
                                                   "leaf_replaced",
                                                   "leaves_swapped",
                                                   "leaves_missing",
                                                   "leaf_added",
                                                   "leaf_differs",
                                                   "column_differs",
                                                   "range_altered",
                                                   "truncated",
                                                   "fork",
                                                   "signature_invalid",
                                                   "head_unsigned",
                                                   "head_unproven",
                                                   "heads_missing",
                                                   "duplicate_record",
                                                   "intent_missing",
                                                   "intent_open",
                                                   "reference_malformed",
                                                   "reference_contradicted",
                                                   "time_backwards",
                                                   "time_impossible",
                                                   "generation_broken",
                                                   "begins_later"};
  return names[static_cast<std::size_t>(kind)];
}

std::string_view to_string(HeadResult::Standing standing) {
  constexpr std::array<std::string_view, 3> names{"trusted", "given", "claimed"};
  return names[static_cast<std::size_t>(standing)];
}

std::string_view to_string(HeadResult::Fit fit) {
  constexpr std::array<std::string_view, 4> names{"matches", "differs", "beyond", "unknown"};
  return names[static_cast<std::size_t>(fit)];
}

std::string_view to_string(Report::Verdict verdict) {
  constexpr std::array<std::string_view, 5> names{"verified", "consistent", "unproven", "broken", "irregular"};
  return names[static_cast<std::size_t>(verdict)];
}

Report::Verdict Report::verdict() const {
  const auto has = [&](Grade grade) { return std::ranges::find(findings, grade, &Finding::grade) != findings.end(); };
  if (has(Grade::broken)) return Verdict::broken;
  if (has(Grade::irregular)) return Verdict::irregular;
  if (witnessed > 0 || signed_by_log > 0) return Verdict::verified;
  return keys_given ? Verdict::unproven : Verdict::consistent;
}

void Findings::add(Finding finding) {
  // What breaks the log is never crowded out by what is only odd.
  if (list_.size() < at_most || (finding.grade == Grade::broken && list_.size() < 2 * at_most)) {
    list_.push_back(std::move(finding));
  } else {
    ++more_;
  }
}

bool Findings::any_broken_in(std::uint64_t first, std::uint64_t last) const {
  return std::ranges::any_of(list_, [&](const Finding& finding) {
    return finding.grade == Grade::broken && finding.first <= last && finding.last >= first;
  });
}

void Findings::into(Report& report) {
  std::ranges::sort(list_, {},
                    [](const Finding& finding) { return std::tuple(finding.grade, finding.first, finding.kind); });
  report.findings = std::move(list_);
  report.more_findings = more_;
}

}  // namespace fedgate::verify
