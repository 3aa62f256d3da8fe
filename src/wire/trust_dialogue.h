// SPDX-License-Identifier: Apache-2.0
//
// The messages by which trust begins ↔ values: `trust/challenge`, `trust` and their answers (protocol.md section 2).
// Field names node_id, client_cert, challenge, success, trust_level, certificate_info, challenge_response, expires_at
// and message are SARK v2's. Random bytes are base64url, signatures base64, hashes hexadecimal, times RFC 3339 in UTC.
// Members that are not known are ignored (the other side may be newer); those that are known are strict. Whoever wrote
// a message, its size and depth are bounded. Pure functions; a json::Parser is passed in.
#pragma once

#include <string>
#include <string_view>

#include "base/json.h"
#include "fedgate/result.h"
#include "fedgate/trust_messages.h"

namespace fedgate::wire {

/// Every message of the dialogue is smaller than this.
inline constexpr std::size_t longest_trust_message = 32 * std::size_t{1024};

std::string challenge_request_body(const ChallengeRequest& request);
Result<ChallengeRequest> parse_challenge_request(json::Parser& parser, std::string_view body);

std::string challenge_answer_body(const ChallengeAnswer& answer);
Result<ChallengeAnswer> parse_challenge_answer(json::Parser& parser, std::string_view body);

std::string trust_request_body(const TrustRequest& request);
Result<TrustRequest> parse_trust_request(json::Parser& parser, std::string_view body);

std::string trust_answer_body(const TrustAnswer& answer);
Result<TrustAnswer> parse_trust_answer(json::Parser& parser, std::string_view body);

}  // namespace fedgate::wire
