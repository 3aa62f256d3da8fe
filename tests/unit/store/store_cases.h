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
// rotation_records_cases.cpp
void rotation_is_kept(const std::string& url);

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
