// SPDX-License-Identifier: Apache-2.0
//
// HTTP/1.1 messages into bytes: head and body in one buffer, so that they leave in one write. Refuses what would
// let a value forge a header. Date is made once a second.
#pragma once

#include <cstdint>
#include <ctime>
#include <optional>
#include <string>
#include <string_view>

#include "fedgate/clock.h"
#include "fedgate/result.h"
#include "net/http_message.h"

namespace fedgate::net {

/// RFC 9110 section 5.6.7, remembered for its second. One per thread's owner.
class DateText {
 public:
  std::string_view at(WallTime now);

 private:
  std::time_t second_ = -1;
  std::string text_;
};

/// That form only, the one that servers must send (IMF-fixdate).
std::optional<WallTime> parse_date(std::string_view text);

enum class After : std::uint8_t { keep_open, close };

/// Replaces `out`. Code::internal where a header is not sendable; `out` is empty then.
Result<void> write_response(std::string& out, const Response& response, std::string_view request_method,
                            std::string_view date, After after);
Result<void> write_request(std::string& out, const Request& request, std::string_view host);

}  // namespace fedgate::net
