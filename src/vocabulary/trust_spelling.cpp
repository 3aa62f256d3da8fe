// SPDX-License-Identifier: Apache-2.0
//
// How the enumerators of the trust messages are spelled on the wire and in the database.
#include <string>
#include <string_view>

#include "fedgate/trust_messages.h"

namespace fedgate {

std::string_view to_string(TrustPurpose purpose) {
  switch (purpose) {
    case TrustPurpose::request:
      return "request";
    case TrustPurpose::invite:
      return "invite";
    case TrustPurpose::verify:
      return "verify";
  }
  return "request";
}

Result<TrustPurpose> trust_purpose_from(std::string_view text) {
  for (const auto purpose : {TrustPurpose::request, TrustPurpose::invite, TrustPurpose::verify})
    if (to_string(purpose) == text) return purpose;
  return fail(Code::bad_request, "a purpose is request, invite or verify");
}

std::string_view to_string(Asked asked) { return asked == Asked::incoming ? "incoming" : "outgoing"; }

Result<Asked> asked_from(std::string_view text) {
  for (const auto asked : {Asked::incoming, Asked::outgoing})
    if (to_string(asked) == text) return asked;
  return fail(Code::bad_request, "a candidate is incoming or outgoing");
}

}  // namespace fedgate
