// SPDX-License-Identifier: Apache-2.0
#include "fedgate/error.h"

#include <gtest/gtest.h>

#include <cctype>
#include <set>

namespace fedgate {
namespace {

TEST(Codes, EveryCodeHasAUsableEntry) {
  std::set<std::string_view> names;
  ASSERT_EQ(all_codes().size(), static_cast<std::size_t>(Code::usage) + 1);
  for (const CodeInfo& info : all_codes()) {
    EXPECT_TRUE(names.insert(info.wire_name).second) << info.wire_name << " stands twice";
    EXPECT_EQ(&code_info(info.code), &info);
    EXPECT_GE(info.http_status, 400) << info.wire_name;
    EXPECT_LT(info.http_status, 600) << info.wire_name;
    EXPECT_FALSE(info.title.empty()) << info.wire_name;
    EXPECT_TRUE(info.advice.ends_with('.')) << info.wire_name;
    for (const char c : info.wire_name)
      EXPECT_TRUE(std::islower(static_cast<unsigned char>(c)) || c == '_') << info.wire_name;
  }
}

TEST(Codes, StatusesThatClientsScriptAgainst) {
  EXPECT_EQ(code_info(Code::principal_mismatch).http_status, 403);
  EXPECT_EQ(code_info(Code::payload_too_large).http_status, 413);
  EXPECT_EQ(code_info(Code::idempotency_mismatch).http_status, 422);
  EXPECT_EQ(code_info(Code::rate_limited).http_status, 429);
  EXPECT_EQ(code_info(Code::headers_too_large).http_status, 431);
  EXPECT_EQ(code_info(Code::audit_unavailable).http_status, 503);
  EXPECT_EQ(code_info(Code::deadline_exceeded).http_status, 504);
  EXPECT_EQ(code_info(Code::loop_detected).http_status, 508);
}

TEST(Codes, RetryHelpsOnlyWhereTheSameCallMaySucceed) {
  EXPECT_TRUE(code_info(Code::rate_limited).retryable);
  EXPECT_TRUE(code_info(Code::draining).retryable);
  EXPECT_FALSE(code_info(Code::policy_denied).retryable);
  EXPECT_FALSE(code_info(Code::outcome_unknown).retryable);
  EXPECT_FALSE(code_info(Code::duplicate_call).retryable);
}

TEST(Codes, WireNamesComeBack) {
  for (const CodeInfo& info : all_codes().first(static_cast<std::size_t>(Code::invalid_configuration))) {
    EXPECT_EQ(code_from_wire(info.wire_name), info.code) << info.wire_name;
  }
}

TEST(Codes, WhatNoPeerMaySayIsInternal) {
  for (const auto* name : {"", "no_such_code", "invalid_certificate", "usage", "Policy_Denied"}) {
    EXPECT_EQ(code_from_wire(name), Code::internal) << name;
  }
}

TEST(Error, GainsContextOnTheWayUp) {
  const Error error(Code::io_error, "no space left");
  EXPECT_EQ(error.in("journal segment 3"), Error(Code::io_error, "journal segment 3: no space left"));
  EXPECT_EQ(error.info().wire_name, "io_error");
}

}  // namespace
}  // namespace fedgate
