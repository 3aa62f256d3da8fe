// SPDX-License-Identifier: Apache-2.0
#include "net/http_writer.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdio>

#include "net/ascii.h"

namespace fedgate::net {
namespace {

void append_number(std::string& out, std::size_t value) {
  char digits[20];
  const auto end = std::to_chars(digits, digits + sizeof digits, value).ptr;
  out.append(digits, end);
}

/// Where a message ends and whom it is for is said by this file only.
bool is_ours(std::string_view name) {
  switch (name.size()) {
    case 4:
      return same_text(name, "host");
    case 10:
      return same_text(name, "connection");
    case 14:
      return same_text(name, "content-length");
    case 17:
      return same_text(name, "transfer-encoding");
    default:
      return false;
  }
}

Result<void> append_headers(std::string& out, const Headers& headers) {
  for (std::size_t i = 0; i < headers.size(); ++i) {
    const auto field = headers.at(i);
    if (!is_token(field.name) || !is_field_value(field.value) || is_ours(field.name)) {
      out.clear();
      return fail(Code::internal, "a header that would break the message: " + std::string(field.name.substr(0, 64)));
    }
    out.append(field.name).append(": ").append(field.value).append("\r\n");
  }
  return {};
}

}  // namespace

std::optional<WallTime> parse_date(std::string_view text) {
  static constexpr std::string_view months = "JanFebMarAprMayJunJulAugSepOctNovDec";
  if (text.size() != 29) return std::nullopt;
  const auto number = [&](std::size_t at, std::size_t digits) {
    int value = 0;
    std::from_chars(text.data() + at, text.data() + at + digits, value);
    return value;
  };
  const auto month = months.find(text.substr(8, 3));
  std::tm utc{};
  utc.tm_mday = number(5, 2);
  utc.tm_mon = static_cast<int>(month / 3);
  utc.tm_year = number(12, 4) - 1900;
  utc.tm_hour = number(17, 2);
  utc.tm_min = number(20, 2);
  utc.tm_sec = number(23, 2);
  if (month == std::string_view::npos) return std::nullopt;
  const WallTime time{std::chrono::seconds(timegm(&utc))};
  // Whatever is not exactly so is written otherwise.
  if (DateText().at(time) != text) return std::nullopt;
  return time;
}

std::string_view DateText::at(WallTime now) {
  const std::time_t second = std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count();
  if (second == second_) return text_;
  second_ = second;
  static constexpr const char* days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  static constexpr const char* months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                           "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  std::tm utc{};
  gmtime_r(&second, &utc);
  char text[40];
  // strftime would follow the locale.
  const int size =
      std::snprintf(text, sizeof text, "%s, %02d %s %04d %02d:%02d:%02d GMT", days[utc.tm_wday], utc.tm_mday,
                    months[utc.tm_mon], utc.tm_year + 1900, utc.tm_hour, utc.tm_min, utc.tm_sec);
  text_.assign(text, static_cast<std::size_t>(size));
  return text_;
}

Result<void> write_response(std::string& out, const Response& response, std::string_view request_method,
                            std::string_view date, After after) {
  out.clear();
  out.append("HTTP/1.1 ");
  append_number(out, response.status);
  out.append(" ").append(reason_phrase(response.status)).append("\r\nDate: ").append(date).append("\r\n");
  if (auto headers = append_headers(out, response.headers); !headers) return headers;
  const bool bodiless = response.status < 200 || response.status == 204 || response.status == 304;
  if (!bodiless) {
    out.append("Content-Length: ");
    append_number(out, response.body.size());
    out.append("\r\n");
  }
  if (after == After::close) out.append("Connection: close\r\n");
  out.append("\r\n");
  if (!bodiless && request_method != "HEAD") out.append(response.body);
  return {};
}

Result<void> write_request(std::string& out, const Request& request, std::string_view host) {
  out.clear();
  const auto unclean = [](char c) { return static_cast<unsigned char>(c) <= 0x20 || c == 0x7F; };
  if (!is_token(request.method) || !request.target.starts_with('/') || std::ranges::any_of(request.target, unclean) ||
      host.empty() || std::ranges::any_of(host, unclean)) {
    return fail(Code::internal, "a request line or Host that would break the message");
  }
  out.append(request.method)
      .append(" ")
      .append(request.target)
      .append(" HTTP/1.1\r\nHost: ")
      .append(host)
      .append("\r\n");
  if (auto headers = append_headers(out, request.headers); !headers) return headers;
  const bool expects_body = request.method == "POST" || request.method == "PUT" || request.method == "PATCH";
  if (expects_body || !request.body.empty()) {
    out.append("Content-Length: ");
    append_number(out, request.body.size());
    out.append("\r\n");
  }
  if (!request.keep_alive) out.append("Connection: close\r\n");
  out.append("\r\n").append(request.body);
  return {};
}

}  // namespace fedgate::net
