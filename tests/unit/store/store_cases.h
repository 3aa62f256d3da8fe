// SPDX-License-Identifier: Apache-2.0
//
// What every store must do, once: sqlite_test.cpp and postgres_test.cpp run these cases on a new, empty database each.
#pragma once

#include <gtest/gtest.h>

#include <ostream>
#include <span>
#include <string>

#include "store/store.h"

namespace fedgate::store {

struct Case {
  const char* name;
  void (*run)(const std::string& url);
};
inline void PrintTo(const Case& one, std::ostream* out) { *out << one.name; }
std::span<const Case> store_cases();

// trust_records_cases.cpp
void transactions_are_whole(const std::string& url);
void invites_are_kept(const std::string& url);
void invites_serve_one_key(const std::string& url);
void candidates_are_kept(const std::string& url);
void candidates_are_bounded(const std::string& url);
void bundles_follow_each_other(const std::string& url);
void seen_leaves_are_kept(const std::string& url);
// finding_cases.cpp
void further_filters_filter(const std::string& url);
void calls_are_between_two_nodes(const std::string& url);
void calls_are_paged_in_their_order(const std::string& url);
void questions_end(const std::string& url);
void a_log_is_read_by_index(const std::string& url);
void reconciliations_go_on(const std::string& url);
// rotation_records_cases.cpp
void rotation_is_kept(const std::string& url);
// audit_log_records_cases.cpp
void witness_state_is_compared_and_swapped(const std::string& url);
void checkpoints_gather_signatures(const std::string& url);
void references_change_their_state(const std::string& url);
void alarms_are_kept(const std::string& url);

/// Says the error where there is one.
template <class T>
testing::AssertionResult ok(const Result<T>& result) {
  if (result) return testing::AssertionSuccess();
  return testing::AssertionFailure() << result.error().detail;
}

/// As it could come from a call: every field set, the texts unlike each other.
AuditRow audit_row(const std::string& log, std::uint64_t index, WallTime time);
inline constexpr WallTime some_time{std::chrono::microseconds(1'790'000'000'123'456)};

/// Rows a second and microseconds of this process's CPU a row, printed.
void measure_append(const std::string& url);

}  // namespace fedgate::store
