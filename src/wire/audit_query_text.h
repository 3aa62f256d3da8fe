// SPDX-License-Identifier: Apache-2.0
//
// `audit/query`'s body and answer ↔ values: what two gateways tell each other of the calls between them. A record holds
// what both sides of a call know anyway, and where it stands in its teller's log; no reason, no rule, no credential.
// Both are read as a stranger's: sizes and counts are bounded, known members are strict, others are ignored. Pure
// functions, any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "fedgate/audit_event.h"
#include "fedgate/result.h"

namespace fedgate::wire {

inline constexpr std::size_t most_correlation_ids = 100;
inline constexpr std::size_t most_trail_records = 100;
/// Of one page; an answer larger than limits.body and a little would not be taken.
inline constexpr std::size_t longest_trail_page = 60 * std::size_t{1024};
inline constexpr std::size_t longest_trail_question = 16 * std::size_t{1024};
inline constexpr std::size_t longest_cursor = 640;

struct TrailRecord {
  std::string log;
  std::uint64_t index = 0;
  Sha256 leaf_hash{};
  WallTime time{};
  CorrelationId correlation_id;
  std::uint32_t attempt = 0;
  Phase phase = Phase::outcome;
  std::string origin, target, principal, actor, resource, capability;
  std::string access;   ///< read, write; empty: not recorded
  std::string outcome;  ///< empty for an intent
  std::string code, call_hash;
  std::optional<LeafReference> counterparty;  ///< the other side's leaf, as this one saw it
};

/// By correlation ids, or by the time at which calls began (the time in their ids).
struct TrailQuestion {
  std::vector<CorrelationId> correlation_ids{};
  std::optional<WallTime> from{}, to{};  ///< from <= began < to
  std::string principal{};               ///< empty: any; with a time only
  std::string cursor{};                  ///< where the page before ended; empty: from the beginning
};

struct TrailPage {
  std::vector<TrailRecord> records;  ///< by correlation id, log and index
  std::string next_cursor;           ///< empty: that was all
  bool complete = true;              ///< false: what was recorded last may be missing
};

std::string trail_question_body(const TrailQuestion& question);
/// Code::bad_request, invalid_json, payload_too_large.
Result<TrailQuestion> parse_trail_question(std::string_view body);

/// One record as it stands in a page.
std::string trail_record_text(const TrailRecord& record);
/// `records`: texts as above.
std::string trail_page_body(const std::vector<std::string>& records, std::string_view next_cursor, bool complete);
/// Code::peer_protocol_error.
Result<TrailPage> parse_trail_page(std::string_view body);

}  // namespace fedgate::wire
